"""XEP-0220: Server Dialback: its elements, and keys as in XEP-0185, version 1.1.1."""

import hashlib
import hmac
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from commonroom.protocol.errors import ErrorType, StanzaError, StreamCondition, StreamError
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.xml.element import Element
from commonroom.xml.names import NS_SERVER, NS_STANZA_ERRORS
from commonroom.xml.serializer import escape_attribute, escape_text, serialize

NS_DIALBACK = "jabber:server:dialback"
NS_DIALBACK_FEATURE = "urn:xmpp:features:dialback"

# The prefix has to be declared in the header and used on the elements (XEP-0220 §2, §2.4.1).
DECLARATION = f" xmlns:db='{NS_DIALBACK}'"
FEATURE = f"<dialback xmlns='{NS_DIALBACK_FEATURE}'><errors/></dialback>"

# What a key may have: ours has 64 characters.
LONGEST_KEY = 1024


class Pair(NamedTuple):
    """Stanzas flow from one domain to the other (XEP-0220 §1.3), normalised."""

    sender: str
    to: str

    @property
    def reverse(self) -> "Pair":
        """The other direction."""
        return Pair(self.to, self.sender)


class Outcome(Enum):
    """The type of an answer (XEP-0220 §2.1.1)."""

    VALID = "valid"
    INVALID = "invalid"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Verification:
    """What is asked of the authoritative server: `pair` as the peer claimed it, and the id of its stream."""

    pair: Pair
    stream_id: str
    key: str


class Verified(NamedTuple):
    """What became of a verification; with an error, its condition (XEP-0220 §2.5), and words for the log."""

    outcome: Outcome
    condition: str = ""
    words: str = ""


class DialbackKeys:
    """Makes keys and knows its own; the secret is of the whole service (XEP-0185 §2)."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = hashlib.sha256(secret).hexdigest().encode()

    def make(self, pair: Pair, stream_id: str) -> str:
        """The key for a stream of this id that `pair.to` gave us.

        Domains have no blanks, so the parts cannot be mistaken for each other, whatever id the peer chose.
        """
        text = f"{pair.to} {pair.sender} {stream_id}"
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    def is_ours(self, request: Verification) -> bool:
        """Whether this service made the key (XEP-0220 §2.2.2)."""
        ours = self.make(request.pair, request.stream_id)
        return hmac.compare_digest(ours.encode(), request.key.encode())


# Reading


def read_pair(element: Element) -> Pair:
    """The domains in `from` and `to`; raises StreamError when they are none (RFC 6120 §4.9.3.7)."""
    return Pair(_domain(element, "from"), _domain(element, "to"))


def read_key(element: Element) -> str:
    """The key, which others may write on lines of its own."""
    key = element.text().strip()
    if len(key) > LONGEST_KEY:
        raise StreamError(StreamCondition.POLICY_VIOLATION, "a dialback key is too long")
    return key


def read_outcome(element: Element) -> Verified | None:
    """What an answer says; None if it is none."""
    try:
        outcome = Outcome(element.get("type"))
    except ValueError:
        return None
    if outcome is not Outcome.ERROR:
        return Verified(outcome)
    error = next(iter(element.elements()), None)
    conditions = (
        [] if error is None else [c.name for c in error.elements() if c.namespace == NS_STANZA_ERRORS]
    )
    condition = next((name for name in conditions if name != "text"), "undefined-condition")
    text = None if error is None else error.child_text(NS_STANZA_ERRORS, "text")
    return Verified(outcome, condition, text or "")


def _domain(element: Element, name: str) -> str:
    text = element.get(name)
    try:
        jid = JID.parse(text or "")
    except InvalidJID:
        jid = None
    if jid is None or jid != jid.domain:
        raise StreamError(StreamCondition.IMPROPER_ADDRESSING, f"'{name}' is not a domain")
    return jid.domain


# Writing


def result_request(pair: Pair, key: str) -> str:
    """Ask to be let send (XEP-0220 §2.1.1)."""
    return f"<db:result{_addresses(pair)}>{escape_text(key)}</db:result>"


def verify_request(request: Verification) -> str:
    """Ask the authoritative server (XEP-0220 §2.1.2); it is addressed the other way round."""
    asked = _addresses(request.pair.reverse)
    name = escape_attribute(request.stream_id)
    return f"<db:verify{asked} id='{name}'>{escape_text(request.key)}</db:verify>"


def result_answer(pair: Pair, verified: Verified) -> str:
    """Tell whoever asked to send (XEP-0220 §2.2.1)."""
    return _answer("result", pair.reverse, "", verified)


def verify_answer(pair: Pair, stream_id: str, verified: Verified) -> str:
    """Tell whoever asked for a verification with these addresses (XEP-0220 §2.2.2)."""
    return _answer("verify", pair.reverse, f" id='{escape_attribute(stream_id)}'", verified)


def _answer(name: str, pair: Pair, more: str, verified: Verified) -> str:
    start = f"<db:{name}{_addresses(pair)}{more} type='{verified.outcome.value}'"
    if verified.outcome is not Outcome.ERROR:
        return f"{start}/>"
    error = StanzaError(verified.condition, ErrorType.CANCEL, verified.words or None).element(NS_SERVER)
    return f"{start}>{serialize(error, NS_SERVER)}</db:{name}>"


def _addresses(pair: Pair) -> str:
    return f" from='{escape_attribute(pair.sender)}' to='{escape_attribute(pair.to)}'"
