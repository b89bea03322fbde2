"""XEP-0045: what is kept of rooms: values, never rows or elements."""

from dataclasses import dataclass
from datetime import datetime

from commonroom.protocol.jid import JID


@dataclass(frozen=True, slots=True)
class StoredSubject:
    """The message that set a room's subject, from the occupant who did, as XML in jabber:client."""

    xml: str
    stamp: datetime


@dataclass(frozen=True, slots=True)
class RoomAffiliation:
    """What somebody is to a room for good (XEP-0045 §5.2).

    jid         a bare address, or a domain for all who have accounts there
    affiliation `owner`, `admin`, `member`, `outcast`, or `none` for somebody who was one of these
    nick        the reserved nickname (XEP-0045 §7.10)
    version     that of the room's lists after this change (XEP-0463)
    """

    jid: JID
    affiliation: str
    nick: str | None = None
    reason: str | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class RoomHead:
    """A room without its lists.

    config      JSON that those who know rooms write and read
    public      whether strangers may find it
    words       what it is searched by, in small letters
    skeleton    its name as an eye sees it (UTS #39): rooms of one skeleton look alike
    occupant_key  what the ids of its occupants are made with (XEP-0421)
    version     of its lists of affiliations (XEP-0463)
    used        when somebody was last there, to the day
    """

    address: JID
    config: str
    public: bool
    words: str
    skeleton: str
    occupant_key: bytes
    created: datetime
    used: datetime
    version: int = 0
    subject: StoredSubject | None = None


@dataclass(frozen=True, slots=True)
class StoredRoom:
    """A room with all that is kept of it; `affiliations` by address."""

    head: RoomHead
    affiliations: tuple[RoomAffiliation, ...] = ()


@dataclass(frozen=True, slots=True)
class RoomGrave:
    """A room was here and was destroyed, for this reason; people may go on elsewhere (XEP-0045 §10.9)."""

    address: JID
    stamp: datetime
    reason: str | None = None
    alternate: JID | None = None


@dataclass(frozen=True, slots=True)
class RoomRequest:
    """Somebody would like a room of this name, which an operator has to allow."""

    address: JID
    requester: JID
    stamp: datetime
