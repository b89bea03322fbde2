"""The TLS engine against OpenSSL's client side, all in memory."""

import hashlib
import resource
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.bindings.openssl.binding import Binding
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL

from commonroom.config import KeyPair, TlsVersion
from commonroom.net.certificates import CertificateError, create_self_signed, load_pair
from commonroom.net.tls import TlsContexts, TlsEngine, TlsError, end_point_hash
from tests.net.tls_client import VERSIONS, Client, Wire, client_context

NOW = datetime.now(UTC)
NO_EXTENDED_MASTER_SECRET = 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET
both_versions = pytest.mark.parametrize("version", VERSIONS)


class Place(NamedTuple):
    """The certificates of a server with two domains."""

    files: dict[str, KeyPair]
    contexts: TlsContexts

    def certificate(self, domain: str) -> x509.Certificate:
        return load_pair(*self.files[domain]).certificate


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("tls")
    files = {domain: make_pair(folder, domain) for domain in ("example.org", "bücher.example")}
    return Place(files, TlsContexts(files))


def make_pair(folder: Path, domain: str) -> KeyPair:
    pair = KeyPair(folder / f"{domain}.pem", folder / f"{domain}.key")
    create_self_signed(*pair, [domain], NOW)
    return pair


def connected(place: Place, version: str = "TLSv1.3", name: bytes | None = None) -> Client:
    return Client(place.contexts.engine(), client_context(version), name).handshake()


def failing_handshake(client: Client) -> tuple[str, str]:
    """What the server says, and what the client reads in the alert."""
    with pytest.raises(TlsError) as ours:
        client.handshake()
    with pytest.raises(SSL.Error) as theirs:
        client.tls.do_handshake()
    return ours.value.reason, theirs.value.args[0][-1][-1]


# What is refused


def test_rfc7590_1_tls_1_1_is_refused(place: Place) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    wire = Wire(place.contexts.engine())
    with pytest.raises(TlsError, match="version of TLS is too old"):
        wire.shake_hands(outgoing.read())
    incoming.write(wire.outgoing())
    with pytest.raises(ssl.SSLError, match="TLSV1_ALERT_PROTOCOL_VERSION"):
        client.do_handshake()


def test_a_minimum_of_1_3_refuses_1_2(place: Place) -> None:
    contexts = TlsContexts(place.files, TlsVersion.TLS_1_3)
    reason, alert = failing_handshake(Client(contexts.engine(), client_context("TLSv1.2")))
    assert reason == "the peer's version of TLS is too old"
    assert alert == "tlsv1 alert protocol version"


def test_rfc7590_1_a_cipher_without_authenticated_encryption_is_refused(place: Place) -> None:
    context = client_context("TLSv1.2")
    context.set_cipher_list(b"ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
    reason, _ = failing_handshake(Client(place.contexts.engine(), context))
    assert reason == "the peer offered no cipher that is still safe"


@both_versions
def test_xep0368_3_another_protocol_is_refused(place: Place, version: str) -> None:
    context = client_context(version)
    context.set_alpn_protos([b"h2", b"http/1.1"])
    reason, alert = failing_handshake(
        Client(place.contexts.engine(), context, "bücher.example".encode("idna"))
    )
    assert reason == "the peer asked for another protocol than xmpp-client"
    assert alert == "tlsv1 alert no application protocol"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", "the peer spoke HTTP, not TLS"),
        (b"<?xml version='1.0'?><stream:stream to='example.org'>", "the peer did not speak TLS"),
        (b"<stream:stream to='example.org'>", "the peer did not speak TLS"),
        (b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(40), "the peer did not speak TLS"),
    ],
)
def test_what_is_not_tls_is_refused_in_plain_words(place: Place, text: bytes, reason: str) -> None:
    with pytest.raises(TlsError) as error:
        Wire(place.contexts.engine()).shake_hands(text)
    assert error.value.reason == reason


