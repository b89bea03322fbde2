"""What the operator wants of each other domain, as `[federation]` says it."""

from dataclasses import dataclass

from commonroom.config.federation import Admittance, FederatedDomain, Federation, Security
from commonroom.federation.resolver import Target
from commonroom.net.rates import Rate
from commonroom.protocol.s2s_out import Terms

UNLIMITED = Rate()


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for one domain; `refused` is why there is no exchange with it, or None."""

    refused: str | None
    security: Security
    rate: Rate = UNLIMITED

    @property
    def needs_tls(self) -> bool:
        """Nothing goes over the network in the clear."""
        return self.security is not Security.UNENCRYPTED

    @property
    def needs_certificate(self) -> bool:
        """We connect only to somebody who proves to be the domain, also to ask about a dialback key."""
        return self.security in (Security.EXTERNAL, Security.CERTIFICATE)

    @property
    def allows_dialback(self) -> bool:
        """Whoever connects may have the authoritative server asked, instead of showing a certificate."""
        return self.security is not Security.EXTERNAL

    def terms(self, uses_external: bool = True) -> Terms:
        """The same for a stream that we open."""
        return Terms(self.needs_tls, self.needs_certificate, self.allows_dialback, uses_external)


class Policies:
    """Finds a domain's: its own table, that of the nearest domain above it, or what holds for all."""

    def __init__(self, settings: Federation) -> None:
        self._others = Policy(_refusal(settings.default), settings.security, rate_of(settings))
        self._own = {
            name: Policy(_refusal(each.policy), each.security or settings.security, rate_of(settings, each))
            for name, each in settings.domains.items()
        }

    def of(self, domain: str) -> Policy:
        """What holds for it."""
        name = domain if self._own else ""
        while name:
            if name in self._own:
                return self._own[name]
            name = name.partition(".")[2]
        return self._others


def fixed_targets(settings: Federation) -> dict[str, Target]:
    """Where the servers are that the operator named (RFC 6120 §3.2.3)."""
    return {
        name: Target(each.server.host, each.server.port, each.direct_tls)
        for name, each in settings.domains.items()
        if each.server is not None
    }


def rate_of(settings: Federation, domain: FederatedDomain | None = None) -> Rate:
    """How much a domain may send; at once, as many seconds' worth as everybody."""
    stanzas, size = settings.stanzas_per_second, settings.bytes_per_second
    own_stanzas = (domain and domain.stanzas_per_second) or stanzas
    own_size = (domain and domain.bytes_per_second) or size
    return Rate(
        own_stanzas,
        settings.stanza_burst * own_stanzas / stanzas,
        own_size,
        max(10_000, settings.byte_burst * own_size / size),
    )


def _refusal(admittance: Admittance) -> str | None:
    return None if admittance is Admittance.ALLOW else "this service does not communicate with that domain"
