"""XEP-0198 §4: a client sends again what nobody acknowledged; what is on disk is no second message."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonroom.config.archive import Archive, ArchiveDefault
from commonroom.config.schema import Offline
from commonroom.protocol.jid import JID
from tests.conversations.managed import Managed, enable, managed
from tests.conversations.world import World, condition, with_options

ROMEO = JID.parse("romeo@example.org")
JULIET = JID.parse("juliet@example.org")
LONG = "0b6a2c9e-arise-fair-sun"
CARBONS = "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
NO_ARCHIVE = "<iq type='set' id='p'><prefs xmlns='urn:xmpp:mam:2' default='never'/></iq>"
DAY = 24 * 3600


@pytest.fixture
def world() -> World:
    return World(str(ROMEO), str(JULIET))


def chat(id: str = LONG, body: object = "soft", inside: str = "", to: object = JULIET, more: str = "") -> str:
    return f"<message to='{to}' type='chat' id='{id}'{more}><body>{body}</body>{inside}</message>"


def origin(id: str = LONG) -> str:
    return f"<origin-id xmlns='urn:xmpp:sid:0' id='{id}'/>"


def romeo(world: World, resource: str = "orchard", presence: str = "<presence/>") -> Managed:
    return managed(world, f"{ROMEO}/{resource}", presence=presence)


def killed(world: World) -> Managed:
    """The service died before it acknowledged anything; Romeo is back, over another stream."""
    world.restart()
    return romeo(world)


def killed_before_juliet_has_it(world: World) -> Managed:
    """It got no further than the archive of its sender, because Juliet was still being read."""
    world.memory.archive.kept[JULIET].clear()
    world.memory.kept[JULIET].offline.clear()
    world.seconds += 1
    return killed(world)


def kept(world: World, owner: JID) -> list[str | None]:
    """The bodies in somebody's archive."""
    return [message.body for message in world.memory.archive.kept[owner]]


def waits(world: World, owner: JID = JULIET) -> int:
    return len(world.memory.kept[owner].offline)


def reads(world: World, resource: str = "balcony") -> list[str | None]:
    """What Juliet is shown when she comes; she acknowledges it, and leaves."""
    juliet = managed(world, f"{JULIET}/{resource}", presence="")
    juliet.send("<presence/>")
    bodies = juliet.bodies()
    juliet.acknowledge()
    juliet.client.leave()
    return bodies


# What is no duplicate


@pytest.mark.parametrize("inside", ["", origin("1")], ids=["id", "origin-id"])
def test_a_client_may_count_its_ids_from_1_on_each_stream(world: World, inside: str):
    romeo(world).send(chat("1", "yes", inside))
    killed(world).send(chat("1", "yes", inside))
    assert reads(world) == ["yes", "yes"]
    assert kept(world, ROMEO) == kept(world, JULIET) == ["yes", "yes"]


def test_the_same_text_with_another_id_is_another_message(world: World):
    romeo(world).send(chat(body="yes"))
    killed(world).send(chat(LONG + "2", "yes"))
    assert reads(world) == ["yes", "yes"]


@pytest.mark.parametrize(
    "second",
    [
        chat(body="window"),
        chat(inside="<thread>t</thread>"),
        chat(to=f"{JULIET}/balcony"),
        chat().replace("type='chat'", ""),
    ],
    ids=["text", "payload", "address", "type"],
)
def test_the_same_id_with_something_else_is_another_message(world: World, second: str):
    romeo(world).send(chat())
    killed(world).send(second)
    assert len(kept(world, JULIET)) == waits(world) == 2


def test_xep0359_the_same_id_with_another_origin_id_is_another_message(world: World):
    romeo(world).send(chat("1", inside=origin()))
    killed(world).send(chat("1", inside=origin(LONG + "2")))
    assert reads(world) == ["soft", "soft"]


def test_what_one_stream_sends_twice_is_sent_twice(world: World):
    it = romeo(world)
    it.send(chat())
    it.send(chat())
    assert reads(world) == ["soft", "soft"]


def test_each_former_message_explains_one(world: World):
    romeo(world).send(chat())
    it = killed(world)
    it.send(chat() + chat())
    assert reads(world) == ["soft", "soft"]


