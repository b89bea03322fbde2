"""Runs a service in the foreground until a signal ends it."""

import asyncio
import resource
import signal
from collections.abc import Awaitable, Callable
from types import FrameType

import uvloop

from commonroom.app.service import Service
from commonroom.config import Settings

# Files that are open besides connections: the database, the log, listeners; and some air.
OTHER_FILES = 200
ENDING = (signal.SIGTERM, signal.SIGINT)


async def _nothing() -> None:
    pass


def run(
    settings: Settings, ready: Callable[[Service], None], before: Callable[[], Awaitable[None]] = _nothing
) -> None:
    """Do what must be done before; start, say that it is ready, and stop cleanly at SIGTERM or SIGINT.

    A second signal ends the process at once. Raises what `Service.start` does.
    """
    allow_files(settings.c2s.connections + OTHER_FILES)
    uvloop.run(_run(settings, ready, before))


async def _run(
    settings: Settings, ready: Callable[[Service], None], before: Callable[[], Awaitable[None]]
) -> None:
    stopping = _stopping()
    await before()
    service = Service(settings)
    await service.start()
    try:
        if not stopping.is_set():
            ready(service)
        await stopping.wait()
    finally:
        await service.stop()


def _stopping() -> asyncio.Event:
    """Set by the first signal; the second finds the system's own handler."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_DFL)
        loop.call_soon_threadsafe(stopping.set)

    # Not the loop's own handlers: those wait for the loop, and a start can wait long for a database.
    for each in ENDING:
        signal.signal(each, stop)
    return stopping


def allow_files(wanted: int) -> int:
    """Open as many files as are wanted, if the system lets us; gives how many are possible."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= possible:
        return wanted if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    return possible
