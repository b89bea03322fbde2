"""XEP-0424: Message Retraction: a tombstone takes the place of what was retracted."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from commonroom.core.feature import Feature, Xep, on_message
from commonroom.core.message import Outcome, Received, Sent
from commonroom.core.user import ARCHIVE, User
from commonroom.protocol.delay import utc
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, MessageType
from commonroom.protocol.stanza_ids import LONGEST_ORIGIN
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import ArchiveStore, Writes
from commonroom.storage.records import ArchivedMessage
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER
from commonroom.xml.parser import parse_fragment
from commonroom.xml.serializer import serialize

NS_RETRACT = "urn:xmpp:message-retract:1"
NS_OCCUPANT_ID = "urn:xmpp:occupant-id:0"

# Ids are unique only as far as clients make them so (XEP-0424 §6.1): the last one of that name is meant,
# and there may be a retraction and the other direction among those that have it.
LOOKED_AT = 10


class Retraction(Feature):
    """Removes the content of a message from the archives of both sides, when its sender asks for that.

    The retraction itself goes its way and is archived (XEP-0424 §5). `now` gives an aware datetime.
    """

    xep = Xep("0424", "0.4.2")
    disco = (NS_RETRACT, f"{NS_RETRACT}#tombstone")
    account_disco = (NS_RETRACT, f"{NS_RETRACT}#tombstone")

    def __init__(self, store: ArchiveStore, writes: Writes, now: Callable[[], datetime]) -> None:
        self._store = store
        self._writes = writes
        self._now = now

    @on_message(Sent.ARCHIVE, wants=ARCHIVE)
    def retract_sent(self, message: Message, user: User) -> Awaitable[Outcome] | None:
        """In the archive of who sent the original."""
        retracted = _retracted(message)
        if retracted is None:
            return None
        assert message.to is not None
        return self._retract(message, retracted, user, message.to, outgoing=True)

    @on_message(Received.ARCHIVE, wants=ARCHIVE, rooms=False)
    def retract_received(self, message: Message, user: User) -> Awaitable[Outcome] | None:
        """In the archive of who got it; what users send to themselves was looked at when it was sent."""
        retracted = _retracted(message)
        sender = message.sender or user.jid
        if retracted is None or sender.bare == user.jid:
            return None
        return self._retract(message, retracted, user, sender, outgoing=False)

    async def _retract(
        self, message: Message, retracted: str, user: User, peer: JID, outgoing: bool
    ) -> Outcome:
        """The sender's later stanzas wait; the original may have been sent a moment ago."""
        with suppress(StorageError):  # was told to whoever wrote it
            await self._writes.flushed()
        for original in reversed(await self._store.named(user.jid, peer, retracted, LOOKED_AT)):
            stanza = parse_fragment(original.xml, NS_CLIENT)
            if original.outgoing is outgoing and _may_retract(message, peer, original, stanza):
                tombstone = _tombstone(stanza, message.id or "", self._now())
                self._store.replace(user.jid, original.id, serialize(tombstone, NS_CLIENT))
                break
        return None


def _retracted(message: Message) -> str | None:
    """The id of the message that this one retracts. Tombstones name the retraction's own id (XEP-0424 §4)."""
    retract = message.child(NS_RETRACT, "retract")
    if retract is None or not message.id or message.type in (MessageType.GROUPCHAT, MessageType.ERROR):
        return None
    id = retract.get("id")
    return id if id and len(id) <= LONGEST_ORIGIN else None


def _may_retract(message: Message, peer: JID, original: ArchivedMessage, stanza: Element) -> bool:
    """Whether both are from the same sender (XEP-0424 §5): with the store, that is so for the bare address.

    Behind the bare address of a room are many. Its private messages are retracted by the same occupant only.
    A retraction is none that can be retracted, nor is a tombstone.
    """
    if stanza.child(NS_RETRACT, "retract") or stanza.child(NS_RETRACT, "retracted"):
        return False
    if message.child(NS_MUC_USER, "x") is None and stanza.child(NS_MUC_USER, "x") is None:
        return True
    if original.peer != peer or original.outgoing:
        return original.peer == peer
    return (occupant := _occupant(message)) is not None and occupant == _occupant(stanza)


def _occupant(stanza: Message | Element) -> str | None:
    """Who it was in a room, whatever the nickname (XEP-0421 §3)."""
    element = stanza.child(NS_OCCUPANT_ID, "occupant-id")
    return None if element is None else element.get("id")


def _tombstone(stanza: Element, id: str, now: datetime) -> Element:
    """The same stanza, with nothing in it but by what and when it was retracted (XEP-0424 §4)."""
    retracted = Element(NS_RETRACT, "retracted", {"id": id, "stamp": utc(now)})
    return Element(NS_CLIENT, "message", stanza.attributes, retracted)
