"""Operations on the service as a whole: its configuration, its log, and its end."""

import logging
from dataclasses import dataclass
from typing import Annotated, Protocol

from commonroom.admin.errors import BadArgument
from commonroom.admin.live import Live
from commonroom.admin.operation import Arg, operation
from commonroom.admin.scopes import Scope
from commonroom.config import LogLevel

LONGEST_DRAIN = 3600
LEVELS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What counts now, and what will after a restart; `certificates` are the files that were read again."""

    changed: tuple[str, ...]
    after_restart: tuple[str, ...]
    certificates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Logging:
    """The level of the log."""

    level: LogLevel


@dataclass(frozen=True, slots=True)
class Drained:
    """How many clients were connected when the drain began."""

    connections: int


class Control(Protocol):
    """What can be done with the service that runs."""

    async def reload(self) -> Reloaded:
        """Read the configuration and certificates again; AdminError, and nothing has changed."""

    def drain(self, seconds: float, stop: bool) -> int:
        """Begin to send everybody away; tells how many there are."""


@operation("reload", Scope.SERVICE_WRITE, "Read the configuration and the certificates again.")
async def reload(control: Control) -> Reloaded:
    """All is checked first. Raises AdminError: then what held before holds."""
    return await control.reload()


@operation("log level", Scope.SERVICE_WRITE, "Show the level of the log, or change it.", "--level debug")
async def log_level(
    live: Live, level: Annotated[LogLevel | None, Arg("What is logged from now on.")] = None
) -> Logging:
    """The root logger's."""
    root = logging.getLogger()
    if level is not None:
        root.setLevel(LEVELS[level])
    return Logging(next((name for name, number in LEVELS.items() if number >= root.level), LogLevel.ERROR))


@operation("drain", Scope.SERVICE_WRITE, "Let nobody new in, and send everybody away.", "--over 60 --stop")
async def drain(
    control: Control,
    over: Annotated[int, Arg("Spread over so many seconds.")] = 0,
    stop: Annotated[bool, Arg("Then end the service.")] = False,
) -> Drained:
    """Returns at once. What had been accepted is written, as always (RFC 6120 §4.9.3.20)."""
    if not 0 <= over <= LONGEST_DRAIN:
        raise BadArgument(f"over: write a number of seconds from 0 to {LONGEST_DRAIN}")
    return Drained(control.drain(over, stop))
