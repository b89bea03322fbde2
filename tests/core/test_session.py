"""RFC 6120 §10.1: what one client sends is handled in order, whatever it has to wait for."""

import inspect

import pytest

from commonroom.core.feature import Feature, Scope, on_iq, on_message, on_session
from commonroom.core.message import Outcome, Received
from commonroom.core.moments import Moment
from commonroom.core.session import HIGH_WATER, Session
from commonroom.core.user import User
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, Message
from commonroom.xml.element import Element
from tests.conversations.world import Client, Gate, World, condition

WAIT = "<iq type='get' id='w'><wait xmlns='urn:slow'/></iq>"


class Slow(Feature):
    """Lets its caller wait until the test opens the gate; `#slow` in a message does the same."""

    def __init__(self) -> None:
        self.gate = Gate()

    @on_iq("get", "urn:slow", "wait", to=Scope.OWN_ACCOUNT)
    async def wait(self, iq: Iq, session: Session) -> Element:
        await self.gate
        return Element("urn:slow", "done")

    @on_message(Received.BLOCK)
    async def hold(self, message: Message, user: User) -> Outcome:
        if (message.body() or "").endswith("#slow"):
            await self.gate
        return None


def chat(number: object, to: str = "juliet@example.org") -> str:
    return f"<message to='{to}' type='chat' id='m{number}'><body>{number}</body></message>"


@pytest.fixture
def world() -> World:
    world = World("romeo@example.org", "juliet@example.org")
    world.befriend("romeo@example.org", "juliet@example.org")
    return world


@pytest.fixture
def slow(world: World) -> Slow:
    feature = Slow()
    world.declare(feature)
    return feature


@pytest.fixture
def romeo(world: World, slow: Slow) -> Client:
    return world.online("romeo@example.org/orchard")


@pytest.fixture
def juliet(world: World, romeo: Client) -> Client:
    client = world.online("juliet@example.org/balcony")
    romeo.received()
    return client


def opened(world: World, slow: Slow) -> None:
    slow.gate.is_open = True
    world.turn()


def test_rfc6120_10_1_what_follows_waits_in_line(world: World, slow: Slow, romeo: Client, juliet: Client):
    romeo.send(WAIT)
    romeo.send(chat(1))
    romeo.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
    romeo.send("<presence><show>away</show></presence>")
    romeo.send(chat(2, "juliet@example.org/balcony"))
    assert romeo.received() == juliet.received() == []
    opened(world, slow)
    assert romeo.told() == ["iq result w", "iq result p", "available romeo@example.org/orchard"]
    assert juliet.told() == [
        "message 1 romeo@example.org/orchard",
        "available romeo@example.org/orchard",
        "message 2 romeo@example.org/orchard",
    ]


def test_rfc6120_10_1_those_of_others_do_not_wait(world: World, slow: Slow, romeo: Client, juliet: Client):
    romeo.send(WAIT)
    other = world.online("romeo@example.org/other")
    other.send(chat(1))
    assert "message 1 romeo@example.org/other" in juliet.told()
    juliet.send(chat(2, "romeo@example.org/orchard"))
    assert "message 2 juliet@example.org/balcony" in romeo.told()


def test_rfc6120_10_1_one_that_waits_in_line_may_have_to_wait_itself(
    world: World, slow: Slow, romeo: Client, juliet: Client
):
    romeo.send(chat("1#slow"))
    romeo.send(chat(2))
    romeo.send(chat("3#slow"))
    romeo.send(chat(4))
    opened(world, slow)
    assert juliet.bodies() == ["1#slow", "2", "3#slow", "4"]
    romeo.send(chat(5))
    assert juliet.bodies() == ["5"]


def test_rfc6120_10_1_a_malformed_stanza_is_refused_although_others_wait(
    world: World, slow: Slow, romeo: Client, juliet: Client
):
    romeo.send(WAIT)
    romeo.send("<iq type='get'/>")
    assert condition(romeo.one()) == "bad-request"
    opened(world, slow)
    assert romeo.told() == ["iq result w"]


def test_who_sends_faster_than_it_is_handled_is_not_read_any_more(
    world: World, slow: Slow, romeo: Client, juliet: Client
):
    romeo.send(WAIT)
    for number in range(HIGH_WATER - 1):
        romeo.send(chat(number))
    assert romeo.paused == set()
    romeo.send(chat(HIGH_WATER - 1))
    assert romeo.paused
    for number in range(HIGH_WATER, HIGH_WATER + 10):  # was read before the pause
        romeo.send(chat(number))
    opened(world, slow)
    assert romeo.paused == set()
    assert juliet.bodies() == [str(number) for number in range(HIGH_WATER + 10)]


