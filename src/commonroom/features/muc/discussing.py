"""XEP-0045 §7.3, §7.4, §7.5, §8.1: messages to all, private messages, and the subject."""

from datetime import datetime

from commonroom.features.muc.affiliations import Affiliation, Role
from commonroom.features.muc.config import AllowPM
from commonroom.features.muc.effects import Archived, Broadcast, Effects, MessageRetracted, RoomPut
from commonroom.features.muc.forgeries import honest
from commonroom.features.muc.history import is_kept, remember, stamped
from commonroom.features.muc.moderated_retraction import forget_spoken, tombstone
from commonroom.features.muc.occupant import Occupant
from commonroom.features.muc.occupant_ids import occupant_id_element
from commonroom.features.muc.room import Room, Subject, keep
from commonroom.features.muc.slow_mode import check_pace
from commonroom.protocol.errors import bad_request, forbidden, item_not_found, not_acceptable
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_RETRACT
from commonroom.protocol.stanza import Message, MessageType
from commonroom.protocol.stanza_ids import read_archive_id, stanza_id
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_MUC_USER

LONGEST_SUBJECT = 4096
# With all that stands beside the text: who enters gets all of it, and it is stored.
MOST_OF_SUBJECT = 16_384
# Private messages whose errors find their way back.
MOST_PRIVATE = 500

# Who may send private messages (XEP-0045 §7.5).
_PRIVATE_ROLES = {
    AllowPM.ANYONE: frozenset((Role.VISITOR, Role.PARTICIPANT, Role.MODERATOR)),
    AllowPM.PARTICIPANTS: frozenset((Role.PARTICIPANT, Role.MODERATOR)),
    AllowPM.MODERATORS: frozenset((Role.MODERATOR,)),
    AllowPM.NONE: frozenset(),
}


def speak(room: Room, message: Message, now: datetime) -> Effects:
    """An occupant says something to all (XEP-0045 §7.4), or changes the subject (§8.1)."""
    occupant = speaker(room, message.sender)
    is_subject = is_subject_change(message)
    if is_subject:
        _check_subject(room, occupant, message)
    elif occupant.role is Role.VISITOR:
        raise forbidden("you have no voice in this room")
    check_pace(room, occupant, message, now)
    effects = Effects()
    id = room.next_id()
    said = _reflected(room, occupant, message, id)
    if is_subject and len(said.payload()) > MOST_OF_SUBJECT:
        raise not_acceptable("there is too much beside the subject")
    retracts = said.child(NS_RETRACT, "retract")
    if retracts is not None:
        _retract_own(room, effects, message.sender, retracts, id, now)
    if is_subject:
        room.subject = Subject(stamped(said, room.address, now), now)
        effects.writes.append(RoomPut())
    is_kept_here = is_kept(said)
    if is_kept_here and not is_subject:
        remember(room, id, occupant.user, said, now)
    # Subjects and retractions are archived, too (XEP-0313 §6.1.2, XEP-0424 §5).
    if room.config.is_archived and (is_kept_here or is_subject or retracts is not None):
        assert message.sender is not None
        effects.archive.append(Archived(id, said, message.sender))
    effects.send.append(Broadcast(said, tuple(room.by_address)))
    return effects


def speaker(room: Room, sender: JID | None) -> Occupant:
    """Who sent it; raises not-acceptable for somebody who is not inside (XEP-0045 §7.4, §7.5)."""
    occupant = None if sender is None else room.by_address.get(sender)
    if occupant is None:
        raise not_acceptable("you are not in this room")
    return occupant


def is_subject_change(message: Message) -> bool:
    """A subject with neither body nor thread (XEP-0045 §8.1)."""
    names = [child.name for child in message.elements() if child.namespace == NS_CLIENT]
    return "subject" in names and "body" not in names and "thread" not in names


def _check_subject(room: Room, occupant: Occupant, message: Message) -> None:
    allowed = occupant.role is Role.MODERATOR or (
        room.config.change_subject and occupant.role is Role.PARTICIPANT
    )
    if not allowed:
        raise forbidden("you may not change the subject")
    if (
        sum(len(subject.text()) for subject in message.elements() if subject.name == "subject")
        > LONGEST_SUBJECT
    ):
        raise not_acceptable(f"a subject has at most {LONGEST_SUBJECT} characters")


def _reflected(room: Room, occupant: Occupant, message: Message, id: int) -> Message:
    """The message as all get it (XEP-0045 §7.4), under the id that its sender gave it."""
    assert message.sender is not None
    is_historian = occupant.affiliation is Affiliation.OWNER and not room.is_anonymous
    children = honest(message.children, message.sender, room.address, is_historian)
    children.append(occupant_id_element(occupant.id))
    children.append(stanza_id(room.address, str(id)))
    return Message(
        message.type,
        sender=occupant.address,
        id=str(id) if message.id is None else message.id,
        children=children,
        lang=message.lang,
        extra=message.extra,
    )


def _retract_own(
    room: Room, effects: Effects, sender: JID | None, retract: Element, by: int, now: datetime
) -> None:
    """Whoever retracts own words takes them from those who come later (XEP-0424 §5)."""
    id = read_archive_id(retract.get("id") or "")
    if id is None or sender is None:
        return
    forget_spoken(room, id, sender.bare)
    if room.config.is_archived:
        author = occupant_id_element(speaker(room, sender).id)
        effects.writes.append(MessageRetracted(id, tombstone(author, str(by), now), sender.bare))


def whisper(room: Room, message: Message, now: datetime) -> Effects:
    """An occupant says something to another one (XEP-0045 §7.5), who hears it with all clients (§7.2.8)."""
    occupant = speaker(room, message.sender)
    assert message.sender is not None
    assert message.to is not None
    if message.type is MessageType.GROUPCHAT:
        raise bad_request("what is for one occupant is not of type groupchat")
    if occupant.role not in _PRIVATE_ROLES[room.config.allow_pm]:
        raise forbidden("you may not send private messages in this room")
    recipient = room.occupants.get(message.to.resource or "")
    if recipient is None:
        raise item_not_found("nobody has this nickname")
    children = honest(message.children, message.sender, room.address)
    children.append(Element(NS_MUC_USER, "x"))
    children.append(occupant_id_element(occupant.id))
    said = Message(
        message.type,
        sender=occupant.address,
        id=message.id,
        children=children,
        lang=message.lang,
        extra=message.extra,
    )
    keep(room.private, (recipient.user, occupant.address, message.id), None, MOST_PRIVATE)
    effects = Effects()
    effects.send.append(Broadcast(said, tuple(recipient.sessions)))
    return effects
