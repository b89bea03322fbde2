"""What the service does by itself with archives, and with rooms that nobody uses."""

import asyncio
from collections.abc import Callable

import pytest

from commonroom.app import upkeep
from commonroom.storage.errors import StorageError


class Steps:
    """Plays a retention whose steps give what they are told, or raise it."""

    def __init__(self, *outcomes: bool | StorageError) -> None:
        self.left = list(outcomes)
        self.done = asyncio.Event()

    async def step(self) -> bool:
        if not self.left:
            self.done.set()
            return False
        outcome = self.left.pop(0)
        if isinstance(outcome, StorageError):
            raise outcome
        return outcome


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it slept between its steps, in their order; nobody really sleeps."""
    slept: list[float] = []
    real: Callable[[float], object] = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(0)  # type: ignore[misc]  # the real one is a coroutine

    monkeypatch.setattr("commonroom.app.upkeep.asyncio.sleep", sleep)
    return slept


def look_after(*outcomes: bool | StorageError) -> None:
    async def main() -> None:
        steps = Steps(*outcomes)
        task = asyncio.ensure_future(upkeep.look_after_archives(steps))  # type: ignore[arg-type]
        await steps.done.wait()
        task.cancel()

    asyncio.run(main())


def test_a_database_that_fails_is_told_and_tried_again_later(pauses: list[float], caplog):
    look_after(StorageError("disk full"), True)
    assert "archives are not looked after now" in caplog.text
    assert pauses[:2] == [upkeep.REST, upkeep.BETWEEN_STEPS]


def test_steps_follow_each_other_with_a_pause_while_there_is_work(pauses: list[float]):
    look_after(True, True, False)
    assert pauses[:3] == [upkeep.BETWEEN_STEPS, upkeep.BETWEEN_STEPS, upkeep.REST]


class Rounds:
    """Plays the tidying of one service; each round does what it is told, or raises it."""

    def __init__(self, *outcomes: StorageError | None) -> None:
        self.left = list(outcomes)
        self.rounds = 0
        self.done = asyncio.Event()

    async def tidy(self) -> None:
        self.rounds += 1
        outcome = self.left.pop(0) if self.left else None
        if not self.left:
            self.done.set()
        if outcome is not None:
            raise outcome


def tidy(*services: Rounds) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(upkeep.look_after_rooms(services))  # type: ignore[arg-type]
        for service in services:
            await service.done.wait()
        await asyncio.sleep(0)
        assert not task.done()
        task.cancel()

    asyncio.run(main())


def test_rooms_of_a_database_that_fails_are_looked_after_later(pauses: list[float], caplog):
    failing, other = Rounds(StorageError("disk full"), None), Rounds(None, None)
    tidy(failing, other)
    assert "rooms are not looked after now" in caplog.text
    assert min(failing.rounds, other.rounds) >= 2  # neither keeps the other from its turn
    assert upkeep.BETWEEN_ROUNDS in pauses
