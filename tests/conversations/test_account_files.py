"""Accounts that are in files: from the day when a line appears to the day when its data are erased."""

from datetime import timedelta
from pathlib import Path

import pytest

from commonroom.admin.account_files import FilesState, confirm, planned, read_status
from commonroom.admin.lock import StateError
from commonroom.app.account_files import RETRY_AFTER
from commonroom.config.accounts import KeyPolicy, Source
from commonroom.protocol.jid import JID
from commonroom.storage.records import Account
from tests.conversations.listed import DES, OTHER, ListedWorld
from tests.conversations.world import Client, condition

STORED, FILES = Source.STORED, Source.FILES
JULIET = JID.parse("juliet@example.org")
ROMEO = JID.parse("romeo@example.org")


@pytest.fixture
def world(tmp_path: Path) -> ListedWorld:
    return ListedWorld(tmp_path, "juliet", "romeo", "nurse")


def kept(world: ListedWorld, jid: JID) -> Account | None:
    found: Account | None = world.run(world.stores.accounts.get(jid))
    return found


def ended(client: Client) -> str:
    """Why its stream has ended."""
    assert client.closed
    last = client.received()[-1]
    return f"{last.elements()[0].name}: {last.elements()[-1].text()}"


# Logging in


def test_who_is_not_listed_or_has_another_password_is_refused(world: ListedWorld) -> None:
    assert world.try_login("mercutio") == "not-authorized"
    assert world.try_login("juliet", "other") == "not-authorized"
    assert kept(world, JULIET) is None, "a failed login makes nothing"


@pytest.mark.parametrize(
    "hash", ["", "*", "!", "!!", "x", f"!{DES}", "no hash", "$9$abc", "$6$rounds=999999999$ab$" + "a" * 86]
)
def test_who_has_no_hash_that_can_be_checked_cannot_log_in_but_gets_messages(
    tmp_path: Path, hash: str
) -> None:
    world = ListedWorld(tmp_path, "romeo")
    world.files.people("romeo", tybalt=hash)
    world.look()
    assert world.try_login("tybalt") == "not-authorized"
    assert world.try_login("tybalt", "") != "success"
    romeo = world.online("romeo@example.org/r")
    romeo.send("<message to='tybalt@example.org' type='chat' id='m'><body>hello</body></message>")
    world.turn()
    assert romeo.told() == []
    assert world.run(world.stores.offline.usage(JID.parse("tybalt@example.org"))).count == 1


def test_what_is_kept_for_an_account_is_made_at_its_first_login(world: ListedWorld) -> None:
    assert kept(world, JULIET) is None
    assert world.try_login("juliet") == "success"
    found = kept(world, JULIET)
    assert found is not None
    assert found.origin == "people"


def test_an_account_can_be_written_to_before_it_logged_in(world: ListedWorld) -> None:
    romeo = world.online("romeo@example.org/r")
    romeo.send("<message to='juliet@example.org' type='chat'><body>wherefore</body></message>")
    juliet = world.login("juliet@example.org/j")
    juliet.send("<presence/>")
    world.turn()
    assert "wherefore" in str(juliet.bodies())


def test_scram_is_not_offered_where_only_hashes_are_known(world: ListedWorld) -> None:
    client = world.connect()
    (features,) = client.open("example.org")
    assert "SCRAM" not in str(features)
    client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>biws</auth>")
    assert condition(client.one()) == "invalid-mechanism"


def test_a_login_keeps_keys_for_this_hash_and_another_hash_voids_them(world: ListedWorld) -> None:
    world.try_login("juliet")
    first = kept(world, JULIET)
    assert first is not None
    assert [keys.hash_name for keys in first.keys] == ["SHA-1"]
    world.files.people("romeo", "nurse", juliet=OTHER)
    world.look()
    changed = kept(world, JULIET)
    assert changed is not None
    assert (changed.keys, changed.verifier) == ((), "")
    assert changed.changed > first.changed
    assert world.try_login("juliet") == "not-authorized"
    assert world.try_login("juliet", "other") == "success"


def test_keys_count_only_with_the_hash_that_they_were_made_for(world: ListedWorld) -> None:
    """Even if the service did not live to note that the hash had changed."""
    world.try_login("juliet")
    before = kept(world, JULIET)
    assert before is not None
    world.files.people("romeo", "nurse", juliet=OTHER)
    world.look()
    world.stores.listed.keep_keys(JULIET, before.keys, before.verifier)
    assert world.try_login("juliet") == "not-authorized"


