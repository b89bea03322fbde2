"""The contract of `OutboundStore`: what waits for other servers."""

from commonroom.storage.interfaces import Stores
from commonroom.storage.records import OutboundStanza
from tests.storage.conftest import Run


def test_what_nobody_kept_is_not_there_and_can_be_forgotten(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        assert await stores.outbound.load(10) == ()
        assert await stores.outbound.last_id() == 0
        stores.outbound.remove(7)
        await stores.writes.flushed()

    run(scenario)


def test_stanzas_come_back_in_the_order_of_their_ids_page_by_page(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        for number in (3, 1, 2):
            stores.outbound.add(number, f"<message id='é{number}'/>")
        await stores.writes.flushed()
        kept = tuple(OutboundStanza(number, f"<message id='é{number}'/>") for number in (1, 2, 3))
        assert await stores.outbound.load(10) == kept
        assert await stores.outbound.load(2) == kept[:2]
        assert await stores.outbound.load(2, after=2) == kept[2:]
        assert await stores.outbound.last_id() == 3

    run(scenario)


def test_some_are_forgotten_and_the_others_stay(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        for number in range(1, 6):
            stores.outbound.add(number, "<message/>")
        stores.outbound.remove(1, 3)
        await stores.writes.flushed()
        stores.outbound.remove(4)
        await stores.writes.flushed()
        assert [stanza.id for stanza in await stores.outbound.load(10)] == [2, 5]

    run(scenario)
