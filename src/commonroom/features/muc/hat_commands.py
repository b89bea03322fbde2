"""XEP-0317 §3.2 to §3.7: making, taking and wearing hats, by ad-hoc commands (XEP-0050)."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from commonroom.features.muc import describing
from commonroom.features.muc.affiliations import ADMINS
from commonroom.features.muc.appearances import NOTHING
from commonroom.features.muc.consequences import Consequences
from commonroom.features.muc.effects import Broadcast, Effects, RoomPut
from commonroom.features.muc.hats import MOST_HATS, MOST_WEARERS, MOST_WORN
from commonroom.features.muc.room import Hat, Room
from commonroom.protocol.dataforms import NS_DATA, Field, empty_form, single, submitted, table_form
from commonroom.protocol.errors import (
    bad_request,
    forbidden,
    item_not_found,
    jid_malformed,
    not_acceptable,
    resource_constraint,
)
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.muc import Status, user_element
from commonroom.protocol.stanza import Iq, Message, MessageType
from commonroom.xml.element import Element

NS_COMMANDS = describing.NS_COMMANDS
FORM_HATS = "urn:xmpp:hats:commands"

LONGEST = 256
_HUE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,9})?")

Fields = Mapping[str, Sequence[str]]


class Command(NamedTuple):
    """A command: its name for people, what it asks for, and what it does with that."""

    name: str
    fields: Callable[[Room], tuple[Field, ...]]
    run: Callable[[Room, Fields], list[JID]]  # whose presence changes


def items(room: Room, iq: Iq, now: datetime) -> Effects:
    """disco#items: the commands of those who may use them (XEP-0050 §2.2), or else the occupants."""
    if iq.request().get("node") != NS_COMMANDS:
        return describing.items(room, iq, now)
    assert iq.sender is not None
    query = Element(describing.NS_DISCO_ITEMS, "query", {"node": NS_COMMANDS})
    if room.affiliation(iq.sender) in ADMINS:
        for node, name in {**LISTS, **{node: command.name for node, command in COMMANDS.items()}}.items():
            attributes = {"jid": str(room.address), "node": node, "name": name}
            query.append(Element(describing.NS_DISCO_ITEMS, "item", attributes))
    effects = Effects()
    effects.send.append(iq.result(query))
    return effects


def execute(room: Room, iq: Iq, now: datetime) -> Effects:
    """Run a command about hats; raises forbidden for whoever is no admin."""
    assert iq.sender is not None
    request = iq.request()
    node = request.get("node") or ""
    if node not in COMMANDS and node not in LISTS:
        raise item_not_found("there is no such command")
    if room.affiliation(iq.sender) not in ADMINS:
        raise forbidden()
    if request.get("action") == "cancel":
        return _answer(room, iq, "canceled")
    if node in LISTS:
        return _answer(room, iq, "completed", _list(room, node))
    command = COMMANDS[node]
    form = request.child(NS_DATA, "x")
    if form is None:
        asked = empty_form(FORM_HATS, command.name, "Fill out this form.", command.fields(room))
        return _answer(room, iq, "executing", asked)
    changed = command.run(room, submitted(form, FORM_HATS))
    return _announce(room, iq, changed, is_list=node in (CREATE, DESTROY))


def _answer(room: Room, iq: Iq, status: str, form: Element | None = None) -> Effects:
    """The state of a command (XEP-0050 §2.4). One stage holds no state: the session's name is what it was."""
    request = iq.request()
    session = request.get("sessionid") or f"hats-{room.next_id()}"
    attributes = {"node": request.get("node") or "", "sessionid": session, "status": status}
    command = Element(NS_COMMANDS, "command", attributes)
    effects = Effects()
    effects.send.append(iq.result(command if form is None else command.append(form)))
    return effects


def _announce(room: Room, iq: Iq, changed: list[JID], is_list: bool) -> Effects:
    """Show the new hats (XEP-0317 §3.2, §3.3, §3.6)."""
    effects, told = _answer(room, iq, "completed"), Consequences(room)
    effects.writes.append(RoomPut())
    for user in changed:
        for occupant in room.by_user.get(user, ()):
            told.update(occupant, occupant.role, NOTHING)
    if is_list and room.by_address:
        notice = user_element((Status.CONFIGURATION_CHANGED,))
        message = Message(MessageType.GROUPCHAT, sender=room.address, children=[notice])
        told.messages.append(Broadcast(message, tuple(room.by_address)))
    return told.conclude(effects)


def _text(fields: Fields, var: str) -> str:
    try:
        text = single(fields.get(var, ())).strip()
    except ValueError as error:
        raise bad_request(str(error)) from None
    if len(text) > LONGEST:
        raise not_acceptable(f"{var} is longer than {LONGEST} characters")
    return text


