"""RFC 7590, XEP-0178 §3, XEP-0368: TLS of connections that we make to other servers.

The peer's certificate is taken as it is; whether it proves anything is decided after the handshake, because a
domain's policy may be content with dialback.
"""

from collections.abc import Mapping

from OpenSSL import SSL

from commonroom.config import KeyPair, TlsVersion
from commonroom.net.certificates import ascii_domain, load_pair
from commonroom.net.tls import (
    CIPHERS,
    VERSIONS,
    Scratch,
    TlsEngine,
    accept_any_certificate,
    use_pair,
)

ALPN_SERVER = b"xmpp-server"  # XEP-0368 §3


class OutgoingContexts:
    """Our certificates, which we present as the side that connects; replaced as a whole when one changes."""

    __slots__ = ("_contexts", "_default", "_scratch")

    def __init__(self, files: Mapping[str, KeyPair], minimum: TlsVersion = TlsVersion.TLS_1_2) -> None:
        """One pair of files for each domain of ours; raises `CertificateError`."""
        made: dict[KeyPair, SSL.Context] = {}
        for pair in files.values():
            if pair not in made:
                made[pair] = _context(pair, minimum)
        self._contexts = {domain: made[pair] for domain, pair in files.items()}
        self._default = next(iter(self._contexts.values()))
        self._scratch = Scratch()

    def engine(self, ours: str, theirs: str, direct: bool) -> TlsEngine:
        """For a connection from one of our domains, or of one below, to theirs, which SNI names."""
        connection = SSL.Connection(self._context(ours))
        connection.set_connect_state()
        name = ascii_domain(theirs)
        if ":" not in name and not name.replace(".", "").isdigit():  # an IP address is none (RFC 6066)
            connection.set_tlsext_host_name(name.encode())
        if direct:
            connection.set_alpn_protos([ALPN_SERVER])
        return TlsEngine(connection, self._scratch, initiates=True)

    def _context(self, domain: str) -> SSL.Context:
        while domain:
            if domain in self._contexts:
                return self._contexts[domain]
            domain = domain.partition(".")[2]
        return self._default


def _context(files: KeyPair, minimum: TlsVersion) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    use_pair(context, load_pair(*files), files)
    context.set_min_proto_version(VERSIONS[minimum])
    context.set_cipher_list(CIPHERS)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_verify(SSL.VERIFY_PEER, accept_any_certificate)
    return context
