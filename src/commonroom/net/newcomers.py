"""RFC 7590, RFC 6120 §6: who is not in yet waits in line, so that a crowd does not stop those who are in.

A message costs 30 µs, a step of a TLS handshake some 300, what a log-in says next 30 to 300. When a thousand
clients come back in one moment, dozens of them have something to say whenever the loop looks at its sockets,
and messages would wait for all of them.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter

from commonroom.net.watched import Sockets, report

# Seconds in each turn of the loop; the last step goes over it.
BUDGET = 0.0005


class Newcomers(Sockets):
    """Sockets of TLS handshakes, and of clients that are not logged in yet.

    In each turn of the loop, when those who are in have been served, newcomers have `BUDGET` seconds, in the
    order in which they became ready; one of them goes at least. Those who wait cost nothing: the system keeps
    their place in the line.
    """

    __slots__ = ("_clock",)

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        super().__init__()
        self._clock = clock

    def serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """The first of them, until the time is used up."""
        end = self._clock() + BUDGET
        while found := self._epoll.poll(0, 1):
            [(fd, events)] = found
            try:
                self._channels[fd].ready(events)
            except Exception as error:
                report(loop, "a connection failed", error)
            if self._clock() >= end:
                return
