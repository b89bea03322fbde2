"""RFC 6120 §11: bytes of one XML stream in, stanzas out, with the restrictions and limits that XMPP asks for.

However the bytes are cut into pieces, the events are the same.
"""

import re
from codecs import utf_8_decode
from dataclasses import dataclass
from sys import maxsize
from typing import Final, NamedTuple
from xml.parsers import expat

from commonroom.xml.deferral import do_not_defer
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_STREAMS, NS_XML
from commonroom.xml.refusals import (
    XmlCondition,
    XmlError,
    check_declaration,
    check_encoding,
    refuse_comment,
    refuse_doctype,
    refuse_instruction,
    text_between_stanzas,
    violation,
)
from commonroom.xml.serializer import escape_attribute, serialize_attributes

__all__ = [
    "Event",
    "Limits",
    "StreamEnd",
    "StreamHeader",
    "StreamParser",
    "XmlCondition",
    "XmlError",
    "parse_fragment",
]

# Whatever walks a tree may be recursive: each level costs a frame or two of Python's thousand.
DEEPEST: Final = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a stream may ask of us (RFC 6120 §13.12); beyond is policy-violation (§4.9.3.14)."""

    stanza_bytes: int  # from "<" to ">"; also of all up to the end of the stream header
    depth: int  # levels of a stanza, itself the first
    elements: int  # of a stanza, itself included
    attributes: int  # of an element, without namespace declarations
    names: int  # different ones per stream; a long one counts as one for each 128 characters begun
    tag_bytes: int = 16_384  # expat looks at an unfinished tag anew with each piece that comes

    def __post_init__(self) -> None:
        if self.depth > DEEPEST:
            raise ValueError(f"a depth of {self.depth} is too much for recursion; at most {DEEPEST}")


class StreamHeader(NamedTuple):
    """The stream's root element was opened (RFC 6120 §4.2). Whether it is acceptable is not judged here."""

    namespace: str
    name: str
    attributes: dict[str, str]
    default_namespace: str  # as declared with xmlns='…'; "" if not declared
    stream_prefix: str  # of the root element itself; "" if it has none


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The stream's root element was closed (RFC 6120 §4.4)."""


Event = StreamHeader | Element | StreamEnd | XmlError

# Given to expat to put between a namespace and a name. XML cannot contain it, not even as a reference.
_SEPARATOR = "\x01"
_LANG = f"{NS_XML}{_SEPARATOR}lang"
_BRACKET = ord("]")
_BLANKS = " \t\r\n"
_CHARACTERS_PER_NAME = 128
_ROOT_NAME = re.compile(rb"<([^\s/>]+)")

# expat never forgets a prefix, and its buffer grows with the largest piece: begin anew after so many bytes.
_RENEW_AFTER = 262_144

_INVALID_TOKEN = expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]
_UNDEFINED_ENTITY = expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]

# What we stored ourselves was within limits when it came; only the depth matters to us.
_FRAGMENT_LIMITS = Limits(
    maxsize, DEEPEST, elements=maxsize, attributes=maxsize, names=maxsize, tag_bytes=maxsize
)

_new_element = Element.__new__  # and four assignments: 5 % of the parser's time less than __init__


def parse_fragment(text: str, default_namespace: str, limits: Limits = _FRAGMENT_LIMITS) -> Element:
    """One element that was stored, or came in a frame, by the rules of a stream. Raises XmlError."""
    parser = StreamParser(limits)
    document = f"<stream xmlns='{escape_attribute(default_namespace)}'>{text}"
    match parser.feed(document.encode("utf-8", "surrogatepass")):
        case [StreamHeader(), Element() as element] if parser.rest():
            return element
        case [*_, XmlError() as error]:
            raise error
    raise XmlError(XmlCondition.NOT_WELL_FORMED, "not one complete element")


