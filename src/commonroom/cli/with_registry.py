"""How commands reach the accounts."""

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from commonroom.admin.accounts import local_address
from commonroom.admin.audit import keep
from commonroom.admin.desk import Call, Caller, Way
from commonroom.admin.errors import AdminError
from commonroom.admin.registry import Registry, open_registry
from commonroom.admin.scopes import EVERYTHING, Scope
from commonroom.cli.output import explained, settings_of
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError

T = TypeVar("T")


def with_registry(path: Path, work: Callable[[Registry], Awaitable[T]]) -> T:
    """Do something with the accounts of a configuration; what goes wrong ends the command."""
    settings = settings_of(path)

    async def run() -> T:
        async with open_registry(settings) as registry:
            return await work(registry)

    with explained(AdminError, StorageError):
        return asyncio.run(run())


def checked_address(path: Path, address: str) -> JID:
    """An address that an account could have here; found out before a password is asked for."""
    settings = settings_of(path)
    with explained(AdminError):
        return local_address(settings.domains, address)


def note_command(path: Path, name: str, facts: Mapping[str, str]) -> None:
    """Record that an operator did something that is no operation of the service."""
    caller = Caller(Way.COMMAND, own_user(), EVERYTHING)
    call = Call(caller, name, Scope.SERVICE_WRITE, facts, "done")
    with_registry(path, lambda registry: keep(registry, call))


def own_user() -> str:
    """Who runs the command, as it is recorded."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = "?"
    return f"uid {os.getuid()} ({name})"
