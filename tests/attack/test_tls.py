"""Security rules: TLS 1.2 or newer, no renegotiation, no compression, and nothing survives <proceed/>."""

import ctypes
import os
import select
import socket
import ssl
import struct

import pytest
from OpenSSL import SSL

from tests.attack.client import (
    CONTEXT,
    HEADER,
    SECONDS,
    STARTTLS,
    Client,
    Ended,
    auth,
    condition,
    connect,
    logged_in,
)
from tests.attack.server import DOMAIN, PASSWORD, Server

ALERT, APPLICATION_DATA = 21, 23
PROTOCOL_VERSION = 70
LOGIN = auth("PLAIN", f"\0u1\0{PASSWORD}")
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"


def client_hello(version: int) -> bytes:
    """A ClientHello of that version (0x0301 is TLS 1.0), with the ciphers that every server had."""
    ciphers = struct.pack("!6H", 0xC009, 0xC00A, 0xC013, 0xC014, 0x002F, 0x0035)
    curves = struct.pack("!HHHH", 10, 4, 2, 23)
    body = struct.pack("!H", version) + os.urandom(32) + b"\0"
    body += struct.pack("!H", len(ciphers)) + ciphers + b"\1\0" + struct.pack("!H", len(curves)) + curves
    handshake = b"\1" + struct.pack("!I", len(body))[1:] + body
    return b"\x16" + struct.pack("!HH", 0x0301, len(handshake)) + handshake


def all_of(sock: socket.socket) -> bytes:
    """What the server says until it ends the connection."""
    said = b""
    try:
        while data := sock.recv(65536):
            said += data
    except ConnectionError:
        return said
    return said


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302], ids=["ssl3", "tls1.0", "tls1.1"])
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "starttls"])
def test_attack_old_tls(server: Server, version: int, direct: bool):
    """Nothing older than TLS 1.2 is spoken: the handshake ends with an alert, and nothing of the stream."""
    with Client(server, port=server.tls_port if direct else server.port) as client:
        if not direct:
            client.open()
            client.send(STARTTLS)
            client.next()
        client.send(client_hello(version))
        said = all_of(client.socket)
        assert (said[0], len(said), said[6]) == (ALERT, 7, PROTOCOL_VERSION)


