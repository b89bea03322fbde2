"""XEP-0045: the service of rooms at one domain: brings stanzas to rooms, and what comes of it to people."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from commonroom.core.commit import AfterCommit
from commonroom.core.questions import Questions
from commonroom.core.spread import Spread
from commonroom.core.surroundings import Surroundings
from commonroom.core.turns import Turns
from commonroom.features.muc import handling, leaving, returning
from commonroom.features.muc.activity import is_counted, is_told
from commonroom.features.muc.carrying import Carrying
from commonroom.features.muc.effects import Effects, RoomPut
from commonroom.features.muc.entering import stranger
from commonroom.features.muc.held import Held
from commonroom.features.muc.keeping import Keeping
from commonroom.features.muc.limits import RoomGate
from commonroom.features.muc.making import Making
from commonroom.features.muc.opening import Opening, RoomStores
from commonroom.features.muc.repeats import repeated
from commonroom.features.muc.room import Room, Spoken
from commonroom.features.muc.shelf import Shelf
from commonroom.features.muc.watch import Answered, Watch
from commonroom.protocol.errors import StanzaError, item_not_found
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MODERATE, NS_MUC, NS_RETRACT
from commonroom.protocol.stanza import Iq, IqType, Message, MessageType, Presence, PresenceType, Stanza
from commonroom.protocol.stanza_ids import read_archive_id
from commonroom.storage.records import ArchivedMessage
from commonroom.storage.room_records import StoredRoom
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT

# How often the service looks for what is idle or silent, in seconds.
ROUND = 60.0


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds: after which silence a client is asked whether it is there, for how long it may answer, and
    for how long a room that was destroyed is remembered."""

    idle: float
    answer: float
    grave: float


class Desk(Protocol):
    """Answers for the service itself, and what its rooms are asked that is not the room's affair."""

    def receive(self, stanza: Stanza, to: JID) -> Awaitable[None] | None:
        """Take what is for the service."""

    def takes(self, iq: Iq) -> bool:
        """Whether a request to a room is answered here."""

    def answer(self, iq: Iq, room: Room) -> Awaitable[None] | None:
        """Answer it."""


