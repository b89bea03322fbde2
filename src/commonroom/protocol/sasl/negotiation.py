"""RFC 6120 §6.4, XEP-0440: the SASL elements of a stream, around one exchange after another."""

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Collection
from functools import partial
from typing import ClassVar, Protocol, TypeVar

from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.sasl import (
    Challenge,
    Exchange,
    Failure,
    Outcome,
    SaslCondition,
    SaslContext,
    Success,
    WantsAccount,
    WantsKeys,
    WantsPasswordCheck,
    start,
)
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.xml.element import Element
from commonroom.xml.names import NS_SASL, NS_SASL_CHANNEL_BINDING

Reply = TypeVar("Reply")


class LoginHost(Protocol):
    """What a login asks of those around it. An `answer` is called once, at once or later.

    `account` is None for a name that no account can have; that is to take as long as any other. Where the
    answer cannot be found, a SaslCondition is the answer: the store is out of reach (RFC 6120 §6.5.11).
    """

    def write(self, text: str) -> None:
        """Send this to the client."""

    def find_keys(
        self, account: JID | None, hash_name: str, answer: Callable[[ScramKeys | SaslCondition | None], None]
    ) -> None:
        """Answer with the account's keys for this hash, None if there are none."""

    def check_password(
        self, account: JID | None, password: str, answer: Callable[[bool | SaslCondition], None]
    ) -> None:
        """Answer whether this is the account's password."""

    def find_account(self, account: JID | None, answer: Callable[[bool | SaslCondition], None]) -> None:
        """Answer whether this account may log in."""

    def login_failed(self, account: JID | None, condition: SaslCondition, mechanism: str) -> None:
        """An attempt failed."""


class Asking(Protocol):
    """Holds the stream until the function that it gives is called, which goes on with `then`."""

    def __call__(self, then: Callable[[Reply], None], /) -> Callable[[Reply], None]: ...


# What is refused for its channel binding shows nothing of a password. Clients that bind to what TLS 1.3 does
# not have go through all mechanisms before they come to one that they can do.
REFUSAL = 0.25  # of a try


