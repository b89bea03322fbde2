"""Kinds of values: what they refuse, in which words, and that they read what they write."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonroom.config.kinds import (
    Choice,
    FilePath,
    Flag,
    Kind,
    ListOf,
    Number,
    RefusedError,
    Text,
    Whole,
    duration,
    size,
    toml_key,
)


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


KINDS: tuple[Kind[Any], ...] = (
    Flag(),
    Whole(1, 10),
    Number(0.5, 10.5),
    duration("1s", "1h"),
    size("1 KiB", "1 MiB"),
    Choice(Colour),
    Text(20),
    FilePath(),
    ListOf(Whole(1, 10), minimum=1),
)

HUGE = st.builds(lambda: 10**5000)  # more digits than Python makes text of
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.dates()
    | st.builds(lambda: 10**5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def refusal(kind: Kind[Any], value: object) -> str:
    with pytest.raises(RefusedError) as caught:
        kind.read(value)
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@given(value=ANYTHING)
def test_a_kind_reads_or_refuses_whatever_toml_can_hold(kind: Kind[Any], value: object) -> None:
    try:
        words = kind.write(kind.read(value))
    except RefusedError as refused:
        words = str(refused)
    assert 0 < len(words) < 400
    assert "\n" not in words


WHOLE = "write a whole number from 1 to 10"
TIME = 'write a duration from "1s" to "1h"'
TIME_UNITS = f"{TIME}: a number and ms, s, m, h or d, in quotes"
SIZE = 'write a size from "1 KiB" to "1 MiB"'
SIZE_UNITS = f"{SIZE}: a number and B, KiB (1024 bytes), MiB or GiB, in quotes"
COLOURS = 'is not possible here; write one of "red", "green"'
LIST = "a list, in [ ], each item a whole number from 1 to 10"
FULL_LIST = "a list, in [ ], not empty, each item a whole number from 1 to 10"


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Flag(), 1, "1 is neither true nor false; write true or false, without quotes"),
        (Flag(), "true", '"true" is neither true nor false; write true or false, without quotes'),
        (Whole(1, 10), 0, f"0 is too small; {WHOLE}"),
        (Whole(1, 10), 11, f"11 is too large; {WHOLE}"),
        (Whole(1, 10), True, f"true is not a whole number; {WHOLE}, without quotes"),
        (Whole(1, 10), 2.0, f"2.0 is not a whole number; {WHOLE}, without quotes"),
        (Whole(1, 10), date(2026, 1, 1), f"2026-01-01 is not a whole number; {WHOLE}, without quotes"),
        (Whole(1, 10), {}, f"a table is not a whole number; {WHOLE}, without quotes"),
        (Number(0, 1), float("nan"), "nan is not a number; write a number from 0 to 1, without quotes"),
        (Number(0, 1), float("inf"), "inf is too large; write a number from 0 to 1"),
        (duration("1s", "1h"), 90, f"90 is not a duration; {TIME_UNITS}"),
        (duration("1s", "1h"), "1 week", f'"1 week" is not a duration; {TIME_UNITS}'),
        (duration("1s", "1h"), "-5s", f'"-5s" is not a duration; {TIME_UNITS}'),
        (duration("1s", "1h"), "2h", f'"2h" is too large; {TIME}'),
        (size("1 KiB", "1 MiB"), "64 kB", f'"64 kB" is not a size; {SIZE_UNITS}'),
        (size("1 KiB", "1 MiB"), "1024.5 B", f'"1024.5 B" is not a size; {SIZE_UNITS}'),
        (size("1 KiB", "1 MiB"), "1 B", f'"1 B" is too small; {SIZE}'),
        (Choice(Colour), "gren", f'"gren" {COLOURS} (did you mean green?)'),
        (Choice(Colour), "RED", f'"RED" {COLOURS} (did you mean red?)'),
        (Choice(Colour), 1, f"1 {COLOURS}"),
        (Text(5), "", "a text of 0 characters; write a text of 1 to 5 characters"),
        (Text(5), "123456", "a text of 6 characters; write a text of 1 to 5 characters"),
        (Text(5), "a\x01", "the text contains the control character U+0001; leave it out"),
        (Text(5), 5, "5 is not a text; write a text of 1 to 5 characters, in quotes"),
        (FilePath(), "", '"" is not a path; write the path of a file, without ~'),
        (FilePath(), "a\0b", '"a\\u0000b" is not a path; write the path of a file, without ~'),
        (FilePath(), "~/key.pem", '"~/key.pem" is not a path; write the path of a file, without ~'),
        (ListOf(Whole(1, 10)), 1, f"1 is not a list; write {LIST}"),
        (ListOf(Whole(1, 10), 1), [], f"the list is empty; write {FULL_LIST}"),
        (ListOf(Whole(1, 10)), [3, 3], "3 is in the list twice; remove one"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_write(kind: Kind[Any], value: object, words: str) -> None:
    assert refusal(kind, value) == words


def test_a_number_of_thousands_of_digits_is_not_shown() -> None:
    assert refusal(Whole(1, 10), 10**5000) == "the number is too large; write a whole number from 1 to 10"


def test_a_list_tells_of_every_bad_item() -> None:
    with pytest.raises(RefusedError) as caught:
        ListOf(Whole(1, 9)).read([1, 0, 5, "x"])
    assert [inner for inner, _ in caught.value.faults] == [(1,), (3,)]


def test_a_long_value_is_cut_and_control_characters_are_escaped() -> None:
    words = refusal(Whole(1, 2), "\x1b[2J\x9b" + "x" * 1000)
    assert words.startswith('"\\u001b[2J\\u009b')
    assert len(words) < 150


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("3ms", 0.003), ("90s", 90), ("5m", 300), ("2h", 7200), ("30d", 2592000), ("1.5 h", 5400)],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert duration("0s", "365d").read(text) == seconds


@pytest.mark.parametrize(
    ("text", "size_in_bytes"),
    [
        ("0 B", 0),
        ("10000 B", 10000),
        ("64 KiB", 65536),
        ("1MiB", 1048576),
        ("1.5 KiB", 1536),
        ("2 GiB", 2147483648),
    ],
)
def test_sizes_are_bytes(text: str, size_in_bytes: int) -> None:
    assert size("0 B", "4 GiB").read(text) == size_in_bytes


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, '"0s"'), (0.003, '"3ms"'), (90.0, '"90s"'), (300.0, '"5m"'), (0.0015, '"1.5ms"')],
)
def test_durations_are_written_in_the_largest_whole_unit(seconds: float, text: str) -> None:
    assert duration("0s", "1d").write(seconds) == text


@given(st.integers(0, 86400 * 10**6))
def test_every_duration_is_read_as_it_was_written(microseconds: int) -> None:
    kind = duration("0s", "1d")
    assert kind.read(kind.write(microseconds / 1e6)[1:-1]) == microseconds / 1e6


@given(st.integers(min_value=0, max_value=1 << 34))
def test_every_size_is_read_as_it_was_written(number: int) -> None:
    kind = size("0 B", "16 GiB")
    assert kind.read(kind.write(number)[1:-1]) == number


def test_keys_are_quoted_where_toml_needs_it() -> None:
    assert toml_key(("tls", "domains", "example.org", "key")) == 'tls.domains."example.org".key'
