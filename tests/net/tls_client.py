"""OpenSSL's client side, for the tests of the engine."""

import select
import socket
from collections.abc import Iterator

from OpenSSL import SSL

from commonroom.net.tls import TlsEngine

VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}


class Wire:
    """Both ends of a connection: the engine's, and the one to speak into and to listen at."""

    def __init__(self, engine: TlsEngine) -> None:
        self.engine = engine
        self.far, self.near = socket.socketpair()
        for end in (self.far, self.near):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        engine.attach(self.near.fileno())
        self.plaintext = b""  # what came before it failed

    def __del__(self) -> None:
        self.far.close()
        self.near.close()

    def shake_hands(self, data: bytes) -> bool:
        self.far.sendall(data)
        return self.engine.shake_hands()

    def receive(self, data: bytes) -> bytes:
        """All that the engine reads in it."""
        self.plaintext = b""
        while data:
            data = data[self.far.send(data[:65536]) :]
            self._read()
        self._read()
        return self.plaintext

    def _read(self) -> None:
        while select.select([self.near], [], [], 0)[0] or self.engine.has_more():
            self.plaintext += self.engine.read()
            if self.engine.closed:
                return

    def send(self, data: bytes) -> bytes:
        """What comes out for it."""
        sealed = b""
        while data:
            data = data[self.engine.write(data) :]
            sealed += self.outgoing()
        return sealed

    def outgoing(self) -> bytes:
        try:
            return self.far.recv(1 << 20)
        except BlockingIOError:
            return b""


class Client:
    """OpenSSL's client side in memory, and the wire between it and an engine."""

    def __init__(self, engine: TlsEngine, context: SSL.Context, name: bytes | None = None) -> None:
        self.engine = engine
        self.wire = Wire(engine)
        self.tls = SSL.Connection(context)
        self.tls.set_connect_state()
        if name is not None:
            self.tls.set_tlsext_host_name(name)

    def handshake(self) -> "Client":
        while not (self.step() and self.engine.handshake_done):
            pass
        self.read()  # tickets
        return self

    def step(self) -> bool:
        done = False
        try:
            self.tls.do_handshake()
            done = True
        except SSL.WantReadError:
            pass
        try:
            if not self.engine.handshake_done:
                self.wire.shake_hands(self.ciphertext())
        finally:
            self.take(self.wire.outgoing())
        return done

    def ciphertext(self) -> bytes:
        try:
            return self.tls.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""

    def seal(self, data: bytes) -> bytes:
        self.tls.sendall(data)
        return self.ciphertext()

    def take(self, data: bytes) -> None:
        if data:
            self.tls.bio_write(data)

    def read(self) -> bytes:
        return b"".join(self._reads())

    def _reads(self) -> Iterator[bytes]:
        try:
            while True:
                yield self.tls.recv(1 << 16)
        except SSL.WantReadError:
            return


def client_context(version: str = "TLSv1.3") -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(VERSIONS[version])
    context.set_max_proto_version(VERSIONS[version])
    return context
