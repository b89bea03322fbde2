"""Work off the loop is bounded, and what nobody wants any more is not done."""

from collections.abc import Callable, Generator
from typing import Any

import pytest

from commonroom.accounts.bounded import Bounded, Unwanted
from commonroom.storage.errors import StorageBusy


class Gate:
    """Something to wait for."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def run(work: Callable[[], int]) -> int:
    await Gate()
    return work()


def ended(coroutine: Any) -> int:
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    found: int = end.value.value
    return found


def test_more_than_may_wait_is_refused_and_later_taken_again() -> None:
    bounded = Bounded(run, most_waiting=2)
    waiting = [bounded(lambda: 1, lambda: True) for _ in range(2)]
    for each in waiting:
        each.send(None)
    with pytest.raises(StorageBusy, match="2 passwords wait"):
        bounded(lambda: 1, lambda: True).send(None)
    assert [ended(each) for each in waiting] == [1, 1]
    assert bounded.waiting == 0
    again = bounded(lambda: 2, lambda: True)
    again.send(None)
    assert ended(again) == 2


def test_what_nobody_wants_when_its_turn_comes_is_not_done() -> None:
    done: list[int] = []
    wanted = [True]
    bounded = Bounded(run)

    def work() -> int:
        done.append(1)
        return 1

    waiting = bounded(work, lambda: wanted[0])
    waiting.send(None)
    wanted.clear()
    wanted.append(False)
    with pytest.raises(Unwanted):
        waiting.send(None)
    assert done == []
    assert bounded.waiting == 0