def test_rfc6120_5_3_5_renegotiation_ends_the_connection(place: Place) -> None:
    client = connected(place, "TLSv1.2")
    first = client.seal(b"<presence/>")
    assert client.tls.renegotiate()
    with pytest.raises(SSL.WantReadError):
        client.tls.do_handshake()
    with pytest.raises(TlsError, match="attempted renegotiation"):
        client.wire.receive(first + client.ciphertext())
    assert client.wire.plaintext == b"<presence/>"


@both_versions
def test_a_forged_record_fails_and_what_came_before_is_kept(place: Place, version: str) -> None:
    client = connected(place, version)
    good, forged = client.seal(b"good" * 9000), bytearray(client.seal(b"bad"))
    forged[-1] ^= 1
    with pytest.raises(TlsError, match="bad record mac"):
        client.wire.receive(good + bytes(forged))
    assert client.wire.plaintext == b"good" * 9000
    client.take(client.wire.outgoing())
    with pytest.raises(SSL.Error, match="bad record mac"):
        client.read()


def test_a_client_that_gives_up_in_the_handshake_is_told_apart(place: Place) -> None:
    context = client_context()
    context.set_verify(SSL.VERIFY_PEER)
    client = Client(place.contexts.engine(), context)
    with pytest.raises(SSL.WantReadError):
        client.tls.do_handshake()
    client.wire.receive(client.ciphertext())
    client.take(client.wire.outgoing())
    with pytest.raises(SSL.Error, match="certificate verify failed"):
        client.tls.do_handshake()
    with pytest.raises(TlsError, match="alert unknown ca"):
        client.wire.receive(client.ciphertext())