class StreamParser:
    """Reads one direction of one stream. It holds at most one unfinished stanza, within the limits.

    Inside of the service content is in jabber:client, whatever stream it came by: elements in the stream's
    content namespace are given as if they were there (RFC 6120 §4.8.2).
    """

    __slots__ = (
        "_begun",
        "_closed",
        "_content",
        "_declared",
        "_elements",
        "_events",
        "_expat",
        "_fed",
        "_header",
        "_is_torn",
        "_limits",
        "_names",
        "_opening",
        "_stack",
        "_stanza",
        "_stanza_start",
        "_token",
        "_unit",
    )

    def __init__(self, limits: Limits, content_namespace: str = NS_CLIENT) -> None:
        self._limits = limits
        self._content = content_namespace
        self._events: list[Event] = []
        self._closed = False
        # The stream header: what came before its end, its declarations, and the tag that stands for it later.
        self._opening: bytearray | None = bytearray()
        self._declared: dict[str, str] = {}
        self._header = b""
        # The tree: a list of children for each open element of the stanza.
        self._stack: list[list[Element | str]] = []
        self._stanza: Element | None = None
        self._elements = 0
        self._is_torn = False  # whether a text came in several pieces
        # Positions in what this expat parser was fed: its end, and where the unfinished tag, the stanza, and
        # the unit (the stanza or, between stanzas, the tag) begin.
        self._expat: expat.XMLParserType | None = None
        self._fed = self._token = self._stanza_start = self._unit = 0
        self._begun = b""  # a character of which bytes are missing, not yet fed

    # Bytes

    def feed(self, data: bytes) -> list[Event]:
        """What these bytes complete. An XmlError is the last event ever, and so is StreamEnd."""
        if self._closed or not data:
            return []
        misencoded = False
        if self._begun or not data.isascii():
            data, misencoded = self._whole_characters(data)
        try:
            if self._opening is not None:
                self._opening += data
                check_encoding(self._opening)
            parser = self._expat or self._open()
            limits = self._limits
            room = min(self._unit + limits.stanza_bytes, self._token + limits.tag_bytes, _RENEW_AFTER)
            if self._fed + len(data) <= room:
                self._parse(parser, data)
            else:
                self._consume(parser, data)
            if self._closed:
                self.close()
            if misencoded:
                raise XmlError(XmlCondition.UNSUPPORTED_ENCODING, "not UTF-8")
        except XmlError as error:
            self._fail(error)
        events, self._events = self._events, []
        return events

    def rest(self) -> bool:
        """Give back 16 KiB of 17, for 9 µs when more comes; False if something unfinished is buffered."""
        if self._expat is None:
            return True
        if self._opening is not None or self._stack or self._begun or self._token != self._fed:
            return False
        self._expat = None
        del self._names
        return True

    def set_limits(self, limits: Limits) -> None:
        """Other limits for what comes from now on."""
        self._limits = limits
        if self._expat is not None:
            self._names.limit = limits.names

    def close(self) -> None:
        """No more events; frees everything at once instead of leaving a circle to the garbage collector."""
        self._closed = True
        self._expat = self._stanza = self._opening = None
        self._stack.clear()

    def _whole_characters(self, data: bytes) -> tuple[bytes, bool]:
        """The characters that are complete, up to what is not UTF-8, and whether there is such.

        expat does not tell bad UTF-8 from bad XML, and may judge a character by its first byte.
        """
        data = self._begun + data
        try:
            length = utf_8_decode(data, "strict", False)[1]
        except UnicodeDecodeError as error:
            return data[: error.start], True
        self._begun = data[length:]
        return data[:length], False

    def _fail(self, error: XmlError) -> None:
        if not self._closed:  # what follows the stream's end is nobody's business
            error.__context__ = None
            self._events.append(error.with_traceback(None))
        self.close()

    def _consume(self, parser: expat.XMLParserType, data: bytes) -> None:
        """Parse, in pieces that end where a limit would be passed: there we look whether it was.

        So a limit is found passed at the same byte however the data was cut.
        """
        limits = self._limits
        while data:
            room = min(self._unit + limits.stanza_bytes, self._token + limits.tag_bytes) - self._fed
            if room <= 0:
                raise self._too_long()
            piece = data if len(data) <= room else data[:room]
            self._parse(parser, piece)
            if self._closed:
                return
            if self._fed > _RENEW_AFTER:
                parser = self._renew(parser, piece)
            if piece is data:
                return
            data = data[room:]

    def _parse(self, parser: expat.XMLParserType, piece: bytes) -> None:
        try:
            parser.Parse(piece, False)
        except expat.ExpatError as error:
            # First hand over the text before it, which may be an error too.
            parser.buffer_text = False
            end = max(0, parser.ErrorByteIndex + 1 - self._fed)
            raise self._diagnosis(error.code, piece[:end]) from None
        self._fed += len(piece)
        self._token = parser.CurrentByteIndex
        if self._stack:
            self._unit = self._stanza_start
        elif self._opening is None:
            self._unit = self._token
            pending = self._fed - self._token
            if 0 < pending <= len(piece) and piece[-pending] == _BRACKET:
                raise text_between_stanzas()  # before it becomes "]]>", see below

    def _too_long(self) -> XmlError:
        limits = self._limits
        if self._token + limits.tag_bytes <= self._fed:
            text = f"a tag is longer than {limits.tag_bytes} bytes"
        elif self._opening is None:
            text = f"a stanza is longer than {limits.stanza_bytes} bytes"
        else:
            text = f"the stream header is longer than {limits.stanza_bytes} bytes"
        return violation(text)

    def _diagnosis(self, code: int, until: bytes) -> XmlError:
        """What expat's error is in the terms of RFC 6120 §4.9.3; `until`: the piece up to where it is."""
        text = expat.ErrorString(code)
        if code == _UNDEFINED_ENTITY:
            return XmlError(XmlCondition.RESTRICTED_XML, text)
        if code == _INVALID_TOKEN and not self._stack and until.endswith(b"]]>"):
            return text_between_stanzas()  # which expat did not hand over
        return XmlError(XmlCondition.NOT_WELL_FORMED, text)

    # expat's life

    def _open(self) -> expat.XMLParserType:
        """A new expat parser, inside of the stream if that was open before."""
        self._expat = parser = _make_expat()
        if not hasattr(self, "_names"):
            self._names = _Names(self._limits.names, self._content)
        parser.Parse(self._header, False)
        self._fed = self._token = self._unit = len(self._header)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartCdataSectionHandler = self._start_cdata
        if self._opening is not None:
            parser.StartElementHandler = self._start_stream
            parser.StartNamespaceDeclHandler = self._declare
        return parser

    def _renew(self, parser: expat.XMLParserType, piece: bytes) -> expat.XMLParserType:
        """Go on with a new expat parser where the unfinished stanza begins, if that is in this piece."""
        start = len(piece) - (self._fed - self._unit)
        if self._opening is not None or start < 0:
            return parser
        self._stack.clear()
        parser = self._open()
        if start < len(piece):
            self._parse(parser, piece[start:])
        return parser

    # What expat calls

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        self._declared["xmlns" if prefix is None else f"xmlns:{prefix}"] = uri or ""

    def _start_stream(self, name: str, attributes: dict[str, str]) -> None:
        assert self._expat is not None
        assert self._opening is not None
        if len(attributes) > self._limits.attributes:
            raise violation(f"more than {self._limits.attributes} attributes")
        match = _ROOT_NAME.match(self._opening, self._expat.CurrentByteIndex)
        assert match is not None  # expat found a start tag there
        qualified = match[1].decode()
        namespace, _, local = name.rpartition(_SEPARATOR)
        header = StreamHeader(
            namespace,
            local,
            self._names.rename(attributes),
            default_namespace=self._declared.get("xmlns", ""),
            stream_prefix=qualified.rpartition(":")[0],
        )
        self._events.append(header)
        self._header = f"<{qualified}{serialize_attributes(self._declared)}>".encode()
        self._opening = None
        self._declared = {}
        self._expat.StartElementHandler = self._start
        self._expat.StartNamespaceDeclHandler = None

    # Six of the 6.2 µs that a message of five elements costs are spent in expat and in these three, 3.7 of
    # them in expat with handlers that do nothing. Closures over local variables were 2 % faster than methods,
    # text appended by a C function to one flat list 5 % slower.

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        limits = self._limits
        names = self._names
        element = _new_element(Element)
        try:
            element.namespace, element.name = names.elements[name]
        except KeyError:
            element.namespace, element.name = names.learn(name)
        if attributes:
            if len(attributes) > limits.attributes:
                raise violation(f"more than {limits.attributes} attributes")
            if not names.plain.issuperset(attributes):
                attributes = names.rename(attributes)
        element.attributes = attributes  # pyexpat made the dict for us
        children: list[Element | str] = []
        element.children = children
        stack = self._stack
        if stack:
            if len(stack) >= limits.depth:
                raise violation(f"elements are nested deeper than {limits.depth}")
            stack[-1].append(element)
            self._elements += 1
            if self._elements > limits.elements:
                raise violation(f"more than {limits.elements} elements in a stanza")
        else:
            assert self._expat is not None
            self._stanza = element
            self._stanza_start = self._expat.CurrentByteIndex
            self._elements = 1
            self._is_torn = False
        stack.append(children)

    def _end(self, _name: str) -> None:
        stack = self._stack
        if stack:
            stack.pop()
            if not stack:
                stanza = self._stanza
                assert stanza is not None
                self._stanza = None
                if self._is_torn:
                    stanza.join_texts()
                self._events.append(stanza)
        else:
            self._events.append(StreamEnd())
            self._closed = True

    def _text(self, text: str) -> None:
        if self._stack:
            children = self._stack[-1]
            if children and type(children[-1]) is str:
                self._is_torn = True
            children.append(text)
        elif text.strip(_BLANKS):  # RFC 6120 §11.7: only white space separates stanzas
            raise text_between_stanzas()

    def _start_cdata(self) -> None:
        if not self._stack:  # refused even if empty: inside, a parser could not be left and made anew
            raise text_between_stanzas()


