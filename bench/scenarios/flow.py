"""What goes on for a while, measured: how much of it, what each costs, and how long it takes."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from bench.generator import Generator
from bench.meter import Meter
from bench.run import Run, Subject
from bench.scenarios.scenario import Options, Row, quietly

Measured = Callable[[Meter, Generator, Options], dict[str, float]]


def rounds(
    run: Run, options: Options, case: str, pairs: Iterable[tuple[Subject, Generator]], measured: Measured
) -> Iterator[Row]:
    """Each server in turn, as often as was asked for."""
    pairs = tuple(pairs)
    for number in range(options.rounds):
        for server, generator in pairs:
            once = partial(measured, run.meter(server, generator), generator, options)
            yield Row(case, server.name, number, quietly(options, once))


def watch(meter: Meter, generator: Generator, warm_up: float, seconds: float) -> dict[str, float]:
    """What the clients receive in so many seconds after the warm-up; they go on."""
    time.sleep(warm_up)
    generator.reset()
    before = generator.count()
    meter.begin()
    time.sleep(seconds)
    window = meter.end()
    after = generator.count()
    per_second = (after.received - before.received) / (after.time - before.time)
    received = per_second * window.seconds
    return {
        "cpu_us": 1e6 * window.cpu / received,
        "raw_cpu_us": 1e6 * window.raw_cpu / received,
        "per_second": per_second,
        "p50_ms": 1000 * (after.p50 or 0),
        "p99_ms": 1000 * (after.p99 or 0),
        "longest_ms": 1000 * (after.longest or 0),
        **window.figures(),
    }
