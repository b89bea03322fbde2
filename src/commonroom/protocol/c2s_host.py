"""What a client's stream is told when it begins, and what it asks of those around it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from commonroom.protocol.errors import StanzaError, StreamError
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import offered
from commonroom.protocol.sasl.negotiation import LoginHost, announcement
from commonroom.protocol.stanza import Stanza
from commonroom.protocol.stream_management import Resume
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.parser import Limits
from commonroom.xml.serializer import serialize


class Bound(Protocol):
    """The session behind a bound stream."""

    jid: JID

    def take(self, stanza: Stanza, /) -> None:
        """Handle what the client sent."""

    def take_element(self, element: Element, /) -> bool:
        """Handle what the client sent beside stanzas; False if nobody knows it."""

    def refuse(self, answer: Stanza | None, /) -> None:
        """The client sent a stanza that cannot be read; it counts, and so does the answer."""

    def take_leave(self) -> None:
        """The client closes its stream of its own accord."""

    def send_again(self) -> None:
        """The stream takes over from another one: send what did not arrive over that (XEP-0198 §5)."""


Resumed = Callable[[Bound | StanzaError | StreamError, int | None], None]
"""Hears what became of a wish to resume: the session, and how many stanzas of the client's it has handled; or
why not and, if that is known, how many it had."""


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

    def resume_session(self, account: JID, wish: Resume, answer: Resumed) -> None:
        """Go on with the session of a former stream (XEP-0198 §5)."""


class LoginOffer(NamedTuple):
    """The mechanisms that a stream offers, and how it announces them."""

    mechanisms: tuple[str, ...]
    announcement: str


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What all streams of a listener share, and what can be said once for all of them."""

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
    announcement: str = field(init=False)  # of `features`
    _offers: dict[tuple[str, ...], LoginOffer] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = "".join([serialize(element, NS_CLIENT) for element in self.features])
        object.__setattr__(self, "announcement", text)
        object.__setattr__(self, "_offers", {})

    def login_offer(self, channel_bindings: tuple[str, ...]) -> LoginOffer:
        """What to offer on an encrypted connection with these types of channel bindings; there are few."""
        offer = self._offers.get(channel_bindings)
        if offer is None:
            names = offered(True, channel_bindings, self.mechanisms)
            offer = self._offers[channel_bindings] = LoginOffer(names, announcement(names, channel_bindings))
        return offer
