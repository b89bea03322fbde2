"""XEP-0478: Stream Limits Advertisement: what a stream takes, version 0.2.0."""

from commonroom.xml.element import Element

NS_STREAM_LIMITS = "urn:xmpp:stream-limits:0"


def feature(max_bytes: int, idle_seconds: int | None = None) -> Element:
    """How large an element may be, and after how long a silence the peer is asked why (XEP-0478 §3.1)."""
    children = [Element(NS_STREAM_LIMITS, "max-bytes", None, str(max_bytes))]
    if idle_seconds is not None:
        children.append(Element(NS_STREAM_LIMITS, "idle-seconds", None, str(idle_seconds)))
    return Element(NS_STREAM_LIMITS, "limits", None, *children)
