"""What comes of a use case: written first, then told, in each room in the order in which it happened."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial

from commonroom.core.commit import AfterCommit
from commonroom.core.spread import Spread
from commonroom.features.muc import leaving
from commonroom.features.muc.effects import Broadcast, Effects
from commonroom.features.muc.held import Held
from commonroom.features.muc.keeping import Keeping
from commonroom.features.muc.moderated_retraction import forget_spoken
from commonroom.features.muc.shelf import Shelf
from commonroom.protocol.stanza import Stanza
from commonroom.storage.errors import StorageError
from commonroom.storage.interfaces import Writes
from commonroom.storage.records import ArchivedMessage

log = logging.getLogger(__name__)


class Carrying:
    """Nobody hears of what could still be forgotten, nor out of order."""

    def __init__(
        self,
        shelf: Shelf,
        keeping: Keeping,
        writes: Writes,
        tell: Callable[[Stanza], None],
        spread: Spread,
    ) -> None:
        self._shelf = shelf
        self._keeping = keeping
        self._writes = writes
        self._tell = tell
        self._spread = spread

    def out(
        self, held: Held, effects: Effects, began: int, now: datetime, original: ArchivedMessage | None
    ) -> AfterCommit | None:
        """Write, wait, tell. `began`: what was written when it began; `original`: what it retracts."""
        self._keeping.keep(held, effects, now, original)
        self._shelf.place(held, effects.has_ended)
        if self._writes.appended == began and not held.pending:
            self._send(held, effects)
            return None
        held.pending += 1
        # Whoever is handed the delivery may not wait for it, so it is not left to them.
        self._writes.when_flushed(partial(self._flushed, held, effects), began)
        return AfterCommit(self._writes, began, _nothing)

    def close(self, held: Held) -> None:
        """Put everybody out, and the room out of memory (XEP-0045 §11.2)."""
        self._shelf.forget(held)
        self._send(held, leaving.shut_down(held.room))

    def _flushed(self, held: Held, effects: Effects, failure: StorageError | None) -> None:
        held.pending -= 1
        if failure is not None and effects.writes and not held.is_closed:
            log.error("a room could not be stored", extra={"room": held.room.address})
            held.is_closed = True  # what is in memory is not what is on disk
            self._shelf.forget(held)
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


def _nothing() -> None:
    return None
