"""Runs a service in the foreground until a signal ends it."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType

import uvloop

from commonroom.admin import open_files
from commonroom.app.collector import collecting_in_small_portions
from commonroom.app.notify import Notify
from commonroom.app.service import Service
from commonroom.config import Settings

log = logging.getLogger(__name__)

ENDING = (signal.SIGTERM, signal.SIGINT)

# How long one thread may keep the interpreter from another that wants it. Python's 5 ms are too long for
# the threads of the database beside a loop that never rests: at 1,500 messages a second a commit waited
# 1.5 s, and waits 15 to 25 ms so.
SWITCH_SECONDS = 0.0005


async def _nothing() -> None:
    pass


def run(
    settings: Settings,
    ready: Callable[[Service], None],
    before: Callable[[], Awaitable[None]] = _nothing,
    reread: Callable[[], Settings] | None = None,
) -> None:
    """Do what must be done before; start, say that it is ready, and stop cleanly at SIGTERM or SIGINT.

    A second signal ends the process at once. SIGHUP has the configuration read again, by `reread`; during the
    start, that waits for its end.
    Raises what `Service.start` does.
    """
    _allow_files(settings)
    sys.setswitchinterval(SWITCH_SECONDS)
    uvloop.run(_run(settings, ready, before, reread))


async def _run(
    settings: Settings,
    ready: Callable[[Service], None],
    before: Callable[[], Awaitable[None]],
    reread: Callable[[], Settings] | None,
) -> None:
    loop = asyncio.get_running_loop()
    stopping, wanted = _stopping(), asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, wanted.set)
    await before()
    notify = Notify()
    service = Service(settings, reread, stopping)
    starting = asyncio.ensure_future(notify.starting())
    try:
        await service.start()
    finally:
        starting.cancel()
    alive = asyncio.ensure_future(notify.watchdog())
    try:
        reload = partial(service.reload, notify.reloading, notify.ready)
        loop.add_signal_handler(signal.SIGHUP, reload)
        with collecting_in_small_portions(loop):
            if not stopping.is_set():
                ready(service)
                notify.ready()
            if wanted.is_set():
                reload()
            await stopping.wait()
    finally:
        notify.stopping()
        alive.cancel()
        await service.stop()


def _stopping() -> asyncio.Event:
    """Set by the first signal; the second finds the system's own handler."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_DFL)
        if not loop.is_closed():
            loop.call_soon_threadsafe(stopping.set)

    # Not the loop's own handlers: those wait for the loop, and a start can wait long for a database.
    for each in ENDING:
        signal.signal(each, stop)
    return stopping


def _allow_files(settings: Settings) -> None:
    wanted = open_files.wanted(settings)
    if (possible := open_files.allow(wanted)) < wanted:
        log.warning(
            "the system allows fewer open files than c2s.connections needs",
            extra={"wanted": wanted, "possible": possible},
        )
