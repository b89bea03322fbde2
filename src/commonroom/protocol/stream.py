"""RFC 6120 §4: stream headers, read and written, and the XML layer's refusals as stream errors."""

from typing import NamedTuple

from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.xml.names import NS_STREAMS
from commonroom.xml.parser import StreamHeader, XmlError
from commonroom.xml.serializer import escape_attribute

STREAM_END = "</stream:stream>"

# The longest language tag we repeat in every stanza; RFC 5646 §4.4.1 calls 35 characters enough.
_LONGEST_LANGUAGE = 35


class Header(NamedTuple):
    """What the peer's stream header says (RFC 6120 §4.7), its addresses normalised."""

    to: str | None
    sender: JID | None
    language: str | None


def read_header(header: StreamHeader, content_namespace: str) -> Header:
    """Check a stream header. Raises StreamError: the namespace, prefix, version or an address is wrong."""
    if header.namespace != NS_STREAMS:
        raise StreamError(StreamCondition.INVALID_NAMESPACE, f"a stream is in the namespace {NS_STREAMS}")
    if header.name != "stream":
        raise StreamError(StreamCondition.BAD_FORMAT, "the first element is <stream/>")
    # Without a default namespace each stanza names its own: "prefix-free canonicalization" (§4.8.2).
    if header.default_namespace not in (content_namespace, NS_STREAMS, ""):
        raise StreamError(StreamCondition.INVALID_NAMESPACE, f"stanzas are in the namespace {content_namespace}")
    _check_version(header.attributes.get("version"))
    to = _address(header.attributes.get("to"))
    if to is not None and to.local is not None:
        raise StreamError(StreamCondition.IMPROPER_ADDRESSING, "'to' names a domain")
    language = header.attributes.get("xml:lang")
    if language is not None and len(language) > _LONGEST_LANGUAGE:
        language = None
    return Header(None if to is None else to.domain, _address(header.attributes.get("from")), language or None)


def _check_version(version: str | None) -> None:
    """Anything from 1.0 on will do; what has no version knows no TLS and no SASL (RFC 6120 §4.7.5)."""
    major, dot, minor = (version or "0.9").partition(".")
    if not (dot and major.isdecimal() and minor.isdecimal() and int(major) >= 1):
        raise StreamError(StreamCondition.UNSUPPORTED_VERSION, "this server speaks XMPP 1.0")


def _address(text: str | None) -> JID | None:
    if text is None:
        return None
    try:
        return JID.parse(text)
    except InvalidJID as error:
        raise StreamError(StreamCondition.IMPROPER_ADDRESSING, str(error)) from None


def response_header(content_namespace: str, domain: str, stream_id: str, to: JID | None) -> str:
    """Our header (RFC 6120 §4.7): `to` only if the peer said who it is, our own language."""
    addressee = "" if to is None else f" to='{escape_attribute(to)}'"
    return (
        "<?xml version='1.0'?>"
        f"<stream:stream from='{escape_attribute(domain)}'{addressee} id='{escape_attribute(stream_id)}'"
        f" version='1.0' xml:lang='en' xmlns='{content_namespace}' xmlns:stream='{NS_STREAMS}'>"
    )


def stream_error(error: XmlError) -> StreamError:
    """The XML layer's refusal in the words of RFC 6120 §4.9.3."""
    return StreamError(StreamCondition(error.condition.value), error.text)