def test_without_xep0198_nothing_is_taken_for_a_duplicate(world: World):
    romeo(world).send(chat())
    world.restart()
    world.login(f"{ROMEO}/orchard").send(chat())
    assert reads(world) == ["soft", "soft"]


def test_what_somebody_else_sent_is_not_hers(world: World):
    romeo(world).send(chat())
    world.add("nurse@example.org")
    world.restart()
    managed(world, "nurse@example.org/house").send(chat())
    assert reads(world) == ["soft", "soft"]


def test_what_is_older_than_a_day_is_past(world: World):
    romeo(world).send(chat())
    world.seconds += DAY + 1
    killed(world).send(chat())
    assert reads(world) == ["soft", "soft"]


def test_behind_the_first_hundred_messages_nothing_is_looked_at(world: World):
    romeo(world).send(chat())
    it = killed(world)
    for number in range(100):
        it.send(chat(f"{LONG}{number}", number))
    it.send(chat())
    assert kept(world, JULIET)[-1] == "soft"
    assert waits(world) == 102


def test_nor_after_five_minutes(world: World):
    romeo(world).send(chat())
    it = killed(world)
    it.send(chat(LONG + "2", 2))
    world.advance(301)
    it.send(chat())
    assert waits(world) == 3


def test_what_did_not_get_to_its_recipients_archive_goes_on_and_is_archived_for_its_sender_once(world: World):
    romeo(world).send(chat())
    it = killed_before_juliet_has_it(world)
    it.send(chat())
    assert it.handled() == "2"
    assert reads(world) == kept(world, JULIET) == kept(world, ROMEO) == ["soft"]


def test_xep0280_a_copy_of_it_has_the_id_of_the_first_one(world: World):
    romeo(world).send(chat())
    it = killed_before_juliet_has_it(world)
    other = world.online(f"{ROMEO}/wall")
    other.ask(CARBONS)
    it.send(chat())
    (carbon,) = other.received()
    assert f"by='{ROMEO}' id='{world.memory.archive.kept[ROMEO][0].id}'" in repr(carbon).replace('"', "'")


def test_what_its_sender_archived_alone_and_nobody_holds_goes_on(world: World):
    world.login(f"{JULIET}/setup").send(NO_ARCHIVE)
    romeo(world).send(chat())
    assert reads(world) == ["soft"]
    killed(world).send(chat())
    assert reads(world) == ["soft"]  # twice, because nobody can know


def test_who_archives_nothing_has_nothing_to_compare_with(world: World):
    world.login(f"{ROMEO}/setup").send(NO_ARCHIVE)
    romeo(world).send(chat())
    killed(world).send(chat())
    assert reads(world) == ["soft", "soft"]


def test_what_found_no_room_to_wait_may_have_reached_nobody():
    world = World(str(ROMEO), str(JULIET), settings=with_options(offline=Offline(messages=1)))
    managed(world, f"{JULIET}/balcony")
    romeo(world).send(chat(LONG + "0", "full") + chat())
    assert kept(world, JULIET) == ["full", "soft"]
    assert waits(world) == 1
    it = killed(world)
    it.send(chat())
    assert [condition(e) for e in it.read() if e.name == "message"] == ["service-unavailable"]


def test_xep0424_a_retraction_is_done_again(world: World):
    retraction = (
        f"<message to='{JULIET}' type='chat' id='{LONG}-retraction'>"
        f"<retract xmlns='urn:xmpp:message-retract:1' id='{LONG}'/></message>"
    )
    romeo(world).send(chat() + retraction)
    killed(world).send(chat() + retraction)
    for owner in (ROMEO, JULIET):
        assert "soft" not in kept(world, owner)
        assert not any("soft" in message.xml for message in world.memory.archive.kept[owner])


@pytest.mark.parametrize("hint", ["no-store", "no-permanent-store"])
def test_xep0334_what_asks_not_to_be_kept_comes_again(world: World, hint: str):
    message = chat(inside=f"<{hint} xmlns='urn:xmpp:hints'/>")
    romeo(world).send(message)
    it = killed(world)
    juliet = managed(world, f"{JULIET}/balcony")
    it.send(message)
    assert juliet.bodies()[-1:] == ["soft"]


