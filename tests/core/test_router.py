"""RFC 6120 §8.3: whatever goes wrong with a stanza, its sender hears of it once, and the stream lives on."""

import pytest

from commonroom.core.feature import ANSWERED, Answered, Feature, Scope, on_iq, on_message
from commonroom.core.message import Outcome, Received, Sent
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.errors import conflict
from commonroom.protocol.stanza import Iq, Message
from commonroom.storage.errors import StorageBusy, StorageError
from commonroom.xml.element import Element
from tests.conversations.world import Client, World, condition

PING = "<iq type='get' id='ping'><ping xmlns='urn:xmpp:ping'/></iq>"


class Breaks(Feature):
    """Raises what the test wants, at once or later: `<now/>` and `<later/>`, or a message that says so."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    @on_iq("get", "urn:breaks", "now", to=(Scope.SERVER, Scope.OWN_ACCOUNT, Scope.ACCOUNT))
    def now(self, iq: Iq, at: object) -> None:
        raise self._error

    @on_iq("get", "urn:breaks", "later", to=(Scope.SERVER, Scope.OWN_ACCOUNT, Scope.ACCOUNT))
    async def later(self, iq: Iq, at: object) -> None:
        raise self._error

    @on_message(Sent.COPY)
    def sent(self, message: Message, user: User) -> None:
        if message.body() == "sent":
            raise self._error

    @on_message(Received.NOTIFY)
    def received(self, message: Message, user: User) -> None:
        if message.body() == "received":
            raise self._error

    @on_message(Received.NOTIFY)
    async def received_later(self, message: Message, user: User) -> Outcome:
        if message.body() == "received later":
            raise self._error
        return None


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", "juliet@example.org")


def broken(world: World, error: Exception) -> tuple[Client, Client]:
    world.declare(Breaks(error))
    juliet, romeo = world.online("juliet@example.org/balcony"), world.online("romeo@example.org/orchard")
    return juliet, romeo


ERRORS = [
    (RuntimeError("a bug"), "internal-server-error"),
    (AssertionError(), "internal-server-error"),
    (KeyError("x"), "internal-server-error"),
    (StorageError("the disk is full"), "resource-constraint"),
    (StorageBusy("too much"), "resource-constraint"),
    (conflict("no"), "conflict"),
]


@pytest.mark.parametrize(("error", "expected"), ERRORS)
@pytest.mark.parametrize(
    "to", ["", " to='romeo@example.org'", " to='juliet@example.org'", " to='example.org'"]
)
@pytest.mark.parametrize("name", ["now", "later"])
def test_rfc6120_8_3_1_a_request_whose_handler_breaks_is_answered(
    world: World, error: Exception, expected: str, to: str, name: str
):
    _, romeo = broken(world, error)
    answer = romeo.ask(f"<iq type='get' id='1'{to}><{name} xmlns='urn:breaks'/></iq>")
    assert (answer.get("type"), answer.get("id"), condition(answer)) == ("error", "1", expected)
    assert "bug" not in str(answer)  # nobody needs to know how we failed
    assert "disk is full" not in str(answer)
    assert romeo.ask(PING).get("type") == "result"


@pytest.mark.parametrize(("error", "expected"), ERRORS)
@pytest.mark.parametrize("body", ["sent", "received", "received later"])
def test_rfc6120_8_3_1_a_message_whose_stage_breaks_comes_back(
    world: World, error: Exception, expected: str, body: str
):
    _, romeo = broken(world, error)
    answer = romeo.ask(f"<message to='juliet@example.org' id='1'><body>{body}</body></message>")
    assert answer.attributes == {
        "type": "error",
        "id": "1",
        "from": "juliet@example.org",
        "to": "romeo@example.org/orchard",
    }
    assert condition(answer) == expected
    assert romeo.ask(PING).get("type") == "result"


@pytest.mark.parametrize("body", ["sent", "received", "received later"])
def test_rfc6120_8_3_1_an_error_is_never_answered_with_an_error(world: World, body: str):
    """Not even if its handling breaks; a bug is logged all the same."""
    _, romeo = broken(world, RuntimeError("a bug"))
    romeo.send(f"<message to='juliet@example.org/balcony' type='error' id='1'><body>{body}</body></message>")
    assert romeo.received() == []
    assert romeo.ask(PING).get("type") == "result"


def test_a_bug_is_logged_once_with_the_stanzas_kind_and_id(world: World, caplog):
    _, romeo = broken(world, RuntimeError("a bug"))
    romeo.ask("<iq type='get' id='secret-1'><now xmlns='urn:breaks'>body</now></iq>")
    (record,) = (r for r in caplog.records if r.levelname == "ERROR")
    assert (record.__dict__["stanza"], record.__dict__["id"]) == ("iq", "secret-1")
    assert "a bug" in caplog.text
    assert "body" not in record.getMessage()


def test_a_refusal_is_not_logged_as_a_bug(world: World, caplog):
    _, romeo = broken(world, conflict("no"))
    romeo.ask("<iq type='get' id='1'><now xmlns='urn:breaks'/></iq>")
    assert [r for r in caplog.records if r.levelname in ("ERROR", "WARNING")] == []


def test_rfc6120_8_3_2_an_error_has_what_it_must_have(world: World):
    application = Element("urn:breaks", "because", {"a": "1"})
    _, romeo = broken(world, conflict("it <is>", application))
    answer = romeo.ask("<iq type='get' id='1' to='example.org'><now xmlns='urn:breaks'/></iq>")
    error = answer.child("jabber:client", "error")
    assert error is not None
    assert error.attributes == {"type": "cancel"}
    first, text, last = error.elements()
    assert (first.namespace, first.name) == ("urn:ietf:params:xml:ns:xmpp-stanzas", "conflict")
    assert (text.namespace, text.name, text.text()) == (first.namespace, "text", "it <is>")
    assert text.get("xml:lang")
    assert last == application


# What handlers may answer


class Answers(Feature):
    """Returns what handlers may return."""

    @on_iq("get", "urn:answers", "nothing", to=Scope.SERVER)
    def nothing(self, iq: Iq, at: object) -> None: ...

    @on_iq("get", "urn:answers", "element", to=Scope.SERVER)
    def element(self, iq: Iq, at: object) -> Element:
        return Element("urn:answers", "yes")

    @on_iq("get", "urn:answers", "itself", to=Scope.OWN_ACCOUNT)
    def itself(self, iq: Iq, session: Session) -> Answered:
        session.send(iq.result(Element("urn:answers", "itself")))
        return ANSWERED

    @on_iq("get", "urn:answers", "later", to=Scope.OWN_ACCOUNT)
    async def later(self, iq: Iq, session: Session) -> Answered:
        session.send(iq.result(Element("urn:answers", "later")))
        return ANSWERED


@pytest.mark.parametrize(
    ("name", "to", "expected"),
    [
        ("nothing", " to='example.org'", []),
        ("element", " to='example.org'", ["yes"]),
        ("itself", "", ["itself"]),
        ("later", "", ["later"]),
    ],
)
def test_rfc6120_8_2_3_each_request_gets_one_answer(world: World, name: str, to: str, expected: list[str]):
    world.declare(Answers())
    romeo = world.login("romeo@example.org/orchard")
    answer = romeo.ask(f"<iq type='get' id='1'{to}><{name} xmlns='urn:answers'/></iq>")
    assert (answer.get("type"), [e.name for e in answer.elements()]) == ("result", expected)


@pytest.mark.parametrize("to", [" to='romeo@example.org/x'", " to='juliet@example.org'", " to='example.org'"])
def test_the_owner_of_an_account_alone_gets_to_what_is_for_them(world: World, to: str):
    world.declare(Answers())
    romeo, _ = world.login("romeo@example.org/orchard"), world.online("juliet@example.org/balcony")
    answer = romeo.ask(f"<iq type='get' id='1'{to}><itself xmlns='urn:answers'/></iq>")
    assert answer.get("type") == "error"


class Takes(Feature):
    """Takes messages that say so, and so ends their life."""

    @on_message(Sent.BLOCK)
    def before(self, message: Message, user: User) -> Outcome:
        return True if message.body() == "sent" else None

    @on_message(Received.BLOCK)
    async def there(self, message: Message, user: User) -> Outcome:
        return True if message.body() == "received" else None


@pytest.mark.parametrize("body", ["sent", "received"])
def test_a_message_that_a_stage_takes_is_gone_in_silence(world: World, body: str):
    romeo = world.online("romeo@example.org/orchard")
    world.declare(Takes())
    romeo.send(f"<message to='juliet@example.org' id='1' type='headline'><body>{body}</body></message>")
    assert romeo.received() == []
