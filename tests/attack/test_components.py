"""Security rules: a component speaks for its domain, has what it was given, and costs its own queue."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self
from xml.etree.ElementTree import Element

import pytest

from tests.attack.client import Client, Ended, condition, online
from tests.attack.conftest import still_serving
from tests.attack.server import DOMAIN, OTHER_DOMAIN, Server, free_ports
from tests.attack.test_restricted_xml import RESTRICTED

MIB = 1024  # KiB
EVIL, TRUSTED = f"evil.{DOMAIN}", f"trusted.{DOMAIN}"
MANAGED = "urn:example:managed"
HEADER = (
    "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
    " to='{to}'>"
)
COMPONENT = "{jabber:component:accept}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Beside"]:
    server = Beside(tmp_path_factory.mktemp("beside"), free_ports(1)[0])
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(running: "Beside") -> Iterator["Beside"]:
    """When the attack is over, it still serves."""
    yield from still_serving(running)  # type: ignore[misc]


class Beside(Server):
    """A service with a component that may do a lot with the accounts of one domain, and one that may not."""

    def __init__(self, folder: Path, port: int) -> None:
        trusted = f'components.domains."{TRUSTED}"'
        self.component_port = port
        super().__init__(
            folder,
            {
                "components": {
                    "listen": [f"127.0.0.1:{port}"],
                    "connections": 40,
                    "new_connections_per_second": 30,
                    "new_connection_burst": 60,
                },
                f'components.domains."{EVIL}"': {"secret": "evil"},
                trusted: {"secret": "trusted"},
                f"{trusted}.privileges": {"roster": "both", "message": "outgoing", "presence": "roster"},
                f'{trusted}.privileges.iq."jabber:iq:private"': {"allow": "both"},
                f'{trusted}.delegations."{MANAGED}"': {"attributes": []},
                "c2s": {
                    "linger": "1s",
                    "new_connections_per_second": 10,
                    "new_connection_burst": 40,
                    "bytes_per_second": "64 MiB",
                    "byte_burst": "64 MiB",
                },
            },
        )


class Component(Client):
    """A connection to the port for components."""

    def __init__(self, server: Beside, name: str = EVIL) -> None:
        self.name = name
        super().__init__(server, port=server.component_port)

    def begin(self) -> str:
        """Open the stream; gives its id."""
        self.send(HEADER.format(to=self.name))
        while self.reader.header is None:
            self._stanzas.extend(self.reader.feed(self.read()))
        return str(self.reader.header.get("id"))

    def show_secret(self) -> None:
        """It is whom it claims to be."""
        digest = hashlib.sha1((self.begin() + self.name.partition(".")[0]).encode()).hexdigest()
        self.send(f"<handshake>{digest}</handshake>")
        assert self.next().tag == COMPONENT + "handshake", self.came

    def admitted(self) -> Self:
        """It shows its secret, as the only one of its name, and reads what it is told."""
        self.show_secret()
        self.sync()
        return self

    def sync(self) -> list[Element]:
        """All that comes before the answer to a question, but for presence that it may see."""
        self.fences += 1
        wanted = f"sync-{self.fences}"
        ping = "<ping xmlns='urn:xmpp:ping'/>"
        self.send(f"<iq type='get' id='{wanted}' from='{self.name}' to='{DOMAIN}'>{ping}</iq>")
        before: list[Element] = []
        while (element := self.next()).get("id") != wanted:
            if self.name != TRUSTED or element.tag != COMPONENT + "presence":
                before.append(element)
        return before

    def refused(self, stanza: str) -> str | None:
        """The condition of the one answer."""
        self.send(stanza)
        (answer,) = self.sync()
        error = answer.find(f"{COMPONENT}error")
        return None if error is None else error[0].tag.rpartition("}")[2]


@pytest.fixture
def evil(server: Beside) -> Iterator[Component]:
    with Component(server).admitted() as component:
        yield component


@pytest.fixture
def trusted(server: Beside) -> Iterator[Component]:
    with Component(server, TRUSTED).admitted() as component:
        yield component


@pytest.fixture
def romeo(server: Beside) -> Iterator[Client]:
    with online(server, "u0") as client:
        yield client


def wrapped(sender: str, by: str, server: str = DOMAIN) -> str:
    """A message in somebody's name."""
    message = (
        f"<message xmlns='jabber:client' from='{sender}' to='u0@{DOMAIN}' id='forged'>"
        "<body>!</body></message>"
    )
    return (
        f"<message from='{by}' to='{server}' id='w'><privilege xmlns='urn:xmpp:privilege:2'>"
        f"<forwarded xmlns='urn:xmpp:forward:0'>{message}</forwarded></privilege></message>"
    )


def asked(account: str, by: str, sender: str = "") -> str:
    """A request in somebody's name."""
    attributes = f" from='{sender}'" if sender else ""
    query = "<query xmlns='jabber:iq:private'><a xmlns='x'/></query>"
    iq = f"<iq xmlns='jabber:client' type='get' id='i'{attributes}>{query}</iq>"
    return (
        f"<iq from='{by}' to='{account}' type='get' id='p'>"
        f"<privileged_iq xmlns='urn:xmpp:privilege:2'>{iq}</privileged_iq></iq>"
    )


