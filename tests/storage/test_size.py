"""Ten thousand accounts: importing them is quick, and having them costs a start or a login nothing."""

import asyncio
import time
from datetime import UTC, datetime

from commonroom.protocol.jid import JID
from commonroom.storage import accounts as accounts_module
from commonroom.storage.database import Database
from commonroom.storage.records import Account
from commonroom.storage.statements import Statement
from commonroom.storage.stores import sql_stores
from tests.storage.conftest import Backend
from tests.storage.samples import CREATED, IDS, JULIET, SHA1, SHA256, account

MANY = 10_000


def test_ten_thousand_accounts_are_imported_within_two_seconds(backend: Backend) -> None:
    imported = [
        Account(JID.parse(f"student{number:05}@capulet.example"), (SHA1, SHA256), CREATED)
        for number in range(MANY)
    ]

    async def main() -> None:
        database = Database(backend, asyncio.get_running_loop())
        accounts = sql_stores(database).accounts
        begun = time.process_time()
        assert await accounts.put_many(imported) == MANY
        assert time.process_time() - begun < 2  # of CPU: the machine may be busy with other things
        assert await accounts.revision() == MANY
        last = await accounts.page(None, imported[-2].jid, 10)
        assert [found.jid for found in last] == [imported[-1].jid]
        assert len(await accounts.changed_since(MANY - 10)) == 10
        await database.close()

    asyncio.run(main())


def test_removals_are_forgotten_when_nobody_can_still_ask_for_them(backend: Backend) -> None:
    many_later = Statement(
        f"UPDATE account_revision SET value = value + {accounts_module.KEPT_REVISIONS} WHERE id = 1"
    )

    async def main() -> None:
        database = Database(backend, asyncio.get_running_loop())
        accounts = sql_stores(database).accounts
        for number in range(2):
            accounts.put(account(JULIET))
            accounts.remove(JULIET)
            if number == 0:
                database.writer.append(many_later, {})
        await database.writer.flushed()
        changes = await accounts.changed_since(0)
        assert [change.revision for change in changes] == [accounts_module.KEPT_REVISIONS + 4]
        await database.close()

    asyncio.run(main())


def test_a_moment_survives_the_tables_to_the_microsecond(backend: Backend) -> None:
    moments = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]

    async def main() -> None:
        database = Database(backend, asyncio.get_running_loop())
        stores = sql_stores(database)
        stores.accounts.put(account())
        for moment in moments:
            stores.offline.add(JULIET, next(IDS), moment, "<message/>")
        await stores.writes.flushed()
        assert [message.stamp for message in await stores.offline.load(JULIET, 10)] == moments
        await database.close()

    asyncio.run(main())
