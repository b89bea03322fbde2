"""The table [log]."""

# ruff: noqa: RUF009 (see schema.py)
from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from commonroom.config.kinds import Choice
from commonroom.config.option import option


class LogLevel(StrEnum):
    """What is worth a line in the log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a line of the log looks."""

    TEXT = "text"
    JSON = "json"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class Log:
    """The log, which goes to standard error. It never has the text of messages or passwords."""

    level: LogLevel = option(
        Choice(LogLevel),
        "info",
        "What is logged: `error` our own faults, `warning` also what an administrator should act on, `info` "
        "also a line for each connection, `debug` more than is useful outside of development.",
        example="warning",
        live=True,
    )
    format: LogFormat = option(
        Choice(LogFormat),
        "text",
        "`text` for people, `json` (an object a line) for programs, `journal` for systemd, which keeps the "
        "time itself and is told the level of each line.",
        example="json",
        live=True,
    )
