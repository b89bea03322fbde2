"""XEP-0484: which tokens are good, and for how long."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from commonroom.accounts.devices import Devices, Settled, TokenPolicy
from commonroom.protocol.fast import Issued, Visit
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import SaslCondition
from commonroom.protocol.sasl.mechanism import Token
from commonroom.storage.errors import StorageError
from commonroom.storage.memory import Memory, memory_stores
from commonroom.storage.records import Account, Device

JULIET = JID.parse("juliet@example.org")
START = datetime(2026, 3, 1, tzinfo=UTC)
NONE = "HT-SHA-256-NONE"
POLICY = TokenPolicy(timedelta(days=21), timedelta(days=1), 3)


class Keeper:
    """Devices with a clock of their own, and what a client of them does."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.stores = memory_stores(self.memory)
        self.stores.accounts.put(Account(JULIET, (), START))
        self.now = START
        self.made = 0
        self.devices = Devices(
            self.stores.devices, self.stores.writes, POLICY, lambda: self.now, self._random
        )

    def _random(self, size: int) -> bytes:
        self.made += 1
        return self.made.to_bytes(size, "big")

    def pass_time(self, **time: float) -> None:
        self.now += timedelta(**time)

    def run(self, work: Awaitable[Any]) -> Any:
        async def go() -> Any:
            return await work

        return asyncio.run(go())

    def device(self, client: str = "phone") -> Device | None:
        found: Device | None = self.run(self.devices.find(JULIET, client))
        return found

    def tokens(self, revision: int = 1) -> list[tuple[str, bool]]:
        """The candidates, as what their client would have, and whether they have expired."""
        return [
            (self.name(candidate.token), candidate.is_expired)
            for candidate in self.devices.candidates(self.device(), revision)
        ]

    def name(self, token: Token) -> str:
        """The first, second … that was made."""
        for number in range(1, self.made + 1):
            text = urlsafe_b64encode(number.to_bytes(54, "big"))
            if sha256(text).digest() == token.key:
                return f"token {number}"
        raise AssertionError(token)

    def visit(
        self, used: Token | None = None, revision: int = 1, client: str = "phone", **said: Any
    ) -> Settled:
        counter, invalidate = said.get("counter"), said.get("invalidate", False)
        visit = Visit(client, "", "", used, counter, invalidate, said.get("wants"))
        return self.devices.settle(JULIET, revision, visit, self.device(client))

    def newest(self) -> Token:
        """The token that was issued last."""
        device = self.device()
        assert device is not None
        return max(device.tokens, key=lambda token: (token.expires, token.is_new))

    def issue(self) -> Token:
        assert isinstance(self.visit(wants=NONE).outcome, Issued)
        return self.newest()


REFUSED = Settled(SaslCondition.NOT_AUTHORIZED, is_urgent=False)


def test_xep0484_3_4_a_count_that_was_there_already_is_refused():
    keeper = Keeper()
    token = keeper.issue()
    assert keeper.visit(token, counter=0) == REFUSED
    assert keeper.visit(token, counter=2).outcome is None
    for counter in (0, 1, 2):
        assert keeper.visit(token, counter=counter) == REFUSED
    assert keeper.visit(token, counter=3).outcome is None
    assert keeper.visit(token).outcome is None  # nothing was said, and nothing came before the handshake


def test_two_uses_of_one_count_that_were_looked_up_at_once_do_not_both_pass():
    keeper = Keeper()
    token = keeper.issue()
    store, real = keeper.stores.devices, keeper.stores.devices.get

    async def slow(account: JID, client: str) -> Device | None:
        found = await real(account, client)
        await asyncio.sleep(0.01)  # the disk has answered, and the loop has not heard of it yet
        return found

    store.get = slow  # type: ignore[method-assign]

    async def use() -> Settled:
        device = await keeper.devices.find(JULIET, "phone")
        return keeper.devices.settle(JULIET, 1, Visit("phone", "", "", token, 1, False, None), device)

    async def both() -> list[Settled]:
        return list(await asyncio.gather(use(), use()))

    outcomes = asyncio.run(both())
    assert [outcome == REFUSED for outcome in outcomes] == [False, True]


