"""The contract of `PreferenceStore` (XEP-0441): put, and read with the user."""

from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import ArchiveDefault, ArchivePreferences
from tests.storage.conftest import Run
from tests.storage.samples import JULIET, NURSE, ROMEO, account

FULL = JID.parse("romeo@montague.example/a, b; c")


async def read(stores: Stores) -> ArchivePreferences | None:
    await stores.writes.flushed()
    return (await stores.users.load_user(JULIET)).preferences


def test_preferences_for_an_account_that_does_not_exist_are_dropped(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.preferences.put(JULIET, ArchivePreferences(ArchiveDefault.NEVER))
        assert await read(stores) is None
        stores.accounts.put(account())
        assert await read(stores) is None

    run(scenario)


def test_xep0441_2_1_what_was_put_last_comes_with_the_user(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.accounts.put(account(NURSE))
        for wanted in (
            ArchivePreferences(ArchiveDefault.ROSTER, frozenset((ROMEO, FULL)), frozenset((NURSE,))),
            ArchivePreferences(ArchiveDefault.ALWAYS, frozenset(), frozenset((FULL,))),
            ArchivePreferences(ArchiveDefault.NEVER),
        ):
            stores.preferences.put(JULIET, wanted)
            stores.preferences.put(NURSE, ArchivePreferences(ArchiveDefault.ALWAYS))
            assert await read(stores) == wanted

    run(scenario)


def test_preferences_go_with_the_account(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.preferences.put(JULIET, ArchivePreferences(ArchiveDefault.NEVER))
        stores.accounts.remove(JULIET)
        stores.accounts.put(account())
        assert await read(stores) is None

    run(scenario)
