"""RFC 5803, RFC 6120 §6.5.10: accounts in the service's own database."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from commonroom.accounts.chain import Checked, stored_accounts
from commonroom.accounts.stored import new_account
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import SALT_BYTES, ScramKeys, check_password, is_proof, sign
from commonroom.storage.errors import StorageError
from commonroom.storage.memory import Memory, MemoryAccountStore
from commonroom.storage.records import Account

NOW = datetime(2026, 3, 1, tzinfo=UTC)
JULIET, NURSE = JID.parse("juliet@example.org"), JID.parse("nurse@example.org")
ITERATIONS = 4  # quick


def randomly(size: int) -> bytes:
    return bytes(range(size))


def made(
    jid: JID = JULIET, password: str = "pencil", hashes: tuple[str, ...] = ("SHA-1", "SHA-256")
) -> Account:
    return new_account(jid, password, hashes, ITERATIONS, randomly, NOW)


class Accounts:
    """Accounts with a thread pool that counts its work."""

    def __init__(self, *accounts: Account, store: MemoryAccountStore | None = None) -> None:
        self.memory = memory = Memory()
        self.store = store or MemoryAccountStore(memory)
        for account in accounts:
            self.store.put(account)
        self.work = 0
        self.accounts = stored_accounts(
            self.store.get, self.store, memory.writes, self._off_loop, b"secret", ITERATIONS
        )

    async def _off_loop(self, work: Callable[[], Checked]) -> Checked:
        self.work += 1
        return work()

    def keys(self, account: JID, hash_name: str) -> Any:
        return run(self.accounts.credentials(account)).of(hash_name)

    def add(self, account: JID, keys: ScramKeys, revision: int) -> None:
        run(self.accounts.add_keys(account, keys, revision))

    def check(self, account: JID, password: str) -> Any:
        return run(self.accounts.check_password(account, password))[0]


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


class Broken(MemoryAccountStore):
    """A database that cannot be read."""

    def __init__(self) -> None:
        super().__init__(Memory())

    async def get(self, account: JID) -> Account | None:
        raise StorageError("disk full")


def test_what_the_store_cannot_tell_is_not_taken_for_no():
    accounts = Accounts(store=Broken())
    with pytest.raises(StorageError):
        accounts.keys(JULIET, "SHA-1")
    with pytest.raises(StorageError):
        accounts.check(JULIET, "pencil")


def test_keys_that_cannot_be_written_are_told_of():
    accounts = Accounts(made(hashes=("SHA-1",)))
    accounts.memory.writes.hold()

    async def scenario() -> None:
        adding = asyncio.create_task(accounts.accounts.add_keys(JULIET, made().keys[1], 1))
        await asyncio.sleep(0)
        accounts.memory.writes.release(StorageError("disk full"))
        await adding

    with pytest.raises(StorageError):
        run(scenario())


def test_xep0480_3_keys_are_added_to_those_of_the_password_that_was_looked_at():
    accounts = Accounts(made(hashes=("SHA-1",)))
    accounts.add(JULIET, made(password="former").keys[1], 0)
    assert accounts.keys(JULIET, "SHA-256") is None
    accounts.add(JULIET, made().keys[1], 1)
    assert check_password(accounts.keys(JULIET, "SHA-256"), "pencil")
    assert accounts.keys(JULIET, "SHA-1") is not None
    assert accounts.check(JULIET, "pencil")


def test_a_hash_that_a_client_got_wrong_leaves_the_password_good():
    accounts = Accounts(made(hashes=("SHA-1",)))
    accounts.add(JULIET, made(password="mistaken").keys[1], 1)
    assert accounts.check(JULIET, "pencil")
    assert not accounts.check(JULIET, "mistaken")


@pytest.mark.parametrize("password", ["", "\x00", "\ud800", " \u0007"])
def test_rfc8265_4_2_a_password_that_is_none_makes_no_account(password):
    with pytest.raises(ValueError, match="RFC 8265") as caught:
        made(password=password)
    assert password.strip() == "" or password not in str(caught.value)


@pytest.mark.parametrize("password", ["wrong", "", "pencil ", "PENCIL", "\x00", "\ud800", "x" * 5000])
def test_a_wrong_password_is_refused(password):
    assert not Accounts(made()).check(JULIET, password)


def test_an_account_that_does_not_exist_has_no_keys_and_no_password():
    accounts = Accounts(made())
    assert accounts.keys(NURSE, "SHA-256") is None
    assert not accounts.check(NURSE, "pencil")


def test_a_disabled_account_has_neither_until_it_is_enabled():
    accounts = Accounts(made())
    accounts.store.disable(JULIET, True)
    assert accounts.keys(JULIET, "SHA-256") is None
    assert not accounts.check(JULIET, "pencil")
    accounts.store.disable(JULIET, False)
    assert accounts.keys(JULIET, "SHA-256") is not None
    assert accounts.check(JULIET, "pencil")


def test_an_account_whose_password_is_kept_elsewhere_has_neither():
    accounts = Accounts(Account(JULIET, (), NOW))
    assert accounts.keys(JULIET, "SHA-256") is None
    assert not accounts.check(JULIET, "")


def test_rfc6120_6_5_10_every_answer_costs_one_check():
    accounts = Accounts(made())
    accounts.store.put(made(NURSE))
    accounts.store.disable(NURSE, True)
    for account in (JULIET, NURSE, JID.parse("nobody@example.org"), JID.parse("example.org")):
        accounts.work = 0
        accounts.check(account, "wrong")
        assert accounts.work == 1


def test_rfc6120_6_5_10_no_password_fits_the_keys_that_are_invented():
    accounts = Accounts()
    for password in ("", "pencil", "\x00" * 32, "secret"):
        assert not accounts.check(NURSE, password)


def test_keys_are_those_of_the_hash_that_was_asked_for():
    accounts = Accounts(made())
    for name in ("SHA-1", "SHA-256"):
        assert accounts.keys(JULIET, name).hash_name == name
    assert accounts.keys(JULIET, "SHA-512") is None


@pytest.mark.parametrize("hashes", [("SHA-1",), ("SHA-256",), ("SHA-512",), ("SHA-512", "SHA-1", "SHA-256")])
def test_a_right_password_is_accepted_whatever_hashes_there_are(hashes):
    accounts = Accounts(made(hashes=hashes))
    assert accounts.check(JULIET, "pencil")
    assert not accounts.check(JULIET, "wrong")


def test_rfc8265_4_2_a_password_is_compared_as_prepared():
    accounts = Accounts(made(password="Ångström"))
    assert accounts.check(JULIET, "A\u030angstro\u0308m")


def test_rfc5803_1_what_is_kept_is_keys_and_never_the_password():
    account = made()
    assert [key.hash_name for key in account.keys] == ["SHA-1", "SHA-256"]
    for key in account.keys:
        assert (len(key.salt), key.iterations) == (SALT_BYTES, ITERATIONS)
        assert check_password(key, "pencil")
        assert key.stored_key != key.server_key
        assert not is_proof(key, b"message", sign(key, b"message"))
    assert "pencil" not in repr(account)
    assert (account.jid, account.created, account.disabled) == (JULIET, NOW, False)
