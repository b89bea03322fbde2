"""`commonroom archive`."""

import json
from pathlib import Path

import pytest

from commonroom.admin.registry import Registry
from commonroom.cli.with_registry import with_registry
from commonroom.protocol.jid import JID
from commonroom.storage.records import ArchivedMessage

from .commands import failed, run, set_up, worked

ALICE = JID.parse("alice@localhost")
BOB = JID.parse("bob@localhost/phone")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A service that keeps messages for a day; alice has one of 1970."""
    path = set_up(tmp_path)
    path.write_text(path.read_text().replace("[archive]\n", '[archive]\nkeep = "1d"\n', 1))
    worked(run("user", "add", ALICE, "--password-stdin", "-c", path, stdin="secret"))

    async def fill(registry: Registry) -> None:
        registry.stores.archive.append(ALICE, ArchivedMessage(1_000_000, BOB, True, "<message/>"))
        await registry.stores.writes.flushed()

    with_registry(path, fill)
    return path


def test_nothing_is_erased_without_being_asked(config: Path) -> None:
    said = failed(run("archive", "erase", ALICE, "-c", config), 2)
    assert "say --yes if the messages of alice@localhost are really to be erased" in said


@pytest.mark.parametrize("address", ["alice@example.net", "nobody@localhost", "localhost"])
def test_an_archive_that_is_not_there_is_told(config: Path, address: str) -> None:
    assert address in failed(run("archive", "erase", address, "--yes", "-c", config))


def test_a_dry_run_tells_and_changes_nothing(config: Path) -> None:
    line = "archive.keep\t1 messages\t1 accounts\tsince 1970-01-01T00:00:01Z\n"
    for words in (("--dry-run",), ("--dry-run",), ()):
        assert worked(run("archive", "expire", *words, "-c", config)) == line
    assert worked(run("archive", "expire", "-c", config)) == ""


def test_a_program_gets_json(config: Path) -> None:
    printed = json.loads(worked(run("archive", "expire", "--dry-run", "--json", "-c", config)))
    assert printed == [
        {"rule": "archive.keep", "messages": 1, "accounts": 1, "since": "1970-01-01T00:00:01Z"}
    ]
    assert json.loads(worked(run("archive", "expire", "--json", "-c", config))) == printed
    assert json.loads(worked(run("archive", "expire", "--json", "-c", config))) == []


@pytest.mark.parametrize(
    ("peer", "left"), [((), 0), (("--with", "bob@localhost"), 0), (("--with", "x@y"), 1)]
)
def test_an_archive_or_a_conversation_is_erased(config: Path, peer: tuple[str, ...], left: int) -> None:
    assert worked(run("archive", "erase", ALICE, *peer, "--yes", "-c", config)) == ""
    assert len(json.loads(worked(run("archive", "expire", "--dry-run", "--json", "-c", config)))) == left