class _Names:
    """The names a stream has used. What expat calls each is split once, after that it is looked up.

    They are counted, because expat and we keep each until the parser goes (RFC 6120 §13.12).
    """

    __slots__ = ("_content", "_count", "_keys", "elements", "limit", "plain")

    def __init__(self, limit: int, content_namespace: str) -> None:
        self.limit = limit
        self._content = content_namespace
        self.elements: dict[str, tuple[str, str]] = {}
        self.plain: set[str] = set()  # attributes' names that are their own key
        self._keys: dict[str, str] = {}
        self._count = 0

    def learn(self, name: str) -> tuple[str, str]:
        """Namespace and name of an element's name that is new."""
        namespace, _, local = name.rpartition(_SEPARATOR)
        if local == "stream" and namespace == NS_STREAMS:
            raise XmlError(XmlCondition.UNSUPPORTED_STANZA_TYPE, "a stream in a stream")
        self._grow(name)
        if namespace == self._content:
            namespace = NS_CLIENT
        self.elements[name] = namespace, local
        return namespace, local

    def rename(self, attributes: dict[str, str]) -> dict[str, str]:
        """The attributes under our keys."""
        keys = self._keys
        if _LANG in attributes and _LANG in keys:  # alone among those in a namespace it is common
            attributes["xml:lang"] = attributes.pop(_LANG)
            if self.plain.issuperset(attributes):
                return attributes
        for name in attributes:
            if name not in keys:
                keys[name] = self._learn_key(name)
        return {keys[name]: value for name, value in attributes.items()}

    def _learn_key(self, name: str) -> str:
        self._grow(name)
        namespace, separator, local = name.rpartition(_SEPARATOR)
        if not separator:
            self.plain.add(name)
            return name
        if namespace != NS_XML:
            return f"{{{namespace}}}{local}"
        key = f"xml:{local}"
        self._keys[key] = key
        self.plain.add(key)  # no attribute comes under that name: the prefix is always bound
        return key

    def _grow(self, name: str) -> None:
        self._count += 1 + len(name) // _CHARACTERS_PER_NAME
        if self._count > self.limit:
            raise violation(f"more than {self.limit} different names")


def _make_expat() -> expat.XMLParserType:
    """Namespace-aware, UTF-8 whatever the peer declares, without what RFC 6120 §11.1 prohibits."""
    parser = expat.ParserCreate("UTF-8", _SEPARATOR)
    parser.buffer_size = 1024  # instead of 8192; a longer text comes in pieces, which is harmless
    parser.buffer_text = True
    do_not_defer(parser)
    parser.XmlDeclHandler = check_declaration
    parser.StartDoctypeDeclHandler = refuse_doctype  # called before anything is declared in it
    parser.CommentHandler = refuse_comment
    parser.ProcessingInstructionHandler = refuse_instruction
    return parser