def test_an_error_that_somebody_left_in_the_queue_is_not_ours(place: Place) -> None:
    def leave_error() -> None:
        Binding().lib.ERR_put_error(20, 0, 134, b"", 0)  # of TLS: certificate verify failed

    engine = place.contexts.engine()
    leave_error()
    client = Client(engine, client_context()).handshake()
    data = client.seal(b"hello")
    leave_error()
    assert client.wire.receive(data) == b"hello"
    leave_error()
    with pytest.raises(TlsError) as error:
        client.wire.receive(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert "certificate" not in error.value.reason


def test_a_certificate_that_tls_refuses_is_named(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name.from_rfc4514_string("CN=example.org")
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW).sign(
        key, hashes.SHA256()
    )
    pair = KeyPair(tmp_path / "weak.pem", tmp_path / "weak.key")
    pair.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(CertificateError, match=r"weak\.pem: TLS refuses it \(ee key too small\)"):
        TlsContexts({"example.org": pair})


# Which certificate


@pytest.mark.parametrize(
    ("to", "name", "domain"),
    [
        (None, None, "example.org"),
        (None, b"elsewhere.example", "example.org"),
        (None, "bücher.example".encode("idna"), "bücher.example"),
        (None, b"XN--BCHER-KVA.EXAMPLE", "bücher.example"),
        ("bücher.example", None, "bücher.example"),
        ("bücher.example", b"elsewhere.example", "bücher.example"),
        ("bücher.example", b"example.org", "example.org"),
        ("elsewhere.example", None, "example.org"),
    ],
)
@both_versions
def test_rfc6120_5_4_3_1_the_certificate_is_the_domains(
    place: Place, version: str, to: str | None, name: bytes | None, domain: str
) -> None:
    client = Client(place.contexts.engine(to), client_context(version), name).handshake()
    expected = place.certificate(domain)
    assert client.tls.get_peer_certificate(as_cryptography=True) == expected
    assert client.engine.channel_binding("tls-server-end-point") == expected.fingerprint(hashes.SHA256())
    assert client.engine.server_name == (name and name.decode())


@pytest.mark.parametrize("offered", [None, [b"xmpp-client"], [b"xmpp-server", b"xmpp-client"]])
def test_xep0368_3_our_protocol_or_none_is_accepted(place: Place, offered: list[bytes] | None) -> None:
    context = client_context()
    if offered:
        context.set_alpn_protos(offered)
    client = Client(place.contexts.engine(), context).handshake()
    assert (
        client.engine.alpn == client.tls.get_alpn_proto_negotiated() == (b"xmpp-client" if offered else b"")
    )


def test_the_whole_chain_is_sent(place: Place, tmp_path: Path) -> None:
    first, second = (place.files[domain] for domain in ("example.org", "bücher.example"))
    chain = tmp_path / "chain.pem"
    chain.write_bytes(first.certificate.read_bytes() + second.certificate.read_bytes())
    contexts = TlsContexts({"example.org": KeyPair(chain, first.key)})
    client = Client(contexts.engine(), client_context()).handshake()
    received = client.tls.get_peer_cert_chain(as_cryptography=True)
    assert received == [place.certificate("example.org"), place.certificate("bücher.example")]


def test_rfc6120_5_4_3_1_any_client_certificate_is_taken_and_can_be_seen(
    place: Place, tmp_path: Path
) -> None:
    contexts = TlsContexts(place.files, request_certificate=True)
    assert Client(contexts.engine(), client_context()).handshake().engine.peer_certificate is None
    own = load_pair(*make_pair(tmp_path, "juliet.example"))
    context = client_context()
    context.use_certificate(own.certificate)
    context.use_privatekey(own.key)
    assert Client(contexts.engine(), context).handshake().engine.peer_certificate == own.certificate
    assert Client(place.contexts.engine(), context).handshake().engine.peer_certificate is None


# Resumption


def resumed(place: Place, contexts: TlsContexts, version: str, name: bytes, to: str | None = None) -> Client:
    """A second connection with the session of the first."""
    context = client_context(version)
    first = Client(place.contexts.engine(), context, b"example.org").handshake()
    assert not first.engine.session_reused
    session = first.tls.get_session()
    assert session is not None
    second = Client(contexts.engine(to), context, name)
    second.tls.set_session(session)
    return second.handshake()


@both_versions
@pytest.mark.parametrize("to", [None, "example.org", "bücher.example"])
def test_rfc7590_3_3_a_session_is_resumed(place: Place, version: str, to: str | None) -> None:
    client = resumed(place, place.contexts, version, b"example.org", to)
    assert client.engine.session_reused
    assert client.engine.version == version
    assert client.engine.server_name == "example.org"
    assert client.engine.channel_binding("tls-exporter") == exported(client)
    assert client.wire.receive(client.seal(b"again")) == b"again"


@both_versions
def test_a_session_of_replaced_certificates_is_not_resumed(place: Place, version: str) -> None:
    client = resumed(place, TlsContexts(place.files), version, b"example.org")
    assert not client.engine.session_reused


@both_versions
def test_a_session_is_not_resumed_where_certificates_are_asked_for(place: Place, version: str) -> None:
    """What is kept of it lacks the certificates that show who signed the peer's."""
    contexts = TlsContexts(place.files, request_certificate=True)
    client = resumed(Place(place.files, contexts), contexts, version, b"example.org")
    assert not client.engine.session_reused


def test_nothing_of_a_session_is_kept_here(place: Place) -> None:
    context = client_context("TLSv1.2")
    context.set_options(SSL.OP_NO_TICKET)
    first = Client(place.contexts.engine(), context).handshake()
    session = first.tls.get_session()
    assert session is not None
    second = Client(place.contexts.engine(), context)
    second.tls.set_session(session)
    assert not second.handshake().engine.session_reused


# Channel binding


def exported(client: Client) -> bytes:
    return client.tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")


@both_versions
def test_rfc9266_2_both_sides_export_the_same_bytes(place: Place, version: str) -> None:
    one, other = connected(place, version), connected(place, version)
    assert one.engine.channel_binding("tls-exporter") == exported(one)
    assert len(exported(one)) == 32
    assert exported(one) != exported(other)


def test_rfc5929_3_1_the_first_finished_is_the_clients_or_in_a_resumption_the_servers(place: Place) -> None:
    context = client_context("TLSv1.2")
    first = Client(place.contexts.engine(), context).handshake()
    assert first.engine.channel_binding("tls-unique") == first.tls.get_finished()
    session = first.tls.get_session()
    assert session is not None
    second = Client(place.contexts.engine(), context)
    second.tls.set_session(session)
    assert second.handshake().engine.session_reused
    assert second.engine.channel_binding("tls-unique") == second.tls.get_peer_finished()


def test_rfc9266_3_tls_1_3_has_no_tls_unique(place: Place) -> None:
    assert connected(place, "TLSv1.3").engine.channel_binding("tls-unique") is None


def test_rfc9266_2_tls_1_2_without_extended_master_secret_has_no_exporter(place: Place) -> None:
    context = client_context("TLSv1.2")
    context.set_options(NO_EXTENDED_MASTER_SECRET)
    client = Client(place.contexts.engine(), context).handshake()
    assert client.engine.channel_binding("tls-exporter") is None
    assert client.engine.channel_binding("tls-unique") is None
    assert client.engine.channel_binding("tls-server-end-point") is not None


def test_there_is_no_channel_binding_before_the_handshake_is_done(place: Place) -> None:
    engine = place.contexts.engine()
    assert engine.channel_binding("tls-exporter") is None
    assert engine.channel_binding("tls-server-end-point") is None


def signed(algorithm: hashes.HashAlgorithm | None) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1()) if algorithm else ed25519.Ed25519PrivateKey.generate()
    builder = x509.CertificateBuilder(x509.Name([]), x509.Name([]), key.public_key(), 1, NOW, NOW)
    return builder.sign(key, algorithm)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [(hashes.SHA256(), "sha256"), (hashes.SHA384(), "sha384"), (hashes.SHA512(), "sha512")],
)
def test_rfc5929_4_1_the_hash_is_the_signatures(algorithm: hashes.HashAlgorithm, digest: str) -> None:
    certificate = signed(algorithm)
    assert end_point_hash(certificate) == hashlib.new(digest, certificate.public_bytes(Encoding.DER)).digest()


