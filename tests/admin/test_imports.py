"""Importing accounts: every line is checked, and nothing is imported if one is wrong."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commonroom.admin.accounts import add_account, disable_account
from commonroom.admin.errors import AdminError, BadAddress
from commonroom.admin.imports import BadLine, Imported, ImportRefused, import_accounts, read_entries
from commonroom.admin.places import SQLITE_FILE
from commonroom.admin.registry import Registry, open_registry
from commonroom.config import Mechanism, Settings
from commonroom.config.sasl import Sasl
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import check_password

from .registries import DOMAINS, LATER, NOW, done, registry


def refused(data: bytes) -> list[BadLine]:
    with pytest.raises(ImportRefused) as caught:
        read_entries(data, DOMAINS)
    return list(caught.value.lines)


def read(data: bytes, domain: str | None = None) -> list[tuple[int, str, str]]:
    return [(entry.line, str(entry.jid), entry.password) for entry in read_entries(data, DOMAINS, domain)]


async def password_of(registry: Registry, name: str) -> str:
    """Which of the passwords used here the account has."""
    account = await registry.stores.accounts.get(JID.parse(name))
    assert account is not None
    return next(word for word in ("old", "new") if check_password(account.keys[0], word))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"hunter2", "there is no colon; write localpart:password"),
        (b"al ice:secret", "before the colon is no localpart"),
        (b":secret", "before the colon is no localpart"),
        (
            b"alice@example.net:secret",
            r"no address at a configured domain \(example\.org, chat\.example\.org\)",
        ),
        (b"alice@example.org/home:secret", "before the colon is no localpart"),
        (b" alice:secret", "before the colon is no localpart"),
        (b"alice:", "not a password"),
        (b"alice:a\0b", "not a password"),
        (b"alice:\r\r", "not a password"),
        (b"alice:\xff", "this is not UTF-8"),
    ],
)
def test_a_line_that_is_wrong_is_refused_without_being_repeated(line: bytes, reason: str) -> None:
    (bad,) = refused(b"bob:x\n" + line + b"\ncarol:y\n")
    assert bad.line == 2
    with pytest.raises(ValueError, match=reason):
        raise ValueError(bad.text)
    assert "secret" not in bad.text
    assert "hunter2" not in bad.text


def test_every_line_that_is_wrong_is_named() -> None:
    assert [bad.line for bad in refused(b"one\n\ntwo\n# three\nfour:4\nFour:5\n")] == [1, 3, 6]


def test_an_address_stands_in_the_file_once() -> None:
    (bad,) = refused(b"alice:a\nbob:b\nALICE@example.org:c\n")
    assert bad == BadLine(3, "alice@example.org is on line 1 already; remove one of the two")


def test_the_domain_must_be_one_of_ours() -> None:
    with pytest.raises(BadAddress, match=r"configured: example\.org, chat\.example\.org"):
        read_entries(b"alice:a\n", DOMAINS, "example.net")


def test_a_file_may_come_from_any_editor() -> None:
    text = "\ufeff# people\r\nAlice:p:a:ss\r\n\r\n   \r\nbob@chat.example.org: with spaces \r\nüte:schloß"
    assert read(text.encode()) == [
        (2, "alice@example.org", "p:a:ss"),
        (5, "bob@chat.example.org", " with spaces "),
        (6, "üte@example.org", "schloß"),
    ]


def test_a_password_is_not_in_an_entry_s_repr() -> None:
    (entry,) = read_entries(b"alice:secret", DOMAINS)
    assert "secret" not in repr(entry)


def test_a_localpart_alone_belongs_to_the_domain_that_is_given() -> None:
    assert read(b"alice:a", "Chat.Example.org") == [(1, "alice@chat.example.org", "a")]


def test_an_empty_file_imports_nothing() -> None:
    assert read(b"") == []
    assert asyncio.run(import_accounts(registry(), [])) == Imported(0, 0)


def test_an_account_that_exists_is_refused_and_nothing_is_imported() -> None:
    office = registry()
    done(add_account(office, "bob@example.org", "old"))
    entries = read_entries(b"alice:new\nbob:new\n", DOMAINS)
    with pytest.raises(ImportRefused) as caught:
        asyncio.run(import_accounts(office, entries))
    assert caught.value.lines == (
        BadLine(2, "bob@example.org exists already; allow updates, or remove the line"),
    )
    assert not done(office.stores.accounts.exists(JID.parse("alice@example.org")))
    assert done(password_of(office, "bob@example.org")) == "old"


def test_an_update_changes_passwords_and_nothing_else() -> None:
    office = registry()
    done(add_account(office, "bob@example.org", "old"))
    done(disable_account(office, "bob@example.org", True))
    entries = read_entries(b"alice:new\nbob:new\n", DOMAINS)
    later = replace(office, now=lambda: LATER)
    assert asyncio.run(import_accounts(later, entries, update=True)) == Imported(new=1, updated=1)
    bob = done(office.stores.accounts.get(JID.parse("bob@example.org")))
    assert bob is not None
    assert (bob.created, bob.disabled) == (NOW, True)
    assert done(password_of(office, "bob@example.org")) == "new"
    assert done(password_of(office, "alice@example.org")) == "new"


def test_progress_is_told_up_to_the_end() -> None:
    data = "".join(f"user{number}:x\n" for number in range(600)).encode()
    steps: list[int] = []
    asyncio.run(import_accounts(registry(), read_entries(data, DOMAINS), progress=steps.append))
    assert sum(steps) == 600
    assert len(steps) > 1


def test_a_database_that_fails_is_told_with_what_was_imported(tmp_path: Path) -> None:
    settings = Settings(domains=DOMAINS, state=tmp_path, sasl=Sasl(mechanisms=(Mechanism.SCRAM_SHA_256,)))
    data = "".join(f"user{number:03}:x\n" for number in range(300)).encode()

    async def run() -> None:
        async with open_registry(settings) as office:
            with closing(sqlite3.connect(tmp_path / SQLITE_FILE)) as file, file:
                file.execute(
                    "CREATE TRIGGER refuse BEFORE INSERT ON account WHEN new.jid LIKE 'user299%'"
                    " BEGIN SELECT RAISE(ABORT, 'no room'); END"
                )
            file.close()
            await import_accounts(office, read_entries(data, DOMAINS))

    with pytest.raises(
        AdminError, match=r"no room.*; 250 of 300 accounts were imported; import the file again"
    ):
        asyncio.run(run())


def test_what_is_imported_was_made_now(tmp_path: Path) -> None:
    settings = Settings(domains=DOMAINS, state=tmp_path)

    async def run() -> datetime:
        async with open_registry(settings) as office:
            await import_accounts(office, read_entries(b"alice:new", DOMAINS))
            account = await office.stores.accounts.get(JID.parse("alice@example.org"))
            assert account is not None
            assert [keys.hash_name for keys in account.keys] == ["SHA-1", "SHA-256", "SHA-512"]
            return account.created

    before = datetime.now(UTC)
    assert before <= asyncio.run(run()) <= datetime.now(UTC)
