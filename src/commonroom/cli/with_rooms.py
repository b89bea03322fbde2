"""How commands reach the rooms of a service that is not running."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from commonroom.admin.errors import AdminError
from commonroom.admin.lock import is_running
from commonroom.admin.registry import open_registry
from commonroom.admin.rooms import RoomAdmin
from commonroom.app.rooms import rooms_at_rest
from commonroom.app.tasks import Tasks
from commonroom.cli.output import explained, settings_of
from commonroom.core.surroundings import Surroundings
from commonroom.storage.errors import StorageError

T = TypeVar("T")


class IsRunning(AdminError):  # noqa: N818 - it says what is
    """The rooms are in the memory of a service that is running."""


def with_rooms(path: Path, work: Callable[[RoomAdmin], Awaitable[T]], writing: bool = True) -> T:
    """Do something with the rooms of a configuration; what goes wrong ends the command."""
    settings = settings_of(path)

    async def run() -> T:
        if writing and is_running(settings.state):
            raise IsRunning("the service is running and has its rooms in memory; stop it first")
        tasks = Tasks()
        loop = asyncio.get_running_loop()
        around = Surroundings(
            tasks.start, loop.call_later, lambda: datetime.now().astimezone(), secrets.token_bytes
        )
        async with open_registry(settings) as registry:
            rooms = await rooms_at_rest(settings, registry.stores, around)
            try:
                return await work(rooms)
            finally:
                await tasks.finish(10.0)

    with explained(AdminError, StorageError, OSError):
        return asyncio.run(run())
