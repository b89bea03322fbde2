"""XEP-0425: Moderated Message Retraction: what others said is taken back, version 0.3.0."""

from datetime import datetime

from commonroom.features.muc.affiliations import Role
from commonroom.features.muc.effects import Archived, Broadcast, Effects, MessageRetracted
from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.occupant_ids import occupant_id, occupant_id_element
from commonroom.features.muc.room import Room
from commonroom.protocol.delay import utc
from commonroom.protocol.errors import bad_request, forbidden, item_not_found
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MODERATE, NS_RETRACT
from commonroom.protocol.stanza import Iq, Message, MessageType
from commonroom.protocol.stanza_ids import read_archive_id, stanza_id
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.serializer import serialize


def wanted(room: Room, iq: Iq) -> int:
    """The message that a moderator wants away; raises forbidden for others (XEP-0425 §3.2)."""
    _moderator(room, iq.sender)
    request = iq.request()
    if request.child(NS_RETRACT, "retract") is None:
        raise bad_request("messages can be retracted, and nothing else")
    id = read_archive_id(request.get("id") or "")
    if id is None:
        raise item_not_found("there is no such message")
    return id


def moderate(room: Room, iq: Iq, now: datetime) -> Effects:
    """Retract it, and tell everybody (XEP-0425 §3.1).

    In a room that logs, whoever calls has seen that the archive has the message.
    """
    id = wanted(room, iq)
    author = forget_spoken(room, id, None)
    if author is None and not room.config.is_archived:
        raise item_not_found("there is no such message")
    moderator = _moderator(room, iq.sender)
    reason = iq.request().child_text(NS_MODERATE, "reason")
    effects = Effects()
    number = room.next_id()
    message = _announcement(room, moderator, str(id), number, reason)
    if room.config.is_archived:
        by = _moderated(moderator)
        gone = None if author is None else occupant_id_element(occupant_id(room.occupant_key, author))
        effects.writes.append(MessageRetracted(id, tombstone(gone, None, now, by, reason)))
        effects.archive.append(Archived(number, message, room.address))
    effects.send += [Broadcast(message, tuple(room.by_address)), iq.result()]
    return effects


def _moderator(room: Room, sender: JID | None) -> Occupant:
    occupant = None if sender is None else room.by_address.get(sender)
    if occupant is None or occupant.role is not Role.MODERATOR:
        raise forbidden("only moderators may retract what others said")
    return occupant


def _announcement(room: Room, moderator: Occupant, id: str, number: int, reason: str | None) -> Message:
    retract = Element(NS_RETRACT, "retract", {"id": id}, _moderated(moderator))
    if reason:
        retract.append(Element(NS_RETRACT, "reason", None, reason))
    children: list[Element | str] = [retract, stanza_id(room.address, str(number))]
    return Message(MessageType.GROUPCHAT, sender=room.address, id=str(number), children=children)


def _moderated(moderator: Occupant) -> Element:
    """By whom (XEP-0425 §3.1): a name in the room, and the occupant id, which stays."""
    by = {"by": str(moderator.address)}
    return Element(NS_MODERATE, "moderated", by, occupant_id_element(moderator.id))


def tombstone(
    author: Element | None,
    id: str | None,
    now: datetime,
    moderated: Element | None = None,
    reason: str | None = None,
) -> str:
    """What remains of a message in the archive (XEP-0424 §4, XEP-0425 §4), with whose it was."""
    retracted = Element(NS_RETRACT, "retracted", {"stamp": utc(now)} | ({} if id is None else {"id": id}))
    if moderated is not None:
        retracted.append(moderated)
    if reason:
        retracted.append(Element(NS_RETRACT, "reason", None, reason))
    parts = (retracted,) if author is None else (author, retracted)
    return "".join(serialize(part, NS_CLIENT) for part in parts)


def forget_spoken(room: Room, id: int, author: JID | None) -> JID | None:
    """Take a message out of the history, if it is from that author; gives who said it."""
    for spoken in room.history:
        if spoken.id == id and author in (None, spoken.user):
            room.history.remove(spoken)
            return spoken.user
    return None
