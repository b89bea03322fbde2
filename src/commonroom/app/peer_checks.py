"""What others see of our domains: in DNS, in certificates, and when they connect."""

import asyncio
from collections.abc import Iterator
from datetime import datetime

from commonroom.admin.checks import Finding
from commonroom.admin.places import server_key_pairs
from commonroom.app.dialogue import Listener, federation_alone
from commonroom.app.federation import Federation
from commonroom.config import Settings
from commonroom.federation.certificates import Authorities, Presented, days_left, describe
from commonroom.federation.dialing import UnreachableError, connect, first_connected
from commonroom.federation.journal import Journal
from commonroom.federation.lookup import Dns, UnansweredError
from commonroom.federation.resolver import NoServerError, Plan, Resolver, Target
from commonroom.net.certificates import CertificateError, Severity, load_pair
from commonroom.protocol.dialback import Pair

# Who asks, when our own server is asked: nobody that it could know.
ASKING = "check.invalid"
GET_ONE = "get one for {} from an authority that others trust"


def server_domains(settings: Settings) -> list[str]:
    """Domains that other servers connect to: those of people, and those below, as that of the rooms."""
    return list(server_key_pairs(settings))


# DNS


async def check_dns(settings: Settings) -> list[Finding]:
    """What DNS says of each domain, and what is missing."""
    try:
        resolver = Resolver(Dns(settings.federation.nameservers), lambda: 0.5)
    except UnansweredError as error:
        return [Finding(Severity.ERROR, "DNS", str(error))]
    found: list[Finding] = []
    for domain in server_domains(settings):
        found += await _check_domain(settings, resolver, domain)
    return found


async def _check_domain(settings: Settings, resolver: Resolver, domain: str) -> list[Finding]:
    if not settings.federation.enabled:
        return [Finding(Severity.NOTE, domain, "federation is off; other servers need to find nothing")]
    try:
        plan = await resolver.locate(domain)
    except NoServerError as error:
        return [Finding(Severity.ERROR, domain, f"{error}; publish what `commonroom dns records` prints")]
    found = [_how(domain, plan), *_wrong_ports(settings, domain, plan)]
    for target in plan.targets:
        try:
            addresses = await resolver.addresses(target.host)
            found.append(Finding(Severity.NOTE, domain, f"{target} is at {', '.join(addresses)}"))
        except NoServerError as error:
            found.append(Finding(Severity.ERROR, domain, f"{error}; publish an A or AAAA record for it"))
    return found


def _how(domain: str, plan: Plan) -> Finding:
    if plan.how == "from SRV records":
        text = f"servers find {', '.join(map(str, plan.targets))}"
        return Finding(Severity.NOTE, domain, text)
    text = f"there are no SRV records for servers ({plan.how}); `commonroom dns records` prints some"
    return Finding(Severity.WARNING, domain, text)


def _wrong_ports(settings: Settings, domain: str, plan: Plan) -> Iterator[Finding]:
    wanted = settings.federation
    for target in plan.targets:
        ours = wanted.listen_direct_tls if target.direct_tls else wanted.listen
        if target.port not in {address.port for address in ours}:
            option = "federation.listen_direct_tls" if target.direct_tls else "federation.listen"
            text = f"DNS says {target}, but nothing listens there ({option}); right only behind a proxy"
            yield Finding(Severity.WARNING, domain, text)


# Certificates


def check_certs(settings: Settings, now: datetime) -> list[Finding]:
    """Whether others will take our certificates, and for how long."""
    try:
        authorities = Authorities(settings.federation.authorities)
    except CertificateError as error:
        return [Finding(Severity.ERROR, "authorities", str(error))]
    return [_certificate(settings, authorities, domain, now) for domain in server_domains(settings)]


def _certificate(settings: Settings, authorities: Authorities, domain: str, now: datetime) -> Finding:
    files = server_key_pairs(settings)[domain]
    try:
        pair = load_pair(*files)
    except CertificateError as error:
        return Finding(Severity.ERROR, domain, str(error))
    problem = Presented(authorities, pair.chain).distrust(domain)
    if problem is not None:
        severity = Severity.ERROR if settings.federation.enabled else Severity.WARNING
        words = f"{files.certificate}: others will refuse it: {problem}; {GET_ONE.format(domain)}"
        return Finding(severity, domain, words)
    left = days_left(pair.certificate, now)
    words = f"{files.certificate}: {describe(pair.certificate)} ({left} days)"
    return Finding(Severity.NOTE if left > 14 else Severity.WARNING, domain, words)


# Connections


async def check_connectivity(settings: Settings) -> list[Finding]:
    """Connect to each domain where DNS says that it is, as another server would."""
    if not settings.federation.enabled:
        return [Finding(Severity.NOTE, "federation", "it is off (federation.enabled)")]
    async with federation_alone(settings) as federation:
        found: list[Finding] = []
        for domain in server_domains(settings):
            try:
                plan = await federation.resolver.locate(domain)
            except NoServerError as error:
                found.append(Finding(Severity.ERROR, domain, f"{error}; see `commonroom check dns`"))
                continue
            for target in plan.targets:
                found.append(await _look_at(federation.resolver, domain, target))
            found.append(await _greet(federation, domain))
        return found


async def _greet(federation: Federation, domain: str) -> Finding:
    """As far as a stranger gets: to TLS, and our certificate."""
    journal = Journal(asyncio.get_running_loop().time)
    reason = ""
    try:
        async with asyncio.timeout(20):
            (await federation.dialer.dial(Pair(ASKING, domain), Listener(), journal)).end()
    except UnreachableError as error:
        reason = error.reason
    except TimeoutError:
        reason = "it does not answer"
    shown = [step.detail for step in journal.steps if step.event == "certificate"]
    if "certificate is not accepted" in reason:
        words = f"other servers will not get in: {reason}; see `commonroom check certs`"
        return Finding(Severity.ERROR, domain, words)
    if not shown:
        return Finding(Severity.ERROR, domain, f"other servers will not get in: {reason}")
    return Finding(Severity.NOTE, domain, f"it shows a certificate {shown[-1]}")


async def _look_at(resolver: Resolver, domain: str, target: Target) -> Finding:
    try:
        async with asyncio.timeout(10):
            addresses = await resolver.addresses(target.host)
            sock, address = await first_connected(addresses, target.port, connect)
    except NoServerError as error:
        return Finding(Severity.ERROR, domain, f"{error}; see `commonroom check dns`")
    except (OSError, TimeoutError) as error:
        why = str(error) or "nothing came within 10 seconds"
        text = f"{target} cannot be reached from here ({why}); is the service running, and a firewall open?"
        return Finding(Severity.ERROR, domain, text)
    sock.close()
    return Finding(Severity.NOTE, domain, f"{target} answers at {address}")
