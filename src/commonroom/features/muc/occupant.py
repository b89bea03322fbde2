"""XEP-0045 §4.1: an occupant: a user in a room under a nickname, with one or more clients."""

from datetime import datetime

from commonroom.features.muc.affiliations import Affiliation, Role
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Presence


class Appearance:
    """What is seen of an occupant, by who sees it; each is serialized once, and only when somebody sees it.

    plain       by those who may not know the real address
    revealed    by those who may
    own         by the occupant's own clients (XEP-0045 §7.2.2: status 110)
    """

    __slots__ = ("own", "plain", "revealed")

    def __init__(self, plain: Presence, revealed: Presence, own: Presence) -> None:
        self.plain = plain
        self.revealed = revealed
        self.own = own


class Occupant:
    """Somebody in a room.

    address     the occupant JID, room@service/nick
    user        the bare real address
    sessions    the full real addresses, with the last presence of each (XEP-0045 §7.2.8), the oldest first
    id          the occupant id (XEP-0421)
    said        when the last message with a body came (XEP-0500)
    appearance  as others see it now, until something changes
    """

    __slots__ = (
        "address",
        "affiliation",
        "appearance",
        "id",
        "joined",
        "nick",
        "role",
        "said",
        "sessions",
        "user",
    )

    def __init__(
        self, address: JID, user: JID, affiliation: Affiliation, role: Role, id: str, joined: datetime
    ) -> None:
        assert address.resource is not None
        self.address = address
        self.nick = address.resource
        self.user = user
        self.affiliation = affiliation
        self.role = role
        self.id = id
        self.joined = joined
        self.said: datetime | None = None
        self.sessions: dict[JID, Presence] = {}
        self.appearance: Appearance | None = None

    def main(self) -> tuple[JID, Presence]:
        """The session that others see: of the highest priority, the newest of these."""
        if len(self.sessions) == 1:
            return next(iter(self.sessions.items()))
        return max(reversed(self.sessions.items()), key=_priority)


def _priority(session: tuple[JID, Presence]) -> int:
    return session[1].priority()
