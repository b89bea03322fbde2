"""Talking with other servers from a command, without a service: for `commonroom trace s2s` and `check`."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from commonroom.admin.places import SQLITE_FILE, database_url
from commonroom.app.federation import Federation, Inside, build_federation
from commonroom.app.keeping import keeping_nothing
from commonroom.app.tasks import Tasks
from commonroom.config import Settings
from commonroom.federation.advice import advice
from commonroom.federation.dialing import UnreachableError
from commonroom.federation.journal import Journal, Step
from commonroom.net.s2s import OutgoingConnection
from commonroom.protocol.dialback import Pair, Verification, Verified
from commonroom.protocol.stanza import Stanza
from commonroom.storage.database import open_database
from commonroom.storage.memory import Memory, memory_stores
from commonroom.storage.stores import sql_stores


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it ended; `todo` is empty if the other server takes stanzas."""

    reached: bool
    reason: str
    todo: str


class Listener:
    """The owner of a connection that carries nothing."""

    def ready(self, connection: OutgoingConnection, pair: Pair) -> None:
        """It would take stanzas."""

    def refused(self, connection: OutgoingConnection, pair: Pair, reason: str, is_lasting: bool) -> None:
        """It would not."""

    def verified(self, request: Verification, verified: Verified) -> None:
        """Nothing was asked."""

    def ended(self, connection: OutgoingConnection, reason: str) -> None:
        """It is over."""


async def trace_server(settings: Settings, ours: str, theirs: str, watch: Callable[[Step], None]) -> Verdict:
    """Do all that comes before the first stanza, and tell each step. Raises CertificateError and such."""
    async with federation_alone(settings) as federation:
        journal = Journal(asyncio.get_running_loop().time, watch)
        try:
            async with asyncio.timeout(settings.federation.connect_timeout):
                connection = await federation.dialer.dial(Pair(ours, theirs), Listener(), journal)
            connection.end()
        except UnreachableError as error:
            return Verdict(False, error.reason, advice(error.reason))
        except TimeoutError:
            reason = f"it took longer than {settings.federation.connect_timeout:g} seconds"
            return Verdict(False, reason, advice(reason))
        return Verdict(True, f"{theirs} takes stanzas from {ours}", "")


@asynccontextmanager
async def federation_alone(settings: Settings) -> AsyncIterator[Federation]:
    """What can talk with other servers, but has nobody to talk for."""
    loop, tasks = asyncio.get_running_loop(), Tasks()
    around = Inside(
        settings.domains.__contains__,
        _nobody,
        _nobody,
        tasks.start,
        loop.call_later,
        loop.time,
        lambda: datetime.now().astimezone(),
        keeping_nothing(),
        memory_stores(Memory()).writes,
    )
    federation = build_federation(settings, around, await dialback_secret(settings))
    try:
        yield federation
    finally:
        federation.end()
        await tasks.finish(2.0)
        for connection in (*federation.peers.incoming, *federation.peers.outgoing):
            connection.abort("nobody waits for the other side's last words")


def _nobody(stanza: Stanza) -> None:
    """Nobody is here to take it."""


async def dialback_secret(settings: Settings) -> bytes:
    """That of the service, so that it knows our keys as its own; any, if it has no database yet."""
    make = partial(secrets.token_bytes, 32)
    if settings.database.url == "sqlite" and not (settings.state / SQLITE_FILE).exists():
        return make()
    database = open_database(database_url(settings), settings.state, asyncio.get_running_loop())
    try:
        return await sql_stores(database).secrets.get_or_create("dialback", make)
    finally:
        await database.close()
