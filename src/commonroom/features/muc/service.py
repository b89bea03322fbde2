"""XEP-0045: the service of rooms at one domain: brings stanzas to rooms, and what comes of it to people."""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from commonroom.core.commit import AfterCommit
from commonroom.core.questions import Questions
from commonroom.core.spread import Spread
from commonroom.core.surroundings import Surroundings
from commonroom.core.turns import Turns
from commonroom.features.muc import handling, leaving
from commonroom.features.muc.activity import is_counted, is_told
from commonroom.features.muc.effects import Broadcast, Effects, RoomPut
from commonroom.features.muc.entering import stranger
from commonroom.features.muc.held import Held
from commonroom.features.muc.keeping import Keeping
from commonroom.features.muc.limits import RoomGate
from commonroom.features.muc.making import Making
from commonroom.features.muc.moderated_retraction import forget_spoken
from commonroom.features.muc.opening import Opening, RoomStores
from commonroom.features.muc.repeats import repeated
from commonroom.features.muc.room import Room, Spoken
from commonroom.features.muc.watch import Answered, Watch
from commonroom.protocol.errors import StanzaError, item_not_found
from commonroom.protocol.jid import JID
from commonroom.protocol.muc import NS_MODERATE, NS_MUC, NS_RETRACT
from commonroom.protocol.stanza import Iq, IqType, Message, MessageType, Presence, PresenceType, Stanza
from commonroom.protocol.stanza_ids import read_archive_id
from commonroom.storage.errors import StorageError
from commonroom.storage.records import ArchivedMessage
from commonroom.storage.room_records import StoredRoom
from commonroom.xml.element import Element

log = logging.getLogger(__name__)