def test_attack_renegotiation(server: Server):
    """In TLS 1.2 a client cannot begin another handshake: a cheap way to make the server calculate."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    sock = connect(server, port=server.tls_port)
    sock.settimeout(None)
    connection = SSL.Connection(context, sock)
    connection.set_connect_state()
    connection.do_handshake()
    connection.send(HEADER.format(to=DOMAIN).encode())
    assert b"stream:stream" in connection.recv(65536)
    connection.renegotiate()
    with pytest.raises((SSL.Error, SSL.ZeroReturnError, SSL.SysCallError)):
        connection.do_handshake()
    with pytest.raises((SSL.Error, SSL.ZeroReturnError, SSL.SysCallError)):
        exhaust(connection)
    sock.close()


def exhaust(connection: SSL.Connection) -> None:
    """Read to the end."""
    while connection.recv(65536):
        continue


def test_attack_key_updates(server: Server):
    """TLS 1.3 has key updates instead: each is answered at once, so that answers cannot pile up unsent."""
    library = ctypes.CDLL("libssl.so.3")  # Python's own, which does not show them
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
        getattr(library, name).restype = ctypes.c_void_p
    with Client(server, port=server.tls_port) as client:
        client.socket.settimeout(None)
        context = ctypes.c_void_p(library.SSL_CTX_new(ctypes.c_void_p(library.TLS_client_method())))
        connection = ctypes.c_void_p(library.SSL_new(context))
        library.SSL_set_fd(connection, client.socket.fileno())
        assert library.SSL_connect(connection) == 1
        while select.select([client.socket], [], [], 0.1)[0]:
            client.socket.recv(65536)  # tickets
        for number in range(20):
            assert library.SSL_key_update(connection, 1) == 1
            assert library.SSL_do_handshake(connection) == 1
            if number:  # OpenSSL answers one when it looks at the next
                assert select.select([client.socket], [], [], SECONDS)[0]
                assert client.socket.recv(65536)[0] == APPLICATION_DATA
        library.SSL_free(connection)
        library.SSL_CTX_free(context)


def test_attack_compression(server: Server):
    """TLS does not compress, XEP-0138 is not offered, and whoever asks for it all the same is refused."""
    with logged_in(server, "u0") as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        assert client.socket.compression() is None
        client.send("<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>")
        assert client.error() == "unsupported-stanza-type"
    for stage in (False, True):
        with Client(server) as client:
            if stage:
                client.start_tls()
            features = client.open()
            assert "compress" not in " ".join(element.tag for element in features.iter())
            client.send(
                "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>"
            )
            assert client.error() == "not-authorized"


@pytest.mark.parametrize(
    "injected",
    [
        LOGIN,
        HEADER.format(to=DOMAIN) + LOGIN,
        " " * 9_000 + HEADER.format(to=DOMAIN) + LOGIN,
        HEADER.format(to=DOMAIN).partition("?>")[2] + LOGIN + HEADER.format(to=DOMAIN) + BIND,
        "</stream:stream>",
        "<message><body>",
        "&#60;",
        "\0",
    ],
)
def test_attack_starttls_injection(server: Server, injected: str):
    """What came in the clear behind <starttls/> is thrown away: it logs nobody in (RFC 6120 §5.4.3.3)."""
    with Client(server) as client:
        client.open()
        client.send(STARTTLS + injected)
        assert client.next().tag.endswith("proceed")
        client.secure()
        features = client.open()
        assert client.came.count(b"<stream:features>") == 1
        assert features[0].tag.rpartition("}")[2] == "mechanisms"
        client.send("<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>")
        assert client.error() == "not-authorized"


def test_attack_starttls_injection_in_a_packet_of_its_own(server: Server):
    """Plain text where TLS is expected ends the connection; it is not kept for later."""
    with Client(server) as client:
        client.open()
        client.send(STARTTLS)
        client.next()
        client.send(LOGIN)
        assert b"success" not in all_of(client.socket)


def test_attack_starttls_twice(server: Server):
    """TLS in TLS is refused, before login and after it."""
    with Client(server) as client:
        client.start_tls()
        client.open()
        client.send(STARTTLS)
        assert client.next().tag == "{urn:ietf:params:xml:ns:xmpp-tls}failure"
    with logged_in(server, "u0") as client:
        client.send(STARTTLS)
        assert client.error() == "unsupported-stanza-type"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "EXTERNAL"])
def test_attack_login_in_the_clear(server: Server, mechanism: str):
    """Before TLS no mechanism is offered and none is taken: a password must not cross a network readably."""
    with Client(server) as client:
        features = client.open()
        assert [element.tag for element in features] == ["{urn:ietf:params:xml:ns:xmpp-tls}starttls"]
        client.send(auth(mechanism, f"\0u1\0{PASSWORD}"))
        assert condition(client.next()) == "encryption-required"
        client.send(BIND)
        assert client.error() == "not-authorized"


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        HEADER.format(to=DOMAIN).encode(),
        b"\x80\x2e\x01\x00\x02" + bytes(100),
        b"\x16\x03\x01\xff\xff" + bytes(70_000),
        b"\x16\x03\x03\x40\x00\x01\x00\x3f\xfc\x03\x03" + b"\xff" * 16_400,
        bytes(range(256)) * 400,
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x17\x03\x03\x00\x20" + bytes(32),
    ],
    ids=["http", "xmpp", "ssl2", "huge-record", "huge-hello", "noise", "alert", "data"],
)
def test_attack_garbage_on_the_tls_port(server: Server, garbage: bytes):
    """What is not TLS ends with an alert or silence, at once or when no more comes."""
    with Client(server, port=server.tls_port) as client:
        client.send(garbage)
        client.socket.shutdown(socket.SHUT_WR)
        said = all_of(client.socket)
        assert said == b"" or said[0] == ALERT


def test_attack_cross_protocol(server: Server):
    """A TLS client that means another protocol by ALPN is turned away: a browser, led here by an attacker."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    with Client(server, port=server.tls_port) as client, pytest.raises((ssl.SSLError, ConnectionError)):
        client.secure(context)


def test_attack_truncation(server: Server):
    """The server says that it has finished: a close_notify ends what it writes, an attacker cannot cut it."""
    with Client(server, port=server.tls_port) as client:
        client.socket = CONTEXT.wrap_socket(client.socket, server_hostname=DOMAIN, suppress_ragged_eofs=False)
        client.open()
        client.send("<evil/>")
        assert client.next().tag.endswith("error")
        with pytest.raises(Ended, match=r"closed|zero"):
            client.read()


def test_attack_noise_after_the_handshake(server: Server):
    """A record that was tampered with ends the connection; what it held is not read."""
    with Client(server, port=server.tls_port) as client:
        client.secure()
        client.open()
        assert isinstance(client.socket, ssl.SSLSocket)
        raw = socket.socket(fileno=os.dup(client.socket.fileno()))
        raw.sendall(b"\x17\x03\x03\x00\x40" + os.urandom(64))
        with pytest.raises((Ended, ssl.SSLError)):
            client.exhaust()
        raw.close()
