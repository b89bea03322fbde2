"""Security rules: another server speaks for the domains that it has proved to be, and costs only itself."""

import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event

import pytest

from tests.attack.client import SECONDS, Client, Ended, condition, online
from tests.attack.conftest import still_serving
from tests.attack.peers import (
    DB,
    DIALBACK,
    EVIL,
    SASL,
    VICTIM,
    Federated,
    Line,
    Peer,
    Waiting,
)
from tests.attack.server import DOMAIN, free_ports
from tests.attack.test_restricted_xml import RESTRICTED
from tests.lab.authority import self_signed
from tests.lab.site import Site

MIB = 1024  # KiB
TO_US = "<message from='{}' to='u0@localhost' id='{}'><body>it is me</body></message>"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federated]:
    site = Site(tmp_path_factory.mktemp("site"))
    server = Federated(tmp_path_factory.mktemp("federated"), site, free_ports(1)[0])
    server.start()
    yield server
    server.stop()
    site.close()


@pytest.fixture
def server(running: Federated) -> Iterator[Federated]:
    """When the attack is over, it still serves."""
    yield from still_serving(running)  # type: ignore[misc]


@pytest.fixture
def evil(server: Federated, tmp_path: Path) -> Iterator[Peer]:
    """A server with a certificate of its own domain, as everybody can have one."""
    with Peer(server, tmp_path, server.site.authority.issue(EVIL)) as peer:
        yield peer


@pytest.fixture
def romeo(server: Federated) -> Iterator[Client]:
    with online(server, "u0") as client:
        yield client


def allow_files(number: int) -> None:
    """To the tests' own process; raises ValueError where the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


def hears_nothing_of(client: Client, word: str) -> bool:
    return all(element.get("id") != word for element in client.fence())


# Whom it may speak for


@pytest.mark.parametrize(
    "sender",
    [f"juliet@{VICTIM}", f"u1@{DOMAIN}", DOMAIN, f"juliet@sub.{EVIL}", f"juliet@{EVIL}.{VICTIM}", "lab"],
)
def test_attack_server_speaks_for_another(evil: Peer, romeo: Client, server: Federated, sender: str) -> None:
    before = len(server.log())
    evil.authenticate_as_itself()
    evil.send(TO_US.format(sender, "forged"))
    assert evil.error() == "invalid-from"
    assert hears_nothing_of(romeo, "forged")
    assert server.says(before, "server misbehaves", f"domain={EVIL}", "invalid-from")


@pytest.mark.parametrize(
    "attributes", [f"to='u0@{DOMAIN}'", f"from='a@{EVIL}'", f"from='@' to='u0@{DOMAIN}'"]
)
def test_attack_server_sends_without_addresses(evil: Peer, server: Federated, attributes: str) -> None:
    before = len(server.log())
    evil.authenticate_as_itself()
    evil.send(f"<message {attributes}><body>?</body></message>")
    assert evil.error() == "improper-addressing"
    assert server.says(before, "server misbehaves", f"domain={EVIL}", "improper-addressing")


def test_attack_server_as_a_relay(evil: Peer, server: Federated) -> None:
    """What is for a third domain goes nowhere: it is not even looked for."""
    before = len(server.log())
    evil.authenticate_as_itself()
    evil.send(f"<message from='juliet@{EVIL}' to='nurse@third.lab'><body>?</body></message>")
    assert evil.error() == "host-unknown"
    assert server.says(before, "server misbehaves", f"domain={EVIL}", "third.lab is not served here")
    assert server.site.nameserver.asked["_xmpp-server._tcp.third.lab", "SRV"] == 0


def test_attack_server_before_authentication(evil: Peer, romeo: Client, server: Federated) -> None:
    before = len(server.log())
    evil.encrypt()
    evil.send(TO_US.format(f"juliet@{EVIL}", "early"))
    assert evil.error() == "not-authorized"
    assert hears_nothing_of(romeo, "early")
    assert server.says(before, "server misbehaves", f"domain={EVIL}", "not-authorized")


def test_attack_server_before_tls(evil: Peer, romeo: Client) -> None:
    evil.begin()
    evil.send(f"<db:result from='{EVIL}' to='{DOMAIN}'>key</db:result>")
    assert evil.next().get("type") == "error"
    evil.send(TO_US.format(f"juliet@{EVIL}", "clear"))
    assert evil.error() == "not-authorized"
    assert hears_nothing_of(romeo, "clear")


# Who it is


def test_attack_certificate_for_another_domain(evil: Peer, romeo: Client, server: Federated) -> None:
    before = len(server.log())
    evil.sender = VICTIM
    features = evil.encrypt()
    assert features.find(f"{SASL}mechanisms") is None
    for authzid in ("", VICTIM, EVIL):
        assert evil.external(authzid).tag == SASL + "failure"
    evil.send(TO_US.format(f"juliet@{VICTIM}", "other"))
    assert evil.error() == "not-authorized"
    assert hears_nothing_of(romeo, "other")
    assert server.says(before, "server refused", f"domain={VICTIM}", "reason=")


def test_attack_certificate_that_nobody_signed(server: Federated, tmp_path: Path) -> None:
    before = len(server.log())
    with Peer(server, tmp_path, self_signed(VICTIM), VICTIM) as peer:
        assert peer.encrypt().find(f"{SASL}mechanisms") is None
        assert peer.external().tag == SASL + "failure"
    assert server.says(before, "server refused", f"domain={VICTIM}", "reason=")


def test_attack_server_claims_to_be_ours(evil: Peer, server: Federated) -> None:
    before = len(server.log())
    evil.sender = DOMAIN
    evil.restart()
    with suppress(AssertionError):
        evil.begin()
    assert evil.came.count(b"invalid-from") == 1
    assert server.says(before, "server misbehaves", "invalid-from")


def test_attack_authenticated_server_becomes_another(evil: Peer) -> None:
    evil.authenticate_as_itself()
    evil.sender = VICTIM
    with suppress(AssertionError):
        evil.begin()
    assert b"not-well-formed" in evil.came or b"invalid-from" in evil.came or b"unsupported" in evil.came


# Dialback


class Verdict:
    """A domain's own server, or what pretends to be, which is asked about keys."""

    def __init__(self, domain: str, verdict: str) -> None:
        self.domain = domain
        self.verdict = verdict
        self.asked: list[str] = []

    def __call__(self, line: Line) -> None:
        line.encrypt(self.domain)
        line.open(DIALBACK, self.domain)
        question = line.next()
        self.asked.append(question.tag)
        addresses = f"from='{self.domain}' to='{DOMAIN}' id='{question.get('id')}'"
        line.send(f"<db:verify {addresses} type='{self.verdict}'/>")
        line.next()


