"""RFC 7590, XEP-0368: TLS for every kind of stream: OpenSSL over buffers in memory, without a socket.

pyOpenSSL sets everything up. The few calls that a message costs go to the library beneath it, which saves
4 µs of 7 (docs/decisions/0004-tls-engine.md).
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.bindings.openssl.binding import Binding
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from commonroom.config import KeyPair, TlsVersion
from commonroom.net.certificates import CertificateError, Pair, ascii_domain, load_pair

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
SCRATCH_BYTES = 32 * 1024  # takes one, sealed
# OpenSSL's buffers never shrink: what was larger than this gets new ones, for 0.8 µs. An idle connection that
# had 64 KiB go either way then holds 30 KiB, and 71 without.
LARGE_BYTES = 2 * 1024

ChannelBinding = Literal["tls-exporter", "tls-unique", "tls-server-end-point"]

_binding = Binding()
_ffi, _lib = _binding.ffi, _binding.lib
_BIO_get_mem_data, _BIO_read, _BIO_write = _lib.BIO_get_mem_data, _lib.BIO_read, _lib.BIO_write
_SSL_get_error, _SSL_read, _SSL_write = _lib.SSL_get_error, _lib.SSL_read, _lib.SSL_write
_ERR_clear_error = _lib.ERR_clear_error
_WANT_READ: int = _lib.SSL_ERROR_WANT_READ
_ZERO_RETURN: int = _lib.SSL_ERROR_ZERO_RETURN

REASONS = {  # OpenSSL's words that say too little
    "http request": "the peer spoke HTTP, not TLS",
    "wrong version number": "the peer did not speak TLS",
    "unsupported protocol": "the peer's version of TLS is too old",
    "no shared cipher": "the peer offered no cipher that is still safe",
}


class TlsError(Exception):
    """TLS failed and the connection must end; `outgoing()` holds the alert that tells the peer why."""

    def __init__(self, reason: str, plaintext: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.plaintext = plaintext  # what arrived intact before


class Scratch:
    """The buffer that engines of one thread share; nothing stays in it between two calls."""

    __slots__ = ("buffer", "pointer", "view")

    def __init__(self) -> None:
        self.buffer = _ffi.new("char[]", SCRATCH_BYTES)
        self.view = _ffi.buffer(self.buffer)
        self.pointer = _ffi.new("char **")


class TlsContexts:
    """The certificates of all domains; replaced as a whole when one changes, engines keep what they have."""

    __slots__ = ("_contexts", "_default", "_scratch")

    def __init__(
        self,
        files: Mapping[str, KeyPair],
        minimum: TlsVersion = TlsVersion.TLS_1_2,
        alpn: bytes = ALPN_CLIENT,
        request_certificate: bool = False,
    ) -> None:
        """Load one pair of files for each domain, the default domain first; raises `CertificateError`."""
        self._contexts: dict[bytes, SSL.Context] = {}
        made: dict[KeyPair, SSL.Context] = {}
        for domain, pair in files.items():
            if pair not in made:
                made[pair] = _server_context(pair, minimum, alpn, request_certificate)
                made[pair].set_tlsext_servername_callback(self._choose)
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
    files: KeyPair, minimum: TlsVersion, alpn: bytes, request_certificate: bool
) -> SSL.Context:
    pair = load_pair(*files)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    try:
        _use(context, pair)
    except SSL.Error as error:
        raise CertificateError(
            f"{files.certificate}: TLS refuses it ({_words(error)}); get another"
        ) from None
    context.set_min_proto_version(VERSIONS[minimum])
    context.set_cipher_list(CIPHERS)
    # RFC 6120 §5.3.5 leaves renegotiation to us, and RFC 9266 §4.2 has no channel binding where it is on.
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    _allow_resumption(context, alpn)
    context.set_alpn_select_callback(_alpn_rule(alpn))
    if request_certificate:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE, _accept_any_certificate)
    context.set_app_data(end_point_hash(pair.certificate))
    return context


def _use(context: SSL.Context, pair: Pair) -> None:
    context.use_certificate(pair.certificate)
    for issuer in pair.chain[1:]:
        context.add_extra_chain_cert(issuer)
    context.use_privatekey(pair.key)


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


def _accept_any_certificate(_: SSL.Connection, *__: object) -> bool:
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
    """One TLS connection: bytes in, bytes out. In the handshake, `outgoing()` is due after each `receive`."""

    __slots__ = (
        "_broken",
        "_connection",
        "_from_ssl",
        "_grown",
        "_into_ssl",
        "_scratch",
        "_ssl",
        "closed",
        "handshake_done",
        "has_answer",
    )

    def __init__(self, connection: SSL.Connection, scratch: Scratch) -> None:
        """Drive a connection without a socket, whose side (accept or connect) is set."""
        self._connection = connection
        self._ssl = connection._ssl
        self._into_ssl = connection._into_ssl
        self._from_ssl = connection._from_ssl
        self._scratch = scratch
        self._broken = False
        self._grown = True  # by the handshake
        self.handshake_done = False
        self.has_answer = False  # to a key update: `outgoing()` is due, or a peer could let them pile up
        self.closed = False  # the peer has said that it will send no more

    def receive(self, data: bytes) -> bytes:
        """Take what the network brought and give the plaintext in it, if any; raises `TlsError`."""
        if len(data) > LARGE_BYTES:
            self._grown = True
            if len(data) > RECORD_BYTES:
                return self._receive_pieces(data)
        _BIO_write(self._into_ssl, data, len(data))
        if not self.handshake_done:
            return self._decrypt() if self._shake_hands() else b""
        plaintext = self._decrypt()
        if _BIO_get_mem_data(self._from_ssl, self._scratch.pointer) > 0:
            self._check_answer(plaintext)
        elif self._grown:
            self._renew_buffers()
        return plaintext

    def send(self, data: bytes) -> bytes:
        """What to write to the network for the plaintext, and for whatever waited in `outgoing()`."""
        if len(data) > LARGE_BYTES:
            self._grown = True
            if len(data) > RECORD_BYTES:
                pieces = range(0, len(data), RECORD_BYTES)
                return b"".join([self.send(data[start : start + RECORD_BYTES]) for start in pieces])
        if _SSL_write(self._ssl, data, len(data)) <= 0:
            raise self._failure()
        return self.outgoing()

    def outgoing(self) -> bytes:
        """What waits to be written to the network: the handshake's, an alert, an answer to the peer."""
        size = _BIO_read(self._from_ssl, self._scratch.buffer, SCRATCH_BYTES)
        data: bytes = self._scratch.view[:size] if size > 0 else b""
        if size == SCRATCH_BYTES:
            return data + self.outgoing()
        if self._grown and self.handshake_done:
            self._renew_buffers()
        return data

    def close(self) -> None:
        """Say that we will send no more (RFC 8446 §6.1); what says it is in `outgoing()`."""
        if self.handshake_done and not self._broken:
            self._connection.shutdown()

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

    def _receive_pieces(self, data: bytes) -> bytes:
        plaintext = []
        try:
            for start in range(0, len(data), RECORD_BYTES):
                plaintext.append(self.receive(data[start : start + RECORD_BYTES]))
        except TlsError as error:
            error.plaintext = b"".join([*plaintext, error.plaintext])
            raise
        return b"".join(plaintext)

    def _renew_buffers(self) -> None:
        """Both are empty now: `receive` reads until nothing is left. OpenSSL frees the old ones."""
        self._grown = False
        self._into_ssl = self._connection._into_ssl = _lib.BIO_new(_lib.BIO_s_mem())
        self._from_ssl = self._connection._from_ssl = _lib.BIO_new(_lib.BIO_s_mem())
        _lib.SSL_set_bio(self._ssl, self._into_ssl, self._from_ssl)

    def _shake_hands(self) -> bool:
        _ERR_clear_error()
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            self._broken = True
            raise TlsError(_words(error)) from None
        except TlsError:
            self._broken = True
            raise
        self.handshake_done = True
        return True

    def _decrypt(self) -> bytes:
        """Everything that is complete. A read costs little, also the last, which finds nothing."""
        _ERR_clear_error()  # what somebody left there would be taken for ours
        buffer, view = self._scratch.buffer, self._scratch.view
        plaintext = b""
        while (size := _SSL_read(self._ssl, buffer, SCRATCH_BYTES)) > 0:
            plaintext = plaintext + view[:size] if plaintext else view[:size]
        error = _SSL_get_error(self._ssl, size)
        if error == _ZERO_RETURN:
            self.closed = True
        elif error != _WANT_READ:
            raise self._failure(plaintext)
        return plaintext

    def _check_answer(self, plaintext: bytes) -> None:
        """OpenSSL answered by itself: in TLS 1.2 it only ever refuses a handshake (RFC 6120 §5.3.5)."""
        if self._connection.get_protocol_version() <= SSL.TLS1_2_VERSION:
            self._broken = True
            raise TlsError("the peer attempted renegotiation", plaintext)
        self.has_answer = True

    def _failure(self, plaintext: bytes = b"") -> TlsError:
        self._broken = True
        return TlsError(_queued_words(), plaintext)

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
