"""The contract of `RosterStore` (RFC 6121 §2, §3)."""

import pytest

from commonroom.protocol.jid import JID
from commonroom.protocol.subscription import SubscriptionState
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import StoredRoster
from tests.storage.conftest import Run
from tests.storage.samples import JULIET, NURSE, ROMEO, account, item


def test_a_roster_that_nobody_wrote_is_empty(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        assert await stores.rosters.load(JULIET) == StoredRoster((), 0, 0)
        stores.accounts.put(account())
        await stores.writes.flushed()
        assert await stores.rosters.load(JULIET) == StoredRoster((), 0, 0)

    run(scenario)


def test_removing_a_contact_that_is_not_there_is_a_change_like_any_other(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.rosters.remove(JULIET, ROMEO, 5)
        await stores.writes.flushed()
        assert await stores.rosters.load(JULIET) == StoredRoster((), 5, 5)

    run(scenario)


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE roster_item; --", 'a"b\\c', "%(name)s :name ?", "日本 🐈\u200d⬛", " "]
)
def test_names_and_groups_are_kept_as_they_are(run: Run, text: str) -> None:
    contact = item(name=text, groups=tuple(sorted({text, "Friends"})), request=f"<presence id='{text}'/>")

    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.rosters.put(JULIET, contact)
        await stores.writes.flushed()
        assert (await stores.rosters.load(JULIET)).items == (contact,)

    run(scenario)


def test_rfc6121_a_1_every_state_is_kept(run: Run) -> None:
    items = tuple(
        item(JID.parse(f"contact{number}@montague.example"), number + 1, state=state)
        for number, state in enumerate(SubscriptionState)
    )

    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        for contact in items:
            stores.rosters.put(JULIET, contact)
        await stores.writes.flushed()
        assert await stores.rosters.load(JULIET) == StoredRoster(items, len(items), 0)

    run(scenario)


def test_rfc6121_3_1_3_a_request_is_kept_in_full_without_showing_the_contact(run: Run) -> None:
    request = (
        "<presence from='romeo@montague.example' type='subscribe'><status>Art thou not?</status></presence>"
    )
    asking = item(state=SubscriptionState.NONE_PENDING_IN, listed=False, approved=True, request=request)

    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.rosters.put(JULIET, asking)
        await stores.writes.flushed()
        assert (await stores.rosters.load(JULIET)).items == (asking,)
        stores.rosters.put(JULIET, item(version=2))
        await stores.writes.flushed()
        assert (await stores.rosters.load(JULIET)).items == (item(version=2),)

    run(scenario)


def test_rfc6121_2_6_3_the_version_is_that_of_the_last_change(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.rosters.put(JULIET, item(ROMEO, 3))
        stores.rosters.put(JULIET, item(NURSE, 4))
        await stores.writes.flushed()
        assert await stores.rosters.load(JULIET) == StoredRoster((item(NURSE, 4), item(ROMEO, 3)), 4, 0)
        stores.rosters.remove(JULIET, NURSE, 5)
        await stores.writes.flushed()
        assert await stores.rosters.load(JULIET) == StoredRoster((item(ROMEO, 3),), 5, 5)
        stores.rosters.put(JULIET, item(ROMEO, 6))
        await stores.writes.flushed()
        assert await stores.rosters.load(JULIET) == StoredRoster((item(ROMEO, 6),), 6, 5)
        stores.rosters.remove(JULIET, ROMEO, 7)
        await stores.writes.flushed()
        assert await stores.rosters.load(JULIET) == StoredRoster((), 7, 7)

    run(scenario)


def test_contacts_come_by_address(run: Run) -> None:
    jids = [JID.parse(f"{name}@montague.example") for name in ("b", "a", "é", "z", "a-b", "a.b")]

    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        for version, jid in enumerate(jids, 1):
            stores.rosters.put(JULIET, item(jid, version))
        await stores.writes.flushed()
        assert [contact.jid for contact in (await stores.rosters.load(JULIET)).items] == sorted(jids)

    run(scenario)


def test_accounts_with_the_same_contact_do_not_touch_each_other(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET))
        stores.accounts.put(account(NURSE))
        stores.rosters.put(JULIET, item(ROMEO, 1, name="Romeo"))
        stores.rosters.put(NURSE, item(ROMEO, 1, name="The young man"))
        stores.rosters.remove(NURSE, ROMEO, 2)
        await stores.writes.flushed()
        assert await stores.rosters.load(JULIET) == StoredRoster((item(ROMEO, 1, name="Romeo"),), 1, 0)
        assert await stores.rosters.load(NURSE) == StoredRoster((), 2, 2)

    run(scenario)
