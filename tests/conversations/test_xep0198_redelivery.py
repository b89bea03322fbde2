"""XEP-0198 §4: what a client has not acknowledged when its session ends goes to others, or waits, once."""

import pytest

from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from tests.conversations.managed import NS, Managed, back, chat, enable, managed, waiting
from tests.conversations.world import Client, World, condition

ROMEO = "romeo@example.org"
JULIET = "juliet@example.org"
CARBONS = "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
PREFS = "<iq type='set' id='p'><prefs xmlns='urn:xmpp:mam:2' default='never'/></iq>"
QUERY = "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>"
FIRST = (
    "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'>"
    "<set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set></query></iq>"
)
DAY = 24 * 3600


@pytest.fixture
def world() -> World:
    return World(ROMEO, JULIET)


@pytest.fixture
def romeo(world: World) -> Managed:
    return managed(world, f"{ROMEO}/orchard")


@pytest.fixture
def juliet(world: World, romeo: Managed) -> Managed:
    return managed(world, f"{JULIET}/balcony", "resume='true' max='60'")


def gone(world: World, it: Managed) -> None:
    """It lost its connection, and did not come back in time."""
    it.cut()
    world.advance(61)


def carbons(world: World, place: str, priority: int = -1) -> Managed:
    it = managed(world, f"{JULIET}/{place}", presence=f"<presence><priority>{priority}</priority></presence>")
    it.send(CARBONS)
    it.acknowledge()
    it.client.received()
    return it


def on_disk(world: World) -> int:
    return len(world.memory.kept[JID.parse(JULIET)].offline)


# To nobody: it waits


def test_xep0198_4_what_was_not_acknowledged_waits_and_comes_once_and_in_order(
    world: World, romeo: Managed, juliet: Managed
):
    for number in range(3):
        romeo.send(chat(number))
    assert juliet.bodies() == ["0", "1", "2"]
    juliet.got -= 2
    juliet.send(f"<a xmlns='{NS}' h='{juliet.got}'/>")
    gone(world, juliet)
    new = managed(world, f"{JULIET}/new", presence="")
    new.send("<presence/>")
    assert new.bodies() == ["1", "2"]
    new.acknowledge()
    new.cut()
    world.restart()
    assert waiting(world, f"{JULIET}/new") == []


def test_xep0203_the_delay_tells_when_it_was_sent_first(world: World, romeo: Managed, juliet: Managed):
    romeo.send(chat(1))
    gone(world, juliet)
    client = world.login(f"{JULIET}/new")
    client.send("<presence/>")
    (message,) = [e for e in client.received() if e.name == "message"]
    delays = [e for e in message.elements() if e.name == "delay"]
    assert [e.get("stamp") for e in delays] == ["2026-03-01T12:00:00Z"]


def test_who_leaves_in_order_without_a_word_about_what_came_may_not_have_got_it(
    world: World, romeo: Managed, juliet: Managed
):
    romeo.send(chat(1))
    juliet.client.leave()
    assert waiting(world, f"{JULIET}/new") == ["1"]


def test_who_acknowledges_and_leaves_has_it(world: World, romeo: Managed, juliet: Managed):
    romeo.send(chat(1))
    juliet.acknowledge()
    juliet.client.leave()
    assert waiting(world, f"{JULIET}/new") == []
    assert on_disk(world) == 0


@pytest.mark.parametrize("sender", ["with", "without"])
@pytest.mark.parametrize("recipient", ["archives", "archives nothing"])
def test_what_nobody_acknowledged_is_kept_whoever_wrote_it(
    world: World, juliet: Managed, sender: str, recipient: str
):
    if recipient == "archives nothing":
        juliet.send(PREFS)
        juliet.acknowledge()
    writer = world.online(f"{ROMEO}/plain")
    if sender == "with":
        enable(writer)
    writer.send(chat(1))
    gone(world, juliet)
    assert waiting(world, f"{JULIET}/new") == ["1"]


def test_xep0334_what_asks_not_to_be_kept_is_not(world: World, romeo: Managed, juliet: Managed):
    romeo.send(chat(1, extra="<no-store xmlns='urn:xmpp:hints'/>"))
    gone(world, juliet)
    assert waiting(world, f"{JULIET}/new") == []


# To others who are there


def test_xep0198_4_another_client_that_is_there_gets_it(world: World, romeo: Managed, juliet: Managed):
    romeo.send(chat(1, f"{JULIET}/balcony") + chat(2, f"{JULIET}/balcony"))
    chamber = managed(world, f"{JULIET}/chamber")
    gone(world, juliet)
    assert chamber.bodies() == ["1", "2"]
    chamber.acknowledge()
    gone(world, chamber)
    assert waiting(world, f"{JULIET}/new") == []


