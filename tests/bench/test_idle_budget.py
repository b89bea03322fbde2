"""What a service does while nothing happens: nothing, however many sessions there are."""

import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest

import commonroom
from commonroom.config import Settings
from commonroom.net.c2s import GRAIN, REST_AFTER
from tests.conversations.world import Client, World

DOMAIN = "bench.example"
PACKAGE = str(Path(commonroom.__file__).parent)
COUNTS = (5, 50)

REST_BUDGET = 9


def silent(count: int) -> tuple[World, list[Client]]:
    """So many sessions that have come to rest."""
    people = [f"u{number}@{DOMAIN}" for number in range(count)]
    world = World(*people, settings=Settings(domains=(DOMAIN,)))
    clients = [world.online(f"{name}/bench") for name in people]
    world.advance(REST_AFTER + GRAIN)
    return world, clients


@pytest.mark.parametrize("count", COUNTS)
def test_a_minute_in_which_nothing_happens_costs_no_call(count):
    world, _ = silent(count)
    assert calls_in(world, 60.0).total() == 0


@pytest.mark.parametrize("count", COUNTS)
def test_sessions_that_became_silent_together_share_one_timer(count):
    world, _ = silent(count)
    assert len([timer for timer in world.timers if not timer.cancelled]) == 1


def test_what_one_costs_that_speaks_does_not_grow_with_those_that_are_silent():
    few, many = (calls_when_one_spoke(count) for count in COUNTS)
    assert few == many
    assert few.total() <= REST_BUDGET, few


def calls_when_one_spoke(count: int) -> Counter[str]:
    """What its coming to rest again calls."""
    world, clients = silent(count)
    clients[0].send(" ")
    return calls_in(world, REST_AFTER + GRAIN)


def calls_in(world: World, seconds: float) -> Counter[str]:
    """The functions of the package that are called while time passes, and how often each."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            calls[f"{code.co_filename.removeprefix(PACKAGE)}:{code.co_qualname}"] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        world.advance(seconds)
    finally:
        sys.setprofile(before)
    return calls
