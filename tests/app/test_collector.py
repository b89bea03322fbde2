"""The collector never stops the loop for long while clients come; all is looked at when it is quiet."""

import asyncio
import gc
from collections.abc import Callable

from commonroom.app.collector import (
    ENOUGH,
    NEVER,
    QUIET,
    SECOND,
    TOO_MANY,
    TWICE,
    YOUNG,
    Debt,
    collecting_in_small_portions,
)

# Objects; a look at one takes up to a third of a microsecond, so this is 3 ms.
MOST_AT_ONCE = 10_000


class Clock:
    """A loop whose seconds pass when they are told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.worked = 0.0
        self.looks = 0
        self.debt = Debt(self, self.look, lambda: self.worked)

    def call_soon_threadsafe(self, callback: Callable[[], None], /) -> None:
        callback()

    def call_later(self, delay: float, callback: Callable[[], None], /) -> None:
        assert delay == SECOND
        self.waiting.append(callback)

    def look(self) -> None:
        self.looks += 1
        self.debt.note("stop", {"generation": 2})

    def become_old(self, times: int) -> None:
        for _ in range(times):
            for phase in ("start", "stop"):
                self.debt.note(phase, {"generation": 0})
                self.debt.note(phase, {"generation": 1})

    def second(self, work: float) -> None:
        self.worked += work
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()


def test_one_look_is_at_no_more_objects_than_messages_can_wait_for():
    assert YOUNG * (TWICE + 1) <= MOST_AT_ONCE


def test_python_is_set_so_and_never_looks_at_the_old_by_itself_nor_at_what_was_there_before():
    threshold, frozen, callbacks = gc.get_threshold(), gc.get_freeze_count(), len(gc.callbacks)
    with asyncio.Runner() as runner, collecting_in_small_portions(runner.get_loop()):
        assert gc.get_threshold() == (YOUNG, TWICE, NEVER)
        assert gc.get_freeze_count() > frozen
        assert len(gc.callbacks) == callbacks + 1
    assert (gc.get_threshold(), gc.get_freeze_count()) == (threshold, 0)
    assert len(gc.callbacks) == callbacks


def test_a_crowd_has_looks_at_the_young_alone():
    seen: list[int] = []

    def note(phase: str, facts: dict[str, int]) -> None:
        if phase == "stop":
            seen.append(facts["generation"])

    with asyncio.Runner() as runner, collecting_in_small_portions(runner.get_loop()):
        gc.callbacks.append(note)
        kept = [[number] for number in range(30 * YOUNG)]
        gc.callbacks.remove(note)
    assert len(kept) == 30 * YOUNG
    assert len(seen) >= 25
    assert set(seen) == {0, 1}


def test_nothing_is_watched_until_there_is_enough():
    clock = Clock()
    clock.become_old(ENOUGH - 1)
    assert not clock.waiting


def test_a_busy_loop_is_left_alone():
    clock = Clock()
    clock.become_old(ENOUGH)
    for _ in range(5):
        clock.second(QUIET * SECOND * 1.1)
    assert clock.looks == 0


def test_the_first_quiet_second_ends_with_a_look_at_everything_and_then_there_is_none():
    clock = Clock()
    clock.become_old(ENOUGH)
    clock.second(0.5)
    clock.second(QUIET * SECOND * 0.9)
    assert clock.looks == 1
    assert not clock.waiting
    clock.become_old(ENOUGH)
    clock.second(0.0)
    assert clock.looks == 2


def test_when_it_is_too_much_the_loop_is_not_asked():
    clock = Clock()
    clock.become_old(TOO_MANY)
    clock.second(1.0)
    assert clock.looks == 1
