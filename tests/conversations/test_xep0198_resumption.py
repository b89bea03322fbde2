"""XEP-0198 §5, §7: a client that lost its connection gets its session back."""

import pytest

from commonroom.config.c2s import C2s
from commonroom.config.stream_management import StreamManagement
from commonroom.storage.errors import StorageError
from commonroom.xml.element import Element
from tests.conversations.managed import NS, Managed, back, chat, connected, managed, resume, waiting
from tests.conversations.world import Client, World, condition, with_options

ROMEO = "romeo@example.org"
JULIET = "juliet@example.org"
PING = "<iq type='get' id='p{}'><ping xmlns='urn:xmpp:ping'/></iq>"
INACTIVE = "<inactive xmlns='urn:xmpp:csi:0'/>"


@pytest.fixture
def world() -> World:
    return World(ROMEO, JULIET)


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online(f"{ROMEO}/orchard")


@pytest.fixture
def juliet(world: World) -> Managed:
    return managed(world, f"{JULIET}/balcony")


def refused(answers: list[Element]) -> tuple[str | None, str | None]:
    (answer,) = answers
    assert answer.name == "failed"
    return condition(answer), answer.get("h")


# What is refused


def test_xep0198_5_a_stream_that_never_was(world: World):
    client, answers = resume(world, JULIET, "nonsense", 0)
    assert refused(answers) == ("item-not-found", None)
    client.bind("balcony")  # without a new login


@pytest.mark.parametrize("wish", ["previd='x'", "h='1'", "previd='x' h='-1'", "previd='' h='1'", ""])
def test_xep0198_6_a_wish_that_makes_no_sense(world: World, wish: str):
    client = connected(world, JULIET)
    client.send(f"<resume xmlns='{NS}' {wish}/>")
    assert refused(client.received()) == ("bad-request", None)
    client.bind("balcony")


@pytest.mark.parametrize("is_gone", [False, True])
def test_xep0198_5_the_stream_of_somebody_else(world: World, romeo: Client, juliet: Managed, is_gone: bool):
    """To others it does not exist, and how far it got is nobody's business."""
    juliet.cut()
    if is_gone:
        world.advance(24 * 3600)
    _, answers = resume(world, ROMEO, juliet.name, juliet.got)
    assert refused(answers) == ("item-not-found", None)
    if not is_gone:
        back(world, juliet, JULIET)


def test_xep0198_5_one_whose_time_is_over(world: World, romeo: Client, juliet: Managed):
    """How much was handled is still known: the client need not send it again."""
    juliet.send(PING.format(1) + PING.format(2))
    juliet.cut()
    world.advance(24 * 3600)
    client, answers = resume(world, JULIET, juliet.name, juliet.got)
    assert refused(answers) == ("item-not-found", "3")
    client.bind("balcony")


def test_xep0198_5_how_much_was_handled_is_told_when_it_is_on_disk(world: World, romeo: Client):
    juliet = managed(world, f"{JULIET}/balcony", "resume='true' max='10'")
    juliet.cut()
    world.advance(20)
    world.memory.writes.hold()
    romeo.send(chat(1))
    client, answers = resume(world, JULIET, juliet.name, 0)
    assert answers == []
    world.memory.writes.release()
    world.turn()
    assert refused(client.received()) == ("item-not-found", "1")


def test_xep0198_5_after_a_kill_nothing_is_known(world: World, juliet: Managed):
    world.restart()
    client, answers = resume(world, JULIET, juliet.name, juliet.got)
    assert refused(answers) == ("item-not-found", None)
    client.bind("balcony")


def test_xep0198_6_who_claims_to_have_got_more_than_was_sent(world: World, juliet: Managed):
    juliet.cut()
    client, answers = resume(world, JULIET, juliet.name, juliet.got + 1)
    assert condition(answers[0]) == "undefined-condition"
    assert client.closed
    back(world, juliet, JULIET)  # it was no reason to end the session


def test_xep0198_5_who_wants_again_what_it_acknowledged(world: World, romeo: Client, juliet: Managed):
    """It is not here any more: better no session than one with a gap."""
    romeo.send(chat(1))
    juliet.acknowledge()
    juliet.cut()
    client, answers = resume(world, JULIET, juliet.name, juliet.got - 1)
    assert refused(answers) == ("item-not-found", None)
    client.bind("other")


