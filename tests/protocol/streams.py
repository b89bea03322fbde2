"""What is around a client's stream, and the client at its other end: text in, text out."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from commonroom.protocol.bind2 import BindRequest
from commonroom.protocol.c2s import Bound, ServerStream, StreamSettings
from commonroom.protocol.c2s_host import Resumed
from commonroom.protocol.errors import StanzaError, item_not_found
from commonroom.protocol.fast import Issued, Visit
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import MECHANISMS, SaslCondition
from commonroom.protocol.sasl.mechanism import Candidate
from commonroom.protocol.sasl.scram_keys import ScramKeys, derive_keys
from commonroom.protocol.stanza import Stanza
from commonroom.protocol.stream_management import Resume
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND, NS_SASL, NS_SESSION, NS_TLS
from commonroom.xml.parser import Limits, StreamEnd, StreamHeader, StreamParser, XmlError
from tests.protocol.sasl.peer import BINDINGS, ITERATIONS, SALT, client_final

SMALL = Limits(stanza_bytes=10_000, depth=16, elements=100, attributes=16, names=200)
LARGE = replace(SMALL, stanza_bytes=50_000)
NO_LIMITS = Limits(
    stanza_bytes=10**9, depth=200, elements=10**6, attributes=1000, names=10**6, tag_bytes=10**9
)
STARTTLS = f"<starttls xmlns='{NS_TLS}'/>"
JULIET = JID.parse("juliet@example.com")


def header(
    *,
    stream: str = "stream:stream",
    xmlns: str | None = "jabber:client",
    xmlns_stream: str | None = "http://etherx.jabber.org/streams",
    lang: str | None = "en",
    **attributes: str | None,
) -> str:
    """A stream header; None leaves an attribute out, `sender` is `from`."""
    named = {"to": "example.com", "version": "1.0", **attributes}
    named["from"] = named.pop("sender", None)
    named |= {"xml:lang": lang, "xmlns": xmlns, f"xmlns:{stream.split(':')[0]}": xmlns_stream}
    written = "".join(f" {name}='{value}'" for name, value in named.items() if value is not None)
    return f"<?xml version='1.0'?><{stream}{written}>"


def settings(**changes: Any) -> StreamSettings:
    """Settings of a service for example.com and example.org; `random` counts."""
    counter = iter(range(1, 10**6))
    given = StreamSettings(
        domains=("example.com", "example.org"),
        limits_before_login=SMALL,
        limits=LARGE,
        mechanisms=tuple(MECHANISMS),
        tries=3,
        iterations=ITERATIONS,
        fake_secret=b"a secret of the server",
        features=(
            Element(NS_BIND, "bind"),
            Element(NS_SESSION, "session", None, Element(NS_SESSION, "optional")),
        ),
        random=lambda size: next(counter).to_bytes(size, "big"),
        inline=("urn:example:inline",),
        with_tokens=True,
        registration_closed="Ask the IT Service Desk.",
    )
    return replace(given, **changes)


class BoundSession:
    """Takes note of what the client sent."""

    def __init__(self, jid: JID, peer: "Peer") -> None:
        self.jid = jid
        self.peer = peer
        self.taken: list[Stanza] = []
        self.left = False
        self.refused: list[Stanza | None] = []
        self.was_resumed = False

    def take(self, stanza: Stanza, /) -> None:
        self.taken.append(stanza)

    def take_element(self, element: Element) -> bool:
        return False

    def refuse(self, answer: Stanza | None, /) -> None:
        self.refused.append(answer)
        if answer is not None:
            self.peer.write(answer.xml())

    def send_again(self) -> None:
        self.was_resumed = True

    def take_leave(self) -> None:
        self.left = True


class Peer:
    """The host answers at once; with `patient`, the test takes the questions from `questions` and answers.

    Every account's password is `pencil`, as in the examples of RFC 5802.
    """

    def __init__(
        self,
        *,
        needs_tls: bool = False,
        bindings: Mapping[str, Callable[[], bytes]] = BINDINGS,
        patient: bool = False,
        **changes: Any,
    ) -> None:
        self.bindings = bindings
        self.patient = patient
        self.questions: list[Callable[[], None]] = []
        self.asked: list[tuple[Any, ...]] = []
        self.refusals: list[StanzaError] = []
        self.passwords = {"juliet@example.com": "pencil", "romeo@example.org": "pencil"}
        self.tokens: dict[tuple[str, str], tuple[Candidate, ...]] = {}
        self.settled: Issued | SaslCondition | None = None
        self.hashes: frozenset[str] | SaslCondition = frozenset()  # of every account
        self.refusal: SaslCondition | None = None  # of new keys
        self.told: tuple[Element, ...] = ()  # of a resource that is bound with the login
        self.early = ""  # sent to the client as soon as it is
        self.handled: int | None = None  # of a former stream
        self.certificate: tuple[JID, ...] = ()  # whom the client's names
        self.text = ""
        self.said = 0  # how much of it was looked at
        self.closed = self.paused = False
        self.events: list[tuple[Any, ...]] = []
        self.session: BoundSession | None = None
        self.header: StreamHeader
        self._parser = StreamParser(NO_LIMITS)
        self.stream = ServerStream(self, settings(**changes), needs_tls)

    # The stream's host

    @property
    def desk(self) -> "Peer":
        return self

    def write(self, text: str) -> None:
        assert not self.closed, f"after the end: {text}"
        self.text += text

    def start_tls(self) -> None:
        self.events.append(("start_tls", self.stream.domain))

    def close(self) -> None:
        assert not self.closed
        self.closed = True

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def channel_bindings(self) -> Mapping[str, Callable[[], bytes]]:
        return self.bindings

    def certified(self, domain: str) -> tuple[JID, ...]:
        return tuple(address for address in self.certificate if address.domain == domain)

    def find_account(self, account: JID | None, answer: Callable[[bool | SaslCondition], None]) -> None:
        answer((account or "") in self.passwords)

    def find_keys(
        self, account: JID | None, hash_name: str, answer: Callable[[ScramKeys | SaslCondition | None], None]
    ) -> None:
        password = self.passwords.get(account or "")
        keys = None if password is None else derive_keys(password, hash_name, SALT, ITERATIONS)
        self._ask(("keys", account, hash_name), lambda: answer(keys))

    def find_hashes(self, account: JID, answer: Callable[[frozenset[str] | SaslCondition], None]) -> None:
        self._ask(("hashes", account), lambda: answer(self.hashes))

    def add_keys(self, account: JID, keys: ScramKeys, answer: Callable[[SaslCondition | None], None]) -> None:
        self._ask(("add", account, keys), lambda: answer(self.refusal))

    def check_password(
        self, account: JID | None, password: str, answer: Callable[[bool | SaslCondition], None]
    ) -> None:
        right = self.passwords.get(account or "") == password
        self._ask(("password", account), lambda: answer(right))

    def login_failed(self, account: JID | None, condition: SaslCondition, mechanism: str) -> None:
        self.events.append(("failed", account, condition.value, mechanism))

    def login_succeeded(self, account: JID, mechanism: str) -> None:
        self.events.append(("succeeded", account, mechanism))

    def resume_session(self, account: JID, wish: Resume, answer: Resumed) -> None:
        def resume() -> None:
            if wish.previous != "known":
                answer(item_not_found("no such stream"), self.handled)
                return
            self.session = BoundSession(account.with_resource("former"), self)
            answer(self.session, self.handled)

        self._ask(("resume", account, wish), resume)

    def bind(self, account: JID, resource: str | None, answer: Callable[[Bound | StanzaError], None]) -> None:
        self._ask(("bind", account, resource), lambda: answer(self._bind(account, resource)))

    def _bind(self, account: JID, resource: str | None) -> Bound | StanzaError:
        if self.refusals:
            return self.refusals.pop()
        self.session = BoundSession(account.with_resource(resource or "made-here"), self)
        return self.session

    def bind_inline(
        self,
        account: JID,
        request: BindRequest,
        answer: Callable[[Bound | StanzaError, tuple[Element, ...]], None],
    ) -> None:
        def bind() -> None:
            answer(self._bind(account, request.resources[0]), self.told)
            if self.session is not None and self.early:
                self.write(self.early)

        self._ask(("bind inline", account, request), bind)

    def find_tokens(
        self,
        account: JID | None,
        client: str,
        answer: Callable[[tuple[Candidate, ...] | SaslCondition], None],
    ) -> None:
        found = self.tokens.get((account or "", client), ())
        self._ask(("tokens", account, client), lambda: answer(found))

    def settle_login(
        self, account: JID, visit: Visit, answer: Callable[[Issued | SaslCondition | None], None]
    ) -> None:
        self._ask(("settle", account, visit), lambda: answer(self.settled))

    def _ask(self, question: tuple[Any, ...], reply: Callable[[], None]) -> None:
        self.asked.append(question)
        if self.patient:
            self.questions.append(reply)
        else:
            reply()

    def answer(self) -> None:
        """The oldest question is answered."""
        self.questions.pop(0)()

    # The client

    def send(self, *texts: str | bytes) -> list[Element]:
        """Each text arrives alone; gives what the server said to that."""
        for text in texts:
            self.stream.receive(text.encode() if isinstance(text, str) else text)
        return self.received()

    def new_text(self) -> str:
        """What the server said since the last look, as it is."""
        text, self.said = self.text[self.said :], len(self.text)
        return text

    def received(self) -> list[Element]:
        """The elements in that; the last header is kept in `header`."""
        elements = []
        for part in self.new_text().split("<?xml version='1.0'?>"):
            if part.startswith("<stream:stream"):
                self._parser = StreamParser(NO_LIMITS)
            for event in self._parser.feed(part.encode()):
                assert not isinstance(event, XmlError), event
                if isinstance(event, StreamHeader):
                    self.header = event
                elif isinstance(event, StreamEnd):
                    assert self.closed
                else:
                    elements.append(event)
        return elements

    def open(self, **attributes: str | None) -> Element:
        """Open the stream, or open it anew; gives the features."""
        (features,) = self.send(header(**attributes))  # type: ignore[arg-type]
        assert features.name == "features", features
        return features

    def login(self, user: str = "juliet", password: str = "pencil") -> None:
        """By PLAIN, from the first header to the features for those who are logged in."""
        self.open()
        assert [element.name for element in self.send(plain(user, password))] == ["success"]
        self.open()

    def bound(self, resource: str | None = "balcony") -> BoundSession:
        """Log in and bind."""
        self.login()
        assert [element.get("type") for element in self.send(bind(resource))] == ["result"]
        assert self.session is not None
        return self.session

    def scram(
        self,
        mechanism: str,
        user: str = "juliet",
        password: str = "pencil",
        gs2: str | None = None,
        binding: bytes | None = None,
    ) -> Element:
        """A whole exchange; gives the last element. `gs2` and `binding` replace what would be right."""
        type_name = "tls-exporter" if mechanism.endswith("-PLUS") else None
        gs2 = gs2 or (f"p={type_name},," if type_name else "n,,")
        first = f"{gs2}n={user},r=abcdef".encode()
        (answer,) = self.send(auth(mechanism, first))
        if answer.name != "challenge":
            return answer
        data = binding if binding is not None else BINDINGS[type_name]() if type_name else b""
        final = client_final(
            first,
            b64decode(answer.text()).decode(),
            password=password,
            hash_name=mechanism.removeprefix("SCRAM-").removesuffix("-PLUS"),
            binding=gs2.encode() + data,
        )
        return self.send(response(final))[0]


def auth(mechanism: str, data: bytes | None = None) -> str:
    """An `<auth/>` element."""
    return f"<auth xmlns='{NS_SASL}' mechanism='{mechanism}'>{_base64(data)}</auth>"


def response(data: bytes | None = None) -> str:
    """A `<response/>` element."""
    return f"<response xmlns='{NS_SASL}'>{_base64(data)}</response>"


def _base64(data: bytes | None) -> str:
    return "" if data is None else b64encode(data).decode() or "="


def plain(user: str = "juliet", password: str = "pencil", authzid: str = "") -> str:
    """PLAIN, in one element."""
    return auth("PLAIN", f"{authzid}\0{user}\0{password}".encode())


def bind(resource: str | None = None, id: str = "b1") -> str:
    """An attempt to bind."""
    inside = "" if resource is None else f"<resource>{resource}</resource>"
    return f"<iq type='set' id='{id}'><bind xmlns='{NS_BIND}'>{inside}</bind></iq>"


def failure(elements: list[Element]) -> str:
    """The condition of the one SASL failure among what came."""
    (element,) = elements
    assert (element.namespace, element.name) == (NS_SASL, "failure"), element
    return element.elements()[0].name


def stream_error(elements: list[Element]) -> str:
    """The condition of the stream error that came last."""
    assert elements, "nothing came"
    error = elements[-1]
    assert error.name == "error", error
    return error.elements()[0].name
