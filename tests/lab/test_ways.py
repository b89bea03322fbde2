"""How streams are made: TLS from the first byte, both directions over one, several domains over one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.commands import run, worked
from tests.interop.waiting import wait_until

from .cutting import Wire
from .happenings import talk
from .pairs import Make
from .peers import Ours, Peer, ProsodyPeer
from .proofs import names
from .site import Site, loopback_address
from .test_components import Component, components


class Two:
    """Ours and a peer, each behind a wire that counts connections."""

    def __init__(self, site: Site, start: Callable[[Peer], Peer], ours: Ours, peer: Peer) -> None:
        self.ours, self.peer = start(ours), start(peer)
        self.to_ours, self.to_peer = Wire(ours.s2s_port, ours.host), Wire(peer.s2s_port, peer.host)
        site.publish(ours.domain, self.to_ours.port, ours.host)
        site.publish(peer.domain, self.to_peer.port, peer.host)

    def close(self) -> None:
        self.to_ours.close()
        self.to_peer.close()


@pytest.fixture
def make(site: Site, start: Callable[[Peer], Peer], tmp_path: Path) -> Iterator[Callable[..., Two]]:
    made: list[Two] = []

    def two(kind: type[Peer], label: str, options: str = "", **more: object) -> Two:
        ours, theirs = f"ours-{label}.lab", f"{label}.lab"
        one = Ours(tmp_path / "ours", site, ours, site.authority.issue(*names(ours)), options)
        other = kind(tmp_path / "peer", site, theirs, site.authority.issue(*names(theirs)), **more)
        made.append(Two(site, start, one, other))
        return made[-1]

    yield two
    for each in made:
        each.close()


@pytest.mark.parametrize("kind", [Ours, ProsodyPeer], ids=["ours", "prosody"])
def test_xep0368_tls_from_the_first_byte(
    make: Callable[..., Two], kind: type[Peer], site: Site, person: Make
) -> None:
    two = make(kind, f"direct{kind.__name__.lower()}")
    for peer in (two.ours, two.peer):  # nothing else is published
        site.nameserver.remove(f"_xmpp-server._tcp.{peer.domain}", "SRV")
        site.nameserver.put(
            f"_xmpps-server._tcp.{peer.domain}", "SRV", f"0 0 {peer.s2s_tls_port} {peer.host}."
        )
    romeo, juliet = person(two.ours, "romeo").come_online(), person(two.peer, "juliet").come_online()
    romeo.chat(juliet.jid, "there")
    juliet.receive_message("there")
    juliet.chat(romeo.jid, "back")
    romeo.receive_message("back")
    assert two.to_ours.connections + two.to_peer.connections == 0


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours-connects", "ours-is-connected-to"])
def test_xep0288_both_directions_over_one_connection(
    make: Callable[..., Two], ours_first: bool, person: Make
) -> None:
    two = make(ProsodyPeer, f"bidi{ours_first}".lower(), modules=("s2s_bidi",))
    romeo, juliet = person(two.ours, "romeo").come_online(), person(two.peer, "juliet").come_online()
    first, second = (romeo, juliet) if ours_first else (juliet, romeo)
    first.chat(second.jid, "there")
    second.receive_message("there")
    second.chat(first.jid, "back")
    first.receive_message("back")
    assert (two.to_peer.connections, two.to_ours.connections) == ((1, 0) if ours_first else (0, 1))


def test_operators_see_and_end_connections(make: Callable[..., Two], person: Make) -> None:
    """`commonroom s2s list` and `close`, with a running service."""
    two = make(Ours, "seen")
    assert isinstance(two.ours, Ours)
    romeo, juliet = person(two.ours, "romeo").come_online(), person(two.peer, "juliet").come_online()
    romeo.chat(juliet.jid, "there")
    juliet.receive_message("there")
    romeo.chat("a@nowhere.lab", "?")
    romeo.receive("an error", lambda stanza: stanza["type"] == "error")
    at = ("--json", "-c", two.ours.configuration)
    told = json.loads(worked(run("s2s", "list", *at)))
    assert [(each["theirs"], each["direction"]) for each in told["streams"]] == [(two.peer.domain, "out")]
    assert [each["domain"] for each in told["failures"]] == ["nowhere.lab"]
    assert json.loads(worked(run("s2s", "close", two.peer.domain, *at))) == {"streams": 1}
    left = two.ours.events
    wait_until(
        lambda: "administrator" in str(left("server left")), "the connection to end"
    )  # a new one may begin
    romeo.chat(juliet.jid, "again")
    juliet.receive_message("again")


def test_xep0220_2_6_1_several_domains_over_one_connection(
    make: Callable[..., Two], site: Site, person: Make
) -> None:
    """A component's domain sends over the stream that its server has; its certificate is not even needed."""
    address, domain = loopback_address(), "irc.components.lab"
    options = components(address, domain)
    two = make(Ours, "several", options)
    site.nameserver.service(domain, two.to_ours.port, two.ours.host)
    two.ours.install(site.authority.issue(two.ours.domain, domain))
    two.ours.stop()
    two.ours.start()
    romeo, juliet = person(two.ours, "romeo").come_online(), person(two.peer, "juliet").come_online()
    romeo.chat(juliet.jid, "from romeo")
    juliet.receive_message("from romeo")
    before = two.to_peer.connections
    with Component(address) as component:
        message = (
            f"<message from='channel@{domain}' to='{juliet.jid}' type='chat'><body>from irc</body></message>"
        )
        component.send(message)
        assert str(juliet.receive_message("from irc")["from"]) == f"channel@{domain}"
        assert two.to_peer.connections == before
        juliet.chat(f"channel@{domain}", "to irc")
        assert component.next().findtext("{jabber:component:accept}body") == "to irc"


def test_xep0198_4_nothing_is_lost_when_the_wire_is_cut(make: Callable[..., Two], person: Make) -> None:
    """Between servers that acknowledge, as ours do. What the other may not have comes again, in order."""
    two = make(Ours, "lossless")
    romeo, juliet = person(two.ours, "romeo").come_online(), person(two.peer, "juliet").come_online()
    talk(romeo, juliet, "before")
    for number in range(200):
        romeo.chat(juliet.jid, f"n{number}")
        if number % 50 == 25:
            romeo.sync()
            for wire in (two.to_ours, two.to_peer):
                wire.cut()
    came: list[str] = []
    while "n199" not in came:
        message = juliet.receive("more", lambda s: s.name == "message" and s["body"].startswith("n"))
        came.append(str(message["body"]))
    assert list(dict.fromkeys(came)) == [f"n{number}" for number in range(200)]