def test_rfc5929_4_1_sha1_becomes_sha256() -> None:
    certificate = x509.load_pem_x509_certificate(SIGNED_WITH_SHA1)
    assert end_point_hash(certificate) == hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()


def test_rfc5929_4_1_a_signature_without_a_hash_has_no_end_point() -> None:
    assert end_point_hash(signed(None)) is None


# Data


@both_versions
def test_the_engine_says_what_was_agreed(place: Place, version: str) -> None:
    engine = connected(place, version).engine
    assert engine.version == version
    assert "GCM" in (engine.cipher or "")


@both_versions
@pytest.mark.parametrize("step", [1, 7, 5000, 1 << 20])
def test_data_survives_however_it_is_cut(place: Place, version: str, step: int) -> None:
    client = connected(place, version)
    text = bytes(range(256)) * (20 if step < 100 else 1000)
    sealed = client.seal(text)
    received = b"".join(client.wire.receive(sealed[at : at + step]) for at in range(0, len(sealed), step))
    assert received == text
    answer = client.wire.send(text)
    for at in range(0, len(answer), step):
        client.take(answer[at : at + step])
    assert client.read() == text


def test_rfc8446_5_1_what_fits_is_one_record(place: Place) -> None:
    client = connected(place)
    assert len(client.wire.send(b"x" * 16384)) == 16384 + 5 + 17


