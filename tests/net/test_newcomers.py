"""Newcomers have a small share of each turn of the loop, behind those who are in; in order, and all do."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from select import EPOLLIN
from typing import cast

import pytest

from commonroom.net import newcomers
from commonroom.net.newcomers import BUDGET, Newcomers
from commonroom.net.sockets import Poll
from commonroom.net.watched import Sockets
from tests.net.loopback import in_loop, until

STEP = BUDGET * 0.4  # of a newcomer


class Time:
    """Passes only where somebody works."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Guest:
    """A socket at which something waits for as many steps as it wants; each takes some time."""

    def __init__(self, name: str, log: list[str], steps: int = 1, work: Callable[[], None] = lambda: None):
        self.name, self.log, self.steps, self.work = name, log, steps, work
        self.ours, self.theirs = socket.socketpair()
        self.theirs.send(b"x" * steps)

    def ready(self, events: int) -> None:
        self.ours.recv(1)
        self.log.append(self.name)
        self.work()

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def guests() -> Iterator[list[Guest]]:
    made: list[Guest] = []
    yield made
    for guest in made:
        guest.close()


def crowd(count: int, steps: int, time: Time, log: list[str], step: float = STEP) -> list[Guest]:
    def work() -> None:
        time.now += step

    return [Guest(str(number), log, steps, work) for number in range(count)]


def line_of(guests: list[Guest], time: Time) -> Newcomers:
    line = Newcomers(time)
    for guest in guests:
        line.add(guest.ours.fileno(), guest, EPOLLIN)
    return line


@in_loop
async def test_a_crowd_never_has_more_of_a_turn_than_the_budget_and_one_step(guests: list[Guest]) -> None:
    time, log = Time(), list[str]()
    guests += crowd(50, 2, time, log)
    line, loop = line_of(guests, time), asyncio.get_running_loop()
    while len(log) < 100:
        before, done = time.now, len(log)
        line.serve(loop)
        assert len(log) > done, "one goes in each turn"
        assert time.now - before < BUDGET + STEP


@in_loop
async def test_the_slowest_step_still_goes_alone(guests: list[Guest]) -> None:
    time, log = Time(), list[str]()
    guests += crowd(3, 1, time, log, BUDGET * 10)
    line = line_of(guests, time)
    line.serve(asyncio.get_running_loop())
    assert log == ["0"]


@in_loop
async def test_who_needs_several_steps_goes_behind_the_others(guests: list[Guest]) -> None:
    time, log = Time(), list[str]()
    guests += crowd(5, 3, time, log)
    line, loop = line_of(guests, time), asyncio.get_running_loop()
    while len(log) < 15:
        line.serve(loop)
    assert log == list("01234") * 3


@in_loop
async def test_nobody_there_is_no_step(guests: list[Guest]) -> None:
    Newcomers(Time()).serve(asyncio.get_running_loop())


@in_loop
async def test_who_has_left_holds_nobody_up(guests: list[Guest]) -> None:
    time, log = Time(), list[str]()
    guests += crowd(2, 1, time, log)
    line = line_of(guests, time)
    line.remove(guests[0].ours.fileno())
    line.serve(asyncio.get_running_loop())
    assert log == ["1"]


@in_loop
async def test_those_who_are_in_go_first_in_every_turn(
    guests: list[Guest], monkeypatch: pytest.MonkeyPatch
) -> None:
    time, log = Time(), list[str]()
    monkeypatch.setattr(newcomers, "perf_counter", time)
    loop = asyncio.get_running_loop()
    poll = Poll(loop)
    poll.newcomers = line = Newcomers(time)
    poll._epoll.register(line.fileno(), EPOLLIN)
    guests += crowd(6, 1, time, log, BUDGET)
    for guest in guests:
        line.add(guest.ours.fileno(), guest, EPOLLIN)
    session = Guest("in", log, 6)
    poll.add(session.ours.fileno(), session, EPOLLIN)
    guests.append(session)
    for _ in range(20):
        await asyncio.sleep(0)
    loop.remove_reader(poll.fileno())
    assert log == [word for number in range(6) for word in ("in", str(number))]


class Restless(Guest):
    """Stops being watched until the next turn, or changes between newcomers and those who are in."""

    def __init__(self, number: int, log: list[str], poll: Poll) -> None:
        super().__init__(str(number), log, 8)
        self.number, self.poll, self.sockets = number, poll, cast(Sockets, poll.newcomers)
        poll.newcomers.add(self.ours.fileno(), self, EPOLLIN)

    def ready(self, events: int) -> None:
        super().ready(events)
        fd, step = self.ours.fileno(), (self.number + len(self.log)) % 5
        if step == 0:
            self.sockets.change(fd, 0)
            asyncio.get_running_loop().call_soon(lambda: self.sockets.change(fd, EPOLLIN))
        elif step == 1:
            self.sockets.remove(fd)
            self.sockets = self.poll if self.sockets is not self.poll else self.poll.newcomers
            self.sockets.add(fd, self, EPOLLIN)


@in_loop
async def test_nobody_is_forgotten_who_stops_or_comes_in_meanwhile(guests: list[Guest]) -> None:
    log: list[str] = []
    loop = asyncio.get_running_loop()
    poll = Poll(loop)
    guests += [Restless(number, log, poll) for number in range(100)]
    await until(lambda: len(log) == 800, 20.0)
    loop.remove_reader(poll.fileno())
    assert sorted(log) == sorted([guest.name for guest in guests] * 8)
