"""XEP-0357: somebody whose clients are not there is called, by way of the service that their client named."""

from collections.abc import Awaitable, Callable

import pytest

from commonroom.config.devices import Push, PushInclude
from commonroom.config.schema import Offline
from commonroom.protocol.dataforms import NS_DATA, form_fields
from commonroom.protocol.errors import StanzaError, item_not_found, resource_constraint
from commonroom.protocol.jid import JID
from commonroom.protocol.notifications import NS_PUBLISH_OPTIONS, NS_PUBSUB, NS_PUSH
from commonroom.protocol.stanza import Iq, Message, Stanza
from commonroom.storage.errors import StorageError
from commonroom.xml.element import Element
from tests.conversations.world import Client, World, condition, with_options

APP = "push.example.net"
OPTIONS = (
    f"<x xmlns='{NS_DATA}' type='submit'>"
    f"<field var='FORM_TYPE'><value>{NS_PUBLISH_OPTIONS}</value></field>"
    "<field var='secret'><value>eruio</value></field></x>"
)
ROMEO = JID.parse("romeo@example.org")


class AppServer:
    """A push service, as a component would be: a destination that answers what is published to it.

    `refusal` says what it answers instead of a result; `is_silent` that it answers nothing.
    """

    def __init__(self, world: World, domain: str = APP) -> None:
        self._route: Callable[[Stanza], Awaitable[None] | None] = world.core.router.route
        self.refusal: StanzaError | None = None
        self.is_silent = False
        self.requests: list[Iq] = []
        world.core.router.domains[domain] = self

    def receive(self, stanza: Stanza, sender: JID, to: JID) -> Awaitable[None] | None:
        assert isinstance(stanza, Iq)
        self.requests.append(stanza)
        if self.is_silent:
            return None
        if self.refusal is not None:
            raise self.refusal
        return self._route(stanza.result())

    def published(self) -> list[tuple[str | None, dict[str, tuple[str, ...]]]]:
        """The node and the summary of each notification since the last look."""
        requests, self.requests = self.requests, []
        return [read_publication(request) for request in requests]


def read_publication(request: Iq) -> tuple[str | None, dict[str, tuple[str, ...]]]:
    publish = request.request().child(NS_PUBSUB, "publish")
    assert publish is not None
    notification = publish.elements()[0].elements()[0]
    assert (notification.namespace, notification.name) == (NS_PUSH, "notification")
    form = notification.child(NS_DATA, "x")
    assert form is not None
    fields = form_fields(form)
    assert fields.pop("FORM_TYPE") == ("urn:xmpp:push:summary",)
    return publish.get("node"), fields


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


@pytest.fixture
def app(world: World) -> AppServer:
    return AppServer(world)


@pytest.fixture
def juliet(world: World) -> Client:
    return world.online("juliet@example.org/balcony")


def switch(client: Client, name: str, attributes: str, inside: str = "") -> Element:
    return client.ask(f"<iq type='set' id='p'><{name} xmlns='{NS_PUSH}' {attributes}>{inside}</{name}></iq>")


def enabled(world: World, *nodes: str, service: str = APP, options: str = "") -> None:
    """Romeo's phone asks for notifications and leaves."""
    phone = world.online("romeo@example.org/phone")
    for node in nodes or ("n1",):
        answer = switch(phone, "enable", f"jid='{service}' node='{node}'", options)
        assert answer.get("type") == "result", answer
    phone.leave()


def say(client: Client, inside: str = "<body>lunch?</body>", kind: str = "chat") -> None:
    client.send(f"<message to='romeo@example.org' type='{kind}'>{inside}</message>")


# What is refused


