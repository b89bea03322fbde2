"""XEP-0202: Entity Time, in the time zones that servers stand in."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from commonroom.features.time import EntityTime
from commonroom.protocol.stanza import Iq, IqType


@pytest.mark.parametrize(
    ("hours", "tzo"), [(0, "+00:00"), (1, "+01:00"), (-3.5, "-03:30"), (5.75, "+05:45"), (-11, "-11:00")]
)
def test_xep0202_2_the_offset_and_the_time_in_utc(hours: float, tzo: str):
    moment = datetime(2026, 3, 1, 12, 0, 59, 999999, tzinfo=UTC)
    now = moment.astimezone(timezone(timedelta(hours=hours)))
    time = EntityTime(lambda: now).tell(Iq(IqType.GET), None)
    assert {e.name: e.text() for e in time.elements()} == {"tzo": tzo, "utc": "2026-03-01T12:00:59Z"}