def _known(room: Room, fields: Fields) -> str:
    uri = _text(fields, "hats#uri") or _text(fields, "hat")
    if uri not in room.hats:
        raise item_not_found("there is no such hat")
    return uri


def _wearer(fields: Fields) -> JID:
    try:
        return JID.parse(_text(fields, "hats#jid")).bare
    except InvalidJID as error:
        raise jid_malformed(str(error)) from None


def _create(room: Room, fields: Fields) -> list[JID]:
    """Make a hat, or another one of what has this URI (XEP-0317 §3.2)."""
    uri, title, hue = (_text(fields, var) for var in ("hats#uri", "hats#title", "hats#hue"))
    if not uri or not title or (hue and (_HUE.fullmatch(hue) is None or float(hue) > 360)):
        raise not_acceptable("a hat needs a URI and a title, and its hue is an angle")
    if uri not in room.hats and len(room.hats) >= MOST_HATS:
        raise resource_constraint("there are enough hats")
    room.hats[uri] = Hat(title, hue or None)
    return [user for user, uris in room.worn.items() if uri in uris]


def _destroy(room: Room, fields: Fields) -> list[JID]:
    """Take a hat away, from all who wear it (XEP-0317 §3.3)."""
    uri = _known(room, fields)
    wearers = [user for user, uris in room.worn.items() if uri in uris]
    for user in wearers:
        _take(room, user, uri)
    del room.hats[uri]
    return wearers


def _assign(room: Room, fields: Fields) -> list[JID]:
    """Give somebody a hat (XEP-0317 §3.5)."""
    uri, user = _known(room, fields), _wearer(fields)
    worn = room.worn.get(user, ())
    if uri in worn:
        return []
    if not worn and len(room.worn) >= MOST_WEARERS:
        raise resource_constraint("enough people wear hats")
    if len(worn) >= MOST_WORN:
        raise resource_constraint("somebody wears enough hats")
    room.worn[user] = (*worn, uri)
    return [user]


def _unassign(room: Room, fields: Fields) -> list[JID]:
    """Take a hat from somebody (XEP-0317 §3.6)."""
    uri, user = _known(room, fields), _wearer(fields)
    if uri not in room.worn.get(user, ()):
        raise item_not_found("that hat is not worn there")
    _take(room, user, uri)
    return [user]


def _take(room: Room, user: JID, uri: str) -> None:
    rest = tuple(other for other in room.worn[user] if other != uri)
    if rest:
        room.worn[user] = rest
    else:
        del room.worn[user]


def _list(room: Room, node: str) -> Element:
    """All hats (XEP-0317 §3.4), or all that are worn (§3.7)."""
    described = {
        uri: {"hats#title": hat.title, "hats#uri": uri, "hats#hue": hat.hue or ""}
        for uri, hat in room.hats.items()
    }
    if node == LIST:
        return table_form(
            FORM_HATS, LISTS[LIST], list(described.values()), ("hats#title", "hats#uri", "hats#hue")
        )
    rows = [{"hats#jid": str(user), **described[uri]} for user, uris in room.worn.items() for uri in uris]
    columns = ("hats#jid", "hats#uri", "hats#title", "hats#hue")
    return table_form(FORM_HATS, LISTS[LIST_ASSIGNED], rows, columns)


def _new_hat(room: Room) -> tuple[Field, ...]:
    return (
        Field("hats#title", "text-single", "Title", is_required=True),
        Field("hats#uri", "text-single", "URI", is_required=True),
        Field("hats#hue", "text-single", "Hue"),
    )


def _one_hat(room: Room) -> tuple[Field, ...]:
    options = [(hat.title, uri) for uri, hat in room.hats.items()]
    return (Field("hats#uri", "list-single", "Hat", (), options),)


def _somebodys_hat(room: Room) -> tuple[Field, ...]:
    return (Field("hats#jid", "jid-single", "User Address", is_required=True), *_one_hat(room))


CREATE = "urn:xmpp:hats:commands:create"
DESTROY = "urn:xmpp:hats:commands:destroy"
LIST = "urn:xmpp:hats:commands:list"
LIST_ASSIGNED = "urn:xmpp:hats:commands:list-assigned"

LISTS = {LIST: "Hats", LIST_ASSIGNED: "Who wears which hat"}
COMMANDS = {
    CREATE: Command("Create a hat", _new_hat, _create),
    DESTROY: Command("Destroy a hat", _one_hat, _destroy),
    "urn:xmpp:hats:commands:assign": Command("Assign a hat", _somebodys_hat, _assign),
    "urn:xmpp:hats:commands:unassign": Command("Take a hat away", _somebodys_hat, _unassign),
}
