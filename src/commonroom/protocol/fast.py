"""XEP-0484: Fast Authentication Streamlining Tokens: what is said of them, version 0.2.0."""

from collections.abc import Iterable
from typing import NamedTuple

from commonroom.protocol.sasl.mechanism import Token
from commonroom.protocol.timestamps import date_time
from commonroom.xml.element import Element
from commonroom.xml.names import NS_FAST

# Digits of a counter: it is an integer of 32 bits in the schema (XEP-0484 §10).
_LONGEST_COUNT = 10

_BOOLEANS = {None: False, "true": True, "1": True, "false": False, "0": False}


class FastUse(NamedTuple):
    """How a client says that it has a token (XEP-0484 §3.4, §3.6)."""

    counter: int | None
    invalidate: bool


class Visit(NamedTuple):
    """A client has proved that it is the account's: by `used`, or by the password if that is None.

    `counter` and `invalidate` are what it said of the token; it wants a new one for the mechanism `wants`.
    """

    client: str
    software: str
    device: str
    used: Token | None
    counter: int | None
    invalidate: bool
    wants: str | None


class Issued(NamedTuple):
    """A new token, and when it expires, in microseconds."""

    token: str
    expires: int


def read_fast(element: Element) -> FastUse:
    """Raises ValueError for what the schema does not have (XEP-0484 §10)."""
    count = element.get("count")
    if count is not None and not (count.isascii() and count.isdigit() and len(count) <= _LONGEST_COUNT):
        raise ValueError("'count' is a positive integer")
    invalidate = element.get("invalidate")
    if invalidate not in _BOOLEANS:
        raise ValueError("'invalidate' is true or false")
    return FastUse(None if count is None else int(count), _BOOLEANS[invalidate])


def feature(mechanisms: Iterable[str]) -> Element:
    """What a stream announces (XEP-0484 §3.1). Nothing is taken before the handshake ends."""
    return Element(NS_FAST, "fast", None, *(Element(NS_FAST, "mechanism", None, name) for name in mechanisms))


def token_element(issued: Issued) -> Element:
    """A token for the client (XEP-0484 §3.3)."""
    return Element(NS_FAST, "token", {"expiry": date_time(issued.expires), "token": issued.token})
