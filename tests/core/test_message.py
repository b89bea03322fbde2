"""The stages of a message: who runs, who does not, and what they wait for."""

import pytest

from commonroom.core.message import MessageStage, Outcome, StageTable, run
from commonroom.core.roster import Roster
from commonroom.core.user import User
from commonroom.protocol.errors import StanzaError, forbidden
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message
from commonroom.storage.records import StoredRoster
from tests.conversations.world import Gate, Task

USER = User(JID.parse("juliet@example.org"), Roster(StoredRoster(), "1"))


class Line:
    """Makes stages that write down that they ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def stage(self, name: str, outcome: Outcome = None) -> MessageStage:
        def run_it(message: Message, user: User) -> Outcome:
            self.ran.append(name)
            return outcome

        return run_it

    def waiting(self, name: str, gate: Gate, outcome: Outcome = None) -> MessageStage:
        async def wait(message: Message, user: User) -> Outcome:
            await gate
            self.ran.append(name)
            return outcome

        return wait


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_refusal_ends_the_line(line: Line):
    def refuse(message: Message, user: User) -> Outcome:
        raise forbidden()

    with pytest.raises(StanzaError):
        run((line.stage("a"), refuse, line.stage("b")), Message(), USER)
    assert line.ran == ["a"]


def test_one_that_takes_the_message_is_the_last(line: Line):
    assert run((line.stage("a"), line.stage("b", True), line.stage("c")), Message(), USER) is True
    assert line.ran == ["a", "b"]


def test_otherwise_all_run_and_nothing_is_awaited(line: Line):
    assert run((line.stage("a"), line.stage("b")), Message(), USER) is None
    assert line.ran == ["a", "b"]


@pytest.mark.parametrize("outcome", [None, True])
def test_the_rest_waits_for_one_that_waits(line: Line, outcome: Outcome):
    first, second = Gate(), Gate()
    stages = (line.stage("a"), line.waiting("b", first), line.waiting("c", second, outcome), line.stage("d"))

    async def finish() -> Outcome:
        waiting = run(stages, Message(), USER)
        assert waiting is not None
        assert waiting is not True
        return await waiting

    task = Task(finish())
    task.go_on()
    assert line.ran == ["a"]
    first.is_open = True
    task.go_on()
    assert line.ran == ["a", "b"]
    second.is_open = True
    task.go_on()
    assert line.ran == ["a", "b", "c", "d"][: 3 if outcome else 4]
    assert task.done


def test_a_table_gives_the_same_stages_at_every_look(line: Line):
    always, wanted = line.stage("always"), line.stage("wanted")
    table = StageTable([(None, always), ("x", wanted), (None, always)])
    assert table[frozenset()] == (always, always)
    assert table[frozenset("x")] == (always, wanted, always)
    assert table[frozenset("x")] is table[frozenset("x")]