class SaslNegotiation:
    """Takes the client's SASL elements until one exchange succeeds or the tries are used up.

    `accept` is called with the account and the mechanism before the client is told of its success, and may
    still raise StreamError (RFC 6120 §6.4.6).
    """

    __slots__ = ("_accept", "_asking", "_context", "_exchange", "_host", "_mechanism", "_named", "tries_left")

    # The profile's own, and what it says of the namespace of a condition.
    namespace: ClassVar[str] = NS_SASL
    of_conditions: ClassVar[str] = ""

    # Deviation: RFC 9266 §4.1 wants tls-exporter used by one mechanism instance on a connection. A client
    # that failed may use it again here, because RFC 6120 §6.4.5 wants it to be able to try again, and what
    # RFC 9266 guards against cannot happen: nothing of one SCRAM exchange fits another, since both sides'
    # nonces are in what is signed, and what a token signs (HT-SHA-256-EXPR) is no part of that. After a
    # success the stream takes no more SASL, and TLS ends with the stream. Of the types in RFC 5929 nothing
    # of the kind is asked.

    def __init__(
        self,
        host: LoginHost,
        context: SaslContext,
        tries: float,
        asking: Asking,
        accept: Callable[[JID, str], None],
    ) -> None:
        self._host = host
        self._context = context
        self.tries_left = tries
        self._asking = asking
        self._accept = accept
        self._mechanism = ""
        self._exchange: Exchange | None = None
        self._named: tuple[str, JID | None] = "", None

    def receive(self, element: Element) -> None:
        """Take an element of the SASL namespace. Raises StreamError: no such element, or no tries left."""
        match element.name:
            case "auth":
                self._auth(element)
            case "response":
                self._response(element)
            case "abort":
                self._refuse(Failure(SaslCondition.ABORTED))
            case _:
                raise StreamError(
                    StreamCondition.NOT_AUTHORIZED, f"<{element.name}/> is not expected before login"
                )

    def _auth(self, element: Element) -> None:
        """A new attempt; one that is under way is given up, and was a try (RFC 6120 §6.4.2)."""
        if self._exchange is not None:
            self._spend_try()
        name = element.get("mechanism", "")
        self._mechanism = name if name in self._context.offered else "unknown"
        self._exchange = start(name, self._context)
        self._feed(self._exchange, element.text(), empty=None)

    @property
    def is_under_way(self) -> bool:
        """Whether an exchange has begun and is not over."""
        return self._exchange is not None

    def _response(self, element: Element) -> None:
        if self._exchange is None:
            self._refuse(Failure(SaslCondition.MALFORMED_REQUEST))
        else:
            self._feed(self._exchange, element.text(), empty=b"")

    def _feed(self, exchange: Exchange, text: str, empty: bytes | None) -> None:
        """Hand on what the client sent: `=` is data of length zero (RFC 6120 §6.4.2)."""
        try:
            data = b"" if text == "=" else from_base64(text) if text else empty
        except ValueError:
            self._refuse(Failure(SaslCondition.INCORRECT_ENCODING))
            return
        self._conclude(exchange, exchange.receive(data))

    # The host's answers: each comes back to the exchange that asked, and to no other.

    def _found(self, exchange: Exchange, found: ScramKeys | SaslCondition | None) -> None:
        if exchange is self._exchange:
            outcome = Failure(found) if isinstance(found, SaslCondition) else exchange.keys(found)
            self._conclude(exchange, outcome)

    def _checked(self, exchange: Exchange, ok: bool | SaslCondition) -> None:
        if exchange is self._exchange:
            outcome = Failure(ok) if isinstance(ok, SaslCondition) else exchange.checked(ok)
            self._conclude(exchange, outcome)

    def _account_found(self, exchange: Exchange, ok: bool | SaslCondition) -> None:
        if exchange is self._exchange:
            outcome = Failure(ok) if isinstance(ok, SaslCondition) else exchange.found(ok)
            self._conclude(exchange, outcome)

    # Outcomes

    def _conclude(self, exchange: Exchange, outcome: Outcome) -> None:
        match outcome:
            case WantsKeys(username, hash_name):
                keys_found = self._asking(partial(self._found, exchange))
                self._host.find_keys(self._account(username), hash_name, keys_found)
            case WantsPasswordCheck(username, password):
                checked = self._asking(partial(self._checked, exchange))
                self._host.check_password(self._account(username), password, checked)
            case WantsAccount(username):
                found = self._asking(partial(self._account_found, exchange))
                self._host.find_account(self._account(username), found)
            case Challenge(data):
                self._host.write(f"<challenge xmlns='{self.namespace}'>{to_base64(data)}</challenge>")
            case Success(username, data):
                self._succeed(username, data)
            case Failure():
                self._refuse(outcome)

    def _succeed(self, username: str, data: bytes | None) -> None:
        self._exchange = None
        account = self._account(username)
        assert account is not None  # whoever has keys or a password has an address
        self._accept(account, self._mechanism)
        content = "" if data is None else to_base64(data) or "="  # RFC 6120 §6.4.6
        self._host.write(f"<success xmlns='{NS_SASL}'>{content}</success>")

    def _refuse(self, failure: Failure) -> None:
        """Tell why (RFC 6120 §6.4.5). To give up oneself is no failed login (§6.4.4)."""
        self._exchange = None
        condition = f"<{failure.condition.value}{self.of_conditions}/>"
        self._host.write(f"<failure xmlns='{self.namespace}'>{condition}</failure>")
        if failure.condition is not SaslCondition.ABORTED:
            account = None if failure.username is None else self._account(failure.username)
            self._host.login_failed(account, failure.condition, self._mechanism)
        self._spend_try(1 if failure.is_attempt else REFUSAL)

    def _spend_try(self, share: float = 1) -> None:
        """After the last one the stream ends (RFC 6120 §6.4.5).

        An attempt that is given up counts too, or a stranger could have keys looked up without end.
        """
        self.tries_left -= share
        if self.tries_left <= 0:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "too many failed logins")

    def _account(self, username: str) -> JID | None:
        """The account of a simple user name, if it can be one (RFC 6120 §6.3.7): asked for in each step."""
        if self._named[0] != username:
            self._named = username, _account_of(username, self._context)
        return self._named[1]


def _account_of(username: str, context: SaslContext) -> JID | None:
    try:
        name = JID.of(username, context.domain)
    except InvalidJID:
        return None
    return name if context.resolve is None else JID.parse(context.resolve(name))


def announcement(names: Collection[str], channel_bindings: Collection[str]) -> str:
    """What a stream announces of the mechanisms that it offers (RFC 6120 §6.4.1, XEP-0440 §2)."""
    mechanisms = "".join([f"<mechanism>{name}</mechanism>" for name in names])
    text = f"<mechanisms xmlns='{NS_SASL}'>{mechanisms}</mechanisms>"
    # Types without a mechanism that binds: a client has to suspect an attack (XEP-0440 §3, rule 5).
    if any(name.endswith("-PLUS") for name in names):
        types = "".join([f"<channel-binding type='{name}'/>" for name in channel_bindings])
        text += f"<sasl-channel-binding xmlns='{NS_SASL_CHANNEL_BINDING}'>{types}</sasl-channel-binding>"
    return text


def to_base64(data: bytes) -> str:
    """As an element carries it (RFC 6120 §6.4.2)."""
    return b2a_base64(data, newline=False).decode("ascii")


def from_base64(text: str) -> bytes:
    """Decode the one form, in which the padding bits are zero (RFC 6120 §6.3.5); raises ValueError."""
    data = a2b_base64(text, strict_mode=True)
    if to_base64(data) != text:
        raise ValueError("not canonical base 64")
    return data
