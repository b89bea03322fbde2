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
        """Write, wait, tell. `began`: what was written when it began; `original`: what it retracts.

        Raises StorageError, if it cannot even be tried.
        """
        try:
            self._keeping.keep(held, effects, now, original)
        except StorageError:
            self._undo(held, effects)
            if held.is_closed:
                self._send(held, leaving.given_up(held.room, effects, is_kept=False))
            raise
        self._shelf.place(held, effects.has_ended)
        if self._writes.appended == began and not held.pending:
            self._send(held, effects)
            return None
        held.pending += 1
        # Whoever is handed the delivery may not wait for it, so it is not left to them.
        self._writes.when_flushed(partial(self._flushed, held, effects), began)
        return AfterCommit(self._writes, began, _nothing)

    def note_use(self, held: Held, now: datetime) -> None:
        """Somebody is there, or was until now."""
        self._keeping.note_use(held, now)

    def close(self, held: Held) -> None:
        """Put everybody out, and the room out of memory (XEP-0045 §11.2)."""
        self._shelf.forget(held)
        self._send(held, leaving.shut_down(held.room))

    def _flushed(self, held: Held, effects: Effects, failure: StorageError | None) -> None:
        held.pending -= 1
        if failure is not None:
            self._undo(held, effects)
        if held.is_closed:
            self._send(held, leaving.given_up(held.room, effects, failure is None))
        elif failure is None:
            self._send(held, effects)

    def _undo(self, held: Held, effects: Effects) -> None:
        """What cannot be stored was not said; a room that is not as it is on disk is given up."""
        for archived in effects.archive:
            forget_spoken(held.room, archived.id, None)
        if effects.writes and not held.is_closed:
            log.error("a room could not be stored", extra={"room": held.room.address})
            held.is_closed = True
            self._shelf.forget(held)

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
