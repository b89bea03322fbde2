"""Servers that attack: one that connects to ours, and one that waits for ours to connect."""

import base64
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self
from xml.etree.ElementTree import Element

from tests.attack.client import STREAMS, Client, Ended
from tests.attack.reader import Reader
from tests.attack.server import DOMAIN, HOST, Server
from tests.lab.authority import Issued
from tests.lab.site import Site

HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback'"
    " xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='{to}' from='{sender}'{more}>"
)
DB = "{jabber:server:dialback}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
EVIL, VICTIM = "evil.lab", "victim.lab"


def context(folder: Path, issued: Issued | None, server: bool = False) -> ssl.SSLContext:
    """TLS that trusts anybody, with a certificate of ours."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    if not server:
        made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if issued is not None:
        name = f"{id(issued):x}"
        issued.write(folder / f"{name}.pem", folder / f"{name}.key")
        made.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return made


class Federated(Server):
    """A service of ours that federates, with DNS and an authority of the test's own."""

    def __init__(self, folder: Path, site: Site, port: int) -> None:
        host, dns = site.nameserver.address
        super().__init__(
            folder,
            {
                "federation": {
                    "enabled": True,
                    "listen": [f"{HOST}:{port}"],
                    "authorities": str(site.authorities),
                    "nameservers": [f"{host}:{dns}"],
                    "connect_timeout": "3s",
                    "login_timeout": "2s",
                    "retry_first": "1s",
                    "retry_longest": "1s",
                    "queue_stanzas": 200,
                    "connections_per_address": 100,
                    "new_connections_per_second": 10,
                    "new_connection_burst": 50,
                    "stanzas_per_second": 500,
                    "stanza_burst": 500,
                },
                "c2s": {
                    "pending_bytes": "1 MiB",
                    "linger": "1s",
                    "bytes_per_second": "64 MiB",
                    "byte_burst": "64 MiB",
                },
            },
        )
        self.site = site
        self.peer_port = port


class Peer(Client):
    """A connection to our port for servers."""

    def __init__(self, server: Federated, folder: Path, issued: Issued | None, sender: str = EVIL) -> None:
        self._context = context(folder, issued)
        self.sender = sender
        super().__init__(server, server.address(), server.peer_port)

    def begin(self, to: str = DOMAIN, more: str = "") -> Element:
        """Open a stream, anew if need be; gives the features."""
        self.restart()
        self.send(HEADER.format(to=to, sender=self.sender, more=more))
        features = self.next()
        assert features.tag == STREAMS + "features", self.came
        return features

    def encrypt(self, to: str = DOMAIN) -> Element:
        """STARTTLS, with our certificate; gives the features then."""
        self.begin(to)
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        assert self.next().tag.endswith("proceed"), self.came
        self.secure(self._context)
        return self.begin(to)

    def external(self, authzid: str = "") -> Element:
        """Try SASL EXTERNAL."""
        data = base64.b64encode(authzid.encode()).decode() or "="
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>{data}</auth>")
        return self.next()

    def authenticate_as_itself(self) -> Self:
        """By its certificate."""
        self.encrypt()
        assert self.external().tag == SASL + "success", self.came
        self.begin()
        return self


Behaviour = Callable[["Line"], None]


class Line:
    """One connection that our server made to us."""

    def __init__(self, sock: socket.socket, tls: ssl.SSLContext) -> None:
        self.socket = sock
        self.socket.settimeout(5)
        self._tls = tls
        self.reader = Reader()
        self._elements: list[Element] = []

    def next(self) -> Element:
        """The next element that our server sent; raises Ended."""
        while not self._elements:
            data = self.socket.recv(65536)
            if not data:
                raise Ended("closed")
            self._elements += self.reader.feed(data)
        return self._elements.pop(0)

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def open(self, features: str, sender: str = EVIL) -> None:
        """Wait for a header, and answer it."""
        self.reader, self._elements = Reader(), []
        while self.reader.header is None:
            data = self.socket.recv(65536)
            if not data:
                raise Ended("closed")
            self._elements += self.reader.feed(data)
        header = HEADER.format(to=DOMAIN, sender=sender, more=" id='theirs'")
        self.send(f"{header}<stream:features>{features}</stream:features>")

    def encrypt(self, sender: str = EVIL) -> None:
        """Offer STARTTLS, and do it."""
        self.open("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", sender)
        assert self.next().tag.endswith("starttls")
        self.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        self.socket = self._tls.wrap_socket(self.socket, server_side=True)


DIALBACK = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"


class Waiting:
    """A server that ours connects to; each connection gets the same behaviour, on a thread of its own."""

    def __init__(self, folder: Path, issued: Issued, behave: Behaviour) -> None:
        self._tls = context(folder, issued, server=True)
        self._behave = behave
        self._listening = socket.create_server((HOST, 0))
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # little is out of our hands
        self.port: int = self._listening.getsockname()[1]
        self.connections = 0
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        threads = []
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                break
            self.connections += 1
            threads.append(threading.Thread(target=self._serve, args=(sock,)))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _serve(self, sock: socket.socket) -> None:
        line = Line(sock, self._tls)
        with suppress(OSError, Ended, ssl.SSLError):
            self._behave(line)
        line.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
