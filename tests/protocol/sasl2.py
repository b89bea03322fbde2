"""A client's half of XEP-0388, as text, and of the mechanisms HT-SHA-256-*."""

import hmac
from base64 import b64encode

from commonroom.protocol.sasl.mechanism import Candidate, Token
from commonroom.xml.element import Element
from commonroom.xml.names import NS_SASL2

CLIENT = "d4565fa7-4d72-4749-b3d3-740edbf87770"
AGENT = f"<user-agent id='{CLIENT}'><software>Nightingale</software><device>Balcony</device></user-agent>"
KEY = b"k" * 32


def authenticate(mechanism: str, data: bytes | None = None, inside: str = "") -> str:
    """An <authenticate/>; `inside` follows the initial response."""
    initial = "" if data is None else f"<initial-response>{b64encode(data).decode()}</initial-response>"
    return f"<authenticate xmlns='{NS_SASL2}' mechanism='{mechanism}'>{initial}{inside}</authenticate>"


def response(data: bytes) -> str:
    """A <response/>."""
    return f"<response xmlns='{NS_SASL2}'>{b64encode(data).decode()}</response>"


def plain(inside: str = "", user: str = "juliet", password: str = "pencil", authzid: str = "") -> str:
    """All that PLAIN takes."""
    return authenticate("PLAIN", f"{authzid}\0{user}\0{password}".encode(), inside)


def by_token(
    inside: str = "<fast xmlns='urn:xmpp:fast:0'/>",
    *,
    mechanism: str = "HT-SHA-256-NONE",
    key: bytes = KEY,
    binding: bytes = b"",
    user: str = "juliet",
    agent: str = AGENT,
) -> str:
    """All that a token takes; the key of a token is the token itself, or its hash if it is long."""
    digest = hmac.new(key, b"Initiator" + binding, "sha256").digest()
    return authenticate(mechanism, user.encode() + b"\0" + digest, agent + inside)


def candidate(
    key: bytes = KEY, mechanism: str = "HT-SHA-256-NONE", *, is_expired: bool = False, is_new: bool = False
) -> Candidate:
    return Candidate(Token(mechanism, key, 0, 0, 0, is_new), is_expired)


def failure(elements: list[Element]) -> str:
    """The condition of the one failure among what came."""
    (element,) = elements
    assert (element.namespace, element.name) == (NS_SASL2, "failure"), element
    return element.elements()[0].name
