"""The contract of `PrivateStore` (XEP-0049)."""

from commonroom.storage.interfaces import Stores
from tests.storage.conftest import Run
from tests.storage.samples import JULIET, NURSE, account


def test_what_nobody_stored_is_not_there(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.private.put(JULIET, "exodus:prefs", "exodus", "<exodus xmlns='exodus:prefs'/>")
        await stores.writes.flushed()
        assert await stores.private.get(JULIET, "exodus:prefs", "other") is None
        assert await stores.private.get(JULIET, "other:prefs", "exodus") is None
        assert await stores.private.get(NURSE, "exodus:prefs", "exodus") is None
        assert await stores.private.size(NURSE) == 0

    run(scenario)


def test_an_element_replaces_the_one_of_its_name(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.private.put(JULIET, "exodus:prefs", "exodus", "<exodus>old</exodus>")
        stores.private.put(JULIET, "exodus:prefs", "more", "<more/>")
        stores.private.put(JULIET, "exodus:prefs", "exodus", "<exodus>né</exodus>")
        await stores.writes.flushed()
        assert await stores.private.get(JULIET, "exodus:prefs", "exodus") == "<exodus>né</exodus>"
        assert await stores.private.get(JULIET, "exodus:prefs", "more") == "<more/>"
        assert await stores.private.size(JULIET) == len("<exodus>né</exodus><more/>".encode())

    run(scenario)


def test_names_that_would_be_one_text_when_joined_are_told_apart(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.private.put(JULIET, "urn:a", "bc", "<one/>")
        stores.private.put(JULIET, "urn:ab", "c", "<two/>")
        stores.private.put(JULIET, "urn:a}b", "c", "<three/>")
        await stores.writes.flushed()
        assert await stores.private.get(JULIET, "urn:a", "bc") == "<one/>"
        assert await stores.private.get(JULIET, "urn:ab", "c") == "<two/>"
        assert await stores.private.get(JULIET, "urn:a}b", "c") == "<three/>"

    run(scenario)


def test_a_namespace_may_be_longer_than_an_index_takes(run: Run) -> None:
    # Not repetitive: PostgreSQL would compress that.
    long = "urn:" + "".join(chr(0x4E00 + number) for number in range(5000))

    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account())
        stores.private.put(JULIET, long + "1", "a", "<one/>")
        stores.private.put(JULIET, long + "2", "a", "<two/>")
        await stores.writes.flushed()
        assert await stores.private.get(JULIET, long + "1", "a") == "<one/>"
        assert await stores.private.get(JULIET, long + "2", "a") == "<two/>"

    run(scenario)


def test_accounts_do_not_touch_each_other(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        stores.accounts.put(account(JULIET))
        stores.accounts.put(account(NURSE))
        stores.private.put(JULIET, "urn:a", "b", "<juliets/>")
        stores.private.put(NURSE, "urn:a", "b", "<nurses/>")
        await stores.writes.flushed()
        assert await stores.private.get(JULIET, "urn:a", "b") == "<juliets/>"
        assert await stores.private.get(NURSE, "urn:a", "b") == "<nurses/>"

    run(scenario)
