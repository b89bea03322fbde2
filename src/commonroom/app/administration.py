"""How a running service is operated: the desk, and the doors to it."""

import asyncio
import grp
import logging
from collections.abc import Mapping
from typing import Any

from commonroom.admin.api import AdminApi
from commonroom.admin.desk import After, Call, Desk
from commonroom.admin.operations import operations
from commonroom.admin.places import SOCKET_FILE
from commonroom.admin.registry import Registry
from commonroom.config import Settings
from commonroom.net.http.exchange import HttpLimits, Peer, Response
from commonroom.net.http.server import HttpServer
from commonroom.net.listener import ListenError

log = logging.getLogger(__name__)

# Whoever may open the socket is trusted with time; some operations take long before they answer.
SOCKET_LIMITS = HttpLimits(body_bytes=16 * 1024 * 1024, idle=600.0)


class Administration:
    """Open to operators from `start` to `close`. `subjects` are what operations work with, by type."""

    def __init__(
        self, settings: Settings, registry: Registry, subjects: Mapping[type[Any], Any], after: After
    ) -> None:
        self._settings = settings
        self.desk = Desk(operations(), {Registry: registry, **subjects}, self._record, after)
        api = AdminApi(self.desk, registry, {"/health": _health}, {}, self._refused, asyncio.sleep)
        self._local = HttpServer(api.answer, SOCKET_LIMITS)
        self._remote = HttpServer(api.answer, HttpLimits())

    async def start(self) -> None:
        """Raises ListenError."""
        settings = self._settings
        group = settings.admin.socket_group
        mode = 0o600 if group is None else 0o660
        await self._local.listen_unix(settings.state / SOCKET_FILE, mode, _group_number(group))
        for address in settings.api.listen:
            await self._remote.listen(address)

    async def close(self) -> None:
        """Take no more questions."""
        await self._remote.close()
        await self._local.close()

    def _record(self, call: Call) -> None:
        log.info(
            "operation",
            extra={"operation": call.operation, "caller": call.caller.name, "outcome": call.outcome},
        )

    def _refused(self, peer: Peer) -> None:
        log.warning("a token that does not count", extra={"address": peer.address})


def _health() -> Response:
    """The loop turns."""
    return Response(200, b"alive\n")


def _group_number(name: str | None) -> int | None:
    if name is None:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ListenError(
            f"admin.socket_group: the system has no group {name}; make it, or name another"
        ) from None