def test_attack_forged_dialback_key(evil: Peer, romeo: Client, server: Federated, tmp_path: Path) -> None:
    """The victim's server is asked, and says that it never made that key."""
    before = len(server.log())
    victim = Verdict(VICTIM, "invalid")
    with Waiting(tmp_path, server.site.authority.issue(VICTIM), victim) as waiting:
        server.site.publish(VICTIM, waiting.port)
        evil.encrypt()
        evil.send(f"<db:result from='{VICTIM}' to='{DOMAIN}'>made up</db:result>")
        answer = evil.next()
        assert (answer.tag, answer.get("type")) == (DB + "result", "invalid")
        assert victim.asked == [DB + "verify"]
        assert evil.error() == "closed"
    assert hears_nothing_of(romeo, "forged")
    assert server.says(before, "server refused", f"domain={VICTIM}", "reason=invalid")


def test_attack_forged_dialback_verify(evil: Peer, server: Federated) -> None:
    """Somebody pretends to be us, elsewhere: that server asks whether the key is ours."""
    before = len(server.log())
    evil.encrypt()
    for id in ("one", "two"):
        evil.send(f"<db:verify from='{EVIL}' to='{DOMAIN}' id='{id}'>made up</db:verify>")
        answer = evil.next()
        assert (answer.tag, answer.get("type"), answer.get("id")) == (DB + "verify", "invalid", id)
    assert server.says(before, "server misbehaves", f"dialback key of {DOMAIN} that is not ours")


def test_attack_dialback_for_a_domain_that_is_not_served(evil: Peer, server: Federated) -> None:
    before = len(server.log())
    evil.encrypt()
    evil.send(f"<db:result from='{EVIL}' to='third.lab'>key</db:result>")
    answer = evil.next()
    assert (answer.get("type"), answer[0][0].tag.rpartition("}")[2]) == ("error", "item-not-found")
    evil.send(f"<db:verify from='{EVIL}' to='third.lab' id='x'>key</db:verify>")
    assert evil.next().get("type") == "error"
    assert server.says(before, "server misbehaves", "third.lab, which is not served here")
    assert server.site.nameserver.asked["_xmpp-server._tcp.third.lab", "SRV"] == 0


