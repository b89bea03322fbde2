"""A client that speaks bytes over direct TLS, and trusts the service's own certificate."""

import base64
import socket
import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

HEADER = (
    "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)
SECONDS = 10.0


class RawClient:
    """Reads until something is there; AssertionError with what came instead."""

    def __init__(self, port: int, certificate: Path) -> None:
        context = ssl.create_default_context(cafile=str(certificate))
        sock = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._socket = context.wrap_socket(sock, server_hostname="localhost")
        self.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def open(self) -> None:
        """Open a stream, or open it anew."""
        self.send(HEADER)
        self.expect("</stream:features>")

    def send(self, text: str) -> None:
        self._socket.sendall(text.encode())

    def expect(self, text: str) -> str:
        """Read until this text came; gives all that was read."""
        got = ""
        while text not in got:
            data = self._socket.recv(10_000)
            assert data, f"the stream ended without {text}: {got}"
            got += data.decode()
        return got

    def authenticate(self, name: str, password: str) -> str:
        """Try to log in by PLAIN; gives the answer."""
        data = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{data}</auth>")
        return self.expect(">")

    def login(self, name: str, password: str) -> None:
        """Log in, bind a resource, and be available."""
        assert "<success" in self.authenticate(name, password)
        self.open()
        self.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        self.expect("</jid>")
        self.send("<presence/>")

    def closed(self) -> str:
        """Read to the end of the stream, and answer it as a client should."""
        got = self.expect("</stream:stream>")
        self.send("</stream:stream>")
        return got
