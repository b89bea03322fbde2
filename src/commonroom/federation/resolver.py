"""XEP-0368: SRV records: where the servers of a domain are, in the order to try them, version 1.1.0."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from itertools import groupby, zip_longest
from typing import Any, NamedTuple

import idna

from commonroom.federation.lookup import Answer, Lookup, Records, UnansweredError
from commonroom.net.certificates import ascii_domain

PORT = 5269
# Connections are tried at so many places: who publishes more is not helped by it.
MOST_TARGETS = 8
MOST_ADDRESSES = 6
SERVICES = (("_xmpps-server", True), ("_xmpp-server", False))


class NoServerError(Exception):
    """There is no server to connect to; the text says what DNS says. `lasts`: it is not just DNS failing."""

    def __init__(self, text: str, lasts: bool) -> None:
        super().__init__(text)
        self.lasts = lasts


class Target(NamedTuple):
    """A server: its name as DNS has it or its address, its port, whether TLS comes first."""

    host: str
    port: int
    direct_tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}{' (direct TLS)' if self.direct_tls else ''}"


class Plan(NamedTuple):
    """Where to try, in this order. `secure`: DNSSEC vouches for it."""

    targets: tuple[Target, ...]
    secure: bool
    how: str  # in words: from SRV records, from the domain's own address, by configuration


class Record(NamedTuple):
    """An SRV record (RFC 2782)."""

    priority: int
    weight: int
    target: Target


class Resolver:
    """Finds servers. `random` gives a number from 0 up to 1; `fixed` are targets that the operator named."""

    def __init__(
        self,
        lookup: Lookup,
        random: Callable[[], float],
        fixed: Mapping[str, Target] | None = None,
        ipv6: bool = True,
    ) -> None:
        self._lookup = lookup
        self._random = random
        self._fixed = dict(fixed or {})
        self._kinds = ("AAAA", "A") if ipv6 else ("A",)

    async def locate(self, domain: str) -> Plan:
        """The servers of a domain. Raises NoServerError."""
        if domain in self._fixed:  # RFC 6120 §3.2.3
            return Plan((self._fixed[domain],), False, "as it is configured")
        name = dns_name(domain)
        if is_ip(name):
            return Plan((Target(name, PORT, False),), False, "it is an address")
        answers = await asyncio.gather(*(self._ask(f"{service}._tcp.{name}") for service, _ in SERVICES))
        found = list(zip(answers, SERVICES, strict=True))
        records = [
            record
            for answer, (_, direct) in found
            if isinstance(answer, Records)
            for record in read_records(answer, direct)
        ]
        secure = all(isinstance(answer, Records) and answer.secure for answer in answers)
        if records:
            targets = in_order(records, self._random)[:MOST_TARGETS]
            return Plan(tuple(targets), secure, "from SRV records")
        if any(isinstance(answer, Records) and answer.found for answer in answers):
            _check_answered(answers)  # "." may be the direct one's alone
            # A target of "." (RFC 6120 §3.2.1); XEP-0368 §5 forbids to look further.
            raise NoServerError(f"DNS says that {domain} has no XMPP server (SRV record '.')", lasts=True)
        return Plan((Target(name, PORT, False),), secure, "it has no SRV records, so its own address")

    async def addresses(self, host: str) -> list[str]:
        """IPv6 and IPv4 in turn (RFC 8305). Raises NoServerError."""
        if is_ip(host):
            return [host]
        answers = await asyncio.gather(*(self._ask(host, kind) for kind in self._kinds))
        lists = [
            [str(record.to_text()) for record in answer.found] if isinstance(answer, Records) else []
            for answer in answers
        ]
        both = [address for pair in zip_longest(*lists) for address in pair if address is not None]
        if both:
            return both[:MOST_ADDRESSES]
        _check_answered(answers)
        raise NoServerError(f"DNS has no address for {host}", lasts=True)

    async def tlsa(self, target: Target) -> tuple[Any, ...]:
        """What DANE says of a server's certificate; nothing, if DNSSEC does not vouch for it (RFC 7673)."""
        if is_ip(target.host):
            return ()
        answer = await self._ask(f"_{target.port}._tcp.{target.host}", "TLSA")
        return answer.found if isinstance(answer, Records) and answer.secure else ()

    async def _ask(self, name: str, kind: str = "SRV") -> Answer:
        try:
            return await self._lookup(name, kind)
        except UnansweredError as failure:
            return failure


def _check_answered(answers: Sequence[Answer]) -> None:
    for answer in answers:
        if isinstance(answer, UnansweredError):
            raise NoServerError(str(answer), lasts=False)


def dns_name(domain: str) -> str:
    """As DNS has it (IDNA); raises NoServerError for what DNS cannot have."""
    if is_ip(domain.strip("[]")):
        return domain.strip("[]")
    try:
        name = ascii_domain(domain)
    except (idna.IDNAError, UnicodeError):
        name = ""
    if not name or len(name) > 253 or any(not 0 < len(label) < 64 for label in name.split(".")):
        raise NoServerError(f"{domain} is not a name that DNS can have", lasts=True)
    return name


def is_ip(text: str) -> bool:
    """Whether it is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def read_records(answer: Records, direct_tls: bool) -> list[Record]:
    """Those that name a server."""
    found = []
    for each in answer.found:
        record: Any = each
        host = record.target.to_text(omit_final_dot=True).lower()
        if host not in ("", ".", "@"):
            found.append(Record(record.priority, record.weight, Target(host, record.port, direct_tls)))
    return found


def in_order(records: Sequence[Record], random: Callable[[], float]) -> list[Target]:
    """By priority, and within one by chance, as the weights have it (RFC 2782); both services mixed."""
    ordered: list[Target] = []
    for _, group in groupby(sorted(records, key=lambda record: record.priority), lambda r: r.priority):
        left = sorted(group, key=lambda record: record.weight)  # those of weight 0 have a small chance first
        while left:
            mark = random() * sum(record.weight for record in left)
            for record in left:
                mark -= record.weight
                if mark <= 0:
                    break
            left.remove(record)
            ordered.append(record.target)
    return list(dict.fromkeys(ordered))
