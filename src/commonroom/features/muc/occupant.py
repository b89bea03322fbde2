"""XEP-0045 §4.1: an occupant: a user in a room under a nickname, with one or more clients."""

from collections.abc import Callable

from commonroom.features.muc.affiliations import Affiliation, Role
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Presence


class Appearance:
    """What is seen of an occupant, by who sees it; each is made and serialized once, if anybody sees it."""

    __slots__ = ("_make_own", "_make_plain", "_make_revealed", "_own", "_plain", "_revealed")

    def __init__(
        self, plain: Callable[[], Presence], revealed: Callable[[], Presence], own: Callable[[], Presence]
    ) -> None:
        self._make_plain, self._make_revealed, self._make_own = plain, revealed, own
        self._plain: Presence | None = None
        self._revealed: Presence | None = None
        self._own: Presence | None = None

    @property
    def plain(self) -> Presence:
        """By those who may not know the real address."""
        if self._plain is None:
            self._plain = self._make_plain()
        return self._plain

    @property
    def revealed(self) -> Presence:
        """By those who may (XEP-0045 §7.2.3, §7.2.4)."""
        if self._revealed is None:
            self._revealed = self._make_revealed()
        return self._revealed

    @property
    def own(self) -> Presence:
        """By the occupant's own clients (XEP-0045 §7.2.2): with status code 110."""
        if self._own is None:
            self._own = self._make_own()
        return self._own


class Occupant:
    """Somebody in a room.

    address     the occupant JID, room@service/nick
    user        the bare real address
    sessions    the full real addresses, with the last presence of each (XEP-0045 §7.2.8), the oldest first
    id          the occupant id (XEP-0421)
    appearance  as others see it now, until something changes
    """

    __slots__ = (
        "address",
        "affiliation",
        "appearance",
        "id",
        "nick",
        "role",
        "sessions",
        "user",
    )

    def __init__(self, address: JID, user: JID, affiliation: Affiliation, role: Role, id: str) -> None:
        assert address.resource is not None
        self.address = address
        self.nick = address.resource
        self.user = user
        self.affiliation = affiliation
        self.role = role
        self.id = id
        self.sessions: dict[JID, Presence] = {}
        self.appearance: Appearance | None = None

    def main(self) -> tuple[JID, Presence]:
        """The session that others see: of the highest priority, the newest of these."""
        if len(self.sessions) == 1:
            return next(iter(self.sessions.items()))
        return max(reversed(self.sessions.items()), key=_priority)


def _priority(session: tuple[JID, Presence]) -> int:
    return session[1].priority()