def test_xep0203_with_a_note_of_the_delay_and_only_one(world: World, romeo: Managed, juliet: Managed):
    romeo.send(chat(1))
    for place in ("one", "two"):
        other = managed(world, f"{JULIET}/{place}", "resume='true' max='60'")
        gone(world, juliet)
        juliet = other
    (message,) = [e for e in juliet.read() if e.name == "message"]
    delays = [e for e in message.elements() if e.name == "delay"]
    assert [(e.get("from"), e.get("stamp")) for e in delays] == [("example.org", "2026-03-01T12:00:00Z")]
    assert len([e for e in message.elements() if e.name == "stanza-id"]) == 1


def test_what_another_client_acknowledged_is_not_given_again(world: World, romeo: Managed, juliet: Managed):
    chamber = managed(world, f"{JULIET}/chamber")
    romeo.send(chat(1))
    assert (juliet.bodies(), chamber.bodies()) == (["1"], ["1"])
    chamber.acknowledge()
    gone(world, juliet)
    chamber.cut()
    world.restart()
    assert waiting(world, f"{JULIET}/new") == []


def test_one_of_two_that_got_it_may_still_acknowledge(world: World, romeo: Managed, juliet: Managed):
    chamber = managed(world, f"{JULIET}/chamber", "resume='true' max='600'")
    romeo.send(chat(1))
    gone(world, juliet)
    assert chamber.bodies() == ["1"]  # its own copy, no second one
    chamber.cut()
    world.advance(601)
    assert waiting(world, f"{JULIET}/new") == ["1"]


def test_what_comes_for_one_that_waits_goes_to_it_alone(world: World, romeo: Managed, juliet: Managed):
    """It is still the resource that was asked for."""
    juliet.cut()
    chamber = managed(world, f"{JULIET}/chamber")
    romeo.send(chat(1, f"{JULIET}/balcony"))
    assert chamber.bodies() == []
    assert back(world, juliet, JULIET).bodies() == ["1"]


def test_what_had_waited_before_still_comes_before_what_followed(world: World, romeo: Managed):
    romeo.send(chat(1))
    balcony = managed(world, f"{JULIET}/balcony", "resume='true' max='60'", presence="")
    balcony.send("<presence/>")
    romeo.send(chat(2))
    assert balcony.bodies() == ["1", "2"]
    chamber = managed(world, f"{JULIET}/chamber")
    gone(world, balcony)
    assert chamber.bodies() == ["1", "2"]


# Carbons


def test_xep0280_who_acknowledged_the_copy_has_the_message(world: World, romeo: Managed, juliet: Managed):
    copying = carbons(world, "phone")
    romeo.send(chat(1))
    assert len(copying.read()) == 1
    copying.acknowledge()
    gone(world, juliet)
    copying.cut()
    world.restart()
    assert waiting(world, f"{JULIET}/new") == []


@pytest.mark.parametrize("order", [0, 1])
def test_xep0280_if_neither_did_it_is_given_to_the_next_once(
    world: World, romeo: Managed, juliet: Managed, order: int
):
    copying = carbons(world, "phone")
    romeo.send(chat(1))
    for it in (juliet, copying) if order else (copying, juliet):
        it.cut()
        world.advance(601)
    assert waiting(world, f"{JULIET}/new") == ["1"]


# What is not a message


def test_xep0198_4_requests_nobody_answered_are_refused(world: World, juliet: Managed):
    world.befriend(ROMEO, JULIET)
    friend = world.online(f"{ROMEO}/orchard2")
    juliet.acknowledge()
    friend.send(f"<iq type='get' id='v' to='{JULIET}/balcony'><query xmlns='jabber:iq:version'/></iq>")
    friend.received()
    gone(world, juliet)
    errors = [e for e in friend.received() if e.get("type") == "error"]
    assert [(e.get("id"), condition(e)) for e in errors] == [("v", "service-unavailable")]


def test_xep0198_4_answers_and_presence_are_for_nobody_else(world: World, romeo: Managed, juliet: Managed):
    juliet.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
    chamber = managed(world, f"{JULIET}/chamber")
    chamber.acknowledge()
    gone(world, juliet)
    assert [e.name for e in chamber.read()] == ["presence"]  # that the other one has left


def test_rfc6121_8_5_3_2_1_what_only_the_resource_takes_comes_back(
    world: World, romeo: Managed, juliet: Managed
):
    message = "<message to='{}/balcony' type='groupchat' id='g'><body>1</body></message>"
    romeo.send(message.format(JULIET))
    romeo.read()
    gone(world, juliet)
    assert [condition(e) for e in romeo.read() if e.name == "message"] == ["service-unavailable"]


# Kills, and broken disks


def test_after_a_kill_all_that_was_acknowledged_to_the_sender_is_delivered(
    world: World, romeo: Managed, juliet: Managed
):
    for number in range(5):
        romeo.send(chat(number))
    assert romeo.handled() == "6"
    assert juliet.bodies() == ["0", "1", "2", "3", "4"]
    juliet.got -= 2
    juliet.send(f"<a xmlns='{NS}' h='{juliet.got}'/>")
    world.restart()
    assert waiting(world, f"{JULIET}/balcony") == ["3", "4"]


