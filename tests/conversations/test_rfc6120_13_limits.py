"""RFC 6120 §4.6, §13.12: time, rate and silence: what a client may take of a whole service."""

import pytest

from commonroom.config.c2s import C2s
from commonroom.core.questions import PER_SESSION
from commonroom.core.session import HIGH_WATER, Session
from commonroom.net.c2s import REST_AFTER
from commonroom.net.limits import Pause
from commonroom.protocol.jid import JID
from commonroom.xml.element import Element
from commonroom.xml.names import NS_PING, NS_ROSTER
from tests.conversations.world import HEADER, Client, World, condition, with_options

PING = f"<iq type='get' id='p'><ping xmlns='{NS_PING}'/></iq>"


def with_c2s(**options: object) -> World:
    settings = with_options(c2s=C2s(**options))  # type: ignore[arg-type]
    return World("juliet@example.org", "romeo@example.org", settings=settings)


# The deadline of a login


SLOW = {
    "white space": " " * 60,
    "a header, byte by byte": HEADER.format(domain="example.org")[:60],
    "an open stream": HEADER.format(domain="example.org") + " " * 60,
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW.keys())
def test_rfc6120_13_12_the_login_deadline_is_not_extended_by_anything_sent(text):
    world = with_c2s(login_timeout=60.0)
    client = world.connect()
    first, rest = text[:-59], text[-59:]
    client.send(first)
    for byte in rest:
        world.advance(1)
        client.send(byte)
    assert not client.closed
    world.advance(1)
    assert condition(client.received()[-1]) == "connection-timeout"


def test_rfc6120_13_12_to_be_logged_in_without_a_resource_is_not_enough():
    world = with_c2s(login_timeout=60.0)
    client = world.connect()
    world.advance(50)
    client.open("example.org")
    client.authenticate("juliet", "secret")
    client.open("example.org")
    world.advance(9)
    assert not client.closed
    world.advance(1)
    assert condition(client.received()[-1]) == "connection-timeout"


def test_a_client_that_has_bound_its_resource_has_met_the_deadline():
    world = with_c2s(login_timeout=60.0, idle_ping_after=1000.0)
    client = world.login("juliet@example.org/balcony")
    world.advance(999)
    assert not client.closed
    assert client.received() == []


def test_a_connection_that_is_gone_has_no_deadline():
    world = with_c2s(login_timeout=60.0)
    client = world.connect()
    client.cut()
    world.advance(60)
    assert client.bytes == ""
    assert [timer for timer in world.timers if not timer.cancelled] == []


# The rate of stanzas


