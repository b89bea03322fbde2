"""The rooms that are in memory: those somebody is in, and for a while those that everybody has left."""

from collections import OrderedDict
from collections.abc import Callable, Iterator

from commonroom.features.muc.held import Held
from commonroom.protocol.jid import JID

# Rooms without occupants that stay in memory, and for how many seconds: people come in one after the other.
IDLE_ROOMS = 200
IDLE_SECONDS = 300.0


class Shelf:
    """`left` is told of each room that leaves memory, because it is no more or is on disk only."""

    def __init__(self, left: Callable[[JID], None]) -> None:
        self._left = left
        self._held: dict[JID, Held] = {}
        self._idle: OrderedDict[JID, Held] = OrderedDict()
        self._temporary: dict[JID, Held] = {}

    def get(self, address: JID) -> Held | None:
        """A room, if it is here."""
        return self._held.get(address)

    def has(self, held: Held) -> bool:
        """Whether it is this one that is here, and not one that was read later."""
        return self._held.get(held.room.address) is held

    def all(self) -> tuple[Held, ...]:
        """Every room that is here."""
        return tuple(self._held.values())

    def temporary(self) -> Iterator[Held]:
        """Those that are nowhere else."""
        return iter(self._temporary.values())

    @property
    def has_idle(self) -> bool:
        """Whether there are any without occupants."""
        return bool(self._idle)

    def add(self, held: Held) -> None:
        """A room comes into memory; `place` or `rest` says what becomes of it."""
        self._held[held.room.address] = held

    def place(self, held: Held, has_ended: bool) -> None:
        """Where the room is looked for, now that something happened in it."""
        address = held.room.address
        if held.is_stored:
            self._temporary.pop(address, None)
        else:
            self._temporary[address] = held
        if has_ended:
            self.forget(held)
        elif held.room.occupants:
            self._idle.pop(address, None)
        elif held.is_stored:
            self.rest(held)

    def rest(self, held: Held) -> None:
        """Nobody is in the room; those that rest longest leave when there are too many."""
        self._idle[held.room.address] = held
        self._idle.move_to_end(held.room.address)
        while len(self._idle) > IDLE_ROOMS:
            self.forget(next(iter(self._idle.values())))

    def forget(self, held: Held) -> None:
        """The room is no more, or is on disk only."""
        address = held.room.address
        if self.has(held):
            del self._held[address]
            self._idle.pop(address, None)
            self._temporary.pop(address, None)
            self._left(address)

    def go_round(self, now: float) -> None:
        """Let go of what nobody used for so long, in seconds."""
        for held in tuple(self._idle.values()):
            if held.touched + IDLE_SECONDS > now:
                break
            self.forget(held)