@pytest.mark.parametrize("managed_too", [True, False])
def test_also_what_was_only_written_to_a_socket(world: World, romeo: Managed, managed_too: bool):
    juliet = world.online(f"{JULIET}/balcony")
    if managed_too:
        enable(juliet)
    romeo.send(chat(1))
    assert romeo.handled() == "2"
    assert juliet.bodies() == ["1"]
    world.restart()
    assert waiting(world, f"{JULIET}/balcony") == ["1"]


def test_a_disk_that_refuses_lets_nobody_see_what_could_be_forgotten(
    world: World, romeo: Managed, juliet: Managed
):
    world.memory.writes.hold()
    romeo.send(chat(1) + chat(2))
    assert juliet.bodies() == []
    world.memory.writes.release(StorageError("disk full"))
    world.turn()
    assert juliet.bodies() == []
    assert [condition(e) for e in romeo.read()] == ["resource-constraint"] * 2


def test_order_is_kept_when_the_session_ends_while_the_disk_is_slow(
    world: World, romeo: Managed, juliet: Managed
):
    romeo.send(chat(1))
    juliet.cut()
    world.memory.writes.hold()
    romeo.send(chat(2))
    world.advance(61)
    romeo.send(chat(3))
    world.memory.writes.release()
    world.turn()
    assert waiting(world, f"{JULIET}/new") == ["1", "2", "3"]


# The archive


def catch_up(client: Client, query: str = QUERY) -> list[str | None]:
    client.send(query)
    found = []
    for element in client.received():
        result = element.child("urn:xmpp:mam:2", "result")
        if result is not None:
            (forwarded,) = result.elements()
            message = forwarded.child("jabber:client", "message")
            assert message is not None
            found.append(message.child_text("jabber:client", "body"))
    return found


@pytest.mark.parametrize("is_managed", [True, False])
def test_xep0313_what_a_client_read_in_the_archive_does_not_wait_any_more(
    world: World, romeo: Managed, is_managed: bool
):
    romeo.send(chat(1) + chat(2))
    client = world.login(f"{JULIET}/new")
    if is_managed:
        enable(client)
    assert catch_up(client) == ["1", "2"]
    client.send("<presence/>")
    assert client.bodies() == []
    client.send(f"<a xmlns='{NS}' h='4'/>" if is_managed else " ")
    client.send(" ")
    client.cut()
    world.restart()
    assert on_disk(world) == 0
    assert waiting(world, f"{JULIET}/other") == []


def test_xep0313_what_was_only_written_to_it_still_waits(world: World, romeo: Managed):
    romeo.send(chat(1))
    client = world.login(f"{JULIET}/new")
    assert catch_up(client) == ["1"]
    client.cut()
    assert waiting(world, f"{JULIET}/other") == ["1"]


def test_xep0313_what_is_behind_the_page_that_was_read_waits(world: World, romeo: Managed):
    """It was not given to anybody: another client gets it, and it does not fill the account's room."""
    romeo.send(chat(1) + chat(2) + chat(3))
    client = world.login(f"{JULIET}/new")
    assert catch_up(client, FIRST) == ["1"]
    client.leave()
    assert waiting(world, f"{JULIET}/other") == ["2", "3"]


def test_xep0313_a_page_that_was_read_and_not_acknowledged_waits(world: World, romeo: Managed):
    romeo.send(chat(1) + chat(2))
    client = world.login(f"{JULIET}/new")
    assert catch_up(client, FIRST) == ["1"]
    assert catch_up(client) == ["1", "2"]
    client.cut()
    assert waiting(world, f"{JULIET}/other") == ["1", "2"]


def test_xep0313_what_is_on_its_way_to_another_client_counts_as_well(
    world: World, romeo: Managed, juliet: Managed
):
    romeo.send(chat(1))
    assert juliet.bodies() == ["1"]
    juliet.cut()
    reader = managed(world, f"{JULIET}/reader")
    assert catch_up(reader.client) == ["1"]
    reader.got += 2
    reader.acknowledge()
    world.advance(61)
    assert reader.bodies() == []
    assert on_disk(world) == 0


def test_xep0313_what_the_archive_does_not_have_waits(world: World, romeo: Managed):
    first = world.online(f"{JULIET}/first")
    first.send(PREFS)
    first.leave()
    romeo.send(chat(1))
    client = world.login(f"{JULIET}/new")
    assert catch_up(client) == []
    client.send("<presence/>")
    assert client.bodies() == ["1"]


def test_xep0313_a_client_that_is_cut_off_by_the_page_has_not_got_it(world: World, romeo: Managed):
    for number in range(5):
        romeo.send(chat(number, extra=f"<x xmlns='urn:x'>{'x' * 250_000}</x>"))
        assert romeo.handled()
    client = world.login(f"{JULIET}/new")
    catch_up(client)
    client.cut()
    assert on_disk(world) == 5
