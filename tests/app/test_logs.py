"""The log: a line is one event, whoever chose the facts in it."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from commonroom.app.logs import log_to_stderr
from commonroom.config import LogFormat, LogLevel
from commonroom.config.log import Log
from commonroom.protocol.jid import JID

log = logging.getLogger("commonroom.test")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def text(level: LogLevel = LogLevel.INFO) -> io.StringIO:
    stream = io.StringIO()
    log_to_stderr(Log(level=level), stream)
    return stream


def objects() -> io.StringIO:
    stream = io.StringIO()
    log_to_stderr(Log(format=LogFormat.JSON), stream)
    return stream


def the_object(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    entry: dict[str, Any] = json.loads(line)
    assert datetime.fromisoformat(entry.pop("time")).tzinfo is not None
    return entry


def after_the_time(stream: io.StringIO) -> str:
    """Everything but the time of the first line, which must be one."""
    time, rest = stream.getvalue().split(" ", 1)
    assert datetime.fromisoformat(time).tzinfo is not None
    return rest


@pytest.mark.parametrize(
    "value", ["a\nb", "a\r\nERROR", "\x1b[2J", "a\x00", "\x9b", "\u2028", "\u2029", "\x85", "\x0b", "\x7f"]
)
def test_a_fact_can_neither_forge_a_line_nor_speak_to_the_terminal(value: str) -> None:
    stream = text()
    log.info("login failed", extra={"reason": value})
    log.info("event %s", value)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert stream.getvalue().replace("\n", "").isprintable()
    stream = objects()
    log.info("login failed", extra={"reason": value})
    assert the_object(stream)["reason"] == value


def test_it_is_clear_where_a_fact_ends() -> None:
    stream = text()
    log.info("closed", extra={"a": "x b=y", "b": 'say "hi"', "c": "", "d": "back\\slash", "e": "1=2"})
    assert after_the_time(stream) == (
        'INFO closed a="x b=y" b="say \\"hi\\"" c="" d="back\\\\slash" e="1=2"\n'
    )


def test_a_traceback_is_indented_and_harmless() -> None:
    stream = text()
    try:
        raise ValueError("one\n2026-03-01T12:00:00+00:00 ERROR forged\x1b[2J")
    except ValueError:
        log.exception("a handler failed", extra={"feature": "ping"})
    first, *others = stream.getvalue().splitlines()
    assert first.endswith("ERROR a handler failed feature=ping")
    assert all(line.startswith("    ") and line.isprintable() for line in others)
    assert others[-1] == "    2026-03-01T12:00:00+00:00 ERROR forged\\u001b[2J"


def test_a_traceback_is_a_list_for_programs() -> None:
    stream = objects()
    try:
        raise ValueError("why")
    except ValueError:
        log.exception("a handler failed")
    assert the_object(stream)["traceback"][-1] == "ValueError: why"


def test_a_fact_does_not_take_the_place_of_what_each_entry_has() -> None:
    stream = objects()
    log.info("closed", extra={"event": "other", "level": 3})
    assert the_object(stream) == {
        "level": "info",
        "event": "closed",
        "source": "commonroom.test",
        "event_": "other",
        "level_": 3,
    }


def test_an_event_then_its_facts() -> None:
    stream = text()
    log.info("logged in", extra={"jid": JID.parse("zoë@example.org/a"), "address": "::1", "tries": 2})
    assert after_the_time(stream) == "INFO logged in jid=zoë@example.org/a address=::1 tries=2\n"


def test_facts_are_values_for_programs() -> None:
    stream = objects()
    log.warning("full", extra={"jid": JID.parse("zoë@example.org"), "n": 2, "ok": False, "none": None})
    assert the_object(stream) == {
        "level": "warning",
        "event": "full",
        "source": "commonroom.test",
        "jid": "zoë@example.org",
        "n": 2,
        "ok": False,
        "none": None,
    }


def test_only_what_is_configured_is_logged() -> None:
    stream = text(LogLevel.ERROR)
    log.warning("not this")
    log.error("this")
    assert after_the_time(stream) == "ERROR this\n"


def test_others_do_not_chat() -> None:
    stream = text(LogLevel.DEBUG)
    logging.getLogger("alembic.runtime.migration").info("Context impl SQLiteImpl.")
    logging.getLogger("asyncio").debug("Using selector")
    log.debug("ours")
    assert after_the_time(stream) == "DEBUG ours\n"


def test_what_is_set_up_again_takes_the_place_of_what_was() -> None:
    first, second = text(), text(LogLevel.WARNING)
    log.warning("once")
    assert (first.getvalue(), after_the_time(second)) == ("", "WARNING once\n")


@pytest.mark.parametrize("log_format", [LogFormat.TEXT, LogFormat.JSON])
def test_every_second_has_a_time_of_its_own(log_format: LogFormat) -> None:
    stream = io.StringIO()
    log_to_stderr(Log(format=log_format), stream)
    moments = [1772362799.25, 1772362799.5, 1772362800.0, 1790000000.75, 1772362799.25]
    for moment in moments:
        record = logging.makeLogRecord({"name": log.name, "levelno": logging.INFO, "msg": "tick"})
        record.created = moment
        log.handle(record)
    expected = [datetime.fromtimestamp(m).astimezone().isoformat(timespec="milliseconds") for m in moments]
    lines = stream.getvalue().splitlines()
    assert all(time in line for time, line in zip(expected, lines, strict=True))


def test_systemd_keeps_the_time_and_is_told_the_level_of_each_line() -> None:
    stream = io.StringIO()
    log_to_stderr(Log(level=LogLevel.DEBUG, format=LogFormat.JOURNAL), stream)
    log.debug("looked")
    log.info("logged in", extra={"jid": "a@b\n<0>forged"})
    log.warning("full")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed")
    lines = stream.getvalue().splitlines()
    assert lines[:3] == ["<7>looked", '<6>logged in jid="a@b\\n<0>forged"', "<4>full"]
    assert lines[3] == "<3>failed"
    assert all(line.startswith("<3>    ") for line in lines[4:])
    assert len(lines) > 5
