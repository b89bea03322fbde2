"""RFC 7590: the certificates that clients are shown, and whose certificates they are asked for."""

from commonroom.admin.places import key_pairs
from commonroom.config import Settings
from commonroom.net.client_certificates import load_authorities
from commonroom.net.tls import TlsContexts


def client_contexts(settings: Settings) -> TlsContexts:
    """As the files are now; raises CertificateError."""
    path = settings.accounts.authorities
    authorities = () if path is None else tuple(load_authorities(path))
    return TlsContexts(
        key_pairs(settings),
        settings.tls.minimum_version,
        request_certificate=path is not None,
        authorities=authorities,
    )
