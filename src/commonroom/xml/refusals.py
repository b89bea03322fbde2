"""RFC 6120 §11.1, §11.5 to §11.8, §13.12: XML that is not accepted, and the stream error that says so."""

from enum import Enum

_FIRST = (b"", b"<", b" ", b"\t", b"\r", b"\n")  # what a document can begin with


class XmlCondition(Enum):
    """The stream errors that this layer finds, a part of RFC 6120 §4.9.3."""

    BAD_FORMAT = "bad-format"
    NOT_WELL_FORMED = "not-well-formed"
    POLICY_VIOLATION = "policy-violation"
    RESTRICTED_XML = "restricted-xml"
    UNSUPPORTED_ENCODING = "unsupported-encoding"
    UNSUPPORTED_STANZA_TYPE = "unsupported-stanza-type"


class XmlError(Exception):
    """The peer's XML is unacceptable; nothing after it is read."""

    def __init__(self, condition: XmlCondition, text: str) -> None:
        super().__init__(condition, text)
        self.condition = condition
        self.text = text

    def __str__(self) -> str:
        return f"{self.condition.value}: {self.text}"


def check_encoding(opening: bytearray) -> None:
    """Refuse zeros in the first two bytes, for which expat goes over to UTF-16, told UTF-8 or not.

    A byte order mark is a character like any other (RFC 6120 §11.6), and no text may stand here.
    """
    if opening[:1] == b"\x00" or (opening[:1] in _FIRST and opening[1:2] == b"\x00"):
        raise XmlError(XmlCondition.UNSUPPORTED_ENCODING, "not UTF-8")
    if opening[:1] not in _FIRST:
        raise XmlError(XmlCondition.NOT_WELL_FORMED, "text before the stream header")


def check_declaration(version: str, encoding: str | None, _standalone: int) -> None:
    """RFC 6120 §11.5, §11.6, §11.8; what it says of standalone may be ignored."""
    if version != "1.0":
        raise XmlError(XmlCondition.BAD_FORMAT, "not XML 1.0")
    if encoding is not None and encoding.upper() != "UTF-8":
        raise XmlError(XmlCondition.UNSUPPORTED_ENCODING, "not UTF-8")


def refuse_doctype(*_: object) -> None:
    """RFC 6120 §11.1: no document type, and so no entities."""
    raise XmlError(XmlCondition.RESTRICTED_XML, "a document type declaration")


def refuse_comment(_: str) -> None:
    """RFC 6120 §11.1."""
    raise XmlError(XmlCondition.RESTRICTED_XML, "a comment")


def refuse_instruction(*_: str) -> None:
    """RFC 6120 §11.1: no processing instruction."""
    raise XmlError(XmlCondition.RESTRICTED_XML, "a processing instruction")


def text_between_stanzas() -> XmlError:
    """RFC 6120 §11.7: only white space may stand there."""
    return XmlError(XmlCondition.BAD_FORMAT, "text between stanzas")


def violation(text: str) -> XmlError:
    """More than what one stream may ask of us (RFC 6120 §13.12)."""
    return XmlError(XmlCondition.POLICY_VIOLATION, text)
