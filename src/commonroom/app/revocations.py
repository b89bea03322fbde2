"""Reads revocation lists again when they change, and ends the sessions of certificates that are on them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path

from commonroom.accounts.line_files import Stamp, stamp
from commonroom.net.c2s import ClientConnection
from commonroom.net.certificates import CertificateError
from commonroom.net.client_certificates import Authorities
from commonroom.net.revocations import Revocations, read_revocations
from commonroom.protocol.errors import StreamCondition, StreamError

log = logging.getLogger(__name__)

# Seconds between two looks; what changed is read when it was the same twice.
LOOK_EVERY = 1.0
REVOKED = StreamError(StreamCondition.NOT_AUTHORIZED, "the certificate was revoked")

Stamps = list[Stamp | None]
Thread = Callable[[Callable[[], object]], Awaitable[object]]


class RevocationWatch:
    """What cannot be read changes nothing."""

    def __init__(
        self,
        paths: Sequence[Path],
        authorities: Authorities,
        connected: Collection[ClientConnection],
        in_thread: Thread,
    ) -> None:
        self._paths = paths
        self._authorities = authorities
        self._connected = connected
        self._in_thread = in_thread
        self._used: Stamps = []
        self._seen: Stamps = []
        self._is_stale = False

    async def open(self) -> None:
        """Read them now; raises CertificateError, because nobody knows what was revoked."""
        self._used = await self._stamps()
        self._use(await self._read())

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Whether something changed, and has stayed so since the last look."""
        stamps = await self._stamps()
        self._warn_of_age()
        if stamps == self._used or stamps != self._seen:
            self._seen = stamps
            return
        self._used = stamps
        try:
            found = await self._read()
        except CertificateError as error:
            event = "a revocation list cannot be used; what it said before counts"
            log.warning(event, extra={"reason": str(error)})
            return
        self._use(found)
        self._end_sessions()

    def _use(self, found: Revocations) -> None:
        self._authorities.revocations = found
        log.info("revocation lists are in force", extra={"certificates": found.count})
        self._is_stale = False
        self._warn_of_age()

    def _warn_of_age(self) -> None:
        """Once for each list."""
        if not self._is_stale and self._authorities.revocations.stale():
            self._is_stale = True
            log.warning("a revocation list should have been replaced by now")

    def _end_sessions(self) -> None:
        for connection in tuple(self._connected):
            tls, session = connection.tls, connection.seen().session
            if tls is not None and self._authorities.is_revoked(tls):
                if session is not None:
                    session.end(REVOKED)
                else:
                    connection.fail(REVOKED)

    async def _stamps(self) -> Stamps:
        found: Stamps = []
        await self._in_thread(lambda: found.extend(map(stamp, self._paths)))
        return found

    async def _read(self) -> Revocations:
        found: list[Revocations] = []
        certificates = self._authorities.certificates
        await self._in_thread(lambda: found.append(read_revocations(self._paths, certificates, _left_out)))
        return found[0]


def _left_out(reason: str) -> None:
    log.warning("a revocation list is left out", extra={"reason": reason})
