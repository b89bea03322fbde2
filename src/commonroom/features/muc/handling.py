"""XEP-0045: which use case a stanza asks for: a table for each kind of stanza."""

from collections.abc import Callable
from datetime import datetime

from commonroom.features.muc import (
    administering,
    describing,
    discussing,
    entering,
    hat_commands,
    inviting,
    leaving,
    moderated_retraction,
    owning,
    presences,
    registering,
    relaying,
    voice,
)
from commonroom.features.muc.affiliations import Affiliation
from commonroom.features.muc.effects import Effects
from commonroom.features.muc.room import Room
from commonroom.protocol.dataforms import NS_DATA, form_fields
from commonroom.protocol.errors import bad_request, forbidden, item_not_found, service_unavailable
from commonroom.protocol.muc import (
    FORM_REGISTER,
    FORM_REQUEST,
    NS_MODERATE,
    NS_MUC,
    NS_MUC_ADMIN,
    NS_MUC_OWNER,
)
from commonroom.protocol.stanza import Iq, IqType, Message, MessageType, Presence, PresenceType, Stanza
from commonroom.xml.element import Element
from commonroom.xml.names import NS_DISCO_INFO, NS_MUC_USER, NS_PING, NS_REGISTER

PresenceCase = Callable[[Room, Presence, datetime], Effects]
MessageCase = Callable[[Room, Message, datetime], Effects]
IqCase = Callable[[Room, Iq, datetime], Effects]


def _come(room: Room, presence: Presence, now: datetime) -> Effects:
    """Available presence enters only with <x/> (XEP-0045 §7.2.1, §7.2.18)."""
    is_entering = presence.child(NS_MUC, "x") is not None
    return (entering.enter if is_entering else presences.update)(room, presence, now)


# Whatever is not here is ignored: it is about subscriptions, which rooms do not have.
PRESENCES: dict[PresenceType, PresenceCase] = {
    PresenceType.AVAILABLE: _come,
    PresenceType.UNAVAILABLE: leaving.leave,
    PresenceType.ERROR: leaving.failed,
    PresenceType.PROBE: presences.probe,
}


def _ping(room: Room, iq: Iq, now: datetime) -> Effects:
    """XEP-0199 §4: the room is there."""
    effects = Effects()
    effects.send.append(iq.result())
    return effects


# What is asked of the room itself.
IQS: dict[tuple[IqType, str, str], IqCase] = {
    (IqType.GET, NS_DISCO_INFO, "query"): describing.info,
    (IqType.GET, describing.NS_DISCO_ITEMS, "query"): hat_commands.items,
    (IqType.GET, NS_MUC_ADMIN, "query"): administering.get_list,
    (IqType.SET, NS_MUC_ADMIN, "query"): administering.change,
    (IqType.GET, NS_MUC_OWNER, "query"): owning.get_form,
    (IqType.SET, NS_MUC_OWNER, "query"): owning.submit,
    (IqType.GET, NS_REGISTER, "query"): registering.get_requirements,
    (IqType.SET, NS_REGISTER, "query"): registering.register,
    (IqType.SET, NS_MODERATE, "moderate"): moderated_retraction.moderate,
    (IqType.SET, describing.NS_COMMANDS, "command"): hat_commands.execute,
    (IqType.GET, NS_PING, "ping"): _ping,
}

FORMS: dict[str, MessageCase] = {
    FORM_REQUEST: voice.request_or_approve,
    FORM_REGISTER: registering.approve,
}


def receive(room: Room, stanza: Stanza, now: datetime) -> Effects:
    """Handle whatever is addressed to the room or to somebody in it; `sender` is whom it is really from."""
    if isinstance(stanza, Presence):
        presence_case = PRESENCES.get(stanza.type)
        return Effects() if presence_case is None else presence_case(room, stanza, now)
    _check_unlocked(room, stanza)
    if isinstance(stanza, Message):
        return _message_case(room, stanza)(room, stanza, now)
    assert isinstance(stanza, Iq)
    return _iq_case(stanza)(room, stanza, now)


def check_retraction(room: Room, stanza: Stanza) -> None:
    """Raise for who may not take anything away: to others the room does not say what there is."""
    _check_unlocked(room, stanza)
    if isinstance(stanza, Iq):
        moderated_retraction.wanted(room, stanza)
    else:
        discussing.speaker(room, stanza.sender)


def _check_unlocked(room: Room, stanza: Stanza) -> None:
    """To others, a room that is not configured yet is not there (XEP-0045 §17.2 rule 3)."""
    if (
        room.is_locked
        and stanza.sender is not None
        and room.affiliation(stanza.sender) is not Affiliation.OWNER
    ):
        raise item_not_found()


def _message_case(room: Room, message: Message) -> MessageCase:
    assert message.to is not None
    is_for_room = message.to.is_bare
    if message.type is MessageType.ERROR:
        return inviting.undelivered if is_for_room else relaying.bounce
    if not is_for_room:
        return discussing.whisper
    if message.type is MessageType.GROUPCHAT:
        return discussing.speak
    if message.child(NS_MUC_USER, "x") is not None:
        return inviting.mediate
    form = message.child(NS_DATA, "x")
    case = None if form is None else FORMS.get(_form_type(form))
    if case is None:
        if message.sender not in room.by_address:
            raise forbidden("you are not in this room")  # XEP-0045 §17.2 rule 2
        raise bad_request("what is for all is of type groupchat")  # rule 1
    return case


def _form_type(form: Element) -> str:
    return "".join(form_fields(form).get("FORM_TYPE", ())).strip()


def _iq_case(iq: Iq) -> IqCase:
    assert iq.to is not None
    if not iq.is_request:
        return relaying.answer
    if not iq.to.is_bare:
        return relaying.ask
    request = iq.request()
    case = IQS.get((iq.type, request.namespace, request.name))
    if case is None:
        raise service_unavailable()
    return case
