"""Time, randomness and concurrency: what everything here is handed, so that tests can hand it others."""

import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from commonroom.core.questions import Timer


def system_microseconds() -> int:
    """By the system's clock."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`start` runs a coroutine under an owner and gives what many can await. `later` calls a function after
    so many seconds. `now` gives an aware datetime in the server's time zone, `microseconds` the time since
    1970, which the ids of messages are made of.
    """

    start: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]
    later: Callable[[float, Callable[[], None]], Timer]
    now: Callable[[], datetime]
    random: Callable[[int], bytes]
    microseconds: Callable[[], int] = system_microseconds
