"""XEP-0082: moments and their texts."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonroom.protocol.timestamps import date_time, read_date_time, to_microseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-03-01",
        "12:00:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00Z",
        "2026-03-01T12:00Z",
        "2026-03-01T12:00:00.Z",
        "2026-03-01T12:00:00z",
        "2026-03-01T12:00:00+0200",
        "2026-03-01T12:00:00Z ",
        "2026-13-01T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "2026-03-01T24:00:01Z",
        "2026-03-01T12:00:60Z",
        "2026-03-01T12:00:00+25:00",
        "0000-03-01T12:00:00Z",
        "02026-03-01T12:00:00Z",
        "\u0662026-03-01T12:00:00Z",
    ],
)
def test_xep0082_3_2_anything_else_is_refused(text: str):
    with pytest.raises(ValueError, match=r".+"):
        read_date_time(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000),
        ("1970-01-01T00:00:00.0000019Z", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1969-07-21T02:56:15Z", -14_159_025_000_000),
    ],
)
def test_xep0082_3_2_a_moment_is_read(text: str, expected: int):
    assert read_date_time(text) == expected


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_xep0082_3_2_what_is_written_is_read_as_the_same_moment(moment: int):
    assert read_date_time(date_time(moment)) == moment


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=5, minutes=45)))))
def test_xep0082_a_datetime_is_counted_whole(moment: datetime):
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=to_microseconds(moment)) == moment
