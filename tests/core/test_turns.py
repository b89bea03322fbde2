"""Work that is done for one account only so much at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonroom.core.turns import Turns
from commonroom.protocol.jid import JID
from tests.conversations.world import Gate, World

ROMEO, JULIET = JID.parse("romeo@example.org"), JID.parse("juliet@example.org")


class Worker:
    """Pieces of work that end when the test says so."""

    def __init__(self, width: int) -> None:
        self.world = World()
        self.turns: Turns[int] = Turns(width, self.world.start)
        self.running: list[tuple[JID, int]] = []
        self.gates: dict[int, Gate] = {}
        self.results: list[object] = []

    def want(self, account: JID, number: int) -> None:
        async def work() -> int:
            self.running.append((account, number))
            self.gates[number] = Gate()
            await self.gates[number]
            self.running.remove((account, number))
            if number < 0:
                raise ValueError(number)
            return number

        async def want() -> None:
            try:
                self.results.append(await self.turns.take(account, work))
            except ValueError as error:
                self.results.append(error)

        self.world.start(want())

    def finish(self, number: int) -> None:
        self.gates[number].is_open = True
        self.world.turn()


def test_a_failure_is_for_who_wanted_the_work():
    worker = Worker(1)
    for number in (-1, 2):
        worker.want(ROMEO, number)
    worker.finish(-1)
    worker.finish(2)
    failed, done = worker.results
    assert isinstance(failed, ValueError)
    assert done == 2


def test_the_next_one_waits_and_other_accounts_do_not():
    worker = Worker(1)
    worker.want(ROMEO, 1)
    worker.want(ROMEO, 2)
    worker.want(JULIET, 3)
    assert worker.running == [(ROMEO, 1), (JULIET, 3)]
    worker.finish(1)
    assert worker.running == [(JULIET, 3), (ROMEO, 2)]


@pytest.mark.parametrize("width", [1, 2, 3])
@given(steps=st.lists(st.integers(0, 5), max_size=40))
def test_never_more_than_that_and_all_of_it_is_done(width: int, steps: list[int]):
    worker = Worker(width)
    wanted = 0
    for step in steps:
        if step < 3 or not worker.running:
            wanted += 1
            worker.want(ROMEO, wanted)
        else:
            worker.finish(worker.running[step % len(worker.running)][1])
        assert len(worker.running) <= width
    while worker.running:
        worker.finish(worker.running[0][1])
        assert len(worker.running) <= width
    assert sorted(worker.results, key=str) == sorted(range(1, wanted + 1), key=str)
