"""100,000 accounts in files, 1,000 of which change at once, and files that are torn, while people chat."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import pytest

from commonroom.accounts.libcrypt import crypt
from tests.attack.server import DOMAIN, PASSWORD, Server
from tests.scale.crowd import Guest, chat, gather, slowness

ACCOUNTS = 100_000
CHANGING, STAYING = 1000, 100
# How soon a change of the files must be true.
SOON = 5.0
RATE = 200.0  # messages a second, each archived
HASH, OTHER = (crypt(PASSWORD.encode(), f"$6$rounds=1000${salt}$".encode()).decode() for salt in ("a", "b"))
TALKERS = [(f"u{number}", f"u{number + 1}") for number in range(0, 20, 2)]  # accounts that are kept here


class Listing:
    """The files of a server, and the clients that come."""

    def __init__(self, folder: Path, accounts: int) -> None:
        self.folder = folder
        self.lines = {f"p{number:06}": f"p{number:06}:{HASH}" for number in range(accounts)}
        self.write()

    def write(self, **changed: str | None) -> None:
        """The file is replaced by one in which these have other lines, or none."""
        lines = {**self.lines, **changed}
        self.put("".join(f"{line}\n" for line in lines.values() if line is not None))

    def put(self, text: str) -> None:
        new = self.folder / "new"
        new.write_text(text)
        new.replace(self.folder / "passwd")

    def server(self) -> Server:
        tables: dict[str, dict[str, object]] = {
            "accounts.files.people": {"passwords": [str(self.folder / "passwd")], "domain": DOMAIN},
            "c2s": {"connections_per_address": 5000},
            "sasl": {"delay_first": "0s", "delay_longest": "0s"},
        }
        return Server(self.folder, tables)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    server.start(patience=60.0)  # it reads the files first
    try:
        yield server
        assert "Traceback" not in server.log()
    finally:
        server.stop()


@contextmanager
def chatting(server: Server, seconds: float) -> Iterator["Future[list[tuple[float, float]]]"]:
    """Meanwhile others write to each other."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as others:
        yield others.submit(chat, server.plain_port, TALKERS, seconds, RATE)


def p99(told: list[tuple[float, float]], begin: float, end: float) -> float:
    found = [took for when, took in told if begin <= when < end]
    assert len(found) > 100
    return quantiles(found, n=100)[98]


@pytest.mark.timeout(180)
def test_a_thousand_of_a_hundred_thousand_change_at_once_while_they_are_connected(
    tmp_path: Path,
) -> None:
    """Each session is ended in time, nobody else's is, and who chats meanwhile hardly notices."""
    listing = Listing(tmp_path, ACCOUNTS)
    with running(listing.server()) as server:
        told, took, others, change = asyncio.run(_change_many(listing, server))
    slow = slowness()
    before, during = p99(told, change - 6, change), p99(told, change, change + 6)
    print(
        f"\n{len(took)} sessions ended after {min(took):.2f} to {max(took):.2f} s, p99 of messages before"
        f" {before * 1000:.0f} ms, in the six seconds of the change {during * 1000:.0f} ms"
    )
    assert len(took) == CHANGING
    assert max(took) < SOON or max(took) < SOON * slow
    assert others == []
    assert during < max(0.25 * slow, 10 * before)


async def _change_many(
    listing: Listing, server: Server
) -> tuple[list[tuple[float, float]], list[float], list[str], float]:
    guests = [Guest(name) for name in list(listing.lines)[: CHANGING + STAYING]]
    await gather(guests, server.plain_port)
    reading = [asyncio.create_task(guest.stay()) for guest in guests]
    with chatting(server, 22.0) as chat:
        await asyncio.sleep(9.0)
        changed = guests[:CHANGING]
        departed, locked = changed[:400], changed[400:700]
        change = time.monotonic()
        lines: dict[str, str | None] = {each.name: f"{each.name}:{OTHER}" for each in changed}
        lines |= dict.fromkeys((each.name for each in departed), None)
        lines |= {each.name: f"{each.name}:*" for each in locked}
        listing.write(**lines)
        written = time.monotonic()
        await asyncio.wait(reading[:CHANGING], timeout=20)
        told = await asyncio.wrap_future(chat)
    took = [each.ended - written for each in changed if each.ended is not None]
    assert all("not-authorized" in each.why for each in changed), {each.why for each in changed}
    others = [each.name for each in guests[CHANGING:] if each.ended is not None]
    for each in reading:
        each.cancel()
    for guest in guests:
        guest.leave()
    return told, took, others, change


# What happens to files: as text, or nothing if the file goes; each is left so for a while.
DAMAGES = (
    "torn",
    "emptied",
    "without its last newline",
    "noise",
    "gone",
    "renamed away and back",
    "a folder",
)


@pytest.mark.timeout(180)
def test_files_are_torn_emptied_replaced_and_renamed_under_load(tmp_path: Path) -> None:
    """Nobody is thrown out, others log in, who chats hardly notices; the next good file counts in time."""
    listing = Listing(tmp_path, 20_000)
    with running(listing.server()) as server:
        told, ended, begun, done, took = asyncio.run(_damage(listing, server))
        log = server.log()
    slow = slowness()
    before, during = p99(told, begun - 4, begun), p99(told, begun, done)
    print(f"\np99 of messages {before * 1000:.0f} ms, while files are broken {during * 1000:.0f} ms")
    assert ended == []
    assert during < max(0.25 * slow, 10 * before)
    assert took < SOON or took < SOON * slow
    assert "account files cannot be read" in log
    assert "account files are held back" in log


async def _damage(
    listing: Listing, server: Server
) -> tuple[list[tuple[float, float]], list[str], float, float, float]:
    guests = [Guest(name) for name in list(listing.lines)[:50]]
    await gather(guests, server.plain_port)
    reading = [asyncio.create_task(guest.stay()) for guest in guests]
    path = listing.folder / "passwd"
    good = path.read_text()
    with chatting(server, 30.0) as chat:
        await asyncio.sleep(7.0)
        begun = time.monotonic()
        for damage in DAMAGES:
            _break(path, good, damage)
            await asyncio.sleep(1.6)
            visitor = Guest("p019999")
            await visitor.come(server.plain_port)  # who is listed can log in all the time
            visitor.leave()
        done = time.monotonic()
        ended = [each.name for each in guests if each.ended is not None]
        if path.is_dir():
            path.rmdir()
        listing.write(p000000=None)
        written = time.monotonic()
        await asyncio.wait(reading[:1], timeout=20)
        told = await asyncio.wrap_future(chat)
    took = (guests[0].ended or written + 99) - written
    ended += [each.name for each in guests[1:] if each.ended is not None]
    for each in reading:
        each.cancel()
    for guest in guests:
        guest.leave()
    return told, ended, begun, done, took


def _break(path: Path, good: str, damage: str) -> None:
    if damage == "torn":
        path.write_text(good[: len(good) // 3])
    elif damage == "emptied":
        path.write_text("")
    elif damage == "without its last newline":
        path.write_text(good[:-1])
    elif damage == "noise":
        path.write_bytes(b"\0\xff\n" * 5000)
    elif damage == "gone":
        path.unlink()
    elif damage == "renamed away and back":
        path.write_text(good)
        path.rename(path.with_name("away"))
        path.with_name("away").rename(path)
    else:
        path.unlink()
        path.mkdir()