def test_a_token_that_was_revoked_while_it_was_looked_at_is_refused():
    keeper = Keeper()
    token = keeper.issue()
    keeper.devices.forget(JULIET, "phone")
    assert keeper.visit(token) == REFUSED
    assert keeper.tokens() == []


@pytest.mark.parametrize("revision", [0, 2])
def test_a_token_ends_with_whatever_changes_its_account(revision):
    keeper = Keeper()
    token = keeper.issue()
    assert keeper.tokens(revision) == []
    assert keeper.visit(token, revision) == REFUSED


def test_xep0484_4_2_a_token_expires():
    keeper = Keeper()
    token = keeper.issue()
    keeper.pass_time(days=21)
    assert keeper.tokens() == [("token 1", True)]
    assert keeper.visit(token) == REFUSED


def test_xep0484_3_5_a_new_token_ends_those_that_nobody_used():
    keeper = Keeper()
    keeper.issue()
    keeper.issue()
    assert keeper.tokens() == [("token 2", False)]


def test_xep0484_3_5_the_old_token_is_good_until_the_new_one_was_used():
    keeper = Keeper()
    old = keeper.issue()
    keeper.visit(old)
    keeper.pass_time(days=1)
    settled = keeper.visit(old)
    assert isinstance(settled.outcome, Issued)
    assert settled.is_urgent
    assert keeper.tokens() == [("token 2", False), ("token 1", False)]
    keeper.visit(old)  # the answer was lost: another one is issued
    assert keeper.tokens() == [("token 3", False), ("token 1", False)]
    assert keeper.visit(keeper.newest()).is_urgent
    assert keeper.tokens() == [("token 3", False)]
    assert keeper.visit(old) == REFUSED


def test_xep0484_3_5_a_young_token_is_not_replaced():
    keeper = Keeper()
    token = keeper.issue()
    keeper.pass_time(hours=23)
    assert keeper.visit(token).outcome is None
    assert not keeper.visit(token).is_urgent  # nothing that must be on disk


def test_xep0484_3_6_who_logs_out_has_no_token_any_more():
    keeper = Keeper()
    token = keeper.issue()
    keeper.pass_time(days=2)
    keeper.visit(token)  # with a second one that the client may have got
    settled = keeper.visit(token, invalidate=True)
    assert settled == Settled(None, is_urgent=True)
    assert keeper.tokens() == []
    assert keeper.visit(token) == REFUSED


def test_xep0484_3_6_unless_it_asks_for_another():
    keeper = Keeper()
    settled = keeper.visit(keeper.issue(), invalidate=True, wants=NONE)
    assert isinstance(settled.outcome, Issued)
    assert keeper.tokens() == [("token 2", False)]


def test_xep0484_3_3_only_a_digest_is_kept():
    keeper = Keeper()
    issued = keeper.visit(wants=NONE).outcome
    assert isinstance(issued, Issued)
    assert len(issued.token) > 64  # or the digest would not be what HMAC makes of it
    device = keeper.device()
    assert device is not None
    assert device.tokens[0].key == sha256(issued.token.encode()).digest()


def test_the_clients_of_an_account_are_bounded():
    keeper = Keeper()
    for number in range(5):
        keeper.pass_time(minutes=1)
        keeper.run(keeper.devices.make_room(JULIET))
        keeper.visit(client=f"client {number}")
    known = keeper.run(keeper.devices.list(JULIET))
    assert [device.client for device in known] == ["client 4", "client 3", "client 2"]


def test_a_visit_is_written_once_an_hour():
    keeper = Keeper()
    keeper.visit()
    before = keeper.memory.writes.appended
    keeper.pass_time(minutes=59)
    keeper.visit()
    assert keeper.memory.writes.appended == before
    keeper.pass_time(minutes=1)
    keeper.visit()
    device = keeper.device()
    assert device is not None
    assert (device.first_seen, device.last_seen, device.password) == (START, keeper.now, True)


def test_who_cannot_write_says_so():
    keeper = Keeper()
    keeper.memory.writes.hold()
    keeper.visit(wants=NONE)

    async def fail() -> None:
        waiting = asyncio.ensure_future(keeper.devices.flushed())
        await asyncio.sleep(0)
        keeper.memory.writes.release(StorageError("full"))
        await waiting

    work: Callable[[], Awaitable[None]] = fail
    with pytest.raises(StorageError):
        keeper.run(work())
