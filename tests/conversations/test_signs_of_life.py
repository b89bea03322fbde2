"""Without XEP-0198 a message arrived when the stream that it was written to lived on."""

import pytest

from commonroom.core.questions import PER_SESSION
from commonroom.core.signs import EVERY, PATIENCE
from commonroom.features.offline import PAGE
from tests.conversations.managed import chat, waiting
from tests.conversations.world import Client, World

JULIET = "juliet@example.org"


@pytest.fixture
def world() -> World:
    return World("romeo@example.org", JULIET)


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


@pytest.fixture
def juliet(world: World, romeo: Client) -> Client:
    return world.online(f"{JULIET}/balcony")


def questions(client: Client) -> list[str]:
    return [e.get("id") or "" for e in client.received() if e.name == "iq" and e.get("type") == "get"]


def test_a_connection_that_dies_after_the_message_may_not_have_brought_it(
    world: World, romeo: Client, juliet: Client
):
    romeo.send(chat(1))
    juliet.cut()
    assert waiting(world, f"{JULIET}/new") == ["1"]


def test_one_read_can_have_been_on_its_way_already(world: World, romeo: Client, juliet: Client):
    romeo.send(chat(1))
    juliet.send(" ")
    juliet.cut()
    assert waiting(world, f"{JULIET}/new") == ["1"]


def test_the_second_read_says_that_it_arrived(world: World, romeo: Client, juliet: Client):
    romeo.send(chat(1))
    juliet.send(" ")
    juliet.send(" ")
    juliet.cut()
    assert waiting(world, f"{JULIET}/new") == []


def test_but_not_what_came_between_the_two(world: World, romeo: Client, juliet: Client):
    romeo.send(chat(1))
    juliet.send(" ")
    romeo.send(chat(2))
    juliet.send(" ")
    juliet.cut()
    assert waiting(world, f"{JULIET}/new") == ["2"]


def test_who_says_nothing_is_asked_and_once_only(world: World, romeo: Client, juliet: Client):
    romeo.send(chat(1))
    juliet.received()
    world.advance(EVERY)
    (asked,) = questions(juliet)
    romeo.send(chat(2))
    world.advance(4 * EVERY)
    assert questions(juliet) == []
    juliet.send(f"<iq type='result' to='example.org' id='{asked}'/>")
    juliet.cut()
    assert waiting(world, f"{JULIET}/new") == ["1", "2"]  # too late an answer is none


def test_the_answer_says_that_what_was_before_the_question_arrived(
    world: World, romeo: Client, juliet: Client
):
    romeo.send(chat(1))
    world.advance(EVERY)
    romeo.send(chat(2))
    (asked,) = questions(juliet)
    juliet.send(f"<iq type='result' to='example.org' id='{asked}'/>")
    juliet.cut()
    assert waiting(world, f"{JULIET}/new") == ["2"]


def test_nobody_is_asked_who_was_sent_no_message(world: World, romeo: Client, juliet: Client):
    world.advance(10 * EVERY)
    assert questions(juliet) == []
    assert len([timer for timer in world.timers if not timer.cancelled]) == 1  # of the connections


def test_who_leaves_in_order_has_read_everything(world: World, romeo: Client, juliet: Client):
    romeo.send(chat(1))
    juliet.leave()
    assert waiting(world, f"{JULIET}/new") == []


def test_a_client_that_owes_too_many_answers_gets_the_next_page_after_a_while(world: World, romeo: Client):
    for number in range(PAGE + 1):
        romeo.send(chat(number))
    juliet = world.login(f"{JULIET}/balcony")
    session = juliet.handler._session
    assert session is not None
    for _ in range(PER_SESSION):
        world.core.questions.ask_whether_alive(session, lambda answer: None, 10 * PATIENCE)
    juliet.send("<presence/>")
    assert len(juliet.bodies()) == PAGE
    world.advance(PATIENCE)
    assert juliet.bodies() == [str(PAGE)]