def roster(account: str, by: str, kind: str = "get") -> str:
    """A question about somebody's contacts, or a change."""
    item = "<item jid='evil@far.example'/>" if kind == "set" else ""
    query = f"<query xmlns='jabber:iq:roster'>{item}</query>"
    return f"<iq from='{by}' to='{account}' type='{kind}' id='r'>{query}</iq>"


# What it may do


def test_attack_component_uses_a_privilege_it_was_not_given(
    evil: Component, romeo: Client, server: Beside
) -> None:
    before = len(server.log())
    victim = f"u1@{DOMAIN}"
    for stanza in (
        wrapped(victim, EVIL),
        wrapped(DOMAIN, EVIL),
        asked(victim, EVIL),
        roster(victim, EVIL),
        roster(victim, EVIL, "set"),
        roster(f"nobody@{DOMAIN}", EVIL),
    ):
        assert evil.refused(stanza) == "forbidden"
    with online(server, "u1"):
        assert evil.sync() == []  # no presence, and no push
    assert all(each.get("id") != "forged" for each in romeo.fence())
    assert server.says(before, "a component was refused a privilege", EVIL)


def test_attack_component_speaks_for_the_users_of_another_domain(
    trusted: Component, romeo: Client, server: Beside
) -> None:
    """It has privileges, but for the accounts of one domain alone; and for no resource of theirs."""
    before = len(server.log())
    other = f"u1@{OTHER_DOMAIN}"
    for stanza in (
        wrapped(other, TRUSTED),
        wrapped(other, TRUSTED, OTHER_DOMAIN),
        wrapped(f"u1@{DOMAIN}/desk", TRUSTED),
        wrapped("pope@vatican.example", TRUSTED),
        asked(other, TRUSTED),
        asked(f"u1@{DOMAIN}", TRUSTED, f"u0@{DOMAIN}"),
        asked(f"u0@{DOMAIN}/x", TRUSTED),
        roster(other, TRUSTED),
    ):
        assert trusted.refused(stanza) == "forbidden"
    assert all(each.get("id") != "forged" for each in romeo.fence())
    assert server.says(before, "a component was refused a privilege", TRUSTED)


@pytest.mark.parametrize("sender", [f"u1@{DOMAIN}", DOMAIN, TRUSTED, f"a@sub.{EVIL}", "pope@vatican.example"])
def test_attack_component_speaks_for_another(
    evil: Component, romeo: Client, server: Beside, sender: str
) -> None:
    before = len(server.log())
    evil.send(f"<message from='{sender}' to='u0@{DOMAIN}' id='forged'><body>!</body></message>")
    assert evil.error() == "invalid-from"
    assert all(each.get("id") != "forged" for each in romeo.fence())
    assert server.says(before, "component refused", EVIL, "invalid-from")


def test_attack_component_forges_a_delegated_answer(
    evil: Component, trusted: Component, romeo: Client
) -> None:
    """Only who manages a namespace answers for it, what was asked, once."""
    romeo.send(f"<iq type='get' id='q'><ask xmlns='{MANAGED}'/></iq>")
    while (question := trusted.next()).tag != COMPONENT + "iq":
        pass
    number = int(str(question.get("id")).partition("-")[2])
    answer = (
        "<iq from='{by}' to='localhost' id='{id}' type='result'><delegation xmlns='urn:xmpp:delegation:2'>"
        "<forwarded xmlns='urn:xmpp:forward:0'><iq xmlns='jabber:client' to='{to}' id='{q}' type='result'>"
        "<ask xmlns='urn:example:managed' by='{by}'/></iq></forwarded></delegation></iq>"
    )
    for id in range(number - 5, number + 5):
        evil.send(answer.format(by=EVIL, id=f"ask-{id}", to=romeo.jid, q="q"))
    evil.sync()
    assert all(each.get("id") != "q" for each in romeo.fence())
    trusted.send(answer.format(by=TRUSTED, id=question.get("id"), to=f"u1@{DOMAIN}/desk", q="q"))
    assert condition(_next(romeo, "q")) == "service-unavailable"


def _next(client: Client, id: str) -> Element:
    while (element := client.next()).get("id") != id:
        pass
    return element


def test_attack_component_wants_a_forbidden_namespace(evil: Component) -> None:
    """Nor any other: what is delegated is the operator's word."""
    wanted = (
        f"<iq from='{EVIL}' to='{DOMAIN}' type='get' id='d'>"
        f"<query xmlns='urn:xmpp:delegation:2' to='u0@{DOMAIN}'><delegate namespace='{{}}'/></query></iq>"
    )
    assert evil.refused(wanted.format("urn:xmpp:delegation:2")) == "forbidden"
    assert evil.refused(wanted.format("jabber:iq:roster")) == "feature-not-implemented"


