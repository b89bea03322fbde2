"""What operations see and change of the service that runs: its sessions."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from commonroom.core.clients import Clients
from commonroom.core.session import Session
from commonroom.core.users import Users
from commonroom.net.c2s import ClientConnection
from commonroom.net.seen import Seen
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID

REVOKED = StreamError(StreamCondition.NOT_AUTHORIZED, "the client was revoked; please log in again")


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A session; `ip` and `tls` are None while it waits for its client to come back (XEP-0198 §5).

    `tls` is the version of TLS. `queued` is how much of what was sent the client may not have got.
    """

    address: JID
    ip: str | None
    tls: str | None
    since: datetime | None
    heard: datetime | None
    available: bool
    priority: int
    queued: int


class Live:
    """`connected` are the connections of now; `clock` and `now` tell their times."""

    def __init__(
        self,
        users: Users,
        clients: Clients,
        connected: Collection[ClientConnection],
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._users = users
        self._clients = clients
        self._connected = connected
        self._clock = clock
        self._now = now

    def sessions(self) -> Iterator[Session]:
        """Every session there is, those of clients that are away as well."""
        for user in self._users.online():
            for resource in tuple(user.sessions.values()):
                if isinstance(resource, Session):
                    yield resource

    def sessions_of(self, address: JID) -> list[Session]:
        """Those of an account, or the one of a full address."""
        user = self._users.find(address.bare)
        found = () if user is None else tuple(user.sessions.values())
        return [
            session
            for session in found
            if isinstance(session, Session) and (address.is_bare or session.jid == address)
        ]

    def connections(self) -> dict[Session, Seen]:
        """What is known of the connection of each session that has one."""
        seen = (connection.seen() for connection in tuple(self._connected))
        return {each.session: each for each in seen if each.session is not None}

    def facts(self, session: Session, seen: Seen | None) -> SessionFacts:
        """What operators see of a session."""
        return SessionFacts(
            session.jid,
            None if seen is None else seen.address,
            None if seen is None else seen.tls,
            None if seen is None else self._moment(seen.connected_at),
            None if seen is None else self._moment(seen.last_received),
            session.presence is not None,
            session.priority,
            len(session.remaining()),
        )

    def end_client(self, account: JID, client: str) -> int:
        """End the sessions of an account's client; tells how many."""
        user = self._users.find(account)
        ended = () if user is None else tuple(self._clients.sessions(user, client))
        for session in ended:
            session.end(REVOKED)
        return len(ended)

    def _moment(self, at: float) -> datetime:
        return self._now() - timedelta(seconds=self._clock() - at)
