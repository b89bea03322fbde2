"""The contract of `PushStore` (XEP-0357)."""

from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import PushService
from tests.storage.conftest import Run
from tests.storage.samples import JULIET, NURSE, account

APP, OTHER = JID.parse("push.example.net"), JID.parse("other.example.net")


def test_who_enabled_none_has_none(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.pushes.put(NURSE, PushService(APP, "n", ""))
        stores.accounts.put(account(JULIET))
        stores.accounts.put(account(NURSE))
        stores.pushes.remove(JULIET, APP)
        await stores.writes.flushed()
        assert await stores.pushes.load(JULIET) == await stores.pushes.load(NURSE) == ()
        assert not (await stores.users.load_user(JULIET)).pushes

    run(scenario)


def test_xep0357_5_the_last_options_of_a_service_and_node_count(run: Run) -> None:
    first, second = PushService(APP, "a", "<x/>"), PushService(APP, "", "")
    changed = PushService(APP, "a", "<x>é</x>")

    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET))
        stores.accounts.put(account(NURSE))
        for push in (first, second, changed):
            stores.pushes.put(JULIET, push)
        stores.pushes.put(NURSE, first)
        await stores.writes.flushed()
        assert await stores.pushes.load(JULIET) == (second, changed)
        assert await stores.pushes.load(NURSE) == (first,)
        assert (await stores.users.load_user(JULIET)).pushes

    run(scenario)


def test_xep0357_6_one_node_goes_or_all_of_a_service(run: Run) -> None:
    nodes = [PushService(APP, node, "") for node in ("", "a", "b")]
    stays = PushService(OTHER, "a", "")

    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET))
        stores.accounts.put(account(NURSE))
        for push in (*nodes, stays):
            stores.pushes.put(JULIET, push)
        stores.pushes.put(NURSE, stays)
        stores.pushes.remove(JULIET, APP, "a")
        await stores.writes.flushed()
        assert await stores.pushes.load(JULIET) == (stays, nodes[0], nodes[2])
        stores.pushes.remove(JULIET, APP, "")
        await stores.writes.flushed()
        assert await stores.pushes.load(JULIET) == (stays, nodes[2])
        stores.pushes.remove(JULIET, APP)
        stores.pushes.remove(JULIET, OTHER)
        await stores.writes.flushed()
        assert not (await stores.users.load_user(JULIET)).pushes
        assert await stores.pushes.load(NURSE) == (stays,)

    run(scenario)


def test_who_comes_after_an_account_gets_none_of_its_notifications(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET))
        stores.pushes.put(JULIET, PushService(APP, "n", ""))
        stores.accounts.remove(JULIET)
        stores.accounts.put(account(JULIET))
        await stores.writes.flushed()
        assert await stores.pushes.load(JULIET) == ()

    run(scenario)
