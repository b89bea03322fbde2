"""What the server itself asks its clients: each question is settled once, whatever happens."""

import pytest

from commonroom.core.questions import PER_SESSION, NoAnswer, Questions
from commonroom.core.roster import Roster
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.errors import StanzaError, StreamError
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType
from commonroom.storage.records import StoredRoster
from commonroom.xml.element import Element
from commonroom.xml.names import NS_DISCO_INFO
from tests.conversations.world import World

JULIET = JID.parse("juliet@example.org/balcony")
PING = Element("urn:xmpp:ping", "ping")


class Stream:
    """A client's stream that keeps what is written."""

    closed = False

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, xml: str) -> None:
        self.written.append(xml)

    def fail(self, error: StreamError) -> None: ...
    def give_up(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Asked:
    """Questions for sessions of one address, with the answers that came."""

    def __init__(self) -> None:
        self.world = World()
        self.questions = Questions(self.world.later)
        self.answers: list[tuple[str, Iq | NoAnswer]] = []

    def session(self) -> tuple[Session, Stream]:
        stream = Stream()
        user = User(JULIET.bare, Roster(StoredRoster(), "1"))
        session = Session(
            JULIET, user, stream, lambda stanza, session: None, self.world.start, lambda session: None
        )
        return session, stream

    def ask(self, session: Session, name: str, patience: float = 30) -> None:
        self.questions.ask(session, PING, lambda answer: self.answers.append((name, answer)), patience)

    def answer(self, id_: str, kind: IqType = IqType.RESULT, sender: JID = JULIET) -> None:
        self.questions.answered(Iq(kind, JID.parse("example.org"), sender, id_))

    def names(self) -> list[str]:
        names, self.answers = [name for name, _ in self.answers], []
        return names


@pytest.fixture
def asked() -> Asked:
    return Asked()


def test_one_session_owes_so_many_answers_and_no_more(asked: Asked):
    session, stream = asked.session()
    for number in range(PER_SESSION):
        asked.ask(session, str(number))
    with pytest.raises(StanzaError, match="resource-constraint"):
        asked.ask(session, "one more")
    assert len(stream.written) == PER_SESSION
    asked.answer("ask-3")
    asked.ask(session, "now")


@pytest.mark.parametrize("id_", ["ask-0", "ask-2", "", "ASK-1"])
def test_an_answer_to_nothing_is_ignored(asked: Asked, id_: str):
    asked.ask(asked.session()[0], "a")
    asked.answer(id_)
    assert asked.names() == []


def test_an_answer_from_somebody_else_is_ignored(asked: Asked):
    asked.ask(asked.session()[0], "a")
    for sender in ("romeo@example.org/x", "juliet@example.org/chamber", "juliet@example.org"):
        asked.answer("ask-1", sender=JID.parse(sender))
    assert asked.names() == []


@pytest.mark.parametrize("kind", [IqType.RESULT, IqType.ERROR])
def test_rfc6120_8_2_3_a_result_or_error_settles_a_question_once(asked: Asked, kind: IqType):
    asked.ask(asked.session()[0], "a")
    asked.answer("ask-1", kind)
    asked.answer("ask-1", kind)
    asked.world.advance(60)
    ((name, answer),) = asked.answers
    assert name == "a"
    assert isinstance(answer, Iq)
    assert answer.type is kind


def test_silence_settles_it_when_patience_ends(asked: Asked):
    session, _ = asked.session()
    asked.ask(session, "short", 10)
    asked.ask(session, "long", 20)
    asked.world.advance(10)
    assert asked.answers == [("short", NoAnswer.SILENT)]
    asked.answer("ask-1")
    asked.world.advance(60)
    assert asked.answers == [("short", NoAnswer.SILENT), ("long", NoAnswer.SILENT)]


def test_the_end_of_the_session_settles_it(asked: Asked):
    session, _ = asked.session()
    asked.ask(session, "a")
    asked.ask(session, "b")
    asked.questions.session_closed(session)
    asked.questions.session_closed(session)
    asked.world.advance(60)
    assert asked.answers == [("a", NoAnswer.CLOSED), ("b", NoAnswer.CLOSED)]


def test_rfc6120_7_7_2_2_a_new_session_of_the_address_has_questions_of_its_own(asked: Asked):
    old, new = asked.session()[0], asked.session()[0]
    asked.ask(old, "old")
    asked.ask(new, "new")
    asked.questions.session_closed(old)
    assert asked.answers == [("old", NoAnswer.CLOSED)]
    asked.answer("ask-1")  # late, from the old stream
    assert asked.names() == ["old"]
    asked.answer("ask-2")
    assert asked.names() == ["new"]


def test_a_question_may_lead_to_another(asked: Asked):
    session, stream = asked.session()
    asked.questions.ask(session, PING, lambda answer: asked.ask(session, "next"), 30)
    asked.answer("ask-1")
    asked.answer("ask-2")
    assert asked.names() == ["next"]
    assert len(stream.written) == 2


def test_rfc6120_8_1_2_1_a_question_comes_from_the_server(asked: Asked):
    session, stream = asked.session()
    asked.ask(session, "a")
    assert stream.written == [
        "<iq type='get' to='juliet@example.org/balcony' from='example.org' id='ask-1'>"
        "<ping xmlns='urn:xmpp:ping'/></iq>"
    ]


def test_xep0199_5_only_who_said_to_know_pings_is_pinged(asked: Asked):
    session, stream = asked.session()
    for _ in range(2):
        asked.questions.ask_whether_alive(session, lambda answer: None, 30)
    assert ["disco#info" in xml for xml in stream.written] == [True, True]
    features = [Element(NS_DISCO_INFO, "feature", {"var": var}) for var in ("urn:x", "urn:xmpp:ping")]
    info = Element(NS_DISCO_INFO, "query", None, *features)
    asked.questions.answered(Iq(IqType.RESULT, JID.parse("example.org"), JULIET, "ask-1", [info]))
    asked.questions.ask_whether_alive(session, lambda answer: None, 30)
    assert "urn:xmpp:ping" in stream.written[-1]
    other, written = asked.session()
    asked.questions.ask_whether_alive(other, lambda answer: None, 30)
    assert "disco#info" in written.written[-1]
