"""XEP-0198: Stream Management: its elements, and how stanzas are counted."""

from typing import NamedTuple

from commonroom.protocol.errors import StanzaError, StreamCondition, StreamError, bad_request
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT

NS_SM = "urn:xmpp:sm:3"

FEATURE = Element(NS_SM, "sm")
REQUEST = f"<r xmlns='{NS_SM}'/>"

# Counters are unsigned integers of 32 bits, and begin anew at zero (XEP-0198 §4).
WRAP = 1 << 32

_DIGITS = 10  # that a count has at most
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Enable(NamedTuple):
    """What a client asks for (XEP-0198 §3); it will resume within `longest` seconds, if at all."""

    resume: bool
    longest: int | None


class Resume(NamedTuple):
    """Which stream a client wants back, and how many stanzas it got over it (XEP-0198 §5)."""

    previous: str
    handled: int


def read_enable(element: Element) -> Enable:
    """Raises bad-request."""
    resume = _BOOLEANS.get(element.get("resume") or "false")
    if resume is None:
        raise bad_request("'resume' is true or false")
    longest = element.get("max")
    return Enable(resume, None if longest is None else _seconds(longest))


def read_resume(element: Element) -> Resume:
    """Raises bad-request."""
    previous = element.get("previd")
    if not previous:
        raise bad_request("'previd' names the stream to resume")
    return Resume(previous, read_count(element))


def read_count(element: Element) -> int:
    """The `h` of <a/> or <resume/>. Raises bad-request."""
    return _count(element.get("h") or "")


def _seconds(text: str) -> int:
    """At least one; what has more digits than a count is a very long time."""
    return _count(text if len(text) < _DIGITS else "9" * (_DIGITS - 1) if _is_number(text) else "") or 1


def _count(text: str) -> int:
    # The digits are counted first: int() of a long text takes long.
    if not _is_number(text) or len(text) > _DIGITS or int(text) >= WRAP:
        raise bad_request("a count is an integer of 32 bits")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def answer(handled: int) -> str:
    """Tell how many stanzas were handled (XEP-0198 §4)."""
    return f"<a xmlns='{NS_SM}' h='{handled % WRAP}'/>"


def enabled(name: str | None, longest: int) -> Element:
    """Stream management is on (XEP-0198 §3); with a name, the stream can be resumed for `longest` seconds.

    No `location`: there is one service, and the client knows the way to it.
    """
    if name is None:
        return Element(NS_SM, "enabled")
    return Element(NS_SM, "enabled", {"id": name, "resume": "true", "max": str(longest)})


def resumed(name: str, handled: int) -> Element:
    """The stream goes on (XEP-0198 §5)."""
    return Element(NS_SM, "resumed", {"previd": name, "h": str(handled % WRAP)})


def failed(error: StanzaError, handled: int | None = None) -> Element:
    """Refuse <enable/> or <resume/> (XEP-0198 §6); `handled`, if the stream to resume is still remembered."""
    [condition] = [child for child in error.element(NS_CLIENT).elements() if child.name != "text"][:1]
    attributes = {} if handled is None else {"h": str(handled % WRAP)}
    return Element(NS_SM, "failed", attributes, condition)


def counted_too_many(handled: int, sent: int) -> StreamError:
    """The peer acknowledges what it was never sent (XEP-0198 §6)."""
    return StreamError(
        StreamCondition.UNDEFINED_CONDITION,
        f"You acknowledged {handled} stanzas, but I only sent you {sent} so far.",
        Element(NS_SM, "handled-count-too-high", {"h": str(handled), "send-count": str(sent)}),
    )
