"""How commands have operations done: by the service that runs, through its socket; else here and now."""

import asyncio
import http.client
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from commonroom.admin.archive import keep_rules
from commonroom.admin.audit import keep
from commonroom.admin.desk import Caller, Desk, Way
from commonroom.admin.encoding import plain, read
from commonroom.admin.errors import AdminError
from commonroom.admin.operation import declared
from commonroom.admin.places import SOCKET_FILE
from commonroom.admin.registry import Registry, open_registry
from commonroom.admin.scopes import EVERYTHING
from commonroom.cli.output import explained, settings_of
from commonroom.cli.with_registry import own_user
from commonroom.config import Settings
from commonroom.storage.errors import StorageError
from commonroom.storage.retention import KeepRules

T = TypeVar("T")


class Ask(Protocol):
    """Has an operation done."""

    def __call__(self, function: Callable[..., Awaitable[T]], /, **arguments: Any) -> T:
        """The operation that this function is; raises AdminError."""


class SocketConnection(http.client.HTTPConnection):
    """HTTP over the admin socket, however deep the folder lies (see net/http/server.py)."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Raises OSError."""
        folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        except OSError:
            self.sock.close()
            raise
        finally:
            os.close(folder)


def ask(path: Path, function: Callable[..., Awaitable[T]], /, **arguments: Any) -> T:
    """Have one operation done; what goes wrong ends the command."""
    with asking(path) as each:
        return each(function, **arguments)


@contextmanager
def asking(path: Path) -> Iterator[Ask]:
    """For several operations, one after the other; what goes wrong ends the command."""
    settings = settings_of(path)
    with explained(AdminError, StorageError):
        connection = _connected(settings.state / SOCKET_FILE)
        if connection is not None:
            try:
                yield partial(_over, connection)
            finally:
                connection.close()
        else:
            with asyncio.Runner() as runner:
                opening = open_registry(settings)
                registry = runner.run(opening.__aenter__())
                try:
                    yield partial(
                        _here,
                        runner,
                        {Registry: registry, Settings: settings, KeepRules: keep_rules(settings)},
                    )
                finally:
                    runner.run(opening.__aexit__(None, None, None))


def _connected(path: Path) -> SocketConnection | None:
    """None, if no service runs; AdminError, if one does that this account may not ask."""
    connection = SocketConnection(path)
    try:
        connection.connect()
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError as error:
        instead = "run this as the service's account, or as a member of admin.socket_group"
        raise AdminError(f"{path}: it cannot be opened ({error.strerror}); {instead}") from None
    return connection


def _over(connection: SocketConnection, function: Callable[..., Awaitable[Any]], /, **arguments: Any) -> Any:
    operation = declared(function)
    headers = {"content-type": "application/json"}
    try:
        body = json.dumps(plain(arguments))
        connection.request("POST", operation.path, body, headers)
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise AdminError(f"the service does not answer ({error}); its log may say why") from None
    if "error" in answer:
        raise AdminError(answer["error"]["text"])
    return read(operation.result, answer["result"])


def _here(
    runner: asyncio.Runner,
    subjects: Mapping[type[Any], Any],
    function: Callable[..., Awaitable[Any]],
    /,
    **arguments: Any,
) -> Any:
    operation = declared(function)
    caller = Caller(Way.COMMAND, own_user(), EVERYTHING)
    desk = Desk((operation,), subjects, partial(keep, subjects[Registry]))
    return runner.run(desk.call(operation.name, plain(arguments), caller))