def test_reading_goes_on_as_soon_as_the_line_is_shorter(
    world: World, slow: Slow, romeo: Client, juliet: Client
):
    romeo.send(WAIT)
    romeo.send(chat(0))
    romeo.send(WAIT)
    for number in range(1, HIGH_WATER - 1):
        romeo.send(chat(number))
    assert romeo.paused
    first, slow.gate = slow.gate, Gate()
    first.is_open = True
    world.turn()
    assert romeo.paused == set()
    assert juliet.bodies() == ["0"]
    opened(world, slow)
    assert juliet.bodies() == [str(number) for number in range(1, HIGH_WATER - 1)]


def test_rfc6121_4_5_2_what_was_sent_before_the_end_is_handled_before_others_hear_of_it(
    world: World, slow: Slow, romeo: Client, juliet: Client
):
    romeo.send(WAIT)
    romeo.send(chat(1))
    romeo.send("<presence type='unavailable'><status>bye</status></presence>")
    romeo.leave()
    assert juliet.received() == []
    juliet.send(chat(2, "romeo@example.org"))
    opened(world, slow)
    message, presence = juliet.received()
    assert message.child_text("jabber:client", "body") == "1"
    assert presence.child_text("jabber:client", "status") == "bye"
    again = world.login("romeo@example.org/orchard")
    again.send("<presence/>")
    assert again.bodies() == ["2"]


def test_rfc6121_4_5_2_presence_that_is_handled_after_the_end_makes_nobody_available(
    world: World, slow: Slow, romeo: Client, juliet: Client
):
    romeo.send("<presence type='unavailable'/>")
    juliet.received()
    romeo.send(WAIT)
    romeo.send("<presence/>")
    romeo.send("<presence to='juliet@example.org'/>")
    romeo.send("<presence to='somebody@example.org' type='subscribe'/>")
    romeo.cut()
    opened(world, slow)
    assert juliet.received() == []
    again = world.login("romeo@example.org/orchard")
    roster = again.ask("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>")
    assert "somebody@example.org" in str(roster)


class Clumsy(Feature):
    """Breaks at every moment of a session, at once or later."""

    def __init__(self, later: bool) -> None:
        self._later = later
        self.heard: list[Moment] = []

    @on_session(Moment.BOUND)
    @on_session(Moment.AVAILABLE)
    @on_session(Moment.REACHABLE)
    @on_session(Moment.UNAVAILABLE)
    @on_session(Moment.CLOSED)
    def stumble(self, session: Session):
        if self._later:
            return self._fall()
        raise RuntimeError("clumsy")

    async def _fall(self) -> None:
        raise RuntimeError("clumsy")


@pytest.mark.parametrize("later", [False, True])
def test_a_feature_that_breaks_at_a_moment_harms_nobody(world: World, juliet: Client, caplog, later: bool):
    world.declare(Clumsy(later))
    heard = []

    class Listener(Feature):
        @on_session(Moment.BOUND)
        @on_session(Moment.AVAILABLE)
        @on_session(Moment.REACHABLE)
        @on_session(Moment.UNAVAILABLE)
        @on_session(Moment.CLOSED)
        def listen(self, session: Session) -> None:
            heard.append(session.jid)

    world.declare(Listener())
    juliet.received()
    romeo = world.online("romeo@example.org/new")
    assert juliet.told() == ["available romeo@example.org/new"]
    romeo.send("<presence type='unavailable'/>")
    romeo.leave()
    assert heard == ["romeo@example.org/new"] * 5
    assert "clumsy" in caplog.text


def test_a_session_that_breaks_is_not_silent_for_ever(
    world: World, slow: Slow, romeo: Client, monkeypatch: pytest.MonkeyPatch
):
    """What fails outside of the net for stanzas is a bug; the client comes anew."""
    user = world.core.users.find(JID.parse("romeo@example.org"))
    assert user is not None
    session = user.sessions["orchard"]
    assert isinstance(session, Session)

    def breaks(stanza: object, session: Session) -> None:
        raise RuntimeError("clumsy")

    romeo.send(WAIT + chat(1))
    monkeypatch.setattr(session, "_submit", breaks)
    opened(world, slow)
    assert condition(romeo.received()[-1]) == "internal-server-error"
    assert romeo.closed
    assert not session.is_waiting
    assert user.sessions == {}


# A stop


def test_work_that_never_begins_at_a_stop_is_closed(world: World, romeo: Client, juliet: Client):
    """Python warns of coroutines that nobody awaits; nothing else would hide among such warnings."""
    begun: list[int] = []

    async def work() -> None:
        begun.append(1)

    romeo.send(WAIT)
    session = world.core.users.find(JID.parse("romeo@example.org")).sessions["orchard"]  # type: ignore[union-attr]
    waiting = work()
    session.after(waiting)  # type: ignore[union-attr]
    (task,) = world.tasks
    world.tasks.clear()
    task._coroutine.close()
    assert inspect.getcoroutinestate(waiting) == inspect.CORO_CLOSED
    assert begun == []
