"""CPU and memory from /proc, and the speed of the core."""

import os
import sys
from pathlib import Path

import pytest

from bench.meter import slowness
from bench.native import Programs
from bench.processes import Command, Processes, core_busy, cpu_seconds, descendants, wait_until
from bench.servers.catalog import ALL, maker
from bench.servers.commonroom import Installation

BUSY = "import os, time; os.fork(); end = time.process_time() + 0.1\nwhile time.process_time() < end: pass\n"
CORE = min(os.sched_getaffinity(0))


def test_too_few_loops_say_nothing():
    with pytest.raises(ValueError, match="too few"):
        slowness([0.001] * 4)


def test_a_loop_that_an_interrupt_fell_into_does_not_count():
    assert slowness([0.002] * 18 + [0.1, 0.0001]) == pytest.approx(2.0)


def test_children_count_and_nothing_of_them_is_left(tmp_path):
    started = Processes(CORE, tmp_path / "log")
    wait = "import sys; sys.stdin = None; time.sleep(60)"
    started.start(Command((sys.executable, "-c", BUSY + wait), {}), tmp_path)
    try:
        wait_until(lambda: started.cpu() > 0.2, "both to have worked", 20)
        pids = started.pids()
        assert len(pids) == 2
        assert started.memory() > started.own_memory() > 1000
        assert not started.ended()
    finally:
        started.stop()
    wait_until(lambda: not any(map(runs, pids)), "both to be gone", 20)


def runs(pid: int) -> bool:
    """Whether the process is there, and not merely its name until somebody asks how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_server_that_ends_by_itself_is_noticed(tmp_path):
    started = Processes(CORE, tmp_path / "log")
    started.start(Command((sys.executable, "-c", "print('no port')"), {}), tmp_path)
    wait_until(started.ended, "it to end", 20)
    assert (tmp_path / "log").read_text() == "no port\n"
    started.stop()


def test_a_process_that_is_gone_has_used_nothing():
    assert cpu_seconds(2**22) == 0
    assert descendants(2**22) == []


def test_the_core_has_been_busy():
    assert core_busy(CORE) > 0
    with pytest.raises(ValueError, match="no core 4096"):
        core_busy(4096)


def test_what_does_not_come_about_is_not_waited_for_forever():
    with pytest.raises(TimeoutError, match="a miracle"):
        wait_until(lambda: False, "a miracle", 0.1)


def test_servers_are_made_by_name(tmp_path):
    programs = Programs(tmp_path, tmp_path, tmp_path)
    ours = Installation(tmp_path, Path(sys.executable))
    for name in (*ALL, "prosody-default", f"commonroom@{tmp_path}", f"commonroom@@{sys.executable}"):
        assert callable(maker(name, programs, ours))
    with pytest.raises(ValueError, match="no such server"):
        maker("other", programs, ours)


def test_another_interpreter_is_shown_the_way_to_our_packages(tmp_path):
    own = Installation(tmp_path, Path(sys.executable)).environment()
    other = Installation(tmp_path, Path("/usr/bin/python3")).environment()
    assert own == {"PYTHONPATH": str(tmp_path)}
    assert other["PYTHONPATH"].startswith(f"{tmp_path}:")
    assert "site-packages" in other["PYTHONPATH"]