def test_xep0198_7_a_stream_that_was_closed_in_order(world: World, romeo: Client, juliet: Managed):
    juliet.client.leave()
    _, answers = resume(world, JULIET, juliet.name, juliet.got)
    assert refused(answers) == ("item-not-found", "1")


def test_xep0198_5_one_for_which_resumption_was_not_agreed(world: World, romeo: Client):
    juliet = managed(world, f"{JULIET}/balcony", "")
    romeo.send(chat(1))
    juliet.cut()
    assert waiting(world, f"{JULIET}/other") == ["1"]


def test_an_account_that_was_changed_gets_no_former_session(world: World, juliet: Managed):
    juliet.cut()
    world.add(JULIET)  # another password, say
    client = connected(world, JULIET)
    client.bind("new")
    client.leave()
    _, answers = resume(world, JULIET, juliet.name, juliet.got)
    assert refused(answers)[0] == "item-not-found"


# What is resumed


def test_xep0198_5_what_was_not_acknowledged_is_sent_again_in_order(
    world: World, romeo: Client, juliet: Managed
):
    for number in range(5):
        romeo.send(chat(number))
    assert juliet.bodies() == ["0", "1", "2", "3", "4"]
    juliet.got -= 3  # as if the last ones had been lost
    juliet.cut()
    romeo.send(chat(5))
    again = back(world, juliet, JULIET)
    assert again.bodies() == ["2", "3", "4", "5"]
    again.acknowledge()
    again.client.received()
    romeo.send(chat(6))
    assert again.bodies() == ["6"]
    again.acknowledge()
    again.client.leave()
    assert waiting(world, f"{JULIET}/other") == []


def test_xep0198_5_stanzas_of_every_kind_are_sent_again(world: World, juliet: Managed):
    world.befriend(ROMEO, JULIET)
    juliet.acknowledge()
    juliet.send(PING.format(1))
    friend = world.online(f"{ROMEO}/orchard")
    friend.send(chat(1))
    juliet.client.received()  # lost
    juliet.cut()
    again = back(world, juliet, JULIET)
    kinds = [element.name for element in again.client.received() if element.name != "r"]
    assert kinds == ["iq", "presence", "message"]


def test_xep0198_5_the_answer_says_what_was_handled_and_comes_first(world: World, juliet: Managed):
    juliet.send(PING.format(1))
    juliet.cut()
    _, answers = resume(world, JULIET, juliet.name, juliet.got)
    assert (answers[0].name, answers[0].get("previd"), answers[0].get("h")) == ("resumed", juliet.name, "2")
    assert [e.name for e in answers[1:]] == ["iq", "r"]


def test_xep0198_5_counts_go_on(world: World, romeo: Client, juliet: Managed):
    juliet.cut()
    again = back(world, juliet, JULIET)
    again.send(PING.format(1))
    assert again.handled() == "2"
    again.cut()
    third = back(world, again, JULIET)
    third.send(PING.format(2))
    assert third.handled() == "3"


def test_xep0198_5_others_see_nothing_of_it(world: World):
    world.befriend(ROMEO, JULIET)
    juliet = managed(world, f"{JULIET}/balcony")
    friend = world.online(f"{ROMEO}/orchard")
    juliet.acknowledge()
    juliet.cut()
    back(world, juliet, JULIET)
    assert friend.received() == []


