"""RFC 6120 §13.12: where connections arrive, how many may come, in all and from one address, and how fast."""

import asyncio
import errno
import logging
import math
import os
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address
from typing import NamedTuple, Protocol

from commonroom.config import ListenAddress
from commonroom.config.addresses import EVERY_ADDRESS
from commonroom.net.sockets import poll_of, tune
from commonroom.net.watched import report

log = logging.getLogger(__name__)

BACKLOG = 1024  # a whole institution reconnects at once after a restart
AT_ONCE = 2  # accepted in one turn of the loop; those who are in already have theirs in between
RECOVERY = 0.5  # seconds until the next look when the system has nothing left for a connection
WARN_EVERY = 60.0  # seconds
RECENT = 50_000  # addresses that connected lately, of which it is known how often; some 200 bytes each
ADVICE = {
    errno.EADDRINUSE: "another program listens there already; stop it, or choose another port",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose one that it has",
    errno.EAFNOSUPPORT: "this machine has no IPv6; choose an IPv4 address, as 0.0.0.0 for all",
    errno.EACCES: "ports below 1024 are the system's; choose another, or allow it to the service",
}


class ListenError(Exception):
    """It is not possible to listen there; the text names the address and says what to do."""


class Share(NamedTuple):
    """What is granted: connections at a time, in all and to each address; and how many new ones each address
    may make a second in the long run, and at once before that counts."""

    connections: int
    per_address: int
    rate: float = math.inf
    burst: int = 1


class _Bucket(NamedTuple):
    """How many connections more an address may make, as of when; and when that was logged."""

    left: float
    at: float
    told: float


class Admission:
    """Counts connections, in all and of each address; what comes beyond is accepted and closed at once.

    Left in the system's queue instead, it would wait for its timeout, and others behind it; and an address
    that has its share could keep everybody out. Closed, a client tries the next server.
    """

    __slots__ = ("_clock", "_counts", "_full", "_recent", "_share", "_told", "total")

    def __init__(self, share: Share, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._counts: dict[str | bytes, int] = {}
        self._recent: OrderedDict[str | bytes, _Bucket] = OrderedDict()  # who came last is last
        self._told: set[str | bytes] = set()
        self._full = False
        self.total = 0

    def change(self, share: Share) -> None:
        """Let in so many from now on; nobody is turned out."""
        self._share = share

    def enter(self, host: str) -> bool:
        """Count one in; False if it must not go on (RFC 6120 §13.12, rule 1)."""
        origin = origin_of(host)
        count = self._counts.get(origin, 0)
        if self.total >= self._share.connections:
            self._warn_full()
            return False
        if count >= self._share.per_address:
            self._warn_crowded(origin, host)
            return False
        if self._share.rate != math.inf and not self._may_come(origin, host):
            return False
        self._counts[origin] = count + 1
        self.total += 1
        return True

    def _may_come(self, origin: str | bytes, host: str) -> bool:
        """Whether the address has not made too many of late; if it has not, this one counts."""
        now, (_, _, rate, burst) = self._clock(), self._share
        left, at, told = self._recent.pop(origin, _Bucket(burst, now, -math.inf))
        left = min(burst, left + (now - at) * rate)
        comes = left >= 1
        if not comes and now - told >= WARN_EVERY:
            told = now
            log.warning("connections come too fast", extra={"address": host, "per_second": rate})
        self._recent[origin] = _Bucket(left - comes, now, told)
        self._forget(now - max(burst / rate, WARN_EVERY))
        return comes

    def _forget(self, before: float) -> None:
        """Those who may make as many again as anybody; and of very many who come, the first."""
        recent = self._recent
        while recent and (len(recent) > RECENT or next(iter(recent.values())).at < before):
            recent.popitem(last=False)

    def leave(self, host: str) -> None:
        """Count one out that was counted in."""
        origin = origin_of(host)
        self.total -= 1
        self._counts[origin] -= 1
        if not self._counts[origin]:
            del self._counts[origin]
            self._told.discard(origin)
        if self.total < self._share.connections * 0.9:
            self._full = False

    def _warn_full(self) -> None:
        if not self._full:  # once, not for each that is turned away
            self._full = True
            log.warning("all connections are taken", extra={"connections": self._share.connections})

    def _warn_crowded(self, origin: str | bytes, host: str) -> None:
        if origin not in self._told:
            self._told.add(origin)
            facts = {"address": host, "connections": self._share.per_address}
            log.warning("too many connections", extra=facts)


def origin_of(host: str) -> str | bytes:
    """What counts as one address: of IPv6 the /64, because that is what one customer has."""
    if ":" not in host:
        return host
    return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])[:8]


