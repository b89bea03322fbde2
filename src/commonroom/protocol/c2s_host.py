"""What a client's stream is told when it begins, and what it asks of those around it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from commonroom.protocol.errors import StanzaError
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.negotiation import LoginHost
from commonroom.protocol.stanza import Stanza
from commonroom.xml.element import Element
from commonroom.xml.parser import Limits


class Bound(Protocol):
    """The session behind a bound stream."""

    jid: JID

    def take(self, stanza: Stanza, /) -> None:
        """Handle what the client sent."""

    def take_leave(self) -> None:
        """The client closes its stream of its own accord."""


class Host(LoginHost, Protocol):
    """What the stream asks of those around it. An `answer` is called once, at once or later."""

    def start_tls(self) -> None:
        """Everything written goes out in clear, then TLS begins; the next bytes are what came through it."""

    def close(self) -> None:
        """Send what was written, then close the connection so that the client can read it."""

    def pause(self) -> None:
        """Read nothing from the client until `resume`: what still comes has to be held in memory."""

    def resume(self) -> None:
        """Read again."""

    def channel_bindings(self) -> Mapping[str, Callable[[], bytes]]:
        """The channel-binding types of this connection, and how to get their data; empty without TLS."""

    def login_succeeded(self, account: JID, mechanism: str) -> None:
        """The client is who it says it is."""

    def bind(self, account: JID, resource: str | None, answer: Callable[[Bound | StanzaError], None]) -> None:
        """Bind a resource, one of our making if it is None; answer with its session, or why there is none."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What all streams of a listener share."""

    domains: tuple[str, ...]  # the first is the default for clients that do not say
    limits_before_login: Limits
    limits: Limits
    mechanisms: tuple[str, ...]
    tries: int
    iterations: int
    fake_secret: bytes
    features: tuple[Element, ...]  # announced once the client may bind
    random: Callable[[int], bytes]
    registration_closed: str = ""  # where accounts come from instead, in the operator's words
