"""A day of clients that come, talk and go, compressed into minutes: what they leave behind."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from bench.generator import Generator
from bench.run import Run
from bench.scenarios.scenario import GENERATOR, Figure, Options, Row, Scenario, settle
from bench.servers.catalog import FLOOR, OURS
from bench.servers.server import Server
from bench.site import Population
from bench.stanzas import MESSAGE

ACCOUNTS = 2000
CLIENTS = 200  # who are there at the same time
AT_A_TIME = 16
PARTS = 10  # of the day; memory is read after each
WARM_UP = 4000  # sessions, which fill caches
REST = 5.0  # seconds in which a server tidies up before its memory is read
MIB = 1024


def measure(run: Run, options: Options) -> Iterator[Row]:
    """One day for each server, one server after the other."""
    names = [name for name in run.names if name != FLOOR]
    turns = turns_of_a_part(options.sessions)
    case = f"{turns * PARTS * CLIENTS:,} sessions"
    if not options.wants(case):
        return
    with run.servers(Population(ACCOUNTS), names) as servers, ExitStack() as stack:
        for server in servers:
            generator = stack.enter_context(run.generator(server))
            generator.message(MESSAGE)
            run.say(f"{server.name}: {case}")
            yield Row(case, server.name, 0, _day(run, server, generator, turns))


def turns_of_a_part(sessions: int) -> int:
    """How many times all clients come in each part of a day, so that there are as many sessions in it."""
    return max(1, round(sessions / (CLIENTS * PARTS)))


def _day(run: Run, server: Server, generator: Generator, turns: int) -> dict[str, float]:
    _come_and_go(generator, 0, WARM_UP // CLIENTS)
    read = partial(_memory_after_rest, server)
    memory = [read()]
    meter = run.meter(server, generator)
    cpu = busy = elapsed = 0.0
    for part in range(PARTS):
        meter.begin()
        _come_and_go(generator, part * turns, turns)
        window = meter.end()
        cpu += window.cpu
        busy += window.generator * window.seconds
        elapsed += window.seconds
        memory.append(read())
        run.say(f"part {part + 1} of {PARTS}: {memory[-1] / MIB:.1f} MiB")
    sessions = turns * PARTS * CLIENTS
    return {
        **day_figures(memory, sessions),
        "cpu_ms": 1000 * cpu / sessions,
        "per_second": sessions / elapsed,
        "generator_percent": 100 * busy / elapsed,
    }


def day_figures(memory: list[int], sessions: int) -> dict[str, float]:
    """From KiB before and after each part. What a server first needs for all, it needs in the first half."""
    middle = len(memory) // 2
    return {
        "bytes": 1024 * (memory[-1] - memory[0]) / sessions,
        "late_bytes": 1024 * (memory[-1] - memory[middle]) / (sessions / 2),
        "before_mib": memory[0] / MIB,
        "after_mib": memory[-1] / MIB,
        **{f"mib_{part}": kib / MIB for part, kib in enumerate(memory)},
    }


def _memory_after_rest(server: Server) -> int:
    settle(REST)
    return server.processes.own_memory()


def _come_and_go(generator: Generator, begin: int, turns: int) -> None:
    """In each turn other accounts, each of which leaves without a word every other time.

    What it may not have got then waits for it, and would pile up on the disk if it never took its leave.
    """
    for turn in range(begin, begin + turns):
        first = turn * CLIENTS % ACCOUNTS
        time_around = turn * CLIENTS // ACCOUNTS
        generator.login(CLIENTS, AT_A_TIME, first)
        generator.chat(CLIENTS // 2, 1, first)
        generator.stop()
        (generator.logout if time_around % 2 else generator.drop)(CLIENTS, first)


CHURN = Scenario(
    name="churn",
    title="A day of coming and going",
    what=f"{ACCOUNTS:,} accounts log in, {CLIENTS} at a time, talk in pairs, and leave, half of the time "
    f"without a word. {WARM_UP:,} sessions before that are not counted. Memory is what is no file's "
    f"(Pss_Anon), {REST:g} s after the last has left. The last half tells more about growth than the whole: "
    "by then caches are full.",
    figures=(
        Figure("bytes", "bytes grown per session", 1),
        Figure("late_bytes", "bytes grown per session in the last half", 1, most=10),
        Figure("before_mib", "MiB before", 1),
        Figure("after_mib", "MiB after", 1),
        Figure("cpu_ms", "CPU ms per session", 2),
        Figure("per_second", "sessions/s"),
        GENERATOR,
    ),
    measure=measure,
    servers=(OURS,),
    once=True,
)
