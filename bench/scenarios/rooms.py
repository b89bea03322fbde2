"""Rooms: what one says to many, and everybody coming in at once."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import count

from bench.generator import Count, Generator, LoadFailed
from bench.meter import Meter, Window
from bench.run import Run
from bench.scenarios.scenario import GENERATOR, OTHERS, Figure, Options, Row, Scenario, quietly, settle
from bench.servers.catalog import OURS
from bench.site import ROOMS, Extras, Population
from bench.stanzas import ENTRANCE, GROUPCHAT, INSTANT_ROOM

OCCUPANTS = (100, 500)
OURS_ALONE = 2000
SERVERS = (OURS, "prosody", "ejabberd")
# The longest that all may take to come in.
ENTRANCE_SECONDS = 300.0

_numbers = count()


def measure_discussion(run: Run, options: Options) -> Iterator[Row]:
    """The largest room is tried with ours alone."""
    ours = tuple(name for name in run.names if name.partition("@")[0] == OURS)
    for occupants in (*OCCUPANTS, OURS_ALONE):
        case = f"{occupants:,} occupants"
        if options.wants(case):
            names = ours if occupants == OURS_ALONE else run.names
            yield from _measure(run, options, names, case, occupants, _discussion)


def measure_entrance(run: Run, options: Options) -> Iterator[Row]:
    """Into another room each time; nobody leaves those before."""
    for occupants in OCCUPANTS:
        case = f"{occupants} enter"
        if options.wants(case):
            yield from _measure(run, options, run.names, case, occupants, _entrance)


Once = Callable[[Meter, Generator, int, Options], dict[str, float]]


def _measure(
    run: Run, options: Options, names: Sequence[str], case: str, occupants: int, once: Once
) -> Iterator[Row]:
    with run.servers(Population(occupants), names, Extras(rooms=True)) as servers, ExitStack() as stack:
        generators = [stack.enter_context(run.generator(server)) for server in servers]
        for server, generator in zip(servers, generators, strict=True):
            run.say(f"{server.name}: {occupants} clients log in")
            generator.login(occupants)
            generator.presence(ENTRANCE)
            generator.message(GROUPCHAT)
        settle()
        for number in range(options.rounds):
            for server, generator in zip(servers, generators, strict=True):
                meter = run.meter(server, generator)
                figures = quietly(options, partial(once, meter, generator, occupants, options))
                yield Row(case, server.name, number, figures)


def _discussion(meter: Meter, generator: Generator, occupants: int, options: Options) -> dict[str, float]:
    room = _open_room(generator)
    _enter(generator, room, occupants)
    generator.discuss(room, 0, occupants)
    time.sleep(options.warm_up)
    generator.reset()
    before = generator.count()
    meter.begin()
    time.sleep(options.seconds)
    window = meter.end()
    after = generator.count()
    generator.stop()
    return _figures(before, after, window)


def _figures(before: Count, after: Count, window: Window) -> dict[str, float]:
    per_second = (after.received - before.received) / (after.time - before.time)
    return {
        "cpu_us": 1e6 * window.cpu / (per_second * window.seconds),
        "per_second": per_second,
        "p50_ms": 1000 * (after.p50 or 0),
        "p99_ms": 1000 * (after.p99 or 0),
        **window.figures(),
    }


def _entrance(meter: Meter, generator: Generator, occupants: int, options: Options) -> dict[str, float]:
    room = _open_room(generator)
    meter.begin()
    seconds = _enter(generator, room, occupants)
    window = meter.end()
    return {"cpu_s": window.cpu, "seconds_until_all": seconds, **window.figures()}


def _open_room(generator: Generator) -> str:
    """The first client makes one, and is in it."""
    room = f"room{next(_numbers)}@{ROOMS}"
    generator.enter(room, 0, 1, 1)
    _wait(generator)
    generator.say(0, INSTANT_ROOM.format(room=room))
    settle()
    return room


def _enter(generator: Generator, room: str, occupants: int) -> float:
    """All others; in seconds. Each of them sees all there are, who made the room sees the others."""
    others = occupants - 1
    generator.enter(room, 1, others, others * (occupants + 1))
    return _wait(generator)


def _wait(generator: Generator) -> float:
    began = time.monotonic()
    while (now := generator.count()).in_flight > 0:
        if time.monotonic() - began > ENTRANCE_SECONDS or now.errors:
            raise LoadFailed(f"{now.in_flight} presences did not come, {now.errors} errors")
        time.sleep(0.02)
    return time.monotonic() - began


WHERE = "A room as servers make it by default: not archived, anonymous but for its owner."
DISCUSSION = Scenario(
    name="room",
    title="Rooms",
    what="One occupant speaks as soon as everybody, itself among them, has what it said before. Latency is "
    f"that until the last has it. {WHERE}",
    figures=(
        Figure("cpu_us", "CPU µs per delivered copy", 1, bar=0.5, goal=0.3),
        Figure("per_second", "copies/s"),
        Figure("p50_ms", "p50 ms", 1),
        Figure("p99_ms", "p99 ms", 1),
        GENERATOR,
        OTHERS,
    ),
    measure=measure_discussion,
    servers=SERVERS,
)
ENTERING = Scenario(
    name="join",
    title="Entering a room",
    what="All enter the same room at once; it is over when each of them has seen the presence of all. "
    f"{WHERE}",
    figures=(
        Figure("cpu_s", "CPU s", 3, bar=0.5, goal=0.3),
        Figure("seconds_until_all", "s until all have seen all", 2),
        GENERATOR,
        OTHERS,
    ),
    measure=measure_entrance,
    servers=SERVERS,
)