class Arrival(Protocol):
    """Who takes over a socket."""

    def accepted(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        """It does not block; the peer has this IP address and port."""


class Listener:
    """Accepts connections on one address, between `start` and `stop`."""

    __slots__ = ("_accept", "_loop", "_silent_until", "_socket", "_spare", "address")
    _loop: asyncio.AbstractEventLoop

    def __init__(self, address: ListenAddress, accept: Callable[[], Arrival], encrypted: bool = True) -> None:
        """`accept` makes what gets a connection. Raises `ListenError` if others could read along."""
        if not encrypted and (address.host == EVERY_ADDRESS or not ip_address(address.host).is_loopback):
            reason = "connections there are not encrypted and would cross a network; use 127.0.0.1 or [::1]"
            raise ListenError(f"{address}: {reason}")
        self.address = address
        self._accept = accept
        self._socket: socket.socket | None = None
        self._spare: int | None = None
        self._silent_until = 0.0

    async def start(self) -> None:
        """Begin to accept, also again after `stop`; raises `ListenError`."""
        if self._socket is not None:
            return
        try:
            sock = _bound(self.address)
            sock.listen(BACKLOG)
            sock.setblocking(False)
        except OSError as error:
            reason = ADVICE.get(error.errno or 0, error.strerror)
            raise ListenError(f"{self.address}: {reason}") from None
        self.address = self.address._replace(port=sock.getsockname()[1])
        self._socket, self._loop = sock, asyncio.get_running_loop()
        poll_of(self._loop)  # a file of its own, before connections use them up
        self._keep_spare()
        self._loop.add_reader(sock.fileno(), self._arrivals)
        log.info("listening", extra={"address": str(self.address)})

    def stop(self) -> None:
        """Refuse new connections; those that exist live on."""
        sock, self._socket = self._socket, None
        if sock is not None:
            self._loop.remove_reader(sock.fileno())
            sock.close()
            self._give_spare()

    def _arrivals(self) -> None:
        for _ in range(AT_ONCE):
            sock = self._socket
            if sock is None:
                return
            try:
                arrived, peer = sock.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._short_of(error, sock)
                return
            arrived.setblocking(False)
            try:
                self._accept().accepted(arrived, peer[:2])
            except Exception as error:
                report(self._loop, "a connection could not begin", error)

    def _short_of(self, error: OSError, sock: socket.socket) -> None:
        """Too many open files: turn one away with the file that is kept for it. Else wait, not spin."""
        self._warn(error)
        if error.errno == errno.EMFILE and self._give_spare():
            try:
                sock.accept()[0].close()
            except OSError as again:  # it has left, or another took the file
                self._warn(again)
            self._keep_spare()
            return
        self._loop.remove_reader(sock.fileno())
        self._loop.call_later(RECOVERY, self._look_again, sock)

    def _look_again(self, sock: socket.socket) -> None:
        if sock is self._socket:
            if self._spare is None:
                self._keep_spare()
            self._loop.add_reader(sock.fileno(), self._arrivals)

    def _keep_spare(self) -> None:
        try:
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self._warn(error)

    def _give_spare(self) -> bool:
        spare, self._spare = self._spare, None
        if spare is None:
            return False
        os.close(spare)
        return True

    def _warn(self, error: OSError) -> None:
        """Not for each that comes: whoever is turned away comes again."""
        now = self._loop.time()
        if now >= self._silent_until:
            self._silent_until = now + WARN_EVERY
            log.warning(
                "connections cannot be accepted",
                extra={"address": str(self.address), "reason": os.strerror(error.errno or 0).lower()},
            )


def _bound(address: ListenAddress) -> socket.socket:
    """A socket on the address; `::` takes IPv4 too, and so does `*` where there is IPv6 at all."""
    if address.host != EVERY_ADDRESS:
        return _bind(address.host, address.port)
    try:
        return _bind("::", address.port)
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise
        return _bind("0.0.0.0", address.port)


def _bind(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # at once after a restart
        if ":" in host:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        tune(sock)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
