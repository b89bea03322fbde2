"""`commonroom room`."""

import json
from pathlib import Path

import pytest
from click import ClickException

from commonroom.admin import rooms as operations
from commonroom.admin.rooms import RoomAdmin
from commonroom.cli.with_rooms import with_rooms
from commonroom.protocol.jid import JID
from commonroom.storage.records import ArchivedMessage
from commonroom.storage.room_records import RoomRequest
from commonroom.storage.stamps import from_stamp

from .commands import failed, run, running, set_up, worked

CHESS = "chess@group.localhost"
ALICE = "alice@localhost"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A service with one room."""
    path = set_up(tmp_path)
    worked(run("user", "add", ALICE, "--password-stdin", "-c", path, stdin="secret"))
    worked(run("room", "create", CHESS, "--owner", ALICE, "-c", path))
    return path


@pytest.mark.parametrize("address", ["chess@localhost", "group.localhost", "chess@group.localhost/a", "@"])
def test_what_is_no_room_is_told(config: Path, address: str) -> None:
    assert address in failed(run("room", "show", address, "-c", config))


def test_a_room_that_is_not_there_is_told(config: Path) -> None:
    for words in (("show",), ("members",), ("history",), ("destroy", "--yes"), ("approve",), ("refuse",)):
        assert "tea@" in failed(run("room", *words, "tea@group.localhost", "-c", config))


@pytest.mark.parametrize(
    ("owner", "told"),
    [("bob@localhost", "there is no such account"), ("alice@example.org", "not served here"), ("@", "@")],
)
def test_a_room_belongs_to_an_account(config: Path, owner: str, told: str) -> None:
    answer = failed(run("room", "create", "tea@group.localhost", "--owner", owner, "-c", config))
    assert f"{owner}: " in answer
    assert told in answer
    assert worked(run("room", "list", "-c", config)) == f"{CHESS}\n"


def test_a_room_is_made_once(config: Path) -> None:
    assert "there is such a room" in failed(run("room", "create", CHESS, "--owner", ALICE, "-c", config))


def test_rooms_are_listed(config: Path) -> None:
    assert worked(run("room", "list", "-c", config)) == f"{CHESS}\n"
    (facts,) = json.loads(worked(run("room", "list", "--json", "-c", config)))
    assert facts["address"] == CHESS


def test_options_are_changed_and_shown(config: Path) -> None:
    assert "write yes or no" in failed(run("room", "set", CHESS, "public=maybe", "-c", config))
    assert "the options are" in failed(run("room", "set", CHESS, "colour=red", "-c", config))
    assert "not possible" in failed(run("room", "set", CHESS, "whois=nobody", "-c", config))
    worked(run("room", "set", CHESS, "name=Chess club", "public=yes", "max_users=8", "-c", config))
    assert worked(run("room", "list", "-c", config)) == f"{CHESS}\tChess club\n"
    shown = json.loads(worked(run("room", "show", CHESS, "--json", "-c", config)))
    assert (shown["options"]["public"], shown["options"]["max_users"]) == ("yes", "8")
    assert "Chess club" in worked(run("room", "show", CHESS, "-c", config))


def test_members_are_changed_and_listed(config: Path) -> None:
    assert "write one of" in failed(
        run("room", "members", CHESS, "--set", "b@localhost", "king", "-c", config)
    )
    worked(run("room", "members", CHESS, "--set", "b@localhost", "admin", "-c", config))
    assert worked(run("room", "members", CHESS, "-c", config)) == f"{ALICE}\towner\nb@localhost\tadmin\n"
    assert (
        json.loads(worked(run("room", "members", CHESS, "--json", "-c", config)))[1]["affiliation"] == "admin"
    )


def test_history_tells_who_it_was(config: Path) -> None:
    xml = f"<message from='{CHESS}/White' type='groupchat'><body>e4</body></message>"

    async def fill(rooms: RoomAdmin) -> None:
        message = ArchivedMessage(1_000_000, JID.parse(f"{ALICE}/a"), False, xml, "e4")
        rooms.stores.archive.append(JID.parse(CHESS), message)
        await rooms.stores.writes.flushed()

    with_rooms(config, fill)
    line = worked(run("room", "history", CHESS, "-c", config))
    assert line == f"1970-01-01T00:00:01Z\t{ALICE}\tWhite\te4\n"
    assert json.loads(worked(run("room", "history", CHESS, "--json", "-c", config)))[0]["text"] == "e4"


def test_a_room_is_destroyed_only_when_that_is_sure(config: Path) -> None:
    assert "say --yes" in failed(run("room", "destroy", CHESS, "-c", config), 2)
    worked(run("room", "destroy", CHESS, "--yes", "--reason", "over", "-c", config))
    assert worked(run("room", "list", "-c", config)) == ""
    assert "over" in failed(run("room", "show", CHESS, "-c", config))


def test_requests_are_answered(config: Path) -> None:
    tea, cake = JID.parse("tea@group.localhost"), JID.parse("cake@group.localhost")

    async def ask(rooms: RoomAdmin) -> None:
        for address in (tea, cake):
            rooms.stores.rooms.request(RoomRequest(address, JID.parse(ALICE), from_stamp(0)))
        await rooms.stores.writes.flushed()

    with_rooms(config, ask)
    assert worked(run("room", "requests", "-c", config)).splitlines()[1] == (
        f"{tea}\t{ALICE}\t1970-01-01T00:00:00Z"
    )
    worked(run("room", "approve", tea, "-c", config))
    worked(run("room", "refuse", cake, "--reason", "no", "-c", config))
    assert json.loads(worked(run("room", "requests", "--json", "-c", config))) == []
    assert worked(run("room", "members", tea, "-c", config)) == f"{ALICE}\towner\n"


def test_rooms_of_a_running_service_are_changed_by_it(config: Path, tmp_path: Path) -> None:
    with running("serve", "-c", config, cwd=tmp_path):
        worked(run("room", "set", CHESS, "name=Chess club", "-c", config))
        assert worked(run("room", "list", "-c", config)) == f"{CHESS}\tChess club\n"
        worked(run("room", "create", "tea@group.localhost", "--owner", ALICE, "-c", config))
        worked(run("room", "destroy", CHESS, "--yes", "-c", config))
        assert worked(run("room", "list", "-c", config)) == "tea@group.localhost\n"
        with pytest.raises(ClickException, match="the service is running"):
            with_rooms(config, operations.requests)
