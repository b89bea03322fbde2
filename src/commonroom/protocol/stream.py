"""RFC 6120 §4: stream headers, read and written, and the XML layer's refusals as stream errors."""

import re
from typing import NamedTuple

from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.xml.names import NS_STREAMS
from commonroom.xml.parser import StreamHeader, XmlError
from commonroom.xml.serializer import escape_attribute

STREAM_END = "</stream:stream>"

# What has the form of a language tag, and is no longer than RFC 5646 calls enough: others get to see it.
_LANGUAGE = re.compile(r"(?=.{1,35}\Z)[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
# The numbers are not converted: there is no limit to their length.
_VERSION = re.compile(r"0*[1-9][0-9]*\.[0-9]+")


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
        raise StreamError(
            StreamCondition.INVALID_NAMESPACE, f"stanzas are in the namespace {content_namespace}"
        )
    _check_version(header.attributes.get("version"))
    to = _address(header.attributes.get("to"))
    if to is not None and to != to.domain:
        raise StreamError(StreamCondition.IMPROPER_ADDRESSING, "'to' names a domain")
    return Header(to, _address(header.attributes.get("from")), _language(header.attributes.get("xml:lang")))


def _check_version(version: str | None) -> None:
    """Anything from 1.0 on will do; what has no version knows no TLS and no SASL (RFC 6120 §4.7.5)."""
    if _VERSION.fullmatch(version or "0.9") is None:
        raise StreamError(StreamCondition.UNSUPPORTED_VERSION, "this server speaks XMPP 1.0")


def _address(text: str | None) -> JID | None:
    if text is None:
        return None
    try:
        return JID.parse(text)
    except InvalidJID as error:
        raise StreamError(StreamCondition.IMPROPER_ADDRESSING, str(error)) from None


def _language(text: str | None) -> str | None:
    return text if text is not None and _LANGUAGE.fullmatch(text) else None


def response_header(
    opening: StreamHeader | None, content_namespace: str, domain: str, stream_id: str, declarations: str = ""
) -> str:
    """Our header, in answer to `opening`; None if what came was none (RFC 6120 §4.7, §4.9.1.2).

    Whatever is wrong with the peer's, ours is addressed to the bare address in its `from` (§4.7.2), and has
    no version if that has none (§4.7.5).
    """
    attributes = {} if opening is None else opening.attributes
    to = _sender(attributes.get("from"))
    addressee = "" if to is None else f" to='{escape_attribute(to)}'"
    version = "" if opening is not None and "version" not in attributes else " version='1.0'"
    return (
        "<?xml version='1.0'?>"
        f"<stream:stream from='{escape_attribute(domain)}'{addressee} id='{escape_attribute(stream_id)}'"
        f"{version} xml:lang='en' xmlns='{content_namespace}' xmlns:stream='{NS_STREAMS}'{declarations}>"
    )


def initial_header(content_namespace: str, sender: str, to: str, declarations: str = "") -> str:
    """The header of a stream that we open (RFC 6120 §4.7)."""
    return (
        "<?xml version='1.0'?>"
        f"<stream:stream from='{escape_attribute(sender)}' to='{escape_attribute(to)}' version='1.0'"
        f" xml:lang='en' xmlns='{content_namespace}' xmlns:stream='{NS_STREAMS}'{declarations}>"
    )


def _sender(text: str | None) -> JID | None:
    try:
        return None if text is None else JID.parse(text).bare
    except InvalidJID:
        return None


def stream_error(error: XmlError) -> StreamError:
    """The XML layer's refusal in the words of RFC 6120 §4.9.3."""
    return StreamError(StreamCondition(error.condition.value), error.text)
