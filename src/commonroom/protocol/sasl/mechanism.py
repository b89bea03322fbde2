"""RFC 4422: what every SASL mechanism is handed, and what it may answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from commonroom.protocol.sasl.scram_keys import DEFAULT_ITERATIONS, ScramKeys

LONGEST_RESPONSE = 8192
"""Octets of one client response, decoded. RFC 4616 §2 wants 3 × 255 accepted; two full-length names fit."""


class SaslCondition(Enum):
    """Why an authentication failed: the name of the child of `<failure/>` (RFC 6120 §6.5)."""

    ABORTED = "aborted"
    ACCOUNT_DISABLED = "account-disabled"
    CREDENTIALS_EXPIRED = "credentials-expired"
    ENCRYPTION_REQUIRED = "encryption-required"
    INCORRECT_ENCODING = "incorrect-encoding"
    INVALID_AUTHZID = "invalid-authzid"
    INVALID_MECHANISM = "invalid-mechanism"
    MALFORMED_REQUEST = "malformed-request"
    MECHANISM_TOO_WEAK = "mechanism-too-weak"
    NOT_AUTHORIZED = "not-authorized"
    TEMPORARY_AUTH_FAILURE = "temporary-auth-failure"


class Challenge(NamedTuple):
    """Send this to the client; it answers with a response (RFC 6120 §6.4.3)."""

    data: bytes


class WantsKeys(NamedTuple):
    """Look up the account's keys for this hash, then call `Exchange.keys`; None when there are none.

    The user name is as the client sent it: whoever looks it up normalises it first.
    """

    username: str
    hash_name: str


class WantsPasswordCheck(NamedTuple):
    """Check the password, off the loop, then call `Exchange.checked`.

    For an account that does not exist, check it against `fake_keys`, so that the answer takes as long
    (RFC 6120 §6.5.10). The user name is as the client sent it.
    """

    username: str
    password: str

    def __repr__(self) -> str:
        """Without the password: representations end up in logs and tracebacks."""
        return f"WantsPasswordCheck(username={self.username!r}, password=…)"


class WantsAccount(NamedTuple):
    """Find out whether the account may log in, then call `Exchange.found`: who it is, is proven already."""

    username: str


class WantsTokens(NamedTuple):
    """Look up the tokens of the user's client, then call `Exchange.tokens` (XEP-0484 §5.1)."""

    username: str


class Token(NamedTuple):
    """A token as it is kept: what a message is signed with, and for which mechanism (XEP-0484 §3.4).

    `revision` is that of the account when it was issued, `counter` the greatest that its client counted.
    `is_new`: its client has not used it yet.
    """

    mechanism: str
    key: bytes
    expires: int
    revision: int
    counter: int = 0
    is_new: bool = True

    def __repr__(self) -> str:
        """Without the key."""
        return f"Token({self.mechanism}, expires={self.expires}, is_new={self.is_new})"


class Candidate(NamedTuple):
    """A token with which a client may log in, or might have."""

    token: Token
    is_expired: bool


class Success(NamedTuple):
    """The client is this user; `data` goes into `<success/>`, None when there is none (RFC 6120 §6.4.6)."""

    username: str
    data: bytes | None
    token: Token | None = None  # which it had


class Failure(NamedTuple):
    """The exchange is over; `username` is the name that was tried, None when none could be read.

    Not `is_attempt`: it was refused by its first message, before anything of the account was looked at.
    """

    condition: SaslCondition
    username: str | None = None
    is_attempt: bool = True


Outcome = Challenge | WantsKeys | WantsPasswordCheck | WantsAccount | WantsTokens | Success | Failure


NO_PROTECTION: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SaslContext:
    """What an exchange knows of its stream and its server.

    `offered` and the names in `channel_bindings` are exactly what the client was shown in the stream's
    features (RFC 6120 §6.4.1, XEP-0440 §2): downgrades are recognised by comparing with them. The data of
    a binding is taken when a client asks for it, and is never empty (RFC 5802 §7).
    `protection` has a digest of both for each hash (XEP-0474 §6.1).
    `normalise` gives the one form of an address in which it is compared, and raises ValueError for what
    is no address. `resolve`, where accounts have other names, gives the one that somebody means by one.
    `certified` are the accounts of this domain that the client's certificate names, if we trust it.
    """

    domain: str
    encrypted: bool
    offered: tuple[str, ...]
    channel_bindings: Mapping[str, Callable[[], bytes]]
    normalise: Callable[[str], str]
    random: Callable[[int], bytes]
    fake_secret: bytes = field(repr=False)
    iterations: int = DEFAULT_ITERATIONS
    protection: Mapping[str, str] = field(default_factory=lambda: NO_PROTECTION)
    certified: tuple[str, ...] = ()
    resolve: Callable[[Any], str] | None = None


class Exchange(Protocol):
    """One authentication exchange, from the client's request to its outcome (RFC 4422 §3).

    After `Success` or `Failure` it is over, and refuses everything.
    """

    __slots__ = ()

    def receive(self, data: bytes | None) -> Outcome:
        """Take the client's next response; None when `<auth/>` has no initial one (RFC 6120 §6.4.2)."""

    def keys(self, found: ScramKeys | None) -> Outcome:
        """Go on after `WantsKeys`."""
        raise RuntimeError("this exchange did not ask for keys")

    def checked(self, ok: bool) -> Outcome:
        """Go on after `WantsPasswordCheck`."""
        raise RuntimeError("this exchange did not ask for a password check")

    def found(self, exists: bool) -> Outcome:
        """Go on after `WantsAccount`."""
        raise RuntimeError("this exchange did not ask for an account")

    def tokens(self, found: Sequence[Candidate]) -> Outcome:
        """Go on after `WantsTokens`."""
        raise RuntimeError("this exchange did not ask for tokens")


class Mechanism(NamedTuple):
    """A mechanism that the server can speak: how to begin an exchange, what it needs of the stream."""

    name: str
    begin: Callable[[SaslContext], Exchange]
    needs_encryption: bool = False
    needs_channel_binding: bool = False


def own_address(username: str, context: SaslContext) -> str:
    """The normalised bare address of a user name; raises ValueError when there is none (RFC 6120 §6.3.7)."""
    return account_of(f"{username}@{context.domain}", context)


def account_of(name: str, context: SaslContext) -> str:
    """The account that somebody means; raises ValueError for what is no address."""
    address = context.normalise(name)
    return address if context.resolve is None else context.resolve(address)


def is_own_address(authzid: str, username: str, context: SaslContext) -> bool:
    """Whether an authorization identity is the user's own bare address (RFC 6120 §6.3.8).

    Nobody may act as anybody else here; an empty identity counts as absent (RFC 6120 §6.6).
    """
    if not authzid:
        return True
    try:
        return account_of(authzid, context) == own_address(username, context)
    except ValueError:
        return False