def test_xep0198_5_presence_roster_and_carbons_are_as_before(world: World, juliet: Managed):
    juliet.send("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    juliet.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
    juliet.acknowledge()
    juliet.cut()
    other = world.online(f"{JULIET}/chamber")
    again = back(world, juliet, JULIET)
    other.send(
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='x@example.org'/></query></iq>"
    )
    other.send(chat(1, ROMEO))
    told = [str(e) for e in again.read()]
    assert any("x@example.org" in text for text in told)
    assert any("urn:xmpp:carbons:2" in text for text in told)


def test_xep0198_5_the_former_stream_is_closed_with_conflict(world: World, romeo: Client, juliet: Managed):
    again = back(world, juliet, JULIET)
    assert condition(juliet.client.received()[-1]) == "conflict"
    assert juliet.client.closed
    juliet.client.handler.lost("closed")
    romeo.send(chat(1))
    assert again.bodies() == ["1"]


def test_xep0198_5_what_the_client_sent_is_handled_first(world: World, romeo: Client, juliet: Managed):
    world.memory.writes.hold()
    juliet.send(chat(1, ROMEO) + chat(2, ROMEO))
    juliet.cut()
    client, answers = resume(world, JULIET, juliet.name, juliet.got)
    assert answers == []
    world.memory.writes.release()
    world.turn()
    (answer,) = client.received()
    assert (answer.name, answer.get("h")) == ("resumed", "3")
    assert romeo.bodies() == ["1", "2"]


def test_xep0198_5_a_broken_disk_is_told_to_the_client_that_came_back(
    world: World, romeo: Client, juliet: Managed
):
    world.memory.writes.hold()
    juliet.send(chat(1, ROMEO))
    juliet.cut()
    client, _ = resume(world, JULIET, juliet.name, juliet.got)
    world.memory.writes.release(StorageError("disk full"))
    world.turn()
    answer, error, _ = client.received()
    assert (answer.name, answer.get("h")) == ("resumed", "2")
    assert condition(error) == "resource-constraint"


def test_xep0198_5_a_request_is_answered_although_the_connection_was_lost(world: World, juliet: Managed):
    world.memory.writes.hold()
    juliet.send(
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='x@example.org'/></query></iq>"
    )
    juliet.send("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>")
    juliet.client.handler._stream.lost()  # known before the connection's own end
    world.memory.writes.release()
    world.turn()
    juliet.cut()
    again = back(world, juliet, JULIET)
    assert {"s", "g"} <= {e.get("id") for e in again.read()}


# Two connections


def test_xep0198_5_of_two_that_resume_one_stream_the_last_one_has_it(
    world: World, romeo: Client, juliet: Managed
):
    juliet.cut()
    first = back(world, juliet, JULIET)
    second = back(world, juliet, JULIET)
    assert condition(first.client.received()[-1]) == "conflict"
    romeo.send(chat(1))
    assert second.bodies() == ["1"]


def test_xep0198_5_also_while_the_disk_is_slow(world: World, romeo: Client, juliet: Managed):
    world.memory.writes.hold()
    juliet.send(chat(1, ROMEO))
    juliet.cut()
    first, _ = resume(world, JULIET, juliet.name, juliet.got)
    second, _ = resume(world, JULIET, juliet.name, juliet.got)
    world.memory.writes.release()
    world.turn()
    assert refused(first.received()) == ("item-not-found", None)
    assert second.received()[0].name == "resumed"
    first.bind("other")
    romeo.send(chat(2))
    assert "2" in str(second.bytes)


def test_xep0198_5_one_that_gives_up_while_it_waits(world: World, romeo: Client, juliet: Managed):
    world.memory.writes.hold()
    juliet.send(chat(1, ROMEO))
    juliet.cut()
    first, _ = resume(world, JULIET, juliet.name, juliet.got)
    first.cut()
    world.memory.writes.release()
    world.turn()
    romeo.send(chat(2))
    again = back(world, juliet, JULIET)
    assert again.bodies() == ["2"]


# While it is away


def test_xep0198_7_a_connection_that_is_lost_ends_no_session(world: World, romeo: Client, juliet: Managed):
    juliet.cut()
    world.advance(100)
    romeo.send(chat(1))
    assert back(world, juliet, JULIET).bodies() == ["1"]


def test_xep0198_7_nor_does_one_that_is_dead_in_silence(world: World, romeo: Client, juliet: Managed):
    """The ping has no answer: the connection is cut, and the session waits."""
    romeo.send(chat(1))
    juliet.client.received()
    world.advance(400)
    assert not juliet.client.closed  # no stream error, which would end the session
    again = back(world, juliet, JULIET)
    assert again.bodies() == ["1"]


def test_xep0198_3_max_counts_from_the_loss(world: World, romeo: Client):
    juliet = managed(world, f"{JULIET}/balcony", "resume='true' max='60'")
    world.advance(100)
    juliet.cut()
    world.advance(59)
    juliet = back(world, juliet, JULIET)
    world.advance(100)
    juliet.cut()
    world.advance(61)
    assert refused(resume(world, JULIET, juliet.name, juliet.got)[1])[0] == "item-not-found"


def test_xep0352_what_was_held_back_is_there_after_a_resumption(world: World):
    world.befriend(ROMEO, JULIET)
    juliet = managed(world, f"{JULIET}/balcony")
    juliet.send(INACTIVE)
    friend = world.online(f"{ROMEO}/orchard")
    assert juliet.read() == []
    juliet.cut()
    friend.send("<presence><show>away</show></presence>")
    again = back(world, juliet, JULIET)
    assert [e.child_text("jabber:client", "show") for e in again.read()] == ["away"]
    friend.send("<presence/>")
    assert len(again.read()) == 1  # a resumed stream begins active (XEP-0352 §5.1)


def test_xep0352_of_whoever_comes_and_goes_meanwhile_the_last_counts(world: World):
    """It would fill the outbox, and end the session."""
    world.befriend(ROMEO, JULIET)
    juliet = managed(world, f"{JULIET}/balcony")
    friend = world.online(f"{ROMEO}/orchard")
    juliet.acknowledge()
    juliet.cut()
    for number in range(20):
        friend.send(f"<presence><status>{number}</status></presence>")
    friend.send(chat(1))
    friend.send("<presence type='unavailable'/>")
    again = back(world, juliet, JULIET)
    assert [(e.name, e.get("type")) for e in again.read()] == [
        ("presence", None),
        ("message", "chat"),
        ("presence", "unavailable"),
    ]


@pytest.mark.parametrize("policy", ["replace", "refuse", "rename"])
def test_rfc6120_7_7_2_2_its_resource_can_be_bound_anew_under_every_policy(policy: str):
    """The client forgot its session, or was killed: its own past must not keep it out."""
    kind = type(C2s().resource_conflict)
    world = World(ROMEO, JULIET, settings=with_options(c2s=C2s(resource_conflict=kind(policy))))
    juliet = managed(world, f"{JULIET}/balcony")
    juliet.cut()
    world.online(f"{ROMEO}/orchard").send(chat(1))
    client = world.login(f"{JULIET}/balcony")
    assert client.jid == f"{JULIET}/balcony"
    client.send("<presence/>")
    assert client.bodies() == ["1"]
    assert refused(resume(world, JULIET, juliet.name, juliet.got)[1])[0] == "item-not-found"


def test_sessions_that_wait_make_room_for_new_ones_the_oldest_first():
    world = World(ROMEO, JULIET, settings=with_options(c2s=C2s(sessions_per_account=2)))
    first, second = managed(world, f"{JULIET}/first"), managed(world, f"{JULIET}/second")
    second.cut()
    world.advance(1)
    first.cut()
    world.login(f"{JULIET}/third")
    assert refused(resume(world, JULIET, second.name, second.got)[1])[0] == "item-not-found"
    back(world, first, JULIET)
    client = connected(world, JULIET)
    client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    assert condition(client.one()) == "resource-constraint"  # now both are there


def test_xep0198_5_a_stop_ends_it_and_loses_nothing(world: World, romeo: Client, juliet: Managed):
    juliet.cut()
    romeo.send(chat(1))
    world.restart()
    assert waiting(world, f"{JULIET}/balcony") == ["1"]


def test_who_never_comes_back_is_seen_to_leave(world: World):
    world.befriend(ROMEO, JULIET)
    juliet = managed(world, f"{JULIET}/balcony", "resume='true' max='60'")
    friend = world.online(f"{ROMEO}/orchard")
    juliet.cut()
    world.advance(59)
    assert friend.received() == []
    world.advance(2)
    assert friend.told() == [f"unavailable {JULIET}/balcony"]


def test_how_many_names_are_remembered_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("commonroom.core.resumption.REMEMBERED", 2)
    former = [managed(world, f"{JULIET}/{number}") for number in range(3)]
    for it in former:
        it.client.leave()
    known = [refused(resume(world, JULIET, it.name, it.got)[1])[1] for it in former]
    assert known == [None, "1", "1"]


def test_the_time_to_resume_is_an_option():
    options = with_options(stream_management=StreamManagement(resume_within=7200))
    world = World(ROMEO, JULIET, settings=options)
    juliet = managed(world, f"{JULIET}/balcony")
    juliet.cut()
    world.advance(7199)
    back(world, juliet, JULIET)