@pytest.mark.parametrize(
    ("attributes", "inside", "expected"),
    [
        ("", "", "bad-request"),
        ("jid=''", "", "bad-request"),
        ("jid='@@'", "", "jid-malformed"),
        (f"jid='{APP}'", f"<x xmlns='{NS_DATA}' type='submit'/>", "bad-request"),
        (f"jid='{APP}'", OPTIONS.replace("publish-options", "other"), "bad-request"),
        (f"jid='{APP}'", OPTIONS.replace("eruio", "x" * 5000), "not-acceptable"),
        (f"jid='{APP}' node='{'n' * 1000}'", "", "not-acceptable"),
    ],
)
def test_xep0357_5_what_cannot_be_enabled_is_refused(
    world: World, attributes: str, inside: str, expected: str
):
    phone = world.online("romeo@example.org/phone")
    assert condition(switch(phone, "enable", attributes, inside)) == expected


@pytest.mark.parametrize(("attributes", "expected"), [("", "bad-request"), ("jid='@@'", "jid-malformed")])
def test_xep0357_6_what_cannot_be_disabled_is_refused(world: World, attributes: str, expected: str):
    phone = world.online("romeo@example.org/phone")
    assert condition(switch(phone, "disable", attributes)) == expected


def test_nobody_enables_notifications_of_another_account(world: World, juliet: Client, app: AppServer):
    request = f"<enable xmlns='{NS_PUSH}' jid='{APP}' node='spy'/>"
    answer = juliet.ask(f"<iq to='romeo@example.org' type='set' id='p'>{request}</iq>")
    assert condition(answer) == "service-unavailable"
    say(juliet)
    assert app.published() == []


def test_an_account_has_no_more_services_than_allowed():
    world = World("romeo@example.org", settings=with_options(push=Push(services=2)))
    phone = world.online("romeo@example.org/phone")
    for node in "ab":
        assert switch(phone, "enable", f"jid='{APP}' node='{node}'").get("type") == "result"
    assert condition(switch(phone, "enable", f"jid='{APP}' node='c'")) == "resource-constraint"
    assert switch(phone, "enable", f"jid='{APP}' node='b'", OPTIONS).get("type") == "result"
    switch(phone, "disable", f"jid='{APP}' node='a'")
    assert switch(phone, "enable", f"jid='{APP}' node='c'").get("type") == "result"


def test_what_is_not_on_disk_is_not_confirmed(world: World):
    phone = world.online("romeo@example.org/phone")
    phone.received()
    world.memory.writes.hold()
    phone.send(f"<iq type='set' id='p'><enable xmlns='{NS_PUSH}' jid='{APP}' node='n'/></iq>")
    assert phone.received() == []
    world.memory.writes.release(StorageError("disk full"))
    world.turn()
    assert condition(phone.one()) == "resource-constraint"


# Whom nobody calls


def test_xep0357_6_a_service_that_was_disabled_hears_nothing(world: World, juliet: Client, app: AppServer):
    enabled(world, "a", "b", "c")
    phone = world.online("romeo@example.org/phone")
    switch(phone, "disable", f"jid='{APP}' node='a'")
    phone.leave()
    say(juliet)
    assert [node for node, _ in app.published()] == ["b", "c"]
    phone = world.online("romeo@example.org/phone")
    assert switch(phone, "disable", f"jid='{APP}'").get("type") == "result"
    assert switch(phone, "disable", f"jid='{APP}'").get("type") == "result"
    phone.leave()
    world.advance(100)
    say(juliet)
    assert app.published() == []
    user = world.core.users.find(ROMEO)
    assert user is not None
    assert user.wants == {"archive"}


def test_whoever_is_there_is_not_called(world: World, juliet: Client, app: AppServer):
    enabled(world)
    world.online("romeo@example.org/desk")
    say(juliet)
    assert app.published() == []


@pytest.mark.parametrize(
    ("kind", "inside"),
    [
        ("chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"),
        ("chat", "<received xmlns='urn:xmpp:receipts' id='1'/>"),
        ("chat", "<body>hush</body><no-store xmlns='urn:xmpp:hints'/>"),
        ("headline", "<body>news</body>"),
        ("error", "<body>lunch?</body>"),
    ],
)
def test_nobody_is_called_for_what_is_not_worth_it(
    world: World, juliet: Client, app: AppServer, kind: str, inside: str
):
    enabled(world)
    say(juliet, inside, kind)
    assert app.published() == []


