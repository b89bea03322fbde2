"""The contract of `SecretStore`."""

import asyncio
from functools import partial

from commonroom.storage.database import Database
from commonroom.storage.interfaces import Stores
from commonroom.storage.stores import sql_stores
from tests.storage.conftest import Backend, Run


def test_a_secret_is_made_once(run: Run) -> None:
    async def scenario(stores: Stores) -> None:
        made = await stores.secrets.get_or_create("salt", lambda: bytes(range(256)))
        assert made == bytes(range(256))
        assert await stores.secrets.get_or_create("salt", lambda: b"another") == made
        assert await stores.secrets.get_or_create("dialback", lambda: b"another") == b"another"

    run(scenario)


def test_all_who_ask_at_once_get_the_same_secret(backend: Backend) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        processes = [Database(backend, loop) for _ in range(2)]
        secrets = [sql_stores(process).secrets for process in processes for _ in range(3)]
        asked = [
            store.get_or_create("salt", partial(bytes, [number])) for number, store in enumerate(secrets)
        ]
        found = await asyncio.gather(*asked)
        for process in processes:
            await process.close()
        assert len(set(found)) == 1

    asyncio.run(main())
