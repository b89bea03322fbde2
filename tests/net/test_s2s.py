"""RFC 6120 §4.6, §13.7.2.3: how long a connection with another server stays."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from commonroom.net.peer import GRAIN, KEEP_ALIVE
from commonroom.net.s2s import OutgoingConnection
from commonroom.protocol.dialback import Pair, Verification, Verified
from commonroom.protocol.s2s_out import Terms
from tests.net.test_peer import BIDI, EXTERNAL, HEADER, OURS, SM, START, THEIRS, Wire, World, to_peer

ANSWER = (
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism>"
    "</mechanisms></stream:features>"
)
SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
MANAGED = ANSWER.replace("<stream:features>", f"<stream:features><sm {SM}/>")
IDLE = 600  # seconds, as `World` has it


class Owner:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def ready(self, connection: OutgoingConnection, pair: Pair) -> None:
        self.heard.append("ready")

    def refused(self, connection: OutgoingConnection, pair: Pair, reason: str, is_lasting: bool) -> None:
        self.heard.append(reason)

    def verified(self, request: Verification, verified: Verified) -> None: ...

    def ended(self, connection: OutgoingConnection, reason: str) -> None:
        self.heard.append(f"ended: {reason}")


class Out:
    """A connection of ours to a server that takes stanzas."""

    def __init__(self) -> None:
        self.world, self.wire, self.owner = World(), Wire(), Owner()
        terms = Terms(needs_tls=False, needs_certificate=False, allows_dialback=True)
        self.connection = OutgoingConnection(
            self.world.service, Pair(OURS, THEIRS), terms, False, self.owner, lambda *_: None
        )
        self.connection._stream._is_secure = True
        self.connection.connected(self.wire)  # type: ignore[arg-type]
        for text in (ANSWER, SUCCESS, MANAGED):
            self.connection.receive(text.encode())
        self.wire.text = ""

    def wait(self, seconds: float) -> str:
        """What it sends meanwhile."""
        self.wire.text = ""
        self.world.pass_time(seconds + GRAIN)
        return self.wire.text


def test_rfc6120_4_6_4_a_silent_stream_is_kept_alive_and_closed_when_nobody_uses_it():
    out = Out()
    assert out.owner.heard == ["ready"]
    assert out.wait(KEEP_ALIVE) == " "
    assert out.wait(IDLE - KEEP_ALIVE) == "</stream:stream>"
    assert out.owner.heard == ["ready", "ended: idle"]


def test_a_stream_that_is_used_is_not_closed():
    out = Out()
    out.wait(KEEP_ALIVE)
    out.connection.send(to_peer(1))
    out.connection.receive(f"<a {SM} h='1'/>".encode())
    assert out.wait(IDLE - KEEP_ALIVE) == " "
    assert out.owner.heard == ["ready"]


def test_xep0198_4_what_was_answered_too_early_is_asked_for_again():
    """Or it would be sent again when the stream ends, and be there twice."""
    out = Out()
    out.connection.receive(f"<enabled {SM}/>".encode())
    out.connection.send(to_peer(1))
    out.connection.receive(f"<a {SM} h='0'/>".encode())
    assert out.wait(KEEP_ALIVE) == f"<r {SM}/>"
    world = World().log_in(BIDI)
    world.send(f"<enable {SM}/>")
    world.peer.send(to_peer(1))
    world.wire.text = ""
    world.pass_time(KEEP_ALIVE)
    assert world.wire.text == f"<r {SM}/>"


class Expiring:
    """A certificate until its end."""

    def __init__(self, world: World, end: datetime) -> None:
        self._world = world
        self._end = end

    def distrust(self, domain: str) -> str | None:
        return None if self._world.service.now() <= self._end else "it expired"


def expiring(after: timedelta) -> World:
    world, end = World(), START + after
    world.service.present = lambda _: Expiring(world, end)
    leaf: Any = SimpleNamespace(not_valid_after_utc=end)
    world.connect()
    world.wire.tls = SimpleNamespace(peer_chain=[leaf])  # type: ignore[assignment]
    return world.log_in(BIDI)


def test_rfc6120_13_7_2_3_a_stream_ends_with_the_certificate_that_proved_it():
    world = expiring(timedelta(seconds=KEEP_ALIVE / 2))
    world.pass_time(30 + GRAIN)
    world.pass_time(KEEP_ALIVE / 4)
    assert "certificate" not in world.wire.text
    world.wire.text = ""
    world.pass_time(KEEP_ALIVE / 4)
    assert "<reset " in world.wire.text
    assert "your certificate counts no more: it expired" in world.wire.text


def test_rfc6120_13_7_2_3_one_that_counts_still_stays():
    world = expiring(timedelta(days=1))
    world.peer.judge_again()
    assert "</stream:stream>" not in world.wire.text


@pytest.mark.parametrize("text", [HEADER, HEADER + EXTERNAL.replace("EXTERNAL", "PLAIN"), ""])
def test_who_does_not_show_who_it_is_has_until_the_deadline(text: str):
    world = World()
    world.send(text)
    world.pass_time(29)
    assert "connection-timeout" not in world.wire.text
    world.pass_time(1 + GRAIN)
    assert "<connection-timeout " in world.wire.text