def test_attack_dialback_to_an_impostor(romeo: Client, server: Federated, tmp_path: Path) -> None:
    """Whoever controls the victim's DNS says `valid`, but cannot show a certificate of the victim's."""
    domain, before = "spoofed.lab", len(server.log())
    impostor = Verdict(domain, "valid")
    with Waiting(tmp_path, server.site.authority.issue(EVIL), impostor) as waiting:
        server.site.publish(domain, waiting.port)
        with Peer(server, tmp_path, self_signed(domain), domain) as peer:
            peer.encrypt()
            peer.send(f"<db:result from='{domain}' to='{DOMAIN}'>made up</db:result>")
            answer = peer.next()
            assert (answer.get("type"), impostor.asked) == ("error", [])
            peer.send(TO_US.format(f"juliet@{domain}", "spoofed"))
            assert peer.error() == "not-authorized"
    assert hears_nothing_of(romeo, "spoofed")
    assert server.says(before, "server refused", f"domain={domain}", "reason=")


@pytest.mark.parametrize("name", ["result", "verify"])
def test_attack_dialback_answers_nobody_asked_for(
    evil: Peer, romeo: Client, server: Federated, name: str
) -> None:
    """XEP-0220 §3.1: on a stream that came to us, all of them; of very many, the log has the first."""
    before = len(server.log())
    evil.encrypt()
    for sender, to in ((EVIL, DOMAIN), (VICTIM, DOMAIN), (DOMAIN, EVIL)):
        evil.send(f"<db:{name} from='{sender}' to='{to}' id='x' type='valid'/>")
    evil.send(TO_US.format(f"juliet@{EVIL}", "unasked"))
    assert evil.error() == "not-authorized"
    assert hears_nothing_of(romeo, "unasked")
    assert server.says(before, "server misbehaves", f"domain={EVIL}", "nobody asked")
    assert len(server.logged_since(before, "server misbehaves")) <= 3


def test_attack_dialback_results_for_other_domains(romeo: Client, server: Federated, tmp_path: Path) -> None:
    """On a stream that we opened to the evil domain, it says that we may send to the victim, too."""
    told: list[str] = []
    before = len(server.log())

    def behave(line: Line) -> None:
        line.encrypt()
        line.open(DIALBACK)
        line.next()
        for sender, to in ((VICTIM, DOMAIN), (EVIL, VICTIM), (VICTIM, EVIL)):
            line.send(f"<db:result from='{sender}' to='{to}' type='valid'/>")
            line.send(f"<db:verify from='{sender}' to='{to}' id='theirs' type='valid'/>")
        line.send(TO_US.format(f"juliet@{VICTIM}", "slipped"))
        with suppress(TimeoutError):
            told.append(line.next().tag)

    with Waiting(tmp_path, server.site.authority.issue(EVIL), behave) as waiting:
        server.site.publish(EVIL, waiting.port)
        romeo.send(f"<message to='juliet@{EVIL}' id='secret'><body>secret</body></message>")
        answer = romeo.next(8)
        assert (answer.get("id"), condition(answer)) == ("secret", "remote-server-timeout")
    assert all("message" not in tag for tag in told)
    assert hears_nothing_of(romeo, "slipped")
    assert server.says(before, "server misbehaves", f"domain={EVIL}", "nobody asked")
    assert server.says(before, "invalid-from")


def test_attack_dialback_makes_us_connect_everywhere(evil: Peer, server: Federated) -> None:
    """Who is nobody gets few questions asked at a time."""
    asked = server.site.nameserver.asked
    before, log = len(asked), len(server.log())
    evil.encrypt()
    for number in range(300):
        evil.send(f"<db:result from='d{number}.lab' to='{DOMAIN}'>key</db:result>")
    errors = [evil.next().get("type") for _ in range(300)]
    assert set(errors) == {"error"}
    assert len(asked) - before < 300
    assert server.says(log, "server refused", "too many keys were verified for you")


def test_attack_server_writes_our_marks(evil: Peer, romeo: Client) -> None:
    """Delays and archive ids in our name are stripped; its own stay."""
    evil.authenticate_as_itself()
    marks = (
        "<delay xmlns='urn:xmpp:delay' from='{by}' stamp='2002-09-10T23:08:25Z'/>"
        "<stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='forged'/>"
    )
    inside = "".join(marks.format(by=by) for by in (DOMAIN, f"u0@{DOMAIN}", f"juliet@{EVIL}"))
    message = TO_US.format(f"juliet@{EVIL}", "marked").replace("</message>", f"{inside}</message>")
    evil.send(message)
    while (came := romeo.next()).get("id") != "marked":
        pass
    kept = [each for each in came if each.get("from") == DOMAIN or each.get("id") == "forged"]
    assert [each.get("by") for each in kept] == [f"juliet@{EVIL}"]