class RoomService:
    """A Destination. Rooms are read when somebody first needs them, and leave memory when nobody does.

    What changed is on disk before anybody is told, and in each room all is told in the order in which it
    happened. `is_online` tells of a client here whether it is there, and None of a client elsewhere.
    """

    def __init__(
        self,
        domain: JID,
        stores: RoomStores,
        making: Making,
        gate: Callable[[Callable[[JID], int]], RoomGate],
        patience: Patience,
        around: Surroundings,
        tell: Callable[[Stanza], None],
        spread: Spread,
        questions: Questions,
        next_id: Callable[[], int],
        is_online: Callable[[JID], bool | None],
    ) -> None:
        self.domain = domain
        self._writes = stores.writes
        self._opening = Opening(stores, making, patience.grave, next_id, around.now)
        self._shelf = Shelf(self._opening.left)
        keeping = Keeping(stores.rooms, stores.archive, patience.grave > 0)
        self._carrying = Carrying(self._shelf, keeping, stores.writes, tell, spread)
        self._patience = patience
        self._around = around
        self._now = around.now
        self._tell = tell
        self._questions = questions
        self._watch = Watch(self._is_in, self._lost, self._ask, is_online, patience.idle)
        self._gate = gate(self._watch.rooms)
        self._turns: Turns[None] = Turns(1, around.start)
        self._has_round = False

    def connect(self, desk: Desk) -> None:
        """Give it who answers for the service, and who knows the rooms by it."""
        self._desk = desk

    # What comes for the service and its rooms

    def receive(self, stanza: Stanza, sender: JID, to: JID) -> Awaitable[None] | None:
        """To the service, or to one of its rooms, which may have to be read first."""
        if to.local is None:
            return self._desk.receive(stanza, to)
        if stanza.sender is None:
            stanza.sender = sender
        held = self._shelf.get(to.bare)
        if held is None:
            is_left_alone = _needs_no_room(stanza) and not self._turns.has(to.bare)
            return None if is_left_alone else self._come(stanza, to.bare)
        try:
            return self._handle(held, stanza)
        except StanzaError as error:
            self._refuse(stanza, to.bare, error)
            return None

    async def _come(self, stanza: Stanza, address: JID) -> None:
        """One after the other for each room: who comes later finds what the one before has made."""
        try:
            await self._turns.take(address, partial(self._arrive, stanza, address))
        except StanzaError as error:
            self._refuse(stanza, address, error)

    def _refuse(self, stanza: Stanza, room: JID, error: StanzaError) -> None:
        """Who may not enter is told as XEP-0045 §7.2.5 shows it: clients know the answer by its <x/>."""
        if not isinstance(stanza, Presence) or stanza.child(NS_MUC, "x") is None:
            raise error
        answer = stanza.refused(error)
        if answer is not None:
            for element in answer.elements():
                element.attributes["by"] = str(room)
            answer.children.insert(0, Element(NS_MUC, "x"))
            self._tell(answer)

    async def _arrive(self, stanza: Stanza, address: JID) -> None:
        if _needs_no_room(stanza):
            held = self._shelf.get(address)
        else:
            held = await self._get(address) or await self._make(stanza, address)
        if held is None:
            return
        try:
            waiting = self._handle(held, stanza)
        finally:
            if not held.room.occupants and not held.is_stored:
                self._shelf.forget(held)  # nobody came in after all
        if waiting is not None:
            await waiting

    async def _get(self, address: JID) -> Held | None:
        held = self._shelf.get(address)
        if held is not None:
            return held
        found = await self._opening.read(address)
        return None if found is None else self._take_in(*found)

    async def _make(self, stanza: Stanza, address: JID) -> Held | None:
        """Who enters a room that is not there makes it (XEP-0045 §10.1); raises StanzaError."""
        if not isinstance(stanza, Presence) or stanza.type is not PresenceType.AVAILABLE:
            raise item_not_found("there is no such room")
        assert stanza.sender is not None
        if stanza.child(NS_MUC, "x") is None:
            self._tell(stranger(stanza))
            return None
        return self._take_in(*await self._opening.make(stanza.sender, address))

    def _take_in(self, held: Held, effects: Effects | None) -> Held:
        address = held.room.address
        quicker = self._shelf.get(address)
        if quicker is not None:
            return quicker
        self._shelf.add(held)
        if effects is not None:
            self._carry_out(held, effects, self._writes.appended)
        elif not held.room.occupants:
            self._shelf.rest(held)
            self._begin_rounds()
        return held

    def _handle(self, held: Held, stanza: Stanza) -> Awaitable[None] | None:
        if isinstance(stanza, Iq) and stanza.to is not None and stanza.to.is_bare:
            if not stanza.is_request:
                self._questions.answered(stanza)
                return None
            if not held.room.is_locked and self._desk.takes(stanza):
                return self._desk.answer(stanza, held.room)
        if returning.must_look(held, stanza):
            assert isinstance(stanza, Message)
            return self._look(held.room.address, stanza)
        retracted = _retracted(stanza) if held.is_stored else None
        return self._do(held, stanza) if retracted is None else self._retract(held, stanza, retracted)

    async def _retract(self, held: Held, stanza: Stanza, id: int) -> None:
        """What goes is looked for first; its sender's later stanzas wait (XEP-0425 §4, XEP-0424 §5)."""
        handling.check_retraction(held.room, stanza)
        address = held.room.address
        original = await self._opening.original(address, id)
        if held.room.config.is_archived and original is None and isinstance(stanza, Iq):
            raise item_not_found("there is no such message")
        now_held = await self._get(address)
        if now_held is None:
            raise item_not_found("there is no such room")
        waiting = self._do(now_held, stanza, original)
        if waiting is not None:
            await waiting

    async def _look(self, address: JID, message: Message) -> None:
        """What its sender said before is looked for first; the sender's later stanzas wait (XEP-0198 §4)."""
        assert message.sender is not None
        said = await self._opening.said_by(address, message.sender)
        held = await self._get(address)
        if held is None:
            raise item_not_found("there is no such room")
        returning.looked(held, message, said)
        waiting = self._do(held, message)
        if waiting is not None:
            await waiting

    # A use case, and what comes of it

    def _do(self, held: Held, stanza: Stanza, original: ArchivedMessage | None = None) -> AfterCommit | None:
        room, now = held.room, self._now()
        assert stanza.sender is not None
        held.touched = seconds = now.timestamp()
        self._gate.check(room, held, stanza, seconds)
        was_inside = stanza.sender in room.by_address
        if was_inside and isinstance(stanza, Message):
            known = returning.said_before(held, stanza) or repeated(room, stanza)
            if known is not None:
                return self._carry_out(held, _reflection(known, stanza.sender), self._began(stanza))
        effects = handling.receive(room, stanza, now)
        if is_counted(stanza):
            held.activity.count(seconds)
        self._watch.note(stanza.sender, room.address, seconds)
        if not _is_error(stanza):  # which servers send for clients that are not there
            self._watch.trust(stanza.sender, room.address)
        is_inside = stanza.sender in room.by_address
        if not is_inside:
            held.left(stanza.sender)
        elif not was_inside:
            held.came[stanza.sender] = None
        if isinstance(stanza, Presence) and (was_inside or is_inside):
            self._carrying.note_use(held, now)
        return self._carry_out(held, effects, self._began(stanza), original)

    def _began(self, stanza: Stanza) -> int:
        """What was written before anything of this stanza was; a message may be in other archives already."""
        began = stanza.began if isinstance(stanza, Message) else None
        return self._writes.appended if began is None else began

    def _carry_out(
        self, held: Held, effects: Effects, began: int, original: ArchivedMessage | None = None
    ) -> AfterCommit | None:
        self._gate.cut(held.room)
        for session in effects.doubtful:
            self._watch.doubt(session, held.room.address)
        waiting = self._carrying.out(held, effects, began, self._now(), original)
        self._begin_rounds()
        return waiting

    # Rooms in memory

    def find(self, address: JID) -> Room | None:
        """A room that is in memory."""
        held = self._shelf.get(address)
        return None if held is None else held.room

    async def load(self, address: JID) -> Room | None:
        """A room, read from the disk if need be; None if there is none. Raises gone."""
        held = await self._get(address)
        return None if held is None else held.room

    async def create(self, owner: JID, address: JID) -> Room | None:
        """Make a room for an operator, also where one was destroyed; None if there is one."""
        stored = await self._opening.kept(address)
        if isinstance(stored, StoredRoom) or self._shelf.get(address) is not None:
            return None
        held = self._take_in(*self._opening.appoint(owner, address))
        await self._writes.flushed()
        return held.room

    def tell(self, room: Room, effects: Effects) -> Awaitable[None] | None:
        """Bring to the disk, and to people, what was done in a room that is in memory."""
        held = self._shelf.get(room.address)
        return None if held is None else self._carry_out(held, effects, self._writes.appended)

    def occupants(self, address: JID) -> int:
        """How many are in a room."""
        held = self._shelf.get(address)
        return 0 if held is None else len(held.room.occupants)

    def facts(self, room: Room) -> dict[str, tuple[str, ...]]:
        """What the service adds to what a room says of itself (XEP-0486 §3.3, XEP-0502 §3.1)."""
        held, found = self._shelf.get(room.address), {}
        if held is not None and held.avatar:
            found["muc#roominfo_avatarhash"] = held.avatar
        if held is not None and held.is_stored and is_told(room.config):
            rate = held.activity.rate(self._now().timestamp())
            if rate is not None:
                found["{urn:xmpp:muc-activity}message-activity"] = (f"{rate:.2f}",)
        return found

    async def show(self, room: Room, hashes: tuple[str, ...], effects: Effects) -> None:
        """The room has another avatar."""
        held = self._shelf.get(room.address)
        if held is not None:
            held.avatar = hashes
            waiting = self._carry_out(held, effects, self._writes.appended)
            if waiting is not None:
                await waiting

    def temporary(self) -> Iterator[Room]:
        """The rooms that are in memory only."""
        return (held.room for held in self._shelf.temporary())

    def rooms(self) -> Iterator[Room]:
        """The rooms that are in memory."""
        return (held.room for held in self._shelf.all())

    # Who is there

    def session_ended(self, session: JID) -> None:
        """A client here is not available any more, which its rooms have heard of, or should have."""
        self._watch.ended(session)

    def _is_in(self, session: JID, address: JID) -> bool:
        held = self._shelf.get(address)
        return held is not None and session in held.room.by_address

    def _lost(self, session: JID, address: JID) -> None:
        held = self._shelf.get(address)
        assert held is not None  # `_is_in` said so
        held.left(session)
        effects = leaving.drop(held.room, session, self._now())
        self._carry_out(held, effects, self._writes.appended)

    def _ask(self, question: Iq, answered: Answered) -> None:
        self._questions.ask_elsewhere(question, self._tell, answered, self._patience.answer)

    def _begin_rounds(self) -> None:
        if not self._has_round and (self._shelf.has_idle or self._watch):
            self._has_round = True
            self._around.later(ROUND, self._go_round)

    def _go_round(self) -> None:
        self._has_round = False
        now = self._now().timestamp()
        for held in self._shelf.all():
            held.forget_gone()
        self._shelf.go_round(now)
        self._watch.go_round(now)
        self._begin_rounds()

    # The service as a whole

    def announce(self, message: Message) -> None:
        """Send a word of the service, or of one of its rooms, to somebody."""
        message.sender = message.sender or self.domain
        self._tell(message)

    async def note_unused(self, address: JID) -> Room | None:
        """Keep in mind that a room's owners are told now that nobody uses it."""
        held = await self._get(address)
        if held is None or held.room.occupants:
            return None
        held.announced = self._now()
        effects = Effects()
        effects.writes.append(RoomPut())
        waiting = self._carry_out(held, effects, self._writes.appended)
        if waiting is not None:
            await waiting
        return held.room

    async def begin(self, declared: tuple[JID, ...]) -> None:
        """Make the rooms of the configuration that are not there."""
        for address in declared:
            await self._get(address)

    def shut_down(self) -> None:
        """Tell everybody that the service stops (XEP-0045 §11.2)."""
        for held in self._shelf.all():
            self._carrying.close(held)


def _reflection(known: Spoken, to: JID) -> Effects:
    """Who says something again learns that the room has it."""
    effects = Effects()
    effects.send.append(known.message.addressed(to, known.message.sender))
    return effects


def _needs_no_room(stanza: Stanza) -> bool:
    """Nobody is in a room that is not in memory: there is nobody to leave it, or to be answered."""
    if isinstance(stanza, Presence):
        return stanza.type is not PresenceType.AVAILABLE
    if isinstance(stanza, Iq):
        return not stanza.is_request
    return stanza.type is MessageType.ERROR


def _is_error(stanza: Stanza) -> bool:
    return stanza.child(NS_CLIENT, "error") is not None


def _retracted(stanza: Stanza) -> int | None:
    """The message that a stanza would take away."""
    element = None
    if isinstance(stanza, Message) and stanza.type is MessageType.GROUPCHAT:
        element = stanza.child(NS_RETRACT, "retract")
    elif isinstance(stanza, Iq) and stanza.type is IqType.SET:
        element = stanza.child(NS_MODERATE, "moderate")
    return None if element is None else read_archive_id(element.get("id") or "")