def test_a_message_that_is_refused_calls_nobody(juliet: Client):
    settings = with_options(offline=Offline(messages=0))
    world = World("romeo@example.org", "juliet@example.org", settings=settings)
    app = AppServer(world)
    enabled(world)
    say(world.online("juliet@example.org/balcony"))
    assert app.published() == []


def test_xep0357_9_nothing_is_told_of_the_message_unless_the_operator_wants_it(
    world: World, juliet: Client, app: AppServer
):
    enabled(world)
    say(juliet)
    assert app.published() == [("n1", {"message-count": ("1",)})]


# Errors of the service


def test_xep0357_7_1_an_error_ends_it_for_this_node_only(world: World, juliet: Client, app: AppServer):
    other = AppServer(world, "other.example.net")
    enabled(world, "n1")
    enabled(world, "n2", service="other.example.net")
    app.refusal = item_not_found()
    say(juliet)
    assert len(app.published()) == len(other.published()) == 1
    app.refusal = None
    world.advance(100)
    say(juliet)
    assert app.published() == []
    assert [node for node, _ in other.published()] == ["n2"]


def test_xep0357_7_1_an_error_that_may_be_over_soon_ends_it_only_when_it_comes_again_and_again(
    world: World, juliet: Client, app: AppServer
):
    enabled(world)
    app.refusal = resource_constraint()
    for _ in range(4):
        say(juliet)
        world.advance(100)
    app.refusal = None
    say(juliet)
    world.advance(100)
    app.published()
    app.is_silent = True
    for _ in range(5):
        say(juliet)
        world.advance(100)
    assert len(app.published()) == 5
    say(juliet)
    assert app.published() == []


def test_a_service_that_nobody_can_reach_is_not_asked_forever(world: World, juliet: Client):
    enabled(world, service="nowhere.example.net")
    for _ in range(5):
        say(juliet)
        world.advance(100)
    user = world.core.users.find(ROMEO)
    assert user is not None
    assert user.wants == {"archive"}


@pytest.mark.parametrize("service", ["example.org", "romeo@example.org", "romeo@example.org/phone"])
def test_a_service_that_is_our_own_makes_no_loop(world: World, juliet: Client, service: str):
    enabled(world, service=service)
    say(juliet)
    world.advance(100)
    assert juliet.received() == []
    user = world.core.users.find(ROMEO)
    assert user is not None
    assert user.wants == {"archive"}


def test_xep0357_8_a_service_may_say_that_it_takes_no_more(world: World, juliet: Client, app: AppServer):
    enabled(world, "n1", "n2")
    refuse(world, APP, "n1")
    say(juliet)
    assert [node for node, _ in app.published()] == ["n2"]


@pytest.mark.parametrize("sender", ["evil.example.net", f"somebody@{APP}"])
def test_xep0357_8_nobody_else_may_say_so(world: World, juliet: Client, app: AppServer, sender: str):
    enabled(world, "n1")
    refuse(world, sender, "n1")
    say(juliet)
    assert [node for node, _ in app.published()] == ["n1"]


def refuse(world: World, sender: str, node: str) -> None:
    affiliation = Element(NS_PUBSUB, "affiliation", {"jid": str(ROMEO), "affiliation": "none"})
    pubsub = Element(NS_PUBSUB, "pubsub", {"node": node}, affiliation)
    message = Message(to=ROMEO, sender=JID.parse(sender), children=[pubsub])
    waiting = world.core.router.route(message)
    assert waiting is not None
    world.start(waiting)  # type: ignore[arg-type]  # a coroutine
    world.turn()


# Whom the service calls