# Rooms without occupants that stay in memory, and for how many seconds: people come in one after the other.
IDLE_ROOMS = 200
IDLE_SECONDS = 300.0
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
        self._keeping = Keeping(stores.rooms, stores.archive, patience.grave > 0)
        self._patience = patience
        self._around = around
        self._now = around.now
        self._tell = tell
        self._spread = spread
        self._questions = questions
        self._watch = Watch(self._is_in, self._lost, self._ask, is_online, patience.idle)
        self._gate = gate(self._watch.rooms)
        self._held: dict[JID, Held] = {}
        self._idle: OrderedDict[JID, Held] = OrderedDict()
        self._temporary: dict[JID, Held] = {}
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
        held = self._held.get(to.bare)
        if held is None:
            return None if _needs_no_room(stanza) else self._come(stanza, to.bare)
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
        held = await self._get(address) or await self._make(stanza, address)
        if held is None:
            return
        try:
            waiting = self._handle(held, stanza)
        finally:
            if not held.room.occupants and not held.is_stored:
                self._forget(held)  # nobody came in after all
        if waiting is not None:
            await waiting

    async def _get(self, address: JID) -> Held | None:
        held = self._held.get(address)
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
        if address in self._held:  # somebody was quicker
            return self._held[address]
        self._held[address] = held
        if effects is not None:
            self._carry_out(held, effects, self._writes.appended)
        elif not held.room.occupants:
            self._rest(held)
        return held

    def _handle(self, held: Held, stanza: Stanza) -> Awaitable[None] | None:
        if isinstance(stanza, Iq) and stanza.to is not None and stanza.to.is_bare:
            if not stanza.is_request:
                self._questions.answered(stanza)
                return None
            if not held.room.is_locked and self._desk.takes(stanza):
                return self._desk.answer(stanza, held.room)
        retracted = _retracted(stanza) if held.is_stored else None
        return self._do(held, stanza) if retracted is None else self._retract(held, stanza, retracted)

    async def _retract(self, held: Held, stanza: Stanza, id: int) -> None:
        """What goes is looked for first; its sender's later stanzas wait (XEP-0425 §4, XEP-0424 §5)."""
        handling.check_retraction(held.room, stanza)
        address = held.room.address
        original = await self._opening.original(address, id)
        if held.room.config.logging and original is None and isinstance(stanza, Iq):
            raise item_not_found("there is no such message")
        now_held = await self._get(address)
        if now_held is None:
            raise item_not_found("there is no such room")
        waiting = self._do(now_held, stanza, original)
        if waiting is not None:
            await waiting

    # A use case, and what comes of it

    def _do(self, held: Held, stanza: Stanza, original: ArchivedMessage | None = None) -> AfterCommit | None:
        room, now = held.room, self._now()
        assert stanza.sender is not None
        held.touched = seconds = now.timestamp()
        self._gate.check(room, held, stanza, seconds)
        began = self._writes.appended
        if isinstance(stanza, Message):
            began = began if stanza.began is None else stanza.began
            known = repeated(room, stanza)
            if known is not None and stanza.sender in room.by_address:
                return self._carry_out(held, _reflection(known, stanza.sender), began)
        effects = handling.receive(room, stanza, now)
        if is_counted(stanza):
            held.activity.count(seconds)
        self._watch.note(stanza.sender, room.address, seconds)
        if stanza.sender not in room.by_address:
            self._gate.left(held, stanza.sender)
        self._begin_rounds()
        return self._carry_out(held, effects, began, original)

    def _carry_out(
        self, held: Held, effects: Effects, began: int, original: ArchivedMessage | None = None
    ) -> AfterCommit | None:
        """Write, wait, tell: nobody hears of what could still be forgotten, nor out of order."""
        self._gate.cut(held.room)
        self._keeping.keep(held, effects, self._now(), original)
        self._place(held, effects.has_ended)
        for session in effects.doubtful:
            self._watch.doubt(session, held.room.address)
        if self._writes.appended == began and not held.pending:
            self._send(held, effects)
            return None
        held.pending += 1
        # Whoever is handed the delivery may not wait for it, so it is not left to them.
        self._writes.when_flushed(partial(self._flushed, held, effects), began)
        return AfterCommit(self._writes, began, _nothing)

    def _flushed(self, held: Held, effects: Effects, failure: StorageError | None) -> None:
        held.pending -= 1
        if failure is not None and effects.writes and not held.is_closed:
            log.error("a room could not be stored", extra={"room": held.room.address})
            held.is_closed = True  # what is in memory is not what is on disk
            self._forget(held)
        if held.is_closed:
            self._send(held, leaving.given_up(held.room, effects, failure is None))
        elif failure is None:
            self._send(held, effects)
        else:
            for archived in effects.archive:
                forget_spoken(held.room, archived.id, None)

    def _send(self, held: Held, effects: Effects) -> None:
        """What a copy brings about, because nobody took it, comes after all copies."""
        queue = held.queue
        queue.append(effects)
        if held.is_sending:
            return
        held.is_sending = True
        tell = self._tell
        try:
            while queue:
                for item in queue.popleft().send:
                    if isinstance(item, Broadcast):
                        self._spread.to(item.recipients, item.template)
                    else:
                        tell(item)
        finally:
            held.is_sending = False

    # Rooms in memory

    def find(self, address: JID) -> Room | None:
        """A room that is in memory."""
        held = self._held.get(address)
        return None if held is None else held.room

    async def load(self, address: JID) -> Room | None:
        """A room, read from the disk if need be; None if there is none. Raises gone."""
        held = await self._get(address)
        return None if held is None else held.room

    async def create(self, owner: JID, address: JID) -> Room | None:
        """Make a room for an operator, also where one was destroyed; None if there is one."""
        if address in self._held or isinstance(await self._opening.kept(address), StoredRoom):
            return None
        held = self._take_in(*self._opening.appoint(owner, address))
        await self._writes.flushed()
        return held.room

    def tell(self, room: Room, effects: Effects) -> Awaitable[None] | None:
        """Bring to the disk, and to people, what was done in a room that is in memory."""
        held = self._held.get(room.address)
        return None if held is None else self._carry_out(held, effects, self._writes.appended)

    def occupants(self, address: JID) -> int:
        """How many are in a room."""
        held = self._held.get(address)
        return 0 if held is None else len(held.room.occupants)

    def facts(self, room: Room) -> dict[str, tuple[str, ...]]:
        """What the service adds to what a room says of itself (XEP-0486 §3.3, XEP-0502 §3.1)."""
        held, found = self._held.get(room.address), {}
        if held is not None and held.avatar:
            found["muc#roominfo_avatarhash"] = held.avatar
        if held is not None and held.is_stored and is_told(room.config):
            rate = held.activity.rate(self._now().timestamp())
            if rate is not None:
                found["{urn:xmpp:muc-activity}message-activity"] = (f"{rate:.2f}",)
        return found

    async def show(self, room: Room, hashes: tuple[str, ...], effects: Effects) -> None:
        """The room has another avatar."""
        held = self._held.get(room.address)
        if held is not None:
            held.avatar = hashes
            waiting = self._carry_out(held, effects, self._writes.appended)
            if waiting is not None:
                await waiting

    def temporary(self) -> Iterator[Room]:
        """The rooms that are in memory only."""
        return (held.room for held in self._temporary.values())

    def _place(self, held: Held, has_ended: bool) -> None:
        """Where the room is looked for, now that something happened in it."""
        address = held.room.address
        if held.is_stored:
            self._temporary.pop(address, None)
        else:
            self._temporary[address] = held
        if has_ended:
            self._forget(held)
        elif held.room.occupants:
            self._idle.pop(address, None)
        elif held.is_stored:
            self._rest(held)

    def _rest(self, held: Held) -> None:
        self._idle[held.room.address] = held
        self._idle.move_to_end(held.room.address)
        while len(self._idle) > IDLE_ROOMS:
            self._forget(next(iter(self._idle.values())))
        self._begin_rounds()

    def _forget(self, held: Held) -> None:
        """The room is no more, or is on disk only."""
        address = held.room.address
        if self._held.get(address) is held:
            del self._held[address]
            self._idle.pop(address, None)
            self._temporary.pop(address, None)
            self._opening.left(address)

    def _close(self, held: Held) -> None:
        self._forget(held)
        self._send(held, leaving.shut_down(held.room))

    # Who is there

    def session_ended(self, session: JID) -> None:
        """A client here is not available any more, which its rooms have heard of, or should have."""
        self._watch.ended(session)

    def _is_in(self, session: JID, address: JID) -> bool:
        held = self._held.get(address)
        return held is not None and session in held.room.by_address

    def _lost(self, session: JID, address: JID) -> None:
        held = self._held[address]
        self._gate.left(held, session)
        effects = leaving.drop(held.room, session, self._now())
        self._carry_out(held, effects, self._writes.appended)

    def _ask(self, question: Iq, answered: Answered) -> None:
        self._questions.ask_elsewhere(question, self._tell, answered, self._patience.answer)

    def _begin_rounds(self) -> None:
        if not self._has_round and (self._idle or self._watch):
            self._has_round = True
            self._around.later(ROUND, self._go_round)

    def _go_round(self) -> None:
        self._has_round = False
        now = self._now().timestamp()
        for held in tuple(self._idle.values()):
            if held.touched + IDLE_SECONDS > now:
                break
            self._forget(held)
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
        for held in tuple(self._held.values()):
            self._close(held)


def _reflection(known: Spoken, to: JID) -> Effects:
    """Who says something again learns that the room has it."""
    effects = Effects()
    effects.send.append(known.message.addressed(to, known.message.sender))
    return effects


def _nothing() -> None:
    return None


def _needs_no_room(stanza: Stanza) -> bool:
    """Nobody is in a room that is not in memory: there is nobody to leave it, or to be answered."""
    if isinstance(stanza, Presence):
        return stanza.type is not PresenceType.AVAILABLE
    if isinstance(stanza, Iq):
        return not stanza.is_request
    return stanza.type is MessageType.ERROR


def _retracted(stanza: Stanza) -> int | None:
    """The message that a stanza would take away."""
    element = None
    if isinstance(stanza, Message) and stanza.type is MessageType.GROUPCHAT:
        element = stanza.child(NS_RETRACT, "retract")
    elif isinstance(stanza, Iq) and stanza.type is IqType.SET:
        element = stanza.child(NS_MODERATE, "moderate")
    return None if element is None else read_archive_id(element.get("id") or "")
