"""RFC 6120 §3.2, XEP-0368: what DNS says, asked without blocking and remembered as long as it may be."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.nameserver
import dns.rdata
import dns.resolver

from commonroom.config import ListenAddress

# Seconds. Answers are kept for their TTL within these bounds; that there is nothing, or no answer, for less.
SHORTEST, LONGEST = 5.0, 24 * 3600.0
KEEP_NOTHING = 60.0
KEEP_FAILURE = 20.0
PATIENCE = 10.0  # for one question, with all that the resolver tries
REMEMBERED = 20_000  # answers
MOST_RECORDS = 20  # of one answer: whoever publishes thousands is not helped by it


class UnansweredError(Exception):
    """DNS gave no answer; the text says what was asked and what happened."""


class Records(NamedTuple):
    """What there is of one kind under one name; nothing, if `found` is empty. `secure`: it was validated."""

    found: tuple[dns.rdata.Rdata, ...]
    ttl: float
    secure: bool


Answer = Records | UnansweredError


class Lookup(Protocol):
    """Asks DNS, and remembers nothing."""

    def __call__(self, name: str, kind: str) -> Awaitable[Records]:
        """The records of this kind (`SRV`, `A` …) under a name. Raises UnansweredError."""


class Dns:
    """The system's resolvers, or those that are named. `validates`: their word on DNSSEC counts."""

    def __init__(self, nameservers: Sequence[ListenAddress] = (), validates: bool = False) -> None:
        """Raises UnansweredError if the system names no resolver."""
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        except dns.resolver.NoResolverConfiguration:
            raise UnansweredError("/etc/resolv.conf names no DNS server") from None
        if nameservers:
            servers = [dns.nameserver.Do53Nameserver(host, port) for host, port in nameservers]
            self._resolver.nameservers = servers
        self._validates = validates
        if validates:
            self._resolver.use_edns(0, dns.flags.DO, 1232)
            self._resolver.flags = dns.flags.RD | dns.flags.AD

    async def __call__(self, name: str, kind: str) -> Records:
        """Ask."""
        try:
            answer = await self._resolver.resolve(
                f"{name}.", kind, raise_on_no_answer=False, lifetime=PATIENCE, search=False
            )
        except dns.resolver.NXDOMAIN as nothing:
            heard = nothing.responses().values()  # type: ignore[no-untyped-call]  # dnspython has none here
            return Records((), KEEP_NOTHING, all(self._is_validated(each) for each in heard))
        except (dns.exception.DNSException, OSError, TimeoutError) as error:
            raise UnansweredError(f"DNS gave no answer about {name} ({kind}): {_words(error)}") from None
        secure = self._is_validated(answer.response)
        if answer.rrset is None:
            return Records((), KEEP_NOTHING, secure)
        found = tuple(islice(answer.rrset, MOST_RECORDS))
        return Records(found, float(answer.rrset.ttl), secure)

    def _is_validated(self, response: dns.message.Message) -> bool:
        return self._validates and bool(response.flags & dns.flags.AD)


def _words(error: BaseException) -> str:
    if isinstance(error, dns.resolver.LifetimeTimeout):
        return f"nothing came within {PATIENCE:g} seconds"
    if isinstance(error, dns.resolver.NoNameservers):
        return "every resolver failed (SERVFAIL)"
    return str(error) or type(error).__name__


class Memory:
    """A lookup that remembers; whoever asks what is being asked waits for the same answer.

    `start` runs a coroutine under an owner and gives something that many can await.
    """

    def __init__(
        self,
        lookup: Lookup,
        clock: Callable[[], float],
        start: Callable[[Coroutine[Any, Any, Answer]], Awaitable[Answer]],
    ) -> None:
        self._lookup = lookup
        self._clock = clock
        self._start = start
        self._known: OrderedDict[tuple[str, str], tuple[float, Answer]] = OrderedDict()
        self._asked: dict[tuple[str, str], Awaitable[Answer]] = {}

    async def __call__(self, name: str, kind: str) -> Records:
        """What is known, or else what DNS says. Raises UnansweredError."""
        key = (name.lower(), kind)
        known = self._known.get(key)
        if known is not None and known[0] > self._clock():
            answer = known[1]
        else:
            asked = self._asked.get(key)
            if asked is None:
                asked = self._asked[key] = self._start(self._ask(key))
            answer = await asyncio.shield(asked)  # whoever gives up waiting ends it for nobody else
        if isinstance(answer, UnansweredError):
            raise UnansweredError(*answer.args)  # what is kept is not raised: it would hold on to the frames
        return answer

    async def _ask(self, key: tuple[str, str]) -> Answer:
        answer: Answer
        try:
            answer = await self._lookup(*key)
            keep = min(max(answer.ttl, SHORTEST), LONGEST)
        except UnansweredError as failure:
            answer, keep = UnansweredError(*failure.args), KEEP_FAILURE
        finally:
            self._asked.pop(key, None)
        self._known[key] = (self._clock() + keep, answer)
        self._known.move_to_end(key)
        self._tidy()
        return answer

    def _tidy(self) -> None:
        """Whoever comes in, takes out those that are too old, unless one that lasts longer came before."""
        now = self._clock()
        while len(self._known) > REMEMBERED or next(iter(self._known.values()))[0] <= now:
            self._known.popitem(last=False)

    def __len__(self) -> int:
        return len(self._known)

    def forget(self) -> None:
        """Ask anew from now on."""
        self._known.clear()