# What it may cost


def test_attack_server_xml_before_authentication(server: Federated, tmp_path: Path) -> None:
    for name, (text, _) in RESTRICTED.items():
        before = len(server.log())
        with Peer(server, tmp_path, None) as peer:
            peer.begin()
            peer.send(text)
            assert peer.error() != "closed", name
        assert server.says(before, "server misbehaves", f"domain={EVIL}", "reason="), name


def test_attack_server_giants_before_authentication(server: Federated, tmp_path: Path) -> None:
    before = server.usage().kib
    giants = (
        "<message>" + "a" * 100_000,
        "<a>" * 1000,
        "<m " + " ".join(f"a{n}=''" for n in range(1000)) + ">",
        f"<db:verify from='{EVIL}' to='{DOMAIN}' id='{'i' * 50_000}'>k</db:verify>",
    )
    for giant in giants:
        log = len(server.log())
        with Peer(server, tmp_path, None) as peer:
            peer.begin()
            peer.send(giant)
            assert peer.error() in ("policy-violation", "not-authorized")
        assert server.says(log, "server misbehaves", f"domain={EVIL}", "reason=")
    assert server.usage().kib - before < 20 * MIB


def test_attack_half_open_servers(server: Federated, tmp_path: Path) -> None:
    """They end when their time is over, whatever they send."""
    allow_files(2000)
    before, log = server.usage(), len(server.log())
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(server, tmp_path, None)) for _ in range(1000)]
        for peer in peers:
            peer.begin()
        begun = time.monotonic()
        while time.monotonic() - begun < 1.5:
            for peer in peers[:50]:
                peer.send(" ")
            time.sleep(0.2)
        assert {peer.error(SECONDS) for peer in peers} == {"connection-timeout"}
    deadline = time.monotonic() + 5
    while server.usage().files - before.files >= 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.usage().files - before.files < 20
    assert len(server.logged_since(log, "server refused", "did not show in time")) == 1000


def test_attack_servers_that_connect_without_end(server: Federated, tmp_path: Path) -> None:
    """From one address: so many at a time, and so many a second."""
    before, address, turned_away = len(server.log()), server.address(), 0
    for _ in range(150):
        with Client(server, address, server.peer_port) as peer:
            peer.send("<")
            try:
                peer.read(0.02)
            except Ended:
                turned_away += 1
            except TimeoutError:
                continue
    assert turned_away > 50
    assert server.says(before, "connections come too fast", address)
    assert len(server.logged_since(before, "connections come too fast")) == 1


def test_attack_server_that_never_reads(romeo: Client, server: Federated, tmp_path: Path) -> None:
    """What waits for it is bounded; then senders are told, and others are not kept waiting."""
    domain, over = "deaf.lab", Event()

    def behave(line: Line) -> None:
        line.encrypt(domain)
        line.open(DIALBACK, domain)
        line.next()
        line.send(f"<db:result from='{domain}' to='{DOMAIN}' type='valid'/>")
        over.wait(15)

    before, log = server.usage().kib, len(server.log())
    with Waiting(tmp_path, server.site.authority.issue(domain), behave) as waiting:
        server.site.publish(domain, waiting.port)
        romeo.send(f"<message to='a@{domain}' id='first'><body>1</body></message>")
        romeo.fence()
        time.sleep(0.5)
        body = "x" * 60_000
        told: set[str | None] = set()
        for _ in range(250):
            romeo.send(f"<message to='a@{domain}' id='flood'><body>{body}</body></message>")
        deadline = time.monotonic() + 15
        while not told and time.monotonic() < deadline:
            told |= {condition(each) for each in romeo.fence(10) if each.get("id") == "flood"}
            time.sleep(0.2)
        over.set()
        assert told
        assert told <= {"remote-server-timeout", "resource-constraint"}
    assert server.usage().kib - before < 30 * MIB
    assert server.says(log, "a queue is full", f"domain={domain}")


def test_attack_flood_of_a_server(evil: Peer, romeo: Client, server: Federated) -> None:
    """It is read as fast as its rate allows; others notice nothing."""
    evil.authenticate_as_itself()
    flood = "".join(TO_US.format(f"juliet@{EVIL}", f"f{number}") for number in range(3000))
    evil.socket.settimeout(0.5)
    with suppress(OSError, Ended):
        evil.send(flood)
    with online(server, "u1") as other:
        begun = time.monotonic()
        other.fence()
        assert time.monotonic() - begun < 1
