"""The contract of `DeviceStore` (XEP-0388, XEP-0484)."""

from dataclasses import replace
from datetime import timedelta

from commonroom.protocol.sasl.mechanism import Token
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import Device
from tests.storage.conftest import Run
from tests.storage.samples import CREATED, JULIET, NURSE, account

USED = Token("HT-SHA-256-EXPR", bytes(range(32)), 2**50, 3, 2**31, is_new=False)
UNUSED = Token("HT-SHA-256-NONE", bytes(32), 1, 4)
PHONE = Device("b", "Nightingale", "ein Gerät", CREATED, CREATED + timedelta(days=1), True, (USED, UNUSED))
DESK = Device("a", "", "", CREATED, CREATED, False)


def test_an_account_that_is_not_there_has_no_devices(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.devices.put(NURSE, PHONE)
        stores.accounts.put(account(JULIET))
        stores.accounts.put(account(NURSE))
        stores.devices.remove(JULIET, "b")
        await stores.writes.flushed()
        assert await stores.devices.load(JULIET) == await stores.devices.load(NURSE) == ()
        assert await stores.devices.get(NURSE, "b") is None

    run(scenario)


def test_what_was_put_last_counts(run: Run) -> None:
    changed = replace(PHONE, tokens=(UNUSED,), last_seen=CREATED)

    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET))
        stores.accounts.put(account(NURSE))
        for owner, device in ((JULIET, PHONE), (JULIET, DESK), (NURSE, DESK)):
            stores.devices.put(owner, device)
        await stores.writes.flushed()
        assert await stores.devices.load(JULIET) == (DESK, PHONE)
        assert await stores.devices.get(JULIET, "b") == PHONE
        stores.devices.put(JULIET, changed)
        await stores.writes.flushed()
        assert await stores.devices.get(JULIET, "b") == changed
        stores.devices.remove(JULIET, "a")
        await stores.writes.flushed()
        assert await stores.devices.load(JULIET) == (changed,)
        assert await stores.devices.load(NURSE) == (DESK,)

    run(scenario)


def test_who_comes_after_an_account_has_none_of_its_devices(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET))
        stores.devices.put(JULIET, PHONE)
        stores.accounts.remove(JULIET)
        stores.accounts.put(account(JULIET))
        await stores.writes.flushed()
        assert await stores.devices.load(JULIET) == ()

    run(scenario)
