"""Operations on certificates, and the DNS records that lead to the service."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from commonroom.admin.checks import check_certificates
from commonroom.admin.errors import AdminError, BadAddress, BadArgument
from commonroom.admin.operation import Arg, Form, operation
from commonroom.admin.places import server_key_pairs, shared_key_pair
from commonroom.admin.registry import Registry
from commonroom.admin.scopes import Scope
from commonroom.config import KeyPair, ListenAddress, Settings
from commonroom.net.certificate_facts import Facts, facts, make_request, verdict
from commonroom.net.certificates import (
    CertificateError,
    Severity,
    ascii_domain,
    create_self_signed,
    load_chain,
    names_of,
)

SELF_SIGNED_DAYS = 365
LONGEST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """A certificate, and for which of the configured domains it is used."""

    file: str
    used_for: tuple[str, ...]
    subject: str
    issuer: str
    dns: tuple[str, ...]
    srv: tuple[str, ...]
    xmpp: tuple[str, ...]
    key: str
    signature: str
    serial: str
    sha256: str
    begins: datetime
    ends: datetime
    days_left: int
    chain: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """Something that an operator should know."""

    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class Written:
    """The files of a certificate and its key."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class RequestMade:
    """A request for an authority, in PEM form, and the file of the key that stays here."""

    key: str
    request: str


Domain = Annotated[str | None, Arg("Only that of this domain; if not given, that of [tls].")]


@operation("certificate show", Scope.SERVICE_READ, "Show what the certificates say.")
async def show_certificates(settings: Settings, registry: Registry) -> tuple[CertificateFacts, ...]:
    """Each that is used; raises AdminError for one that cannot be read."""
    return tuple(
        _shown(pair.certificate, domains, registry.now()) for pair, domains in _used(settings).items()
    )


@operation(
    "certificate check", Scope.SERVICE_READ, "Say what is wrong with the certificates, and what clients say."
)
async def check(settings: Settings, registry: Registry) -> tuple[Advice, ...]:
    """As the certificates' part of `commonroom check`, and more: it tries to be a client.

    Of each file it says what it is; of each domain, of rooms and components as well, by which names it is
    there (RFC 6120 §13.7.1.2.1).
    """
    now = registry.now()
    found = [Advice(each.severity, each.text) for each in check_certificates(settings, now)]
    for pair, domains in _used(settings).items():
        try:
            it, names = facts(pair.certificate), names_of(load_chain(pair.certificate)[0])
        except CertificateError:
            continue  # is among the findings already
        found.append(Advice(Severity.NOTE, f"{pair.certificate}: {_what_it_is(it, now)}"))
        found += [_named(settings, pair.certificate, domain, it, names) for domain in domains]
        found += _as_clients_see(settings, pair.certificate, domains, now)
    return tuple(sorted(found, key=lambda each: list(Severity).index(each.severity)))


@operation("certificate self-signed", Scope.SERVICE_WRITE, "Make a key and a certificate signed by itself.")
async def self_signed(
    settings: Settings,
    registry: Registry,
    domain: Domain = None,
    days: Annotated[int, Arg("How long it is valid.")] = SELF_SIGNED_DAYS,
) -> Written:
    """Where the configuration says, if nothing is there. Raises AdminError."""
    if not 1 <= days <= LONGEST_DAYS:
        raise BadArgument(f"days: write a number from 1 to {LONGEST_DAYS}")
    pair, domains = _wanted(settings, registry, domain)
    try:
        create_self_signed(*pair, domains, registry.now(), days)
    except CertificateError as error:
        raise AdminError(str(error)) from None
    return Written(str(pair.certificate), str(pair.key))


@operation("certificate request", Scope.SERVICE_WRITE, "Make a request for a certificate authority.")
async def request(settings: Settings, registry: Registry, domain: Domain = None) -> RequestMade:
    """With the key that the configuration names, which is made if there is none. Raises AdminError."""
    pair, domains = _wanted(settings, registry, domain)
    try:
        made = make_request(pair.key, domains)
    except CertificateError as error:
        raise AdminError(str(error)) from None
    return RequestMade(str(pair.key), made.decode())