def test_rfc6120_13_12_who_sends_faster_than_allowed_is_read_later_and_loses_nothing():
    world = with_c2s(stanzas_per_second=10, stanza_burst=20, idle_ping_after=86400.0)
    juliet, romeo = world.online("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    world.advance(3600)  # silence earns no more than one burst
    juliet.send("".join(f"<message to='romeo@example.org/orchard' id='{n}'/>" for n in range(50)))
    assert [message.get("id") for message in romeo.received()] == [str(n) for n in range(50)]
    assert juliet.paused == {Pause.STANZAS}
    world.advance(2.9)
    assert juliet.paused
    world.advance(0.1)
    assert juliet.paused == set()


def test_rfc6120_13_12_the_rate_is_that_of_the_long_run():
    world = with_c2s(stanzas_per_second=10, stanza_burst=20)
    juliet = world.online("juliet@example.org/balcony")
    sent, seconds = 0, 0.0
    while sent < 500:
        while juliet.paused:
            world.advance(0.1)
            seconds += 0.1
        juliet.send("<iq type='result' id='x'/>" * 5)
        sent += 5
    assert (sent - 2 * 20) / 10 <= seconds <= sent / 10


def test_rfc6120_13_12_a_client_that_keeps_to_the_rate_is_never_paused():
    world = with_c2s(stanzas_per_second=10, stanza_burst=20)
    juliet = world.online("juliet@example.org/balcony")
    for _ in range(200):
        world.advance(0.1)
        juliet.send("<iq type='result' id='x'/>")
        assert juliet.paused == set()


def test_rfc6120_13_12_strangers_are_paused_as_well():
    world = with_c2s(stanzas_per_second=10, stanza_burst=20)
    client = world.connect()
    client.open("example.org")
    client.send("<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>" * 30)
    assert client.paused == {Pause.STANZAS}


def test_white_space_is_no_stanza():
    world = with_c2s(stanzas_per_second=1, stanza_burst=10)
    juliet = world.online("juliet@example.org/balcony")
    juliet.send(" " * 1000)
    assert juliet.paused == set()


def test_a_pause_for_the_rate_does_not_outlive_the_connection():
    world = with_c2s(stanzas_per_second=10, stanza_burst=20)
    juliet = world.online("juliet@example.org/balcony")
    juliet.send("<iq type='result' id='x'/>" * 50)
    juliet.cut()
    world.advance(3600)  # what was to resume it finds nothing to do
    assert juliet.bytes == ""


# Reading pauses when a session is behind


def test_reading_pauses_when_too_much_waits_for_the_disk_and_goes_on_when_it_is_done():
    world = with_c2s(stanza_burst=10_000)
    juliet = world.online("juliet@example.org/balcony")
    world.memory.writes.hold()
    juliet.send(
        f"<iq type='set' id='1'><query xmlns='{NS_ROSTER}'><item jid='romeo@example.org'/></query></iq>"
    )
    for number in range(HIGH_WATER - 1):
        juliet.send(f"<iq type='get' id='{number}'><ping xmlns='{NS_PING}'/></iq>")
    assert juliet.paused == set()
    juliet.send(PING)
    assert juliet.paused == {Pause.PARKED}
    world.memory.writes.release()
    world.turn()
    assert juliet.paused == set()
    pongs = [element.get("id") for element in juliet.received() if element.get("type") == "result"]
    assert pongs[-1] == "p"
    assert len(pongs) == HIGH_WATER + 1


def test_reading_pauses_for_what_came_with_the_bind_as_well():
    world = with_c2s(stanza_burst=10_000)
    client = world.connect()
    client.open("example.org")
    client.authenticate("juliet", "secret")
    client.open("example.org")
    world.memory.writes.hold()
    client.send(
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        f"<iq type='set' id='1'><query xmlns='{NS_ROSTER}'><item jid='romeo@example.org'/></query></iq>"
        + PING
        * HIGH_WATER
    )
    assert client.paused == {Pause.PARKED}
    world.memory.writes.release()
    world.turn()
    assert client.paused == set()


# §4.6: silence


def silent_for(world: World, client: Client, seconds: float) -> list[str]:
    """What the client hears meanwhile: the stream's error, or that it is asked whether it is there."""
    client.received()
    world.advance(seconds)
    return ["asked" if e.get("type") == "get" else condition(e) or e.name for e in client.received()]


def test_rfc6120_4_6_2_a_client_that_does_not_answer_is_ended():
    world = with_c2s(idle_ping_after=300.0, idle_ping_timeout=60.0)
    juliet = world.online("juliet@example.org/balcony")
    assert silent_for(world, juliet, 300) == ["asked"]
    assert silent_for(world, juliet, 59) == []
    assert silent_for(world, juliet, 1) == ["connection-timeout"]
    assert juliet.closed


@pytest.mark.parametrize(
    "sign",
    [
        " ",
        "<mess",
        "<presence/>",
        "<iq type='result' id='{id}' to='example.org'/>",
        "<iq type='error' id='{id}' to='example.org'/>",
    ],
)
def test_rfc6120_4_6_1_any_byte_is_a_sign_of_life(sign):
    world = with_c2s(idle_ping_after=300.0, idle_ping_timeout=60.0)
    juliet = world.online("juliet@example.org/balcony")
    world.advance(300)
    question = juliet.one()
    assert question.get("type") == "get"
    assert (question.get("from"), question.get("to")) == ("example.org", "juliet@example.org/balcony")
    world.advance(30)
    juliet.send(sign.format(id=question.get("id")))
    juliet.received()
    world.advance(250)
    assert not juliet.closed
    assert juliet.received() == []


def test_rfc6120_4_6_4_a_client_is_asked_only_when_it_was_silent_for_long():
    world = with_c2s(idle_ping_after=300.0)
    juliet = world.online("juliet@example.org/balcony")
    for _ in range(20):
        world.advance(200)
        juliet.send(" ")
    assert juliet.received() == []
    world.advance(299)
    assert juliet.received() == []
    world.advance(1)
    assert juliet.one().get("type") == "get"


def test_a_client_that_answers_is_asked_again_and_again():
    world = with_c2s(idle_ping_after=300.0, idle_ping_timeout=60.0)
    juliet = world.online("juliet@example.org/balcony")
    for _ in range(10):
        world.advance(300)
        juliet.send(f"<iq type='result' id='{juliet.one().get('id')}' to='example.org'/>")
    assert not juliet.closed


def test_a_client_that_is_silent_for_a_while_gets_a_new_parser_and_does_not_notice():
    world = with_c2s()
    juliet = world.online("juliet@example.org/balcony")
    limit = world.settings.limits.names
    for prefix in "ab":  # of the names of a stream only those since it rested are kept, and so counted
        world.advance(2 * REST_AFTER)
        names = "".join(f"<{prefix}{n}/>" for n in range(limit - 100))
        juliet.send(f"<message to='juliet@example.org/balcony' type='chat'>{names}</message>")
        assert len(juliet.received()[-1].elements()) == limit - 100
    assert not juliet.closed


def test_a_stanza_of_which_a_part_came_is_not_lost_by_resting():
    world = with_c2s()
    juliet = world.online("juliet@example.org/balcony")
    juliet.send("<message to='juliet@example.org/balcony' type='chat'><body>to be")
    world.advance(2 * REST_AFTER)
    juliet.send(" or not to be</body></message>")
    assert juliet.bodies() == ["to be or not to be"]


def test_one_timer_watches_a_session_however_much_it_sends():
    world = with_c2s()
    juliet = world.online("juliet@example.org/balcony")
    for _ in range(100):
        juliet.send(" ")
    assert len([timer for timer in world.timers if not timer.cancelled]) == 1


def test_a_session_that_ended_is_not_asked():
    world = with_c2s(idle_ping_after=300.0)
    juliet = world.online("juliet@example.org/balcony")
    world.advance(300)
    juliet.received()
    juliet.leave()
    said = juliet.bytes
    world.advance(10_000)
    assert juliet.bytes == said
    assert [timer for timer in world.timers if not timer.cancelled] == []


def test_a_client_that_owes_too_many_other_answers_is_watched_all_the_same():
    world = with_c2s(idle_ping_after=300.0, idle_ping_timeout=60.0)
    juliet = world.online("juliet@example.org/balcony")
    user = world.core.users.find(JID.parse("juliet@example.org"))
    assert user is not None
    (session,) = user.sessions.values()
    assert isinstance(session, Session)
    for _ in range(PER_SESSION):
        world.core.questions.ask(session, Element("urn:x", "x"), lambda answer: None, 330.0)
    assert silent_for(world, juliet, 330) == []
    assert silent_for(world, juliet, 30) == ["asked"]
    assert silent_for(world, juliet, 60) == ["connection-timeout"]
