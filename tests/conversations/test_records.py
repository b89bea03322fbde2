"""What is recorded of conversations: who, with whom, when; never what."""

from dataclasses import replace

import pytest

from commonroom.app.composition import recorded
from commonroom.app.upkeep import purge_records
from commonroom.app.witness import Witnessed
from commonroom.config.records import Records
from commonroom.storage.records import AuditFilter, AuditRecord
from tests.admin.registries import done
from tests.conversations.rooms import HALL, enter, make, say
from tests.conversations.world import World, with_options

ALICE, BOB = "alice@example.org", "bob@example.org"


def world(**records: float) -> World:
    made = World(ALICE, BOB, settings=with_options(records=replace(Records(), **records)))  # type: ignore[arg-type]
    Witnessed(made.core, made.service)
    return made


def found(it: World, tag: str) -> tuple[AuditRecord, ...]:
    it.core.audit.flush()
    return done(it.stores.audit.find(AuditFilter(tag=tag), 100))[::-1]


def test_messages_are_not_recorded_unless_that_is_wanted() -> None:
    it = world()
    alice = it.online(f"{ALICE}/desk")
    alice.send(f"<message to='{BOB}' type='chat'><body>hello</body></message>")
    assert found(it, "message:") == ()
    assert it.core.router.messages == 1


def test_nothing_of_what_is_said_is_recorded() -> None:
    it = world(messages=60.0)
    alice, bob = it.online(f"{ALICE}/desk"), it.online(f"{BOB}/desk")
    secret = "nobody may know this"
    said = f"<subject>{secret}</subject><body>{secret}</body>"
    alice.send(f"<message to='{BOB}' type='chat' id='{secret}'>{said}</message>")
    sign = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
    alice.send(f"<message to='{BOB}' type='chat'>{sign}</message>")
    bob.send(f"<message to='{ALICE}/desk'><body>ü</body></message>")
    bob.send("<message to='stranger@example.net' type='headline'><body>news</body></message>")
    records = found(it, "message:")
    assert [(each.tag, each.who, each.peer, each.facts) for each in records] == [
        ("message:chat:sent", ALICE, BOB, f'{{"characters":{len(secret)}}}'),
        ("message:normal:sent", BOB, ALICE, '{"characters":1}'),
        ("message:headline:sent", BOB, "stranger@example.net", '{"characters":4}'),
    ]
    assert secret not in repr(found(it, "session:"))


def test_what_is_said_in_a_room_is_recorded_once_and_not_for_each_who_hears_it() -> None:
    it = world(messages=60.0)
    alice, bob = it.online(f"{ALICE}/desk"), it.online(f"{BOB}/desk")
    make(alice, "Alice")
    enter(bob, "Bob")
    say(alice, "hello")
    assert [(each.tag, each.who, each.peer) for each in found(it, "message:")] == [
        ("message:groupchat:sent", ALICE, HALL)
    ]


def test_messages_are_recorded_from_the_reload_on_that_wants_it_until_one_that_does_not() -> None:
    it = world()
    alice = it.online(f"{ALICE}/desk")
    wanted = replace(it.settings, records=replace(it.settings.records, messages=60.0))
    for settings in (wanted, it.settings):
        it.core.audit.keep(recorded(settings))
        alice.send(f"<message to='{BOB}' type='chat'><body>hello</body></message>")
        assert len(found(it, "message:")) == 1


def test_log_ins_and_failures_are_recorded_with_the_address() -> None:
    it = world()
    client = it.connect("198.51.100.7")
    client.open("example.org")
    with pytest.raises(AssertionError):
        client.authenticate("alice", "wrong password")
    client.authenticate("alice", "secret")
    failed, succeeded = found(it, "auth:")
    assert (failed.tag, failed.who, failed.address) == ("auth:login:failed", ALICE, "198.51.100.7")
    assert "wrong password" not in failed.facts
    assert (succeeded.tag, succeeded.who) == ("auth:login:succeeded", ALICE)


def test_a_sessions_begin_and_end_are_recorded() -> None:
    it = world()
    alice = it.online(f"{ALICE}/desk")
    it.seconds += 60
    alice.leave()
    began, ended = found(it, "session:")
    assert (began.tag, began.who) == ("session:client:began", f"{ALICE}/desk")
    assert (ended.tag, ended.at - began.at) == ("session:client:ended", 60_000_000)


def test_what_is_off_is_not_recorded() -> None:
    it = world(logins=0.0, sessions=0.0)
    it.online(f"{ALICE}/desk")
    assert found(it, "auth:") == found(it, "session:") == ()


def test_records_go_when_their_time_is_over_each_kind_by_itself() -> None:
    it = world(logins=10.0, sessions=100.0)
    it.online(f"{ALICE}/desk")
    it.core.audit.flush()
    it.seconds += 50
    assert not done(purge_records(it.stores.audit, it.settings.records, it.microseconds()))
    assert found(it, "auth:") == ()
    assert len(found(it, "session:")) == 1
    it.seconds += 100
    done(purge_records(it.stores.audit, it.settings.records, it.microseconds()))
    assert found(it, "session:") == ()
