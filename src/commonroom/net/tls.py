"""RFC 7590, XEP-0368: TLS for every kind of stream: OpenSSL on a socket that does not block.

pyOpenSSL sets everything up. The few calls that a message costs go to the library beneath it
(docs/decisions/0004-tls-engine.md, docs/decisions/0015-sockets.md).
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.bindings.openssl.binding import Binding
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.crypto import X509

from commonroom.config import KeyPair, TlsVersion
from commonroom.net.certificates import CertificateError, Pair, ascii_domain, load_pair
from commonroom.net.limits import PORTION

ALPN_CLIENT = b"xmpp-client"  # XEP-0368 §3
EXPORTER_LABEL = b"EXPORTER-Channel-Binding"  # RFC 9266 §2
EXPORTER_BYTES = 32

# Deviation: TLS_RSA_WITH_AES_128_CBC_SHA (RFC 6120 §13.8.2) is not offered, because RFC 7590 §1 asks for
# forward secrecy. The client's order counts: all of these are good, and it knows its processor.
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
VERSIONS = {TlsVersion.TLS_1_2: SSL.TLS1_2_VERSION, TlsVersion.TLS_1_3: SSL.TLS1_3_VERSION}
# Tickets are sealed with a key that only the running process knows, until certificates are reloaded.
SESSION_SECONDS = 24 * 3600

RECORD_BYTES = 16 * 1024  # the largest record (RFC 8446 §5.1)
SEAL_BYTES = 22  # of a record of TLS 1.3 beside its content; 29 in TLS 1.2

ChannelBinding = Literal["tls-exporter", "tls-unique", "tls-server-end-point"]

_binding = Binding()
_ffi, _lib = _binding.ffi, _binding.lib
_SSL_get_error, _SSL_read, _SSL_write = _lib.SSL_get_error, _lib.SSL_read, _lib.SSL_write
_SSL_do_handshake = _lib.SSL_do_handshake
_ERR_clear_error = _lib.ERR_clear_error
_SSL_pending = _lib.SSL_pending
_WANT_READ: int = _lib.SSL_ERROR_WANT_READ
_WANT_WRITE: int = _lib.SSL_ERROR_WANT_WRITE
_ZERO_RETURN: int = _lib.SSL_ERROR_ZERO_RETURN
_SYSCALL: int = _lib.SSL_ERROR_SYSCALL
_WRITES_ALERT = 0x4008  # SSL_CB_WRITE_ALERT
_NO_RENEGOTIATION = 100  # of RFC 5246

REASONS = {  # OpenSSL's words that say too little
    "http request": "the peer spoke HTTP, not TLS",
    "wrong version number": "the peer did not speak TLS",
    "unsupported protocol": "the peer's version of TLS is too old",
    "no shared cipher": "the peer offered no cipher that is still safe",
}


class TlsError(Exception):
    """TLS failed and the connection must end; the alert that tells the peer why is sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Scratch:
    """The buffer that engines of one thread share; nothing stays in it between two calls."""

    __slots__ = ("buffer", "refused", "view", "watch")

    def __init__(self) -> None:
        self.buffer = _ffi.new("char[]", RECORD_BYTES)
        self.view = _ffi.buffer(self.buffer)
        self.refused = False  # a renegotiation, in the read that is under way
        self.watch = _ffi.callback("void (*)(const SSL *, int, int)", self._alerted)

    def _alerted(self, _: object, where: int, alert: int) -> None:
        if where == _WRITES_ALERT and alert & 0xFF == _NO_RENEGOTIATION:
            self.refused = True