def test_a_truncated_handshake_waits(place: Place) -> None:
    client = Client(place.contexts.engine(), client_context())
    with pytest.raises(SSL.WantReadError):
        client.tls.do_handshake()
    hello = client.ciphertext()
    assert client.wire.receive(hello[:100]) == b""
    assert client.wire.outgoing() == b""
    assert client.wire.receive(hello[100:]) == b""
    assert client.wire.outgoing() != b""
    assert not client.engine.handshake_done


def test_data_that_arrives_with_the_end_of_the_handshake_is_received(place: Place) -> None:
    client = Client(place.contexts.engine(), client_context())
    client.step()
    client.tls.do_handshake()
    assert client.wire.shake_hands(client.ciphertext() + client.seal(b"early"))
    assert client.wire.receive(b"") == b"early"
    assert client.engine.handshake_done


@both_versions
def test_rfc8446_6_1_the_peers_close_is_seen_after_its_data(place: Place, version: str) -> None:
    client = connected(place, version)
    data = client.seal(b"last words")
    client.tls.shutdown()
    assert client.wire.receive(data + client.ciphertext()) == b"last words"
    assert client.engine.closed


@both_versions
def test_rfc8446_6_1_our_close_is_announced(place: Place, version: str) -> None:
    client = connected(place, version)
    client.take(client.wire.send(b"last words"))
    client.engine.close()
    client.take(client.wire.outgoing())
    assert client.tls.recv(100) == b"last words"
    with pytest.raises(SSL.ZeroReturnError):
        client.tls.recv(100)


def test_closing_before_the_handshake_or_after_an_error_says_nothing(place: Place) -> None:
    wire = Wire(place.contexts.engine())
    assert wire.engine.close()
    assert wire.outgoing() == b""
    client = connected(place)
    with pytest.raises(TlsError):
        client.wire.receive(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert client.wire.outgoing() != b""
    client.engine.close()
    assert client.wire.outgoing() == b""
    with pytest.raises(TlsError):
        client.wire.send(b"x")


def growth(make: Callable[[], object], count: int) -> float:
    """KiB of memory that each object holds."""
    kept = [make() for _ in range(count)]
    before = resident()
    kept += [make() for _ in range(count)]
    return (resident() - before) / count / 1024


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_an_idle_connection_keeps_no_trace_of_large_stanzas(place: Place) -> None:
    def after_large_stanzas() -> TlsEngine:
        client = connected(place)
        client.wire.send(bytes(100_000))
        assert len(client.wire.receive(client.seal(bytes(100_000)))) == 100_000
        return client.engine

    assert growth(after_large_stanzas, 150) < 45  # 70 if OpenSSL's buffers are not renewed


# Made with `openssl req -x509 -sha1`, which cryptography no longer signs with.
SIGNED_WITH_SHA1 = b"""\
-----BEGIN CERTIFICATE-----
MIIBcTCCARigAwIBAgIUS9fLkFoHFh14yT5XZq0Il7jpWIQwCQYHKoZIzj0EATAP
MQ0wCwYDVQQDDARzaGExMB4XDTI2MTEyMjA4NDk1N1oXDTI2MTIwMjA4NDk1N1ow
DzENMAsGA1UEAwwEc2hhMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEbef9R5
eHuK3EsvGgbXFb6lcOj5nck9wn9Q1kFlJRIgqDaEQnDufxfqIs8oRBNOSPhNm8pm
wEqJApK614+GlF+jUzBRMB0GA1UdDgQWBBQ8RFo87S87SItusLVa0D7HZ/8LzDAf
BgNVHSMEGDAWgBQ8RFo87S87SItusLVa0D7HZ/8LzDAPBgNVHRMBAf8EBTADAQH/
MAkGByqGSM49BAEDSAAwRQIgNH9qgHbkiwBpa2i1Vjs+g9MaH0C+0SrtUUAPPOTl
CAMCIQDpDubkcr1KiC5csgaKlDKxAqGHZaqBsfbtsrEAnPwTcQ==
-----END CERTIFICATE-----
"""
