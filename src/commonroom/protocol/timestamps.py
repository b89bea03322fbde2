"""XEP-0082: XMPP Date and Time Profiles: moments as microseconds since 1970, as the archive counts them."""

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


def to_microseconds(moment: datetime) -> int:
    """The moment (aware) as a number."""
    return (moment - _EPOCH) // _MICROSECOND


def read_date_time(text: str) -> int:
    """The DateTime profile (XEP-0082 §3.2); ValueError for anything else. What is finer is cut off."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"not a date and time: {text!r}")
    seconds, fraction, zone = found.groups()
    moment = datetime.fromisoformat(seconds + ("+00:00" if zone == "Z" else zone))
    return to_microseconds(moment) + int(((fraction or "") + "000000")[:6])


def date_time(microseconds: int) -> str:
    """The moment in UTC, whole: who gives it back means the same moment (XEP-0082 §3.2)."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:06}Z"