class TlsContexts:
    """The certificates of all domains; replaced as a whole when one changes, engines keep what they have."""

    __slots__ = ("_contexts", "_default", "_scratch")

    def __init__(
        self,
        files: Mapping[str, KeyPair],
        minimum: TlsVersion = TlsVersion.TLS_1_2,
        alpn: bytes = ALPN_CLIENT,
        request_certificate: bool = False,
        authorities: Sequence[x509.Certificate] = (),
    ) -> None:
        """Load one pair of files for each domain, the default domain first; raises `CertificateError`.

        `authorities` are told to peers that are asked for a certificate: whose it should be. Only with them
        are sessions of such peers resumed: a ticket keeps the certificate, and not what came with it.
        """
        self._contexts: dict[bytes, SSL.Context] = {}
        made: dict[KeyPair, SSL.Context] = {}
        for domain, pair in files.items():
            if pair not in made:
                made[pair] = _server_context(pair, minimum, alpn, request_certificate, bool(authorities))
                made[pair].set_tlsext_servername_callback(self._choose)
                for authority in authorities:
                    made[pair].add_client_ca(X509.from_cryptography(authority))
            self._contexts[ascii_domain(domain).encode()] = made[pair]
        self._default = next(iter(made.values()))
        self._scratch = Scratch()

    def engine(self, domain: str | None = None) -> "TlsEngine":
        """A server's engine; the domain is the `to` of the stream header, if any (RFC 6120 §5.4.3.1)."""
        # Always from the same context: tickets are bound to it, so a client can resume on every port.
        connection = SSL.Connection(self._default)
        connection.set_accept_state()
        if domain is not None:
            connection.set_context(self._contexts.get(ascii_domain(domain).encode(), self._default))
        return TlsEngine(connection, self._scratch)

    def _choose(self, connection: SSL.Connection) -> None:
        """The certificate for the server name; an unknown one changes nothing (RFC 7590 §3.5)."""
        context = self._contexts.get((connection.get_servername() or b"").lower())
        if context is not None:
            connection.set_context(context)


def _server_context(
    files: KeyPair, minimum: TlsVersion, alpn: bytes, request_certificate: bool, resumable: bool
) -> SSL.Context:
    pair = load_pair(*files)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    use_pair(context, pair, files)
    context.set_min_proto_version(VERSIONS[minimum])
    context.set_cipher_list(CIPHERS)
    # RFC 6120 §5.3.5 leaves renegotiation to us, and RFC 9266 §4.2 has no channel binding where it is on.
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    # A connection that the peer just drops has ended for us; the stream knows whether too early.
    context.set_options(_lib.SSL_OP_IGNORE_UNEXPECTED_EOF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    _allow_resumption(context, alpn)
    context.set_alpn_select_callback(_alpn_rule(alpn))
    if request_certificate:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE, accept_any_certificate)
        if not resumable:
            context.set_options(SSL.OP_NO_TICKET)  # it keeps the peer's certificate, but not its chain
    context.set_app_data(end_point_hash(pair.certificate))
    return context


def use_pair(context: SSL.Context, pair: Pair, files: KeyPair) -> None:
    """Present this certificate; raises `CertificateError`."""
    try:
        context.use_certificate(pair.certificate)
        for issuer in pair.chain[1:]:
            context.add_extra_chain_cert(issuer)
        context.use_privatekey(pair.key)
    except SSL.Error as error:
        raise CertificateError(
            f"{files.certificate}: TLS refuses it ({_words(error)}); get another"
        ) from None


def _allow_resumption(context: SSL.Context, alpn: bytes) -> None:
    """Sessions live in tickets that clients keep (RFC 7590 §3.3), not in our memory."""
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"commonroom " + alpn)  # OpenSSL insists where certificates are asked for
    context.set_timeout(SESSION_SECONDS)


def _alpn_rule(ours: bytes) -> Callable[[SSL.Connection, list[bytes]], bytes]:
    """Who offers protocols without ours meant somebody else (XEP-0368 §3, rule 8), also after STARTTLS.

    A browser that an attacker leads here would otherwise talk to us under the web server's certificate.
    """

    def select(_: SSL.Connection, offered: list[bytes]) -> bytes:
        if ours not in offered:
            raise TlsError(f"the peer asked for another protocol than {ours.decode()}")
        return ours

    return select


def accept_any_certificate(_: SSL.Connection, *__: object) -> bool:
    """Whose certificate it is, and whether to trust it, is decided after the handshake (RFC 6120 §13.7.2)."""
    return True