@operation(
    "dns records",
    Scope.SERVICE_READ,
    "Print the DNS records that lead to the service.",
    "--target chat.example.org",
)
async def dns_records(
    settings: Settings,
    target: Annotated[
        str | None, Arg("The machine's name; if not given, the domain itself.", Form.DOMAIN)
    ] = None,
    ttl: Annotated[int, Arg("How many seconds others may remember them.")] = 3600,
) -> tuple[str, ...]:
    """Lines of a zone file (RFC 6120 §3.2.1, XEP-0368 §3)."""
    c2s, s2s = settings.c2s, settings.federation
    lines = []
    for domain in server_key_pairs(settings):
        name = ascii_domain(domain)
        start, host = f"{name}. {ttl} IN SRV", ascii_domain(target or settings.domains[0])
        if domain in settings.domains:
            lines += _records("client", start, host, c2s.listen, c2s.listen_direct_tls)
        ways = (s2s.listen, s2s.listen_direct_tls) if s2s.enabled else ((), ())
        lines += _records("server", start, host, *ways)
    return tuple(lines)


def _records(
    kind: str, start: str, host: str, plain: tuple[ListenAddress, ...], tls: tuple[ListenAddress, ...]
) -> list[str]:
    """In the order of the configuration; "." says that there is nothing (RFC 2782)."""
    lines = []
    for service, addresses in ((f"_xmpp-{kind}", plain), (f"_xmpps-{kind}", tls)):
        ports = dict.fromkeys(address.port for address in addresses)
        lines += [f"{service}._tcp.{start} {5 + place} 0 {port} {host}." for place, port in enumerate(ports)]
    return lines or [f"_xmpp-{kind}._tcp.{start} 0 0 0 ."]


def _used(settings: Settings) -> dict[KeyPair, tuple[str, ...]]:
    """The files, and the domains that they are for: first of people, then of rooms and components."""
    used: dict[KeyPair, tuple[str, ...]] = {}
    pairs = server_key_pairs(settings)
    for domain in dict.fromkeys((*settings.domains, *pairs)):
        used[pairs[domain]] = (*used.get(pairs[domain], ()), domain)
    return used


def _wanted(settings: Settings, registry: Registry, domain: str | None) -> tuple[KeyPair, tuple[str, ...]]:
    """The files, and the domains that are in them: of one also those below it, as that of its rooms."""
    pairs = server_key_pairs(settings)
    if domain is None:
        pair = shared_key_pair(settings)
        return pair, _used(settings).get(pair, settings.domains)
    if domain not in pairs:
        raise BadAddress(f"{domain}: this is not served here; configured: {', '.join(registry.domains)}")
    below = (name for name, pair in pairs.items() if name.endswith(f".{domain}") and pair == pairs[domain])
    return pairs[domain], (domain, *below)


def _shown(path: Path, domains: tuple[str, ...], now: datetime) -> CertificateFacts:
    try:
        it = facts(path)
    except CertificateError as error:
        raise AdminError(str(error)) from None
    return CertificateFacts(file=str(path), used_for=domains, days_left=(it.ends - now).days, **asdict(it))


def _what_it_is(it: Facts, now: datetime) -> str:
    chain = f"it is followed by {', '.join(it.chain)}" if it.chain else "nothing follows it"
    return f"its key is {it.key}; it ends on {it.ends:%Y-%m-%d}, in {(it.ends - now).days} days; {chain}"


def _named(settings: Settings, path: Path, domain: str, it: Facts, names: set[str]) -> Advice:
    """By which forms of names a domain is in it, and whether one is missing that somebody needs."""
    name = ascii_domain(domain)
    forms = {
        "DNS": name in names or f"*.{name.partition('.')[2]}" in names,
        "SRVName": f"_xmpp-client.{name}" in it.srv and f"_xmpp-server.{name}" in it.srv,
        "XmppAddr": domain in it.xmpp,
    }
    there = [form for form, is_there in forms.items() if is_there]
    missing = [form for form, is_there in forms.items() if not is_there]
    if forms["DNS"] or len(there) == 2:
        rest = f"; {' and '.join(missing)} would do as well, and few authorities give them" if missing else ""
        return Advice(Severity.NOTE, f"{path}: it names {domain} ({', '.join(there)}){rest}")
    if domain in settings.domains:
        asks = "for which clients ask"
    else:
        asks = "for which other servers ask when their users come there"
    is_needed = domain in settings.domains or settings.federation.enabled
    severity = Severity.WARNING if is_needed else Severity.NOTE
    return Advice(severity, f"{path}: it does not name {domain}, {asks}; get one that does")


def _as_clients_see(
    settings: Settings, path: Path, domains: tuple[str, ...], now: datetime
) -> Iterator[Advice]:
    first = load_chain(path)[0]
    if first.issuer == first.subject:
        return  # one that is signed by itself was told of already
    for domain in domains:
        if domain in settings.domains and (said := verdict(path, domain, now)):
            text = f"a client that trusts this machine's authorities will object for {domain}: {said}"
            yield Advice(Severity.WARNING, f"{path}: {text}")
