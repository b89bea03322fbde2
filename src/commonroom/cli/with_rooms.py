"""How commands reach the rooms of a service that is not running."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from commonroom.admin.audit import keep
from commonroom.admin.desk import Caller, Desk, Way
from commonroom.admin.encoding import plain
from commonroom.admin.errors import AdminError
from commonroom.admin.lock import is_running
from commonroom.admin.operation import declared
from commonroom.admin.places import SOCKET_FILE
from commonroom.admin.registry import Registry, open_registry, registry
from commonroom.admin.rooms import RoomAdmin
from commonroom.admin.scopes import EVERYTHING
from commonroom.app.rooms import rooms_at_rest
from commonroom.app.tasks import Tasks
from commonroom.cli.ask import ask
from commonroom.cli.output import explained, settings_of
from commonroom.cli.with_registry import own_user
from commonroom.core.surroundings import Surroundings
from commonroom.storage.errors import StorageError

T = TypeVar("T")


def ask_rooms(path: Path, function: Callable[..., Awaitable[T]], /, **arguments: Any) -> T:
    """Have an operation on rooms done, by the service that runs, or here; what fails ends the command."""
    settings = settings_of(path)
    if (settings.state / SOCKET_FILE).exists() and is_running(settings.state):
        return ask(path, function, **arguments)
    operation = declared(function)

    async def work(rooms: RoomAdmin) -> Any:
        known = registry(settings, rooms.stores)
        desk = Desk((operation,), {RoomAdmin: rooms, Registry: known}, partial(keep, known))
        caller = Caller(Way.COMMAND, own_user(), EVERYTHING)
        return await desk.call(operation.name, plain(arguments), caller)

    done: T = with_rooms(path, work)
    return done


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
        async with open_registry(settings) as opened:
            rooms = await rooms_at_rest(settings, opened.stores, around)
            try:
                return await work(rooms)
            finally:
                await tasks.finish(10.0)

    with explained(AdminError, StorageError, OSError):
        return asyncio.run(run())
