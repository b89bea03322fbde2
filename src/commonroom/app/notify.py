"""sd_notify(3): tells systemd that the service is ready, reloads, stops, and lives."""

import asyncio
import os
import socket
import time
from collections.abc import Mapping

# Seconds between two signs of life of a start.
STILL_STARTING = 30


class Notify:
    """Says nothing where nobody listens (`NOTIFY_SOCKET` of the environment)."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog = int(environment.get("WATCHDOG_USEC", "0")) / 1_000_000 if is_ours else 0.0

    def ready(self) -> None:
        """Clients can connect; also after a reload."""
        self._say("READY=1")

    async def starting(self) -> None:
        """It takes long, as when a database is brought up to date: systemd shall not lose its patience."""
        while self._address:
            self._say(f"EXTEND_TIMEOUT_USEC={2 * STILL_STARTING * 1_000_000}")
            await asyncio.sleep(STILL_STARTING)

    def reloading(self) -> None:
        """The configuration is read again."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._say("STOPPING=1")

    async def watchdog(self) -> None:
        """Sign of life from the loop itself, twice as often as it must be: whoever hangs is started again."""
        while self._address and self._watchdog:
            self._say("WATCHDOG=1")
            await asyncio.sleep(self._watchdog / 2)

    def _say(self, text: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            try:
                sock.sendto(text.encode(), self._address)
            except OSError:
                return  # systemd is busy or gone: it will see for itself
