"""The log: an event, then facts; a line each, or an object each for programs."""

import json
import logging
import re
import sys
import traceback
from datetime import datetime
from typing import Any, TextIO

from commonroom.config import LogFormat, LogLevel
from commonroom.config.log import Log

# What every record has; the rest came by `extra`.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
LEVELS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
# These tell at each start what nobody needs to know.
TALKATIVE = ("alembic", "asyncio")
# Whoever can put such characters into a fact could forge lines, or speak to the operator's terminal.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
NEEDS_QUOTES = re.compile(r'[\s"=\\\x00-\x1f\x7f-\x9f\u2028\u2029]|^$')


def log_to_stderr(settings: Log, stream: TextIO | None = None) -> None:
    """Log as configured, from now on; in place of what was set up before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(FORMATTERS[settings.format]())
    _note_less()
    logging.basicConfig(level=LEVELS[settings.level], handlers=[handler], force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, LEVELS[settings.level]))


def _note_less() -> None:
    """Nothing is looked up for a record that no line shows."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None


class Clock:
    """The time of records in the server's time zone; all but the milliseconds is made once a second."""

    def __init__(self) -> None:
        self._second: int | None = None
        self._begin = self._end = ""

    def time(self, record: logging.LogRecord) -> str:
        """As ISO 8601 has it."""
        second, rest = divmod(record.created, 1)
        if second != self._second:
            text = datetime.fromtimestamp(second).astimezone().isoformat()
            self._second, self._begin, self._end = int(second), text[:19], text[19:]
        return f"{self._begin}.{int(rest * 1000):03d}{self._end}"


class TextLines(logging.Formatter):
    """`2026-03-01T12:00:00.123+01:00 INFO logged in jid=alice@localhost`; a traceback is indented below."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = Clock()

    def format(self, record: logging.LogRecord) -> str:
        """One line, and those of the traceback."""
        first, *rest = self._lines(record)
        return "\n".join([f"{self._clock.time(record)} {record.levelname} {first}", *rest])

    def _lines(self, record: logging.LogRecord) -> list[str]:
        words = [escaped(record.getMessage())]
        words += [f"{name}={quoted(value)}" for name, value in facts(record).items()]
        return [" ".join(words), *(f"    {escaped(line)}" for line in _traceback(record))]


class JsonLines(logging.Formatter):
    """An object a line: time, level, event, source, the facts, and the traceback as a list of lines."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = Clock()

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        entry: dict[str, Any] = {
            "time": self._clock.time(record),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "source": record.name,
        }
        for name, value in facts(record).items():
            entry[f"{name}_" if name in entry else name] = _plain(value)
        if lines := _traceback(record):
            entry["traceback"] = lines
        return json.dumps(entry)


class JournalLines(TextLines):
    """As text, without the time; each line begins with its priority, as sd-daemon(3) has it."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a traceback have the priority of the event."""
        mark = f"<{next(number for level, number in PRIORITIES if record.levelno >= level)}>"
        return "\n".join(mark + line for line in self._lines(record))


FORMATTERS = {LogFormat.TEXT: TextLines, LogFormat.JSON: JsonLines, LogFormat.JOURNAL: JournalLines}
# Of syslog: error, warning, informational, debug.
PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))


def facts(record: logging.LogRecord) -> dict[str, Any]:
    """What was handed over as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


def escaped(text: str) -> str:
    """The text on one line, and harmless to a terminal."""
    return text if text.isprintable() else CONTROLS.sub(lambda found: json.dumps(found[0])[1:-1], text)


def quoted(value: object) -> str:
    """A fact's value, in quotes where it would not be clear where it ends."""
    text = str(value)
    return json.dumps(text) if NEEDS_QUOTES.search(text) else text


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _traceback(record: logging.LogRecord) -> list[str]:
    if not record.exc_info or record.exc_info[1] is None:
        return []
    text = "".join(traceback.format_exception(record.exc_info[1]))
    return text.rstrip("\n").split("\n")
