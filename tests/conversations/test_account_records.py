"""Every step of the life of an account in files is recorded, and so is what becomes of the files."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from commonroom.admin.account_files import confirm, planned
from commonroom.app.account_files import RETRY_AFTER
from commonroom.config.records import Records
from commonroom.protocol.jid import JID
from commonroom.storage.records import AuditFilter, AuditRecord
from tests.conversations.listed import DES, OTHER, ListedWorld

JULIET = JID.parse("juliet@example.org")
ROMEO = JID.parse("romeo@example.org")


@pytest.fixture
def world(tmp_path: Path) -> ListedWorld:
    return ListedWorld(tmp_path, "juliet", "romeo", "nurse")


def found(world: ListedWorld, tag: str = "account:", who: str | None = None) -> tuple[AuditRecord, ...]:
    """The oldest first."""
    world.core.audit.flush()
    records: tuple[AuditRecord, ...] = world.run(world.stores.audit.find(AuditFilter(tag=tag, who=who), 1000))
    return records[::-1]


def tags(world: ListedWorld, who: JID) -> list[str]:
    return [each.tag.removeprefix("account:") for each in found(world, who=who)]


def test_nothing_is_recorded_of_what_did_not_happen(world: ListedWorld) -> None:
    before = found(world)
    assert world.try_login("juliet", "wrong") == "not-authorized"
    assert world.try_login("mercutio") == "not-authorized"
    world.files.people("juliet", "romeo", "nurse")
    world.look()
    assert found(world) == before


def test_what_is_not_to_be_kept_is_not(tmp_path: Path) -> None:
    world = ListedWorld(tmp_path, "juliet", "romeo", records=Records(accounts=0.0))
    world.try_login("juliet")
    world.files.people("romeo")
    world.look()
    assert found(world) == ()


def test_accounts_that_were_there_at_the_beginning_are_a_number(world: ListedWorld) -> None:
    (only,) = found(world)
    assert (only.tag, only.who, json.loads(only.facts)) == ("account:files:changed", None, {"accounts": 3})


def test_the_first_login_and_the_first_message_say_which_it_was(world: ListedWorld) -> None:
    juliet = world.online(f"{JULIET}/balcony")
    juliet.send(f"<message to='{ROMEO}' type='chat' id='1'><body>hello</body></message>")
    world.turn()
    world.try_login("juliet")
    made = found(world, "account:state:made")
    assert [(each.who, json.loads(each.facts)) for each in made] == [
        (JULIET, {"source": "people", "why": "login"}),
        (ROMEO, {"source": "people", "why": "message"}),
    ]


def test_a_whole_life(world: ListedWorld) -> None:
    files = world.files
    files.people("juliet", "romeo", "nurse", "tybalt")
    world.look()
    tybalt = JID.parse("tybalt@example.org")
    world.try_login("tybalt")
    files.people("juliet", "romeo", "nurse", tybalt="*")
    world.look()
    files.people("juliet", "romeo", "nurse", tybalt=OTHER)
    world.look()
    files.people("juliet", "romeo", "nurse", tybalt=DES)
    world.look()
    files.people("juliet", "romeo", "nurse")
    world.look()
    files.people("juliet", "romeo", "nurse", "tybalt")
    world.look()
    world.try_login("tybalt")
    files.people("juliet", "romeo", "nurse")
    world.look()
    world.seconds += timedelta(days=31).total_seconds()
    world.run(world.core.lifecycle.erase_some())
    assert tags(world, tybalt) == [
        "entry:appeared",
        "state:made",
        "entry:locked",
        "entry:unlocked",
        "hash:changed",
        "entry:departed",
        "entry:appeared",
        "state:restored",
        "entry:departed",
        "state:erased",
    ]


def test_a_renaming_names_both_addresses(tmp_path: Path) -> None:
    (tmp_path / "map").write_text("jc12:juliet.capulet\n")
    world = ListedWorld(tmp_path, "jc12", "romeo", source={"mapping": tmp_path / "map"})
    world.files.write("map", "jc12:juliet.montague")
    world.look()
    (only,) = found(world, "account:entry:renamed")
    assert (only.who, only.peer) == ("juliet.montague@example.org", "juliet.capulet@example.org")
    assert found(world, "account:entry:", JID.parse("juliet.capulet@example.org")) == (only,)


def test_what_is_held_back_and_who_confirmed_it(tmp_path: Path) -> None:
    world = ListedWorld(tmp_path, *(f"u{number}" for number in range(20)), hold_least=2)
    world.files.people(*(f"u{number}" for number in range(5)))
    world.look()
    world.look()
    (held,) = found(world, "account:files:held")
    assert json.loads(held.facts) == {"accounts": 5, "departed": 15}
    assert found(world, "account:entry:departed") == ()
    with planned(world.settings) as plan:
        confirm(world.settings, plan)
    world.look()
    (confirmed,) = found(world, "account:files:confirmed")
    assert (confirmed.who or "").startswith("uid ")
    assert len(found(world, "account:entry:departed")) == 15


def test_files_that_cannot_be_read_are_recorded_once(world: ListedWorld) -> None:
    world.files.path("passwd").unlink()
    world.look()
    world.seconds += RETRY_AFTER + 1
    world.look()
    (only,) = found(world, "account:files:unreadable")
    assert "passwd" in only.facts


def test_records_hold_no_hash(world: ListedWorld) -> None:
    world.try_login("juliet")
    world.files.people("romeo", "nurse", juliet=OTHER)
    world.look()
    assert found(world, "account:hash:changed")
    assert DES not in repr(found(world))
    assert OTHER not in repr(found(world))
