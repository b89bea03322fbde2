"""What the service does by itself with archives."""

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