def test_no_keys_are_kept_where_none_are_wanted(tmp_path: Path) -> None:
    world = ListedWorld(tmp_path, "juliet", keys=KeyPolicy.NONE)
    assert world.try_login("juliet") == "success"
    found = kept(world, JULIET)
    assert found is not None
    assert found.keys == ()


def test_what_is_offered_since_a_reload_gets_keys_at_the_next_login(tmp_path: Path) -> None:
    world = ListedWorld(tmp_path, "juliet", keys=KeyPolicy.OFFERED)
    world.keys.use(("SHA-1",))
    world.try_login("juliet")
    first = kept(world, JULIET)
    world.keys.use(("SHA-256", "SHA-1"))
    assert world.try_login("juliet", "other") == "not-authorized"
    assert kept(world, JULIET) == first
    assert world.try_login("juliet") == "success"
    second = kept(world, JULIET)
    assert first is not None
    assert second is not None
    assert [keys.hash_name for keys in second.keys] == ["SHA-1", "SHA-256"]
    assert second.keys[0] == first.keys[0]
    assert second.verifier == first.verifier


# Changes of the files


def test_a_new_line_is_an_account(world: ListedWorld) -> None:
    world.files.people("juliet", "romeo", "nurse", "tybalt")
    world.look()
    assert world.try_login("tybalt") == "success"


def test_who_leaves_the_files_is_disconnected_and_as_if_never_been(world: ListedWorld) -> None:
    world.befriend("juliet@example.org", "romeo@example.org")
    juliet, romeo = world.online("juliet@example.org/j"), world.online("romeo@example.org/r")
    romeo.received()
    world.files.people("romeo", "nurse")
    world.look()
    assert ended(juliet) == "not-authorized: the account was removed"
    juliet.handler.lost("closed")
    world.turn()
    assert romeo.told() == ["unavailable juliet@example.org/j"]
    assert world.try_login("juliet") == "not-authorized"
    for stanza in (
        "<message to='{}@example.org' type='chat' id='1'><body>hello</body></message>",
        "<iq to='{}@example.org' type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq to='{}@example.org/j' type='get' id='3'><ping xmlns='urn:xmpp:ping'/></iq>",
    ):
        answers = []
        for name in ("juliet", "nobody"):
            romeo.send(stanza.format(name))
            world.turn()
            answers.append(str(romeo.one()).replace(name, "x"))
        assert answers[0] == answers[1]
        assert "service-unavailable" in answers[0]


def test_who_comes_back_in_time_finds_everything(world: ListedWorld) -> None:
    world.befriend("juliet@example.org", "romeo@example.org")
    world.files.people("romeo", "nurse")
    world.look()
    gone = kept(world, JULIET)
    assert gone is not None
    assert gone.departed is not None
    world.files.people("juliet", "romeo", "nurse")
    world.look()
    world.run(world.core.lifecycle.erase_some())
    juliet = world.online("juliet@example.org/j")
    roster = juliet.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
    assert "romeo@example.org" in str(roster)
    back = kept(world, JULIET)
    assert back is not None
    assert back.departed is None


