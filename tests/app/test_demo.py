"""The demonstration's folder."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from commonroom.admin.accounts import find, remove_account, set_password
from commonroom.admin.errors import AdminError
from commonroom.admin.registry import Registry, open_registry
from commonroom.app.demo import PASSWORDS_FILE, Demo, populate, prepare, pronounceable
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import check_password
from commonroom.protocol.subscription import SubscriptionState

ALICE, BOB, CAROL = (JID.parse(f"{name}@localhost") for name in ("alice", "bob", "carol"))
PORT = 42000


def populated(folder: Path) -> Demo:
    demo = prepare(folder, PORT, PORT + 1)
    asyncio.run(populate(demo))
    return demo


async def with_registry(demo: Demo, work: Callable[[Registry], object]) -> object:
    async with open_registry(demo.settings) as registry:
        return await work(registry)  # type: ignore[misc]


@pytest.mark.parametrize("name", ["commonroom.sqlite3", "commonroom.toml"])
def test_the_folder_of_another_service_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(AdminError, match=f"{name}: this belongs to a service that is no demonstration"):
        prepare(tmp_path, PORT, PORT + 1)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AdminError, match="cannot be made"):
        prepare(tmp_path / "file" / "var", PORT, PORT + 1)


def test_passwords_that_somebody_spoilt_are_told_and_not_shown(tmp_path: Path) -> None:
    prepare(tmp_path, PORT, PORT + 1)
    (tmp_path / PASSWORDS_FILE).write_text("alice:one\nhunter2\n")
    with pytest.raises(AdminError, match=f"{PASSWORDS_FILE}:2: there is no colon") as caught:
        prepare(tmp_path, PORT, PORT + 1)
    assert "hunter2" not in str(caught.value)


def test_everything_is_the_owner_s_alone(tmp_path: Path) -> None:
    demo = populated(tmp_path / "var")
    assert demo.folder.stat().st_mode & 0o777 == 0o700
    assert (demo.folder / PASSWORDS_FILE).stat().st_mode & 0o777 == 0o600
    assert all(password not in repr(demo) for password in demo.passwords.values())


def test_only_this_machine_can_connect(tmp_path: Path) -> None:
    c2s = prepare(tmp_path, PORT, PORT + 1).settings.c2s
    assert {address.host for address in (*c2s.listen, *c2s.listen_direct_tls)} <= {"127.0.0.1", "::1"}
    assert c2s.listen_plain == ()


def test_the_accounts_are_each_other_s_contacts(tmp_path: Path) -> None:
    demo = populated(tmp_path)

    async def rosters(registry: Registry) -> dict[JID, set[JID]]:
        found = {}
        for jid in demo.passwords:
            items = (await registry.stores.rosters.load(jid)).items
            assert {item.state for item in items} == {SubscriptionState.BOTH}
            found[jid] = {item.jid for item in items}
        return found

    assert asyncio.run(with_registry(demo, rosters)) == {
        ALICE: {BOB, CAROL},
        BOB: {ALICE, CAROL},
        CAROL: {ALICE, BOB},
    }


def test_a_second_start_keeps_passwords_and_accounts(tmp_path: Path) -> None:
    first, second = populated(tmp_path), populated(tmp_path)
    assert (first.passwords, first.changed) == (second.passwords, second.changed)
    assert second.changed == set()


def test_a_password_that_was_changed_is_not_shown_as_if_it_were_not(tmp_path: Path) -> None:
    first = populated(tmp_path)
    asyncio.run(with_registry(first, lambda registry: set_password(registry, BOB, "other")))
    assert populated(tmp_path).changed == {BOB}


def test_an_account_that_was_removed_is_made_again(tmp_path: Path) -> None:
    first = populated(tmp_path)
    asyncio.run(with_registry(first, lambda registry: remove_account(registry, BOB)))
    second = populated(tmp_path)
    assert second.changed == set()
    account = asyncio.run(with_registry(second, lambda registry: find(registry, BOB)))
    assert all(check_password(keys, second.passwords[BOB]) for keys in account.keys)  # type: ignore[attr-defined]


def test_passwords_differ_and_can_be_read_out() -> None:
    words = {pronounceable() for _ in range(50)}
    assert len(words) == 50
    assert {len(word) for word in words} == {20}
    assert "".join(words).replace("-", "").isalpha()
