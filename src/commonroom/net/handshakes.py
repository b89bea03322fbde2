"""RFC 7590: TLS handshakes take turns, so that a crowd that comes back does not stop those who are in.

A step of a handshake costs up to a millisecond of CPU, a message some 30 µs. When a thousand clients connect
in one moment, every look at the sockets finds dozens of handshakes, and messages wait for all of them.
"""

import asyncio
from collections import deque
from collections.abc import Callable


class Handshakes:
    """Lets one step be made in each turn of the loop; the others wait in order, and nothing spins."""

    __slots__ = ("_is_taken", "_waiting")

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: deque[Callable[[], None]] = deque()

    def may_go(self, later: Callable[[], None]) -> bool:
        """Whether a step may be made now; if not, `later` is called when it is worth asking again."""
        if self._is_taken:
            self._waiting.append(later)
            return False
        self._is_taken = True
        asyncio.get_running_loop().call_soon(self._next)
        return True

    def _next(self) -> None:
        """The first that still wants to asks again, and may go."""
        self._is_taken = False
        while self._waiting and not self._is_taken:
            self._waiting.popleft()()