def end_point_hash(certificate: x509.Certificate) -> bytes | None:
    """The tls-server-end-point channel binding; None where it is undefined (RFC 5929 §4.1)."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    if algorithm is None:
        return None
    name = "sha256" if algorithm.name in ("md5", "sha1") else algorithm.name
    return hashlib.new(name, certificate.public_bytes(Encoding.DER)).digest()


class TlsEngine:
    """One TLS connection on a socket that does not block. Whatever would block is to be called again."""

    __slots__ = (
        "_broken",
        "_connection",
        "_scratch",
        "_ssl",
        "closed",
        "handshake_done",
        "initiates",
        "wants_write",
    )

    def __init__(self, connection: SSL.Connection, scratch: Scratch, initiates: bool = False) -> None:
        """Drive a connection whose side is set: the one that accepts, or the one that initiates."""
        self._connection = connection
        self.initiates = initiates
        self._ssl = connection._ssl
        self._scratch = scratch
        self._broken = False
        self.handshake_done = False
        self.wants_write = False  # the last call goes on when the socket takes more
        self.closed = False  # the peer has said that it will send no more, or just left

    def attach(self, fd: int) -> None:
        """Use this socket, which stays the caller's; nothing of TLS may have been read from it."""
        _lib.SSL_set_fd(self._ssl, fd)
        # One call reads one record, also of those that are not data: a flood of key updates takes turns.
        _lib.SSL_clear_mode(self._ssl, _lib.SSL_MODE_AUTO_RETRY)

    def shake_hands(self) -> bool:
        """Go on with the handshake; whether it is done. Raises `TlsError`, and `OSError` of the socket."""
        _ERR_clear_error()
        self.wants_write = False
        result = _SSL_do_handshake(self._ssl)
        if result <= 0 and _SSL_get_error(self._ssl, result) == _WANT_READ:
            return False
        try:
            if result <= 0:
                self._connection._raise_ssl_error(self._ssl, result)
        except SSL.WantReadError:
            return False
        except SSL.WantWriteError:
            self.wants_write = True
            return False
        except (SSL.Error, TlsError) as error:
            return self._not_shaken(error)
        self.handshake_done = True
        if self._connection.get_protocol_version() <= SSL.TLS1_2_VERSION:
            _lib.SSL_set_info_callback(self._ssl, self._scratch.watch)
        return True

    def read(self, portion: int = PORTION) -> bytes:
        """At most so much of one record, or nothing. Raises `TlsError`, and `OSError` of the socket."""
        _ERR_clear_error()  # what somebody left there would be taken for ours
        size = _SSL_read(self._ssl, self._scratch.buffer, portion)
        if size > 0:
            data: bytes = self._scratch.view[:size]
            return data
        self._nothing_read(_SSL_get_error(self._ssl, size))
        return b""

    def has_more(self) -> bool:
        """Whether there is something to read that the socket no longer tells of."""
        return bool(_SSL_pending(self._ssl) > 0)

    def write(self, data: bytes) -> int:
        """Send at most one record of it; how much was taken. What was not must come again, and first."""
        _ERR_clear_error()
        sent: int = _SSL_write(self._ssl, data, len(data))
        if sent > 0:
            return sent
        error = _SSL_get_error(self._ssl, sent)
        if data and error != _WANT_WRITE:
            raise self._failure(error)
        return 0

    def close(self) -> bool:
        """Say that we will send no more (RFC 8446 §6.1); False if the socket does not take it yet."""
        if not self.handshake_done or self._broken:
            return True
        _ERR_clear_error()
        result = _lib.SSL_shutdown(self._ssl)
        if result < 0 and _SSL_get_error(self._ssl, result) == _WANT_WRITE:
            return False
        self._broken = True  # or once more would wait for the peer's
        _ERR_clear_error()
        return True

    def channel_binding(self, kind: ChannelBinding) -> bytes | None:
        """The channel binding, or None where it is not defined (RFC 9266 §2, RFC 5929 §3, §4.1)."""
        if not self.handshake_done:
            return None
        if kind == "tls-server-end-point":
            end_point: bytes | None = self._connection.get_context().get_app_data()
            return end_point
        if not self._has_unique_master_secret():
            return None
        return self._exported() if kind == "tls-exporter" else self._first_finished()

    @property
    def alpn(self) -> bytes:
        """The agreed protocol (XEP-0368 §3), empty if the client named none."""
        return self._connection.get_alpn_proto_negotiated()

    @property
    def server_name(self) -> str | None:
        """The name that the client asked for, as it came."""
        name = self._connection.get_servername()
        return None if name is None else name.decode("ascii", "replace")

    @property
    def version(self) -> str:
        """As "TLSv1.3"."""
        return self._connection.get_protocol_version_name()

    @property
    def cipher(self) -> str | None:
        """OpenSSL's name of it."""
        return self._connection.get_cipher_name()

    @property
    def session_reused(self) -> bool:
        """Whether an earlier session was resumed (RFC 7590 §3.3)."""
        return bool(_lib.SSL_session_reused(self._ssl))

    @property
    def peer_certificate(self) -> x509.Certificate | None:
        """What the peer presented and proved to own; nobody has checked who signed it."""
        return self._connection.get_peer_certificate(as_cryptography=True)

    @property
    def peer_chain(self) -> list[x509.Certificate]:
        """The same, and what else the peer sent to show who signed it; empty if it presented nothing."""
        own = self.peer_certificate
        if own is None:
            return []
        sent = self._connection.get_peer_cert_chain(as_cryptography=True) or []
        return [own, *(each for each in sent if each != own)]

    def _not_shaken(self, error: SSL.Error | TlsError) -> bool:
        self._broken = True
        if isinstance(error, TlsError):
            raise error
        if isinstance(error, SSL.ZeroReturnError) or (
            isinstance(error, SSL.SysCallError) and error.args[0] <= 0
        ):
            self.closed = True
            return False
        if isinstance(error, SSL.SysCallError):
            raise OSError(error.args[0], os.strerror(error.args[0])) from None
        raise TlsError(_words(error)) from None

    def _nothing_read(self, error: int) -> None:
        """No data: not yet, not any more, or only what OpenSSL answers by itself, as a key update."""
        self.wants_write = error == _WANT_WRITE  # the answer: until it is out, nothing more is read
        if self._scratch.refused:
            self._scratch.refused = False
            self._broken = True
            raise TlsError("the peer attempted renegotiation")  # RFC 6120 §5.3.5
        if error == _ZERO_RETURN:
            self.closed = True
        elif error not in (_WANT_READ, _WANT_WRITE):
            raise self._failure(error)

    def _failure(self, error: int) -> Exception:
        """What to raise."""
        number = _ffi.errno
        self._broken = True
        if error == _SYSCALL and number:
            return OSError(number, os.strerror(number))
        return TlsError(_queued_words())

    def _has_unique_master_secret(self) -> bool:
        """Whether exported keys are this connection's alone (RFC 9266 §2)."""
        if self._connection.get_protocol_version() > SSL.TLS1_2_VERSION:
            return True
        return bool(_lib.SSL_get_extms_support(self._ssl) == 1)

    def _first_finished(self) -> bytes | None:
        """Of TLS 1.2 only; in a resumption the server finishes first (RFC 5929 §3.1, RFC 9266 §3)."""
        if self._connection.get_protocol_version() > SSL.TLS1_2_VERSION:
            return None
        connection = self._connection
        return connection.get_finished() if self.session_reused else connection.get_peer_finished()

    def _exported(self) -> bytes:
        return self._connection.export_keying_material(EXPORTER_LABEL, EXPORTER_BYTES, context=b"")


def _queued_words() -> str:
    """What OpenSSL's queue of errors says; empties it."""
    words = []
    while code := _lib.ERR_get_error():
        if reason := _lib.ERR_reason_error_string(code):
            words.append(_ffi.string(reason).decode())
    return _plain(words)


def _words(error: SSL.Error) -> str:
    """The same of what pyOpenSSL took out of the queue: (library, function, reason) of each."""
    said = error.args[-1] if error.args else []
    return _plain([reason for _, _, reason in said] if isinstance(said, list) else [str(said)])


def _plain(words: list[str]) -> str:
    known = [REASONS[word] for word in words if word in REASONS]
    return "; ".join(known or words) or "TLS has ended"
