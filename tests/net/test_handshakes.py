"""Handshakes take turns: one step in each turn of the loop, in order, and none is forgotten."""

import asyncio
from collections.abc import Callable

import uvloop

from commonroom.net.handshakes import Handshakes


class Shaker:
    """Wants so many steps, and notes in which turn of the loop it makes them."""

    def __init__(self, name: str, handshakes: Handshakes, turn: Callable[[], int], steps: int = 1) -> None:
        self.name = name
        self.handshakes = handshakes
        self.turn = turn
        self.steps = steps
        self.made: list[int] = []
        self.gone = False

    def ask(self) -> None:
        if self.gone:
            return
        if self.handshakes.may_go(self.ask):
            self.made.append(self.turn())
            self.steps -= 1
            if self.steps:
                self.ask()


def run(*steps: int, leaves: int | None = None) -> list[list[int]]:
    """In which turns each made its steps; one may leave while it waits."""
    turns = 0

    async def scenario() -> list[list[int]]:
        nonlocal turns
        handshakes = Handshakes()
        shakers = [Shaker(str(number), handshakes, lambda: turns, n) for number, n in enumerate(steps)]
        for shaker in shakers:
            shaker.ask()
        if leaves is not None:
            shakers[leaves].gone = True
        for _ in range(20):
            turns += 1
            await asyncio.sleep(0)
        assert handshakes.may_go(lambda: None), "it is free again"
        return [shaker.made for shaker in shakers]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(scenario())


def test_who_is_alone_does_not_wait() -> None:
    assert run(1) == [[0]]


def test_of_many_each_has_a_turn_of_its_own_in_order() -> None:
    first, *rest = run(1, 1, 1, 1)
    made = [first[0], *(turns[0] for turns in rest)]
    assert made == sorted(set(made))


def test_who_needs_several_steps_goes_behind_the_others() -> None:
    first, second = run(3, 1)
    assert first[1] < second[0] < first[2], "it asked for its second step before the other one came"


def test_who_has_left_holds_nobody_up() -> None:
    made = run(1, 1, 1, leaves=1)
    assert made[1] == []
    assert made[2] != []
