"""RFC 6120 §3.2: from a domain to a stream that its server takes stanzas over."""

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from commonroom.federation.dane import Published, published
from commonroom.federation.journal import Journal, one_line
from commonroom.federation.policy import Policies, Policy
from commonroom.federation.resolver import NoServerError, Resolver, Target
from commonroom.net.peer import PeerService, Present
from commonroom.net.s2s import OutgoingConnection, Owner
from commonroom.net.sockets import tune
from commonroom.protocol.dialback import Pair, Verification, Verified
from commonroom.protocol.s2s_out import NOT_SERVED

# Seconds until the next address is tried beside one that has not answered yet (RFC 8305).
HEAD_START = 0.25
REASONS = {
    errno.ECONNREFUSED: "it refuses connections",
    errno.ETIMEDOUT: "it does not answer",
    errno.EHOSTUNREACH: "there is no way to it",
    errno.ENETUNREACH: "there is no way to it",
}


class UnreachableError(Exception):
    """There is no way to send. `is_not_found`: because there is no such server, not because it fails;
    `is_invalid`: because a dialback key of ours was called invalid (XEP-0220 §2.1.1); `is_passing`: a
    connection could not be made or was cut off, as while the other server restarts.
    """

    def __init__(
        self,
        reason: str,
        is_not_found: bool = False,
        is_invalid: bool = False,
        is_passing: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = one_line(reason)
        self.is_not_found = is_not_found
        self.is_invalid = is_invalid
        self.is_passing = is_passing


class _Attempt:
    """The owner of a connection until it is up, or its end is known; then all goes to the real one."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._is_up = False
        self.is_invalid = self.is_refused = False
        self.outcome: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    def ready(self, connection: OutgoingConnection, pair: Pair) -> None:
        self._settle(None)
        self._is_up = True
        self._owner.ready(connection, pair)

    def refused(self, connection: OutgoingConnection, pair: Pair, reason: str, is_lasting: bool) -> None:
        if self._is_up:
            self._owner.refused(connection, pair, reason, is_lasting)
        else:
            self.is_invalid, self.is_refused = is_lasting, True
            self._settle(reason)

    def verified(self, request: Verification, verified: Verified) -> None:
        self._settle(None)
        self._owner.verified(request, verified)

    def ended(self, connection: OutgoingConnection, reason: str) -> None:
        if self._is_up:
            self._owner.ended(connection, reason)
        else:
            self._settle(f"the connection ended: {reason}" if not connection.failure else reason)

    def _settle(self, reason: str | None) -> None:
        if not self.outcome.done():
            self.outcome.set_result(reason)


class Dialer:
    """Opens streams; a bounded number at a time, so that a restart is no storm."""

    def __init__(
        self,
        service: PeerService,
        resolver: Resolver,
        policies: Policies,
        present_dane: Callable[[Published], Present],
        patience: float,
        at_once: int = 256,
    ) -> None:
        """`patience`: the seconds of one call, as whoever calls has it; half of what is left of them goes to
        a server that has not answered while there is another one to try."""
        self._service = service
        self._present_dane = present_dane
        self._resolver = resolver
        self._policies = policies
        self._patience = patience
        self._places = asyncio.Semaphore(at_once)

    async def dial(
        self, pair: Pair, owner: Owner, journal: Journal, verifications: tuple[Verification, ...] = ()
    ) -> OutgoingConnection:
        """A connection over which `pair` may be sent, or which has answered. Raises UnreachableError.

        What becomes of it afterwards, the owner hears.
        """
        async with self._places:
            return await self._dial(pair, owner, journal, verifications)

    async def _dial(
        self, pair: Pair, owner: Owner, journal: Journal, verifications: tuple[Verification, ...]
    ) -> OutgoingConnection:
        policy = self._policies.of(pair.to)
        if policy.refused is not None:
            raise UnreachableError(policy.refused, is_not_found=True)
        try:
            plan = await self._resolver.locate(pair.to)
        except NoServerError as error:
            journal.note("not found", str(error))
            raise UnreachableError(str(error), error.lasts) from None
        journal.note("located", f"{plan.how}: {', '.join(map(str, plan.targets))}")
        failures: list[UnreachableError] = []
        clock = asyncio.get_running_loop().time
        end = clock() + self._patience
        for target in plan.targets:
            call = _Call(self._service, self._resolver, policy, pair, owner, journal, verifications)
            share = None if target is plan.targets[-1] else (end - clock()) / 2
            try:
                async with asyncio.timeout(share):
                    if plan.secure:
                        await call.look_for_dane(target, self._present_dane)
                    return await call.reach(target)
            except UnreachableError as error:
                failures.append(error)
            except TimeoutError:
                journal.note("failed", f"{target}: it does not answer")
                failures.append(UnreachableError(f"{target}: it does not answer", is_passing=True))
        reasons = dict.fromkeys(error.reason for error in failures)
        raise UnreachableError(
            "; ".join(reasons),
            all(error.is_not_found for error in failures),
            any(error.is_invalid for error in failures),
            any(error.is_passing for error in failures),
        )


class _Call:
    """One attempt at one server after the other."""

    def __init__(
        self,
        service: PeerService,
        resolver: Resolver,
        policy: Policy,
        pair: Pair,
        owner: Owner,
        journal: Journal,
        verifications: tuple[Verification, ...],
    ) -> None:
        self._service = service
        self._resolver = resolver
        self._policy = policy
        self._pair = pair
        self._owner = owner
        self._journal = journal
        self._verifications = verifications
        self._is_invalid = self._is_refused = False
        self._present: Present | None = None

    async def look_for_dane(self, target: Target, present: Callable[[Published], Present]) -> None:
        """What the domain publishes of this server's certificate, if it does (RFC 7673)."""
        found = published(await self._resolver.tlsa(target), target.host)
        if found is not None:
            self._journal.note("DANE", f"{len(found.records)} records for {target}")
            self._present = present(found)

    async def reach(self, target: Target) -> OutgoingConnection:
        """Connect and negotiate; once more without our certificate, if that is what the peer dislikes."""
        try:
            addresses = await self._resolver.addresses(target.host)
        except NoServerError as error:
            self._journal.note("no address", str(error))
            raise UnreachableError(str(error), error.lasts) from None
        self._journal.note("addresses", f"{target.host}: {', '.join(addresses)}")
        connection, reason = await self._negotiate(target, addresses, uses_external=True)
        if reason is not None and connection.external_failed and self._policy.allows_dialback:
            self._journal.note("again", "without our certificate, by dialback")
            connection, reason = await self._negotiate(target, addresses, uses_external=False)
        if reason is not None:
            self._journal.note("failed", f"{target}: {reason}")
            raise UnreachableError(
                f"{target.host}: {reason}",
                is_not_found=reason.startswith(NOT_SERVED),  # XEP-0220 §2.5
                is_invalid=self._is_invalid,
                is_passing=not connection.failure and not self._is_refused,
            )
        return connection

    async def _negotiate(
        self, target: Target, addresses: Sequence[str], uses_external: bool
    ) -> tuple[OutgoingConnection, str | None]:
        """The connection, and why it is of no use, if it is not."""
        try:
            sock, address = await first_connected(addresses, target.port, connect)
        except OSError as error:
            words = REASONS.get(error.errno or 0) or os.strerror(error.errno or 0).lower()
            self._journal.note("not connected", f"{target}: {words}")
            raise UnreachableError(f"{target}: {words}", is_passing=True) from None
        self._journal.note("connected", f"{address} port {target.port}")
        attempt = _Attempt(self._owner)
        connection = OutgoingConnection(
            self._service,
            self._pair,
            self._policy.terms(uses_external),
            target.direct_tls,
            attempt,
            self._journal.note,
            self._verifications,
            self._present,
        )
        connection.take_over(sock, (address, target.port))
        try:
            reason = await attempt.outcome
        except asyncio.CancelledError:
            connection.abort("it took too long")
            raise
        if reason is not None:
            self._is_invalid = attempt.is_invalid
            self._is_refused = attempt.is_refused
            connection.end()
        return connection, reason


Connect = Callable[[str, int], Awaitable[socket.socket]]


async def connect(address: str, port: int) -> socket.socket:
    """A TCP connection; raises OSError."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        tune(sock)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def first_connected(addresses: Sequence[str], port: int, connect: Connect) -> tuple[socket.socket, str]:
    """The first of them that answers; each gets a head start before the next is tried (RFC 8305).

    Raises the first OSError, if none of them does.
    """
    left = deque(addresses)
    under_way: dict[asyncio.Future[socket.socket], str] = {}
    first_error: OSError | None = None
    try:
        while left or under_way:
            if left:
                address = left.popleft()
                under_way[asyncio.ensure_future(connect(address, port))] = address
            wait = HEAD_START if left else None
            done, _ = await asyncio.wait(under_way, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                address = under_way.pop(each)
                error = each.exception()
                if error is None:
                    return each.result(), address
                if not isinstance(error, OSError):
                    raise error
                first_error = first_error or error
    finally:
        for each in under_way:
            each.add_done_callback(_close)
            each.cancel()
    raise first_error or OSError(errno.EHOSTUNREACH, "no address")


def _close(late: "asyncio.Future[socket.socket]") -> None:
    if not late.cancelled() and late.exception() is None:
        late.result().close()
