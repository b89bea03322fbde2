"""Which installation of a client has which session, as far as clients say (XEP-0388 §2.3)."""

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from commonroom.core.session import Session
from commonroom.core.user import User


class Clients:
    """Knows sessions by the ids that clients give their installations."""

    def __init__(self) -> None:
        self._ids: WeakKeyDictionary[Session, str] = WeakKeyDictionary()

    def note(self, session: Session, client: str) -> None:
        """The session is this one's."""
        self._ids[session] = client

    def sessions(self, user: User, client: str) -> Iterable[Session]:
        """The sessions of an account's installation."""
        return [
            resource
            for resource in user.sessions.values()
            if isinstance(resource, Session) and self._ids.get(resource) == client
        ]
