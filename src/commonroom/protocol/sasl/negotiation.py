"""RFC 6120 §6.4: the SASL elements of a stream, around one exchange after another."""

import binascii
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Protocol

from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.sasl import (
    Challenge,
    Exchange,
    Failure,
    Outcome,
    SaslCondition,
    SaslContext,
    Success,
    WantsKeys,
    WantsPasswordCheck,
    start,
)
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.xml.element import Element
from commonroom.xml.names import NS_SASL


class SaslHost(Protocol):
    """What the negotiation asks of those around it; `find_keys` and `check_password` answer later."""

    def write(self, text: str) -> None:
        """Send this to the client."""

    def find_keys(self, wanted: WantsKeys) -> None:
        """Answer with `SaslNegotiation.keys`."""

    def check_password(self, wanted: WantsPasswordCheck) -> None:
        """Answer with `SaslNegotiation.checked`."""

    def login_failed(self, failure: Failure, mechanism: str) -> None:
        """An attempt failed; nothing is to be answered."""

    def authenticated(self, username: str, mechanism: str) -> None:
        """The exchange succeeded, and the client was told."""


class SaslNegotiation:
    """Takes the client's SASL elements until one exchange succeeds or the tries are used up."""

    def __init__(self, host: SaslHost, context: SaslContext, tries: int) -> None:
        self._host = host
        self._context = context
        self._tries_left = tries
        self._mechanism = ""
        self._exchange: Exchange | None = None
        self._handlers: dict[str, Callable[[Element], None]] = {
            "auth": self._auth,
            "response": self._response,
            "abort": self._abort,
        }

    def receive(self, element: Element) -> None:
        """Take an element of the SASL namespace. Raises StreamError: no such element, or no tries left."""
        handler = self._handlers.get(element.name)
        if handler is None:
            raise StreamError(
                StreamCondition.NOT_AUTHORIZED, f"<{element.name}/> is not expected before login"
            )
        handler(element)

    def _auth(self, element: Element) -> None:
        """A new attempt (RFC 6120 §6.4.2); one that is under way is given up."""
        self._mechanism = element.get("mechanism") or ""
        self._exchange = start(self._mechanism, self._context)
        self._feed(element.text(), empty=None)

    def _response(self, element: Element) -> None:
        if self._exchange is None:
            self._conclude(Failure(SaslCondition.MALFORMED_REQUEST))
        else:
            self._feed(element.text(), empty=b"")

    def _abort(self, element: Element) -> None:
        self._conclude(Failure(SaslCondition.ABORTED))

    def _feed(self, text: str, empty: bytes | None) -> None:
        """Decode what the client sent: `=` is data of length zero (RFC 6120 §6.4.2)."""
        assert self._exchange is not None
        try:
            data = b"" if text == "=" else a2b_base64(text, strict_mode=True) if text else empty
        except (binascii.Error, ValueError):
            self._conclude(Failure(SaslCondition.INCORRECT_ENCODING))
            return
        self._conclude(self._exchange.receive(data))

    def keys(self, found: ScramKeys | None) -> None:
        """The host's answer to `find_keys`."""
        assert self._exchange is not None
        self._conclude(self._exchange.keys(found))

    def checked(self, ok: bool) -> None:
        """The host's answer to `check_password`."""
        assert self._exchange is not None
        self._conclude(self._exchange.checked(ok))

    def fail(self, condition: SaslCondition) -> None:
        """The host could not answer: the store is out of reach, say."""
        self._conclude(Failure(condition))

    def _conclude(self, outcome: Outcome) -> None:
        match outcome:
            case WantsKeys():
                self._host.find_keys(outcome)
            case WantsPasswordCheck():
                self._host.check_password(outcome)
            case Challenge(data):
                self._host.write(f"<challenge xmlns='{NS_SASL}'>{_base64(data)}</challenge>")
            case Success(username, data):
                content = "" if data is None else _base64(data) or "="  # RFC 6120 §6.4.6
                self._exchange = None
                self._host.write(f"<success xmlns='{NS_SASL}'>{content}</success>")
                self._host.authenticated(username, self._mechanism)
            case Failure():
                self._exchange = None
                self._refuse(outcome)

    def _refuse(self, failure: Failure) -> None:
        """Tell why; after the last try the stream ends (RFC 6120 §6.4.5). Giving up oneself is no try."""
        self._host.write(f"<failure xmlns='{NS_SASL}'><{failure.condition.value}/></failure>")
        if failure.condition is SaslCondition.ABORTED:
            return
        self._host.login_failed(failure, self._mechanism)
        self._tries_left -= 1
        if self._tries_left <= 0:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "too many failed logins")


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")
