"""XEP-0114: several connections for one domain: when one goes, nothing that waited is lost in silence."""

import logging

import pytest

from tests.conversations.components import (
    ComponentWorld,
    Connected,
    admitted,
    component,
    with_components,
)
from tests.conversations.world import condition

DOMAIN = "irc.capulet.lit"
MIB = 1024 * 1024


def world() -> ComponentWorld:
    settings = with_components(irc_capulet_lit=component(), other_capulet_lit=component())
    return ComponentWorld("juliet@capulet.lit", settings=settings)


def bodies(connected: Connected) -> list[str | None]:
    return [each.child_text("jabber:client", "body") for each in connected.received()]


def say(text: str) -> str:
    return f"<message to='a@{DOMAIN}' id='{text}'><body>{text}</body></message>"


def test_xep0114_3_while_none_is_connected_senders_hear_that():
    juliet = world().online("juliet@capulet.lit/balcony")
    answer = juliet.ask(say("1"))
    assert condition(answer) == "service-unavailable"
    assert f"{DOMAIN} is not connected now" in repr(answer)
    juliet.send(f"<presence to='{DOMAIN}' type='unavailable'/><presence to='{DOMAIN}' type='probe'/>")
    assert juliet.received() == []


def test_xep0114_3_a_wrong_secret_is_refused_and_logged(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    here = world()
    Connected(here, DOMAIN, "guessed")
    (record,) = [r for r in caplog.records if r.message == "component refused"]
    assert (record.__dict__["domain"], record.__dict__["address"]) == (DOMAIN, "127.0.0.1")
    assert record.__dict__["reason"] == "not-authorized: this is not the secret"
    assert here.components.domains[DOMAIN].connections == []


@pytest.mark.parametrize(
    ("stanza", "reason"),
    [
        ("<message from='juliet@capulet.lit' to='juliet@capulet.lit'/>", "invalid-from"),
        ("<message from='other.capulet.lit' to='juliet@capulet.lit'/>", "invalid-from"),
        ("<message to='juliet@capulet.lit'/>", "improper-addressing"),
        (f"<message from='{DOMAIN}'/>", "improper-addressing"),
        ("<a><!-- --></a>", "restricted-xml"),
        (f"<db xmlns='x' from='{DOMAIN}' to='capulet.lit'/>", "unsupported-stanza-type"),
    ],
)
def test_xep0114_3_what_it_may_not_do_ends_its_stream_and_is_logged(
    stanza: str, reason: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    here = world()
    juliet = here.online("juliet@capulet.lit/balcony")
    connected = admitted(here, DOMAIN)
    connected.send(stanza)
    assert connected.closed
    assert [r.__dict__["reason"].partition(":")[0] for r in caplog.records] == [reason]
    assert juliet.received() == []
    assert here.components.domains[DOMAIN].connections == []


def test_xep0114_3_the_handshake_has_its_time(caplog: pytest.LogCaptureFixture):
    here = world()
    slow = Connected(here, DOMAIN, secret=None)
    here.advance(31)
    assert slow.closed
    assert "connection-timeout" in slow.text
    assert caplog.messages == ["component refused"]


def test_the_next_connection_takes_over_and_gets_what_waited(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    here = world()
    first, second = admitted(here, DOMAIN), admitted(here, DOMAIN)
    juliet = here.online("juliet@capulet.lit/balcony")
    juliet.send(say("1"))
    first.deaf = True
    juliet.send(say("2") + say("3"))
    assert (bodies(first), bodies(second)) == (["1"], [])
    first.die()
    assert bodies(second) == ["2", "3"]
    juliet.send(say("4"))
    assert bodies(second) == ["4"]
    assert juliet.received() == []
    facts = [r.__dict__ for r in caplog.records if r.message == "component disconnected"]
    assert [(f["domain"], f["reason"], f["left"]) for f in facts] == [(DOMAIN, "connection reset", 1)]


def test_a_stanza_of_which_a_part_was_taken_is_sent_anew():
    here = world()
    first, second = admitted(here, DOMAIN), admitted(here, DOMAIN)
    juliet = here.online("juliet@capulet.lit/balcony")
    first.deaf = True
    juliet.send(say("1") + say("2"))
    first.bytes_sent += first.unsent - 1
    first.die()
    assert bodies(second) == ["2"]


def test_the_last_one_goes_and_senders_hear_why():
    here = world()
    only = admitted(here, DOMAIN)
    juliet = here.online("juliet@capulet.lit/balcony")
    only.deaf = True
    juliet.send(say("1") + f"<iq type='get' id='q' to='{DOMAIN}'><a xmlns='x'/></iq>")
    only.die()
    answers = juliet.received()
    assert [(each.name, each.get("id"), condition(each)) for each in answers] == [
        ("message", "1", "service-unavailable"),
        ("iq", "q", "service-unavailable"),
    ]
    assert f"{DOMAIN} is not connected now" in repr(answers[0])


def test_one_that_leaves_is_not_sent_to_any_more():
    here = world()
    first, second = admitted(here, DOMAIN), admitted(here, DOMAIN)
    first.send("</stream:stream>")
    here.online("juliet@capulet.lit/balcony").send(say("1"))
    assert bodies(second) == ["1"]
    first.handler.lost("closed")
    assert bodies(second) == []


def test_one_that_never_reads_costs_its_own_queue_and_is_logged(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    here = world()
    deaf, other = admitted(here, DOMAIN), admitted(here, "other.capulet.lit")
    juliet = here.online("juliet@capulet.lit/balcony")
    deaf.deaf = True
    body = "x" * 100_000
    for _ in range(20):
        juliet.send(f"<message to='a@{DOMAIN}' id='1'><body>{body}</body></message>")
    answers = juliet.received()
    assert 0 < len(answers) < 20
    assert {condition(each) for each in answers} == {"resource-constraint"}
    assert deaf.unsent < MIB + 200_000
    assert caplog.messages == ["a component does not read what it is sent"]
    juliet.send("<message to='other.capulet.lit'><body>hello</body></message>")
    assert bodies(other) == ["hello"]
    deaf.unsent, deaf.deaf = 0, False
    juliet.send(say("again"))
    assert bodies(deaf)[-1] == "again"


def test_what_was_taken_is_forgotten():
    here = world()
    connected = admitted(here, DOMAIN)
    juliet = here.online("juliet@capulet.lit/balcony")
    for number in range(100):
        juliet.send(say(str(number)))
    assert len(connected.handler._sending._stanzas) <= 1