def test_xep0357_7_a_message_that_is_stored_calls(world: World, juliet: Client, app: AppServer):
    enabled(world, options=OPTIONS)
    say(juliet)
    (request,) = app.requests
    assert (request.sender, request.to) == ("example.org", APP)
    options = request.request().child(NS_PUBSUB, "publish-options")
    assert options is not None
    form = options.child(NS_DATA, "x")
    assert form is not None
    assert form_fields(form) == {"FORM_TYPE": (NS_PUBLISH_OPTIONS,), "secret": ("eruio",)}


def test_it_survives_a_restart(world: World, juliet: Client, app: AppServer):
    enabled(world)
    world.restart()
    app = AppServer(world)
    say(world.online("juliet@example.org/balcony"))
    assert [node for node, _ in app.published()] == ["n1"]


def test_xep0357_5_the_last_options_count(world: World, juliet: Client, app: AppServer):
    enabled(world, options=OPTIONS)
    enabled(world)
    say(juliet)
    (request,) = app.requests
    assert request.request().child(NS_PUBSUB, "publish-options") is None


@pytest.mark.parametrize(
    ("include", "told"),
    [
        (PushInclude.SENDER, {"last-message-sender": ("juliet@example.org/balcony",)}),
        (
            PushInclude.BODY,
            {"last-message-sender": ("juliet@example.org/balcony",), "last-message-body": ("lunch?",)},
        ),
    ],
)
def test_xep0357_7_the_operator_chooses_what_is_told(include: PushInclude, told: dict[str, tuple[str, ...]]):
    settings = with_options(push=Push(include=include))
    world = World("romeo@example.org", "juliet@example.org", settings=settings)
    app = AppServer(world)
    enabled(world)
    say(world.online("juliet@example.org/balcony"))
    assert app.published() == [("n1", {"message-count": ("1",)} | told)]


def test_what_comes_in_a_burst_is_told_of_once(world: World, juliet: Client, app: AppServer):
    enabled(world)
    for _ in range(5):
        say(juliet)
    assert [fields["message-count"] for _, fields in app.published()] == [("1",)]
    world.advance(1)
    assert [fields["message-count"] for _, fields in app.published()] == [("5",)]
    for _ in range(100):
        say(juliet)
        world.advance(1)
    assert len(app.published()) <= 7
    world.advance(150)
    app.published()
    say(juliet)
    assert len(app.published()) == 1
    world.advance(150)
    assert app.published() == []


def test_clients_that_nobody_looks_at_are_as_if_they_were_not_there(
    world: World, juliet: Client, app: AppServer
):
    enabled(world)
    desk = world.online("romeo@example.org/desk")
    desk.send("<inactive xmlns='urn:xmpp:csi:0'/>")
    say(juliet)
    assert desk.bodies() == ["lunch?"]
    assert len(app.published()) == 1


def test_a_client_that_is_away_and_may_come_back_calls(world: World, juliet: Client, app: AppServer):
    enabled(world)
    phone = world.online("romeo@example.org/phone")
    phone.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    say(juliet)
    assert app.published() == []
    phone.cut()  # it had not acknowledged the message
    assert len(app.published()) == 1
    say(juliet)
    world.advance(1)
    assert len(app.published()) == 1


def test_a_call_that_cannot_be_read_from_disk_leaves_the_message_where_it_is(
    world: World, juliet: Client, app: AppServer, monkeypatch: pytest.MonkeyPatch
):
    enabled(world)

    async def broken(account: JID) -> None:
        raise StorageError("gone")

    monkeypatch.setattr(world.stores.pushes, "load", broken)
    say(juliet)
    assert app.published() == []
    assert juliet.received() == []
    phone = world.login("romeo@example.org/phone")
    phone.send("<presence/>")
    assert phone.bodies() == ["lunch?"]


def test_xep0357_4_1_the_account_announces_it(world: World):
    phone = world.online("romeo@example.org/phone")
    query = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
    info = phone.ask(f"<iq to='romeo@example.org' type='get' id='d'>{query}</iq>").only_child()
    assert info is not None
    assert NS_PUSH in {feature.get("var") for feature in info.elements()}
