"""What a client's stream is told when it begins, and what it asks of those around it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from commonroom.protocol import stream_limits
from commonroom.protocol.bind2 import BindRequest
from commonroom.protocol.errors import StanzaError, StreamError
from commonroom.protocol.fast import Issued, Visit
from commonroom.protocol.jid import JID
from commonroom.protocol.login_offer import LoginOffer, login_offer
from commonroom.protocol.sasl import SaslCondition
from commonroom.protocol.sasl.mechanism import Candidate
from commonroom.protocol.sasl.negotiation import LoginHost
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.protocol.stanza import Stanza
from commonroom.protocol.stream_management import Resume
from commonroom.protocol.upgrade_names import upgrades, usable
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND, NS_CLIENT, NS_SESSION
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


class LoginDesk(LoginHost, Protocol):
    """What a login is told and asks beside that; the most of it in the profile of XEP-0388."""

    def find_hashes(self, account: JID, answer: Callable[[frozenset[str] | SaslCondition], None]) -> None:
        """Answer with the hashes for which the account has SCRAM keys; empty, if it is none, or has none."""

    def login_succeeded(self, account: JID, mechanism: str) -> None:
        """The client is who it says it is."""

    def find_tokens(
        self,
        account: JID | None,
        client: str,
        answer: Callable[[tuple[Candidate, ...] | SaslCondition], None],
    ) -> None:
        """Answer with the tokens of an account's client (XEP-0484 §5.1); takes as long if there are none."""

    def settle_login(
        self, account: JID, visit: Visit, answer: Callable[[Issued | SaslCondition | None], None]
    ) -> None:
        """Keep that a client logged in, and what that means for its tokens (XEP-0484 §3.3, §3.5, §3.6).

        Answer, once it is on disk, with the new token if it is to have one, or why it must not log in.
        """

    def add_keys(self, account: JID, keys: ScramKeys, answer: Callable[[SaslCondition | None], None]) -> None:
        """Keep these keys of the password with which the client has logged in (XEP-0480 §3).

        Answer once they are on disk, or with the reason why not.
        """


class Host(Protocol):
    """What the stream asks of those around it. An `answer` is called once, at once or later."""

    @property
    def desk(self) -> LoginDesk:
        """Where the client logs in; until it has a session."""

    def write(self, text: str) -> None:
        """Send this to the client."""

    def start_tls(self) -> None:
        """Everything written goes out in clear, then TLS begins; the next bytes are what came through it."""

    def close(self) -> None:
        """Send what was written, then close the connection so that the client can read it."""

    def pause(self) -> None:
        """Read nothing from the client until `resume`: what still comes has to be held in memory."""

    def resume(self) -> None:
        """Read again."""

    def certified(self, domain: str) -> tuple[JID, ...]:
        """The accounts of a domain that the client's certificate names, if we trust it (XEP-0178 §2)."""

    def channel_bindings(self) -> Mapping[str, Callable[[], bytes]]:
        """The channel-binding types of this connection, and how to get their data; empty without TLS."""

    def bind(self, account: JID, resource: str | None, answer: Callable[[Bound | StanzaError], None]) -> None:
        """Bind a resource, one of our making if it is None; answer with its session, or why there is none."""

    def resume_session(self, account: JID, wish: Resume, answer: Resumed) -> None:
        """Go on with the session of a former stream (XEP-0198 §5)."""

    def bind_inline(
        self,
        account: JID,
        request: BindRequest,
        answer: Callable[[Bound | StanzaError, tuple[Element, ...]], None],
    ) -> None:
        """Bind a resource with what its session needs (XEP-0386 §3.2); answer with that, and what to say.

        What the session sends meanwhile follows as soon as `answer` returns.
        """


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
    inline: tuple[str, ...] = ()  # namespaces of what can be switched on with a resource (XEP-0386 §3.1)
    with_tokens: bool = False  # XEP-0484
    resolve: Callable[[JID], JID] | None = None  # gives the account that somebody means by a name
    with_certificates: bool = False  # clients are asked for one
    by_password: frozenset[str] = frozenset()  # domains where SCRAM is not offered: there are no keys
    idle_seconds: int | None = None  # after which a client is asked whether it lives
    announcement: str = field(init=False)  # of `features`
    announcement_bound: str = field(init=False)  # of those that are left when a resource is bound
    _offers: dict[tuple[tuple[str, ...], frozenset[str], bool, bool], LoginOffer] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        limits = serialize(stream_limits.feature(self.limits.stanza_bytes, self.idle_seconds), NS_CLIENT)
        texts = [(element.namespace, serialize(element, NS_CLIENT)) for element in self.features]
        left = [text for namespace, text in texts if namespace not in (NS_BIND, NS_SESSION)]
        object.__setattr__(self, "announcement", "".join([text for _, text in texts]) + limits)
        object.__setattr__(self, "announcement_bound", "".join(left) + limits)
        object.__setattr__(self, "_offers", {})

    def login_offer(
        self,
        channel_bindings: tuple[str, ...],
        hashes: frozenset[str],
        domain: str = "",
        certified: bool = False,
    ) -> LoginOffer:
        """What to offer on an encrypted connection with these types of channel bindings; there are few.

        To an account that has SCRAM keys for some hashes only: what it can do, and to get others. Empty
        `hashes` stand for all: so nothing shows whether an account exists that has everything.

        Deviation: no SCRAM (RFC 6120 §13.8.1) in a domain whose accounts' passwords are kept elsewhere as
        hashes of another kind, because most clients that fail with it do not try PLAIN.
        """
        by_password = domain in self.by_password
        key = channel_bindings, frozenset() if by_password else hashes, by_password, certified
        offer = self._offers.get(key)
        if offer is None:
            offer = self._offers[key] = self._make_offer(*key)
        return offer

    def _make_offer(
        self, channel_bindings: tuple[str, ...], hashes: frozenset[str], by_password: bool, certified: bool
    ) -> LoginOffer:
        names = tuple(n for n in self.mechanisms if not (by_password and n.startswith("SCRAM-")))
        left = usable(names, hashes) if hashes else ()
        tasks = upgrades(names, hashes) if left else ()
        offer = login_offer(left or names, channel_bindings, self.inline, self.with_tokens, tasks, certified)
        limits = serialize(stream_limits.feature(self.limits_before_login.stanza_bytes), NS_CLIENT)
        return offer._replace(announcement=offer.announcement + limits)
