"""Operations on rooms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Annotated

from commonroom.admin.accounts import known
from commonroom.admin.errors import AdminError, BadAddress
from commonroom.admin.operation import Arg, Form, operation
from commonroom.admin.registry import Registry
from commonroom.admin.scopes import Scope
from commonroom.features.muc.administering import assign
from commonroom.features.muc.affiliations import Affiliation
from commonroom.features.muc.config import RoomConfig
from commonroom.features.muc.effects import Effects, RoomDestroyed
from commonroom.features.muc.loading import config_of, to_message
from commonroom.features.muc.owning import configure, destroy
from commonroom.features.muc.room import Room
from commonroom.features.muc.service import RoomService
from commonroom.protocol.errors import StanzaError
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.stanza import Message, MessageType
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import EVERYTHING
from commonroom.storage.room_records import RoomRequest, StoredRoom
from commonroom.storage.stamps import from_stamp
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_CONFERENCE

# How many rooms are read at once.
PAGE = 500
LONGEST_HISTORY = 1000
EXAMPLE = "chess@group.example.org"

Address = Annotated[str, Arg("The address of the room.", Form.ADDRESS)]

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class NoSuchRoom(AdminError):  # noqa: N818 - it says what is
    """There is no such room."""

    kind = "not-found"


class RoomExists(AdminError):  # noqa: N818
    """There is such a room already."""

    kind = "exists"


class BadOption(AdminError):  # noqa: N818
    """Not an option of a room, or not a value of it."""

    kind = "bad-argument"


@dataclass(frozen=True, slots=True)
class RoomAdmin:
    """The services of rooms by their domains, and the stores."""

    services: Mapping[str, RoomService]
    stores: Stores


@dataclass(frozen=True, slots=True)
class RoomLine:
    """A room in a list; `used` is when somebody was last there, to the day."""

    address: JID
    name: str
    public: bool
    occupants: int
    used: datetime


@dataclass(frozen=True, slots=True)
class RoomPage:
    """Some of the rooms; `next` is what to ask for those behind, None if there are none."""

    rooms: tuple[RoomLine, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """What is known of a room; of a temporary one not since when."""

    address: JID
    created: datetime | None
    used: datetime | None
    occupants: tuple[str, ...]
    subject: str
    options: Mapping[str, str]
    members: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RoomMember:
    """Somebody on the lists of a room."""

    address: JID
    affiliation: str
    nick: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class SaidLine:
    """What was said in a room; `sender` is who it really was."""

    at: datetime
    nick: str
    sender: JID
    text: str


@operation("room list", Scope.ROOMS_READ, "List the rooms that last, by address.")
async def list_rooms(
    rooms: RoomAdmin,
    domain: Annotated[str | None, Arg("Only those of this domain.", Form.DOMAIN)] = None,
    after: Annotated[str | None, Arg("Those behind this address: the `next` of another page.")] = None,
    limit: Annotated[int, Arg(f"How many, {PAGE} at most.")] = PAGE,
) -> RoomPage:
    """Domain by domain; temporary rooms are in memory only. Raises BadAddress."""
    limit = max(1, min(limit, PAGE))
    if domain is not None and domain not in rooms.services:
        raise BadAddress(f"{domain}: rooms are at {', '.join(rooms.services) or 'no domain'}")
    place = None if after is None else _service(rooms, after)[1]
    found: list[RoomLine] = []
    for name, service in sorted(rooms.services.items()):
        if (domain is not None and name != domain) or (place is not None and name < place.domain):
            continue
        behind = place if place is not None and place.domain == name else None
        for head in await rooms.stores.rooms.page(name, behind, limit - len(found)):
            config = config_of(head)
            people = service.occupants(head.address)
            found.append(RoomLine(head.address, config.name, config.public, people, head.used))
        if len(found) == limit:
            return RoomPage(tuple(found), str(found[-1].address))
    return RoomPage(tuple(found), None)


@operation("room show", Scope.ROOMS_READ, "Show what is known of a room.", EXAMPLE)
async def show_room(rooms: RoomAdmin, address: Address) -> RoomFacts:
    """What is known of a room; raises BadAddress or NoSuchRoom."""
    _, room = await _find(rooms, address)
    stored = await rooms.stores.rooms.load(room.address)
    head = stored.head if isinstance(stored, StoredRoom) else None
    lists = [entry.affiliation.value for entry in room.affiliations.values()]
    subject = None if room.subject is None else room.subject.message.child(NS_CLIENT, "subject")
    return RoomFacts(
        room.address,
        None if head is None else head.created,
        None if head is None else head.used,
        tuple(room.occupants),
        "" if subject is None else subject.text(),
        {name: _shown(value) for name, value in room.config.to_dict().items() if name != "password"},
        {kind: lists.count(kind) for kind in ("owner", "admin", "member", "outcast") if kind in lists},
    )


@operation(
    "room create", Scope.ROOMS_WRITE, "Make a room that lasts.", f"{EXAMPLE} --owner alice@example.org"
)
async def create_room(
    rooms: RoomAdmin,
    registry: Registry,
    address: Address,
    owner: Annotated[str, Arg("Whose room it is: the address of an account.", Form.ADDRESS)],
) -> JID:
    """Make a room that lasts, with an owner; raises BadAddress, NoSuchAccount or RoomExists."""
    return await _create(rooms, address, await known(registry, owner))


async def _create(rooms: RoomAdmin, address: str, owner: JID) -> JID:
    service, jid = _service(rooms, address)
    if await service.create(owner, jid) is None:
        raise RoomExists(f"{jid}: there is such a room; show it with `room show`")
    rooms.stores.rooms.settle(jid)
    await rooms.stores.writes.flushed()
    return jid


@operation("room destroy", Scope.ROOMS_WRITE, "Destroy a room, with all that was said in it.", EXAMPLE)
async def destroy_room(
    rooms: RoomAdmin,
    address: Address,
    reason: Annotated[str | None, Arg("What those are told who look for it.")] = None,
    alternate: Annotated[str | None, Arg("Where people can go on.", Form.ADDRESS)] = None,
) -> JID:
    """Destroy a room with its archive (XEP-0045 §10.9); raises BadAddress or NoSuchRoom."""
    service, room = await _find(rooms, address)
    other = None if alternate is None else _service(rooms, alternate)[1]
    await _tell(service, room, destroy(room, RoomDestroyed(reason, other)))
    return room.address


@operation("room set", Scope.ROOMS_WRITE, "Change options of a room.", f"{EXAMPLE} --option public=yes")
async def change_room(
    rooms: RoomAdmin,
    registry: Registry,
    address: Address,
    options: Annotated[tuple[str, ...], Arg("Each as name=value; `room show` lists them.")],
) -> JID:
    """As `set_room`, now."""
    return await set_room(rooms, address, options, registry.now())


async def set_room(rooms: RoomAdmin, address: str, options: Sequence[str], now: datetime) -> JID:
    """Change options, each as `name=value`; raises BadAddress, NoSuchRoom or BadOption."""
    service, room = await _find(rooms, address)
    values = room.config.to_dict()
    for option in options:
        name, sign, text = option.partition("=")
        if not sign or name not in values:
            known = ", ".join(field.name for field in fields(RoomConfig))
            raise BadOption(f"{option}: write option=value; the options are {known}")
        values[name] = _read(option, values[name], text)
    try:
        config = replace(RoomConfig.from_dict(values))
    except (ValueError, TypeError) as error:
        raise BadOption(f"this is not possible: {error}") from None
    await _tell(service, room, configure(room, config, now))
    return room.address


@operation("room members", Scope.ROOMS_READ, "List who belongs to a room.", EXAMPLE)
async def members(rooms: RoomAdmin, address: Address) -> tuple[RoomMember, ...]:
    """The lists of a room, by address; raises BadAddress or NoSuchRoom."""
    _, room = await _find(rooms, address)
    return tuple(
        RoomMember(jid, entry.affiliation.value, entry.nick, entry.reason)
        for jid, entry in sorted(room.affiliations.items())
    )


@operation(
    "room affiliate", Scope.ROOMS_WRITE, "Say what somebody is in a room.", f"{EXAMPLE} bob@example.org owner"
)
async def set_member(
    rooms: RoomAdmin,
    address: Address,
    person: Annotated[str, Arg("Of whom: an address, or a domain for everybody there.")],
    affiliation: Annotated[str, Arg("owner, admin, member, outcast or none.")],
) -> JID:
    """Put somebody on a list of a room, or off (`none`); raises BadAddress, NoSuchRoom or BadOption."""
    service, room = await _find(rooms, address)
    try:
        wanted = Affiliation(affiliation)
        effects = assign(room, _person(person), wanted)
    except ValueError:
        known = ", ".join(each.value for each in Affiliation)
        raise BadOption(f"{affiliation}: write one of {known}") from None
    except StanzaError as error:
        raise BadOption(f"{person}: {error.text or error.condition}") from None
    await _tell(service, room, effects)
    return room.address


@operation("room history", Scope.ARCHIVES_READ, "Show what was said last in a room.", EXAMPLE)
async def history(
    rooms: RoomAdmin,
    address: Address,
    limit: Annotated[int, Arg(f"How many, {LONGEST_HISTORY} at most.")] = 50,
) -> tuple[SaidLine, ...]:
    """What was said last in a room, the oldest first; raises BadAddress or NoSuchRoom."""
    _, room = await _find(rooms, address)
    most = max(1, min(limit, LONGEST_HISTORY))
    page = await rooms.stores.archive.page(room.address, EVERYTHING, most, backwards=True)
    said = []
    for kept in page.messages:
        message = to_message(kept.xml)
        nick = "" if message.sender is None else message.sender.resource or ""
        said.append(SaidLine(from_stamp(kept.id), nick, kept.peer, message.body() or ""))
    return tuple(said)


@operation("room requests", Scope.ROOMS_READ, "List the rooms that people would like to have.")
async def requests(rooms: RoomAdmin) -> tuple[RoomRequest, ...]:
    """The rooms that people would like to have."""
    found: list[RoomRequest] = []
    for domain in sorted(rooms.services):
        found += await rooms.stores.rooms.requests(domain)
    return tuple(found)


@operation("room approve", Scope.ROOMS_WRITE, "Make a room that somebody asked for.", EXAMPLE)
async def approve(rooms: RoomAdmin, address: Address) -> JID:
    """Make a room that was asked for, for who asked for it; raises NoSuchRoom or RoomExists."""
    service, request = await _request(rooms, address)
    await _create(rooms, address, _person(request.requester))
    room = Element(NS_CONFERENCE, "x", {"jid": str(request.address)})
    _answer(service, request, f"The room {request.address} is yours.", room)
    return request.address


@operation("room refuse", Scope.ROOMS_WRITE, "Refuse a room that somebody asked for.", EXAMPLE)
async def refuse(
    rooms: RoomAdmin, address: Address, reason: Annotated[str | None, Arg("Why.")] = None
) -> JID:
    """Refuse a room that was asked for, and say why; raises NoSuchRoom."""
    service, request = await _request(rooms, address)
    rooms.stores.rooms.settle(request.address)
    await rooms.stores.writes.flushed()
    _answer(
        service, request, f"You cannot have the room {request.address}" + (f": {reason}" if reason else ".")
    )
    return request.address


def _answer(service: RoomService, request: RoomRequest, text: str, *more: Element) -> None:
    body = Element(NS_CLIENT, "body", None, text)
    service.announce(Message(MessageType.NORMAL, to=request.requester, children=[body, *more]))


async def _request(rooms: RoomAdmin, address: str) -> tuple[RoomService, RoomRequest]:
    service, jid = _service(rooms, address)
    for request in await rooms.stores.rooms.requests(jid.domain):
        if request.address == jid:
            return service, request
    raise NoSuchRoom(f"{jid}: nobody has asked for this room; `room requests` lists what was asked for")


async def _find(rooms: RoomAdmin, address: str) -> tuple[RoomService, Room]:
    service, jid = _service(rooms, address)
    try:
        room = await service.load(jid)
    except StanzaError as error:
        raise NoSuchRoom(f"{jid}: {error.text}") from None
    if room is None:
        raise NoSuchRoom(f"{jid}: there is no such room")
    return service, room


def _service(rooms: RoomAdmin, address: str) -> tuple[RoomService, JID]:
    try:
        jid = JID.parse(address)
    except InvalidJID as error:
        raise BadAddress(f"{address}: this is not an address: {error}") from None
    service = rooms.services.get(jid.domain)
    if service is None or jid.local is None or not jid.is_bare:
        there = ", ".join(f"name@{domain}" for domain in rooms.services) or "nowhere: there are no rooms"
        raise BadAddress(f"{address}: rooms are at {there}")
    return service, jid


def _person(text: str) -> JID:
    try:
        return JID.parse(text).bare
    except InvalidJID as error:
        raise BadAddress(f"{text}: this is not an address: {error}") from None


async def _tell(service: RoomService, room: Room, effects: Effects) -> None:
    waiting = service.tell(room, effects)
    if waiting is not None:
        await waiting


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _read(option: str, old: object, text: str) -> object:
    """A value of the kind that it had."""
    if isinstance(old, bool):
        if text.lower() not in _WORDS:
            raise BadOption(f"{option}: write yes or no")
        return _WORDS[text.lower()]
    if isinstance(old, int):
        if not text.isdecimal():
            raise BadOption(f"{option}: write a number")
        return int(text)
    if isinstance(old, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text or (None if old is None else "")
