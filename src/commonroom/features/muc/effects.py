"""XEP-0045: what a use case brings about: what is sent, in this order, and what must be on disk before."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, Stanza


class Broadcast:
    """One stanza for many: each copy differs by its start tag, and shares the serialized children."""

    __slots__ = ("recipients", "template")

    def __init__(self, template: Stanza, recipients: Sequence[JID]) -> None:
        self.template = template
        self.recipients = recipients

    def copies(self) -> Iterator[Stanza]:
        """The stanzas to send."""
        return self.template.copies(self.recipients)


class Archived(NamedTuple):
    """A message that the room's archive keeps under the id that its recipients are told (XEP-0313 §6.1.2).

    sender      the full real address of whom it is from, which not everybody may see; the room's own, if it
                is from the room itself
    """

    id: int
    message: Message
    sender: JID


@dataclass(frozen=True, slots=True)
class RoomPut:
    """The room's own values changed: its configuration, subject, hats, or that it exists."""


@dataclass(frozen=True, slots=True)
class AffiliationPut:
    """What `room.affiliations` and `room.former` say of somebody changed; neither: nothing is kept."""

    jid: JID


@dataclass(frozen=True, slots=True)
class RoomDestroyed:
    """The room is no more (XEP-0045 §10.9)."""

    reason: str | None = None
    alternate: JID | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class MessageRetracted:
    """A message loses its content in the archive (XEP-0424 §4, XEP-0425 §4).

    xml         what takes the place of its children: <occupant-id/> of its author is to stay
    author      the full address that it must be from; None: anybody, a moderator wants it so
    """

    id: int
    xml: str
    author: JID | None = None


Change = RoomPut | AffiliationPut | RoomDestroyed | MessageRetracted


class Effects:
    """What a use case brings about.

    send        in this order; `to` is a full real address, or a bare one for invitations and notices
    writes      on disk before anything is sent; a room that is not persistent has them, too
    archive     messages for the archive, on disk before they are sent; only of rooms that log
    doubtful    occupants whose clients may be gone: to be pinged (XEP-0045 §18.1.2)
    has_ended   the room is gone: it was destroyed, or the last one left a temporary one
    """

    __slots__ = ("archive", "doubtful", "has_ended", "send", "writes")

    def __init__(self) -> None:
        self.send: list[Stanza | Broadcast] = []
        self.writes: list[Change] = []
        self.archive: list[Archived] = []
        self.doubtful: list[JID] = []
        self.has_ended = False

    def stanzas(self) -> Iterator[Stanza]:
        """All that is sent, copy by copy."""
        for item in self.send:
            if isinstance(item, Broadcast):
                yield from item.copies()
            else:
                yield item

    def broadcast(self, template: Stanza, recipients: Iterable[JID]) -> None:
        """Send it to all of them, if there are any."""
        addresses = tuple(recipients)
        if addresses:
            self.send.append(Broadcast(template, addresses))