def test_after_its_time_it_is_erased_and_contacts_see_that(world: ListedWorld) -> None:
    world.befriend("juliet@example.org", "romeo@example.org")
    world.files.people("romeo", "nurse")
    world.look()
    world.seconds += timedelta(days=29).total_seconds()
    assert world.run(world.core.lifecycle.erase_some()) == 0
    romeo = world.online("romeo@example.org/r")
    world.seconds += timedelta(days=2).total_seconds()
    assert world.run(world.core.lifecycle.erase_some()) == 1
    world.turn()
    assert kept(world, JULIET) is None
    assert "push juliet@example.org none" in romeo.told()
    world.files.people("juliet", "romeo", "nurse")
    world.look()
    juliet = world.online("juliet@example.org/j")
    assert "romeo" not in str(juliet.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"))


def test_one_that_is_back_when_its_time_is_over_is_not_erased(world: ListedWorld) -> None:
    world.try_login("juliet")
    world.files.people("romeo", "nurse")
    world.look()
    world.seconds += timedelta(days=40).total_seconds()
    world.files.people("juliet", "romeo", "nurse")
    world.look()
    assert world.run(world.core.lifecycle.erase_some()) == 1
    found = kept(world, JULIET)
    assert found is not None
    assert found.departed is None


def test_a_changed_hash_ends_sessions(world: ListedWorld) -> None:
    juliet = world.online("juliet@example.org/j")
    romeo = world.online("romeo@example.org/r")
    world.files.people("romeo", "nurse", juliet=OTHER)
    world.look()
    assert "please log in again" in ended(juliet)
    assert not romeo.closed


def test_a_locked_account_is_disconnected_and_unlocked_again(world: ListedWorld) -> None:
    juliet = world.online("juliet@example.org/j")
    world.files.people("romeo", "nurse", juliet="!")
    world.look()
    assert ended(juliet) == "not-authorized: the account is disabled"
    assert world.try_login("juliet") == "not-authorized"
    world.files.people("romeo", "nurse", "juliet")
    world.look()
    assert world.try_login("juliet") == "success"


def test_an_operator_can_lock_an_account_that_a_file_lists(world: ListedWorld) -> None:
    world.try_login("juliet")
    world.stores.accounts.disable(JULIET, True)
    assert world.try_login("juliet") == "not-authorized"


def test_a_restart_knows_what_was_in_force_before_it_reads_the_files(world: ListedWorld) -> None:
    world.try_login("juliet")
    world.files.path("passwd").unlink()
    world.restart()
    world.begin_watch()
    assert world.try_login("juliet") == "success"


def test_who_left_while_the_service_was_stopped_has_departed(world: ListedWorld) -> None:
    world.try_login("juliet")
    world.files.people("romeo", "nurse")
    world.restart()
    world.begin_watch()
    found = kept(world, JULIET)
    assert found is not None
    assert found.departed is not None


def test_a_crash_amid_a_change_is_made_good(world: ListedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.try_login("juliet")
    current = world.settings.state / "accounts" / "current.sqlite3"
    before = current.read_bytes()
    world.files.people("romeo", "nurse")
    world.look()
    world.stores.listed.restore([JULIET])  # as if it had not been written
    current.write_bytes(before)
    world.restart()
    world.begin_watch()
    found = kept(world, JULIET)
    assert found is not None
    assert found.departed is not None


# Files that are not what they should be


@pytest.mark.parametrize("damage", ["torn", "missing", "no file", "binary"])
def test_a_file_that_is_not_whole_changes_nothing(world: ListedWorld, damage: str) -> None:
    path = world.files.path("passwd")
    if damage == "torn":
        world.files.write("passwd", f"romeo:{DES}", "jul", end="")
    elif damage == "missing":
        path.unlink()
    elif damage == "no file":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(b"\xff" * 100_000)
    world.look()
    assert world.try_login("juliet") == "success"
    status = read_status(world.settings)
    assert status is not None
    assert status.state is FilesState.UNREADABLE
    assert str(path) in status.reason


def test_a_torn_file_that_is_written_to_its_end_counts(world: ListedWorld) -> None:
    world.files.write("passwd", f"romeo:{DES}", "tyb", end="")
    world.look()
    with world.files.path("passwd").open("a") as file:
        file.write(f"alt:{DES}\njuliet:{DES}\n")
    world.look()
    assert world.try_login("tybalt") == "success"
    status = read_status(world.settings)
    assert status is not None
    assert status.state is FilesState.IN_FORCE


def test_a_file_that_stays_broken_is_not_read_again_and_again(
    world: ListedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.files.write("passwd", f"romeo:{DES}", "jul", end="")
    world.look()
    with monkeypatch.context() as patched:
        patched.setattr(type(world.watch), "_build", None)  # it would fail
        world.look()
    world.seconds += RETRY_AFTER
    world.look()
    status = read_status(world.settings)
    assert status is not None
    assert status.since == int(world.now().timestamp())


def test_a_change_that_could_not_be_put_in_force_is_tried_again(world: ListedWorld) -> None:
    """The disk was full, or the database out of reach: the files are the same, and still to be followed."""
    world.files.people("romeo", "nurse")
    in_the_way = world.settings.state / "accounts" / "next.sqlite3"
    in_the_way.unlink(missing_ok=True)
    in_the_way.mkdir()
    with pytest.raises(OSError, match=r"next\.sqlite3"):
        world.look()
    in_the_way.rmdir()
    world.look()
    assert world.try_login("juliet") == "success"
    world.seconds += RETRY_AFTER
    world.look()
    assert world.try_login("juliet") == "not-authorized"


def test_an_emptied_file_is_held_back_however_few_there_were(world: ListedWorld) -> None:
    juliet = world.online("juliet@example.org/j")
    world.files.path("passwd").write_bytes(b"")
    world.look()
    assert not juliet.closed
    status = read_status(world.settings)
    assert status is not None
    assert status.state is FilesState.HELD
    assert "nobody" in status.reason


def test_a_change_that_takes_much_away_waits_for_an_operator(tmp_path: Path) -> None:
    names = [f"u{number}" for number in range(20)]
    world = ListedWorld(tmp_path, "juliet", *names, hold_least=2, hold_share=0.1)
    world.files.people("juliet", *names[:18])
    world.look()
    assert world.try_login("u19") == "not-authorized", "two are few"
    world.files.people("juliet", *names[:10])
    world.look()
    assert world.try_login("u17") == "success"
    with planned(world.settings) as plan:
        assert plan.hold is not None
        confirm(world.settings, plan)
    world.look()
    assert world.try_login("u17") == "not-authorized"
    assert world.try_login("u9") == "success"


def test_what_was_confirmed_is_this_change_and_no_other(tmp_path: Path) -> None:
    names = [f"u{number}" for number in range(20)]
    world = ListedWorld(tmp_path, *names, hold_least=2)
    world.files.people(*names[:10])
    with planned(world.settings) as plan:
        confirm(world.settings, plan)
    world.files.people(*names[:5])
    world.look()
    assert world.try_login("u12") == "success"


def test_a_file_that_is_good_again_needs_no_confirmation(tmp_path: Path) -> None:
    names = [f"u{number}" for number in range(20)]
    world = ListedWorld(tmp_path, *names, hold_least=2)
    world.files.people(*names[:10])
    world.look()
    world.files.people(*names, "u20")
    world.look()
    assert world.try_login("u20") == "success"
    status = read_status(world.settings)
    assert status is not None
    assert status.state is FilesState.IN_FORCE


def test_locking_many_is_held_back_too(tmp_path: Path) -> None:
    names = [f"u{number}" for number in range(20)]
    world = ListedWorld(tmp_path, *names, hold_least=2)
    world.files.people(**dict.fromkeys(names, "*"))
    world.look()
    assert world.try_login("u3") == "success"


def test_the_first_start_needs_files_that_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="passwd: it cannot be read"):
        ListedWorld(tmp_path)


# Several files


def test_an_account_must_be_in_each_list_and_in_none_that_excludes(tmp_path: Path) -> None:
    lists = {name: tmp_path / name for name in ("mail", "staff", "shared")}
    lists["mail"].write_text("juliet\nromeo:x:more\nnurse\n")
    lists["staff"].write_text("# comment\n\njuliet\nromeo\ntybalt\n")
    lists["shared"].write_text("romeo\n")
    source = {"only": (lists["mail"], lists["staff"]), "without": (lists["shared"],)}
    (tmp_path / "passwd").write_text("".join(f"{n}:{DES}\n" for n in ("juliet", "romeo", "nurse", "tybalt")))
    world = ListedWorld(tmp_path, source=source)
    found = {name: world.try_login(name) for name in ("juliet", "romeo", "nurse", "tybalt")}
    assert found.pop("juliet") == "success"
    assert set(found.values()) == {"not-authorized"}
    lists["shared"].write_text("# nobody\n")
    world.look()
    assert world.try_login("romeo") == "success"


def test_names_are_compared_as_addresses_are(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text(
        f"Juliet:{DES}\nROMEO@Example.org:{DES}\nrenée:{DES}\nnurse@elsewhere.org:{DES}\n"
    )
    world = ListedWorld(tmp_path)
    assert world.try_login("JULIET") == "success"
    assert world.try_login("romeo") == "success"
    assert world.try_login("renée") == "success"
    status = read_status(world.settings)
    assert status is not None
    assert len(status.faults) == 1
    assert "line 4 has no name that could be in an address of example.org" in status.faults[0]


def test_accounts_that_are_kept_here_stand_beside_them(tmp_path: Path) -> None:
    world = ListedWorld(tmp_path, "juliet")
    world.add("bot@example.org")
    assert world.try_login("bot") == "success"
    assert world.try_login("juliet") == "success"


@pytest.mark.parametrize(("order", "right"), [((STORED, FILES), "secret"), ((FILES, STORED), "other")])
def test_the_first_source_that_has_an_account_decides(
    tmp_path: Path, order: tuple[Source, ...], right: str
) -> None:
    (tmp_path / "passwd").write_text(f"juliet:{OTHER}\n")
    world = ListedWorld(tmp_path, order=order)
    world.add("juliet@example.org")
    assert world.try_login("juliet", right) == "success"
    assert world.try_login("juliet", "other" if right == "secret" else "secret") == "not-authorized"


def test_a_stored_account_does_not_care_what_the_files_say_of_its_name(tmp_path: Path) -> None:
    world = ListedWorld(tmp_path, "juliet", "romeo")
    world.add("juliet@example.org")
    juliet = world.online("juliet@example.org/j")
    world.files.people("romeo")
    world.look()
    assert not juliet.closed
