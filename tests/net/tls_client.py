"""OpenSSL's client side, for the tests of the engine."""

from collections.abc import Iterator

from OpenSSL import SSL

from commonroom.net.tls import TlsEngine

VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}


class Client:
    """OpenSSL's client side, talking to an engine without a network."""

    def __init__(self, engine: TlsEngine, context: SSL.Context, name: bytes | None = None) -> None:
        self.engine = engine
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
            assert self.engine.receive(self.ciphertext()) == b""
        finally:
            self.take(self.engine.outgoing())
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
