"""Points in time, as the tables keep them: microseconds since 1970, which every database orders alike."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_stamp(moment: datetime) -> int:
    """Convert an aware time; raises TypeError for a naive one."""
    return (moment - _EPOCH) // _MICROSECOND


def from_stamp(stamp: int) -> datetime:
    """Convert back, to UTC."""
    return _EPOCH + timedelta(microseconds=stamp)