def test_a_broken_copy_is_no_copy(world: World):
    romeo(world).send(chat())
    store = world.memory.archive
    store.replace(ROMEO, store.kept[ROMEO][0].id, "<message")
    killed(world).send(chat())
    assert reads(world) == ["soft", "soft"]


# What is one


def test_what_both_have_is_handled_and_neither_archived_nor_delivered_again(world: World):
    romeo(world).send(chat())
    it = killed(world)
    it.send(chat())
    assert it.handled() == "2"
    assert kept(world, ROMEO) == kept(world, JULIET) == ["soft"]
    assert reads(world) == ["soft"]


def test_it_is_known_also_when_its_recipient_has_acknowledged_it(world: World):
    romeo(world).send(chat())
    assert reads(world) == ["soft"]
    killed(world).send(chat())
    assert reads(world) == []
    assert kept(world, JULIET) == ["soft"]


def test_it_is_known_also_when_its_recipient_archives_nothing_and_it_waits(world: World):
    world.login(f"{JULIET}/setup").send(NO_ARCHIVE)
    romeo(world).send(chat())
    killed(world).send(chat())
    assert reads(world) == ["soft"]


def test_it_is_known_also_where_nothing_more_can_wait():
    world = World(str(ROMEO), str(JULIET), settings=with_options(offline=Offline(messages=1)))
    romeo(world).send(chat())
    it = killed(world)
    it.send(chat())
    assert it.read() == []
    assert reads(world) == ["soft"]


def test_without_a_kill_too_if_its_client_did_not_resume(world: World):
    it = romeo(world)
    it.send(chat())
    it.cut()
    romeo(world, "wall").send(chat())
    assert reads(world) == ["soft"]


def test_an_origin_id_is_enough(world: World):
    romeo(world).send(chat("1", inside=origin()))
    killed(world).send(chat("1", inside=origin()))
    assert reads(world) == ["soft"]


def test_xep0198_4_a_note_of_when_it_was_sent_first_makes_no_other_message_of_it(world: World):
    romeo(world).send(chat())
    killed(world).send(chat(inside="<delay xmlns='urn:xmpp:delay' stamp='2026-03-01T12:00:00Z'/>"))
    assert reads(world) == ["soft"]


def test_what_one_writes_to_oneself(world: World):
    romeo(world, presence="").send(chat(to=ROMEO))
    world.restart()
    romeo(world, presence="").send(chat(to=ROMEO))
    assert kept(world, ROMEO) == ["soft"]
    assert waits(world, ROMEO) == 1


def test_xep0280_the_senders_other_clients_see_no_second_copy(world: World):
    romeo(world).send(chat())
    it = killed(world)
    other = world.online(f"{ROMEO}/wall")
    other.ask(CARBONS)
    it.send(chat())
    assert other.received() == []


def test_all_that_was_sent_comes_once_and_in_order(world: World):
    it = romeo(world)
    for number in range(5):
        it.send(chat(f"{LONG}{number}", number))
    it = killed(world)
    for number in range(2, 9):
        it.send(chat(f"{LONG}{number}", number))
    assert it.handled() == "8"
    assert reads(world) == [str(number) for number in range(9)]


def test_what_is_still_being_written_is_seen_too(world: World):
    it = romeo(world)
    world.memory.writes.hold()
    it.send(chat())
    it.cut()
    again = romeo(world, "wall")
    again.send(chat())
    world.memory.writes.release()
    world.turn()
    assert reads(world) == ["soft"]


# What it costs


def test_users_want_it_only_while_a_stream_is_at_its_beginning(world: World):
    plain = world.online(f"{ROMEO}/orchard")
    user = world.core.users.find(ROMEO)
    assert user is not None
    assert "duplicates" not in user.wants
    enable(plain)
    assert "duplicates" in user.wants
    plain.send(chat())  # there is nothing that it could be
    assert "duplicates" not in user.wants
    it = romeo(world, "wall")
    assert "duplicates" in user.wants
    it.client.leave()
    assert "duplicates" not in user.wants