def test_attack_privileges_are_components_alone(romeo: Client, server: Beside) -> None:
    """A client wraps what only a component may."""
    other = f"u1@{DOMAIN}"
    with online(server, "u1") as victim:
        for stanza in (wrapped(other, "x"), asked(other, "x"), roster(other, "x")):
            assert condition(romeo.ask(stanza.replace(" from='x'", ""))) == "service-unavailable"
        assert victim.fence() == []


# Before it has shown that it is one


def test_attack_component_without_the_secret(server: Beside, romeo: Client) -> None:
    guesses = (
        "<handshake/>",
        "<handshake>" + "0" * 40 + "</handshake>",
        "<handshake>evil</handshake>",
        f"<message from='{EVIL}' to='u0@{DOMAIN}' id='forged'><body>!</body></message>",
    )
    for guess in guesses:
        before = len(server.log())
        with Component(server) as component:
            component.begin()
            component.send(guess)
            assert component.error() == "not-authorized"
        assert server.says(before, "component refused", EVIL, "not-authorized")
    assert all(each.get("id") != "forged" for each in romeo.fence())


def test_attack_component_of_no_such_name(server: Beside) -> None:
    for name in (DOMAIN, f"none.{DOMAIN}", "far.example"):
        before = len(server.log())
        with Component(server, name) as component:
            component.send(HEADER.format(to=name))
            assert component.error() == "host-unknown"
        assert server.says(before, "component refused", name, "host-unknown")


def test_attack_component_xml_before_the_handshake(server: Beside) -> None:
    for name, (text, _) in RESTRICTED.items():
        before = len(server.log())
        with Component(server) as component:
            component.begin()
            component.send(text)
            assert component.error() != "closed", name
        assert server.says(before, "component refused", EVIL)
        time.sleep(0.05)  # its connections come slowly enough


def test_attack_component_giants_before_the_handshake(server: Beside) -> None:
    before, memory = len(server.log()), server.usage().kib
    for giant in ("<handshake>" + "a" * 100_000, "<a>" * 1000):
        with Component(server) as component:
            component.begin()
            component.send(giant)
            assert component.error() in ("policy-violation", "not-authorized")
    assert server.usage().kib - memory < 20 * MIB
    assert server.says(before, "component refused", EVIL)


def test_attack_half_open_components(server: Beside, trusted: Component) -> None:
    """So many and no more; those who are in are served."""
    before = len(server.log())
    with ExitStack() as stack:
        ended = 0
        for _ in range(50):
            component = stack.enter_context(Component(server))
            with suppress(Ended, OSError):
                component.begin()
                continue
            ended += 1
        assert ended >= 10
        assert trusted.sync() == []
    assert server.says(before, "all connections are taken", "connections=40")
    time.sleep(2)  # so that others can come again


def test_attack_components_that_connect_without_end(server: Beside, trusted: Component) -> None:
    before, turned_away = len(server.log()), 0
    for _ in range(150):
        with Component(server) as component:
            try:
                component.begin()
            except (Ended, OSError):
                turned_away += 1
    assert turned_away > 10
    assert trusted.sync() == []
    assert server.says(before, "connections come too fast")
    time.sleep(2)


# What it costs


def test_attack_component_that_never_reads(
    evil: Component, trusted: Component, romeo: Client, server: Beside
) -> None:
    """Its own queue: senders are told when that is full, and the others notice nothing."""
    before, memory = len(server.log()), server.usage().kib
    body = "x" * 60_000
    told: set[str | None] = set()
    for _ in range(200):
        romeo.send(f"<message to='a@{EVIL}' id='flood'><body>{body}</body></message>")
    told = {condition(each) for each in romeo.fence(10) if each.get("id") == "flood"}
    assert told == {"resource-constraint"}
    romeo.send(f"<message to='{TRUSTED}' id='hello'><body>hello</body></message>")
    assert [each.get("id") for each in trusted.sync()] == ["hello"]
    assert server.usage().kib - memory < 30 * MIB
    assert server.says(before, "a component does not read what it is sent", EVIL)


def test_attack_component_that_dies_full(romeo: Client, server: Beside) -> None:
    """What waited for it here goes to the next connection."""
    before, body = len(server.log()), "x" * 60_000
    with Component(server) as second:
        with Component(server).admitted():
            second.show_secret()
            for number in range(200):
                romeo.send(f"<message to='a@{EVIL}' id='f{number}'><body>{body}</body></message>")
            full = {each.get("id") for each in romeo.fence(10) if condition(each) == "resource-constraint"}
        server.says(before, "component disconnected", EVIL, "left=1")
        late = [each.get("id") for each in second.sync()]
    assert late
    assert not {*late} & full
    assert late == sorted(late, key=lambda id: int(str(id)[1:]))


# Clients


def test_attack_connections_without_end(server: Beside) -> None:
    """An address that connects again and again is turned away; others are not."""
    before, address, refused = len(server.log()), server.address(), 0
    for _ in range(120):
        with Client(server, address) as client:
            try:
                client.open()
            except (Ended, OSError):
                refused += 1
    assert refused > 20
    with online(server, "u1", source=server.address()) as other:
        other.fence()
    line = server.says(before, "connections come too fast", address)
    assert len(server.logged_since(before, "connections come too fast", address)) == 1, line