def test_who_archives_nothing_is_not_asked():
    world = World(str(ROMEO), settings=with_options(archive=Archive(default=ArchiveDefault.NEVER)))
    it = romeo(world)
    user = world.core.users.find(ROMEO)
    assert user is not None
    assert "duplicates" not in user.wants
    assert it.handled() == "1"


# All of it

MESSAGES = st.lists(
    st.tuples(st.sampled_from(["1", "2", f"{LONG}-1", f"{LONG}-2"]), st.sampled_from("ab")),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(streams=st.lists(st.tuples(MESSAGES, st.booleans(), st.booleans()), min_size=1, max_size=5))
def test_nothing_is_dropped_that_was_not_there_and_unique_ids_come_as_often_as_a_stream_sent_them(streams):
    """Streams send some messages; then the service dies, or not; and then Juliet reads, or not."""
    world = World(str(ROMEO), str(JULIET))
    expected: dict[tuple[str, str], int] = {}
    shown: list[str | None] = []
    for messages, dies, comes in streams:
        it = romeo(world)
        sent: dict[tuple[str, str], int] = {}
        for id, text in messages:
            it.send(chat(id, f"{id} {text}"))
            sent[id, text] = sent.get((id, text), 0) + 1
        assert it.handled() == str(1 + len(messages))
        for key, count in sent.items():
            is_unique = len(key[0]) > 2
            expected[key] = max(expected.get(key, 0), count) if is_unique else expected.get(key, 0) + count
        it.cut()
        if dies:
            world.restart()
        if comes:
            shown += reads(world)
    shown += reads(world, "last")
    assert {f"{id} {text}": count for (id, text), count in expected.items()} == {
        body: shown.count(body) for body in shown
    }
    assert len(kept(world, JULIET)) == len(kept(world, ROMEO)) == len(shown)


# Streams that overlap: the client noticed sooner than the server that its connection was gone


def test_what_a_closed_stream_left_behind_is_looked_at_too(world: World):
    romeo(world).send(chat() + chat(LONG + "2", "fair"))
    it = killed(world)
    world.memory.writes.hold()
    world.login(f"{JULIET}/slow").send(NO_ARCHIVE.replace("never", "always"))
    it.send(chat() + chat(LONG + "2", "fair"))
    it.client.leave()
    world.memory.writes.release()
    world.turn()
    assert kept(world, ROMEO) == kept(world, JULIET) == ["soft", "fair"]


@pytest.mark.parametrize("resource", ["orchard", "wall"])
def test_what_a_former_stream_still_brings_is_compared_with(world: World, resource: str):
    romeo(world).send(chat("other" + LONG, "first"))
    it = killed(world)
    world.memory.writes.hold()
    world.login(f"{JULIET}/slow").send(NO_ARCHIVE.replace("never", "always"))
    it.send(chat())
    assert kept(world, ROMEO) == ["first"]
    if resource == "orchard":
        it.client.leave()
    again = romeo(world, resource)
    again.send(chat())
    world.memory.writes.release()
    world.turn()
    assert kept(world, ROMEO) == kept(world, JULIET) == ["first", "soft"]
    assert again.handled() == "2"


# A full mailbox


def test_what_was_refused_because_nothing_more_could_wait_is_sent_again_when_there_is_room():
    world = World(str(ROMEO), str(JULIET), settings=with_options(offline=Offline(messages=1)))
    it = romeo(world)
    it.send(chat(LONG + "0", "full") + chat())
    assert [condition(e) for e in it.read()] == ["service-unavailable"]
    assert kept(world, JULIET) == ["full"]
    assert reads(world) == ["full"]
    killed(world).send(chat())
    assert reads(world) == ["soft"]
    assert kept(world, ROMEO) == ["full", "soft"]


def test_also_what_one_writes_to_oneself_and_is_refused():
    world = World(str(ROMEO), settings=with_options(offline=Offline(messages=0)))
    it = romeo(world, presence="")
    it.send(chat(to=ROMEO))
    assert [condition(e) for e in it.read()] == ["service-unavailable"]
    assert kept(world, ROMEO) == []
