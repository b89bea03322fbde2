"""A raw client: bytes out, bytes in, read by another parser than the server's."""

import base64
import socket
import ssl
import time
from collections import deque
from contextlib import suppress
from typing import Self
from xml.etree.ElementTree import Element

from tests.attack.reader import Reader
from tests.attack.server import DOMAIN, HOST, PASSWORD, Server

SECONDS = 5.0  # the longest that anything is waited for

CLIENT = "{jabber:client}"
STREAMS = "{http://etherx.jabber.org/streams}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
BIND = "{urn:ietf:params:xml:ns:xmpp-bind}"
ERRORS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"

STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
PING = "<ping xmlns='urn:xmpp:ping'/>"
HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='{to}'>"
)


class Ended(Exception):  # noqa: N818 - it says what happened
    """The server ended the connection."""


def tls_context() -> ssl.SSLContext:
    """A client that trusts anybody: who the server is, is not what is tested."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


CONTEXT = tls_context()


def connect(server: Server, source: str | None = None, port: int | None = None) -> socket.socket:
    """A TCP connection from a loopback address."""
    sock = socket.socket()
    sock.settimeout(SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind((source or HOST, 0))
    sock.connect((HOST, port or server.port))
    return sock


class Client:
    """One connection. It begins in the clear; `start_tls`, `log_in` and `bind` lead on."""

    def __init__(self, server: Server, source: str | None = None, port: int | None = None) -> None:
        self.socket: socket.socket = connect(server, source, port)
        self.jid = ""
        self.fences = 0
        self.restart()

    def restart(self) -> None:
        """What comes next is a new stream."""
        self.came = b""
        self.reader = Reader()
        self._stanzas: deque[Element] = deque()

    # Bytes

    def send(self, data: str | bytes) -> None:
        """Bytes to the server; nothing happens if it has gone."""
        try:
            self.socket.sendall(data.encode() if isinstance(data, str) else data)
        except (ConnectionError, ssl.SSLError):
            return  # what it said before can still be read

    def read(self, seconds: float = SECONDS) -> bytes:
        """The next bytes; raises Ended, or TimeoutError."""
        self.socket.settimeout(max(seconds, 0.001))
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            raise Ended(str(error)) from None
        finally:
            self.socket.settimeout(SECONDS)
        if not data:
            raise Ended("closed")
        self.came += data
        return data

    def exhaust(self, seconds: float = SECONDS) -> None:
        """Read to the end; raises Ended, or TimeoutError."""
        deadline = time.monotonic() + seconds
        while True:
            self.read(deadline - time.monotonic())

    def close(self) -> None:
        """Go away without a word."""
        self.socket.close()

    def leave(self) -> None:
        """Go away in order: nothing that came waits for whoever is this next."""
        self.send("</stream:stream>")
        with suppress(Ended):
            self.exhaust()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Stanzas

    def next(self, seconds: float = SECONDS, answers: bool = True) -> Element:
        """The next element of the stream; raises Ended, or TimeoutError.

        Whether anybody is there, the server asks now and then: that is answered, as by every client, or
        given.
        """
        deadline = time.monotonic() + seconds
        while True:
            while not self._stanzas:
                self._stanzas.extend(self.reader.feed(self.read(deadline - time.monotonic())))
            element = self._stanzas.popleft()
            if not (answers and _asks_who_is_there(element)):
                return element
            with suppress(OSError):
                self.send(f"<iq type='result' id='{element.get('id')}' to='{DOMAIN}'/>")

    def ask(self, request: str, seconds: float = SECONDS) -> Element:
        """Send a stanza with an id, and wait for what comes back with that id."""
        wanted = request.partition(" id='")[2].partition("'")[0]
        self.send(request)
        while True:
            answer = self.next(seconds)
            if answer.get("id") == wanted:
                return answer

    def fence(self, seconds: float = SECONDS) -> list[Element]:
        """All that comes before the answer to a ping: what was sent before has been dealt with."""
        self.fences += 1
        wanted = f"fence-{self.fences}"
        self.send(f"<iq type='get' id='{wanted}' to='{DOMAIN}'>{PING}</iq>")
        before: list[Element] = []
        while (element := self.next(seconds)).get("id") != wanted:
            before.append(element)
        return before

    def error(self, seconds: float = SECONDS) -> str:
        """The stream error with which the server ends the connection, or `closed` if it says none.

        It must have said so readably: the error, the end tag, then the end of the connection.
        """
        deadline = time.monotonic() + seconds
        condition = "closed"
        try:
            while True:
                element = self.next(deadline - time.monotonic())
                if element.tag == STREAMS + "error":
                    condition = element[0].tag.rpartition("}")[2]
        except Ended:
            assert condition == "closed" or self.came.endswith(b"</stream:stream>"), self.came[-200:]
            return condition

    # The way in

    def open(self, to: str = DOMAIN, header: str = HEADER) -> Element:
        """Open a stream, anew if need be; gives the features."""
        self.restart()
        self.send(header.format(to=to))
        features = self.next()
        assert features.tag == STREAMS + "features", self.came
        return features

    def start_tls(self) -> None:
        """STARTTLS."""
        self.open()
        self.send(STARTTLS)
        assert self.next().tag.endswith("proceed"), self.came
        self.secure()

    def secure(self, context: ssl.SSLContext = CONTEXT) -> None:
        """The handshake, now."""
        self.socket = context.wrap_socket(self.socket, server_hostname=DOMAIN)

    def authenticate(self, user: str, password: str = PASSWORD, authzid: str = "") -> Element:
        """Try PLAIN; gives the server's answer."""
        self.send(auth("PLAIN", f"{authzid}\0{user}\0{password}"))
        return self.next()

    def bind(self, resource: str = "") -> None:
        """Open the stream after login, and bind."""
        self.open()
        inside = f"<resource>{resource}</resource>" if resource else ""
        answer = self.ask(
            f"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{inside}</bind></iq>"
        )
        self.jid = answer.findtext(f"{BIND}bind/{BIND}jid") or ""
        assert self.jid, self.came

    def available(self, inside: str = "") -> None:
        """Initial presence; what it brings is thrown away."""
        self.send(f"<presence>{inside}</presence>")
        self.fence()

    @property
    def bare(self) -> str:
        """The account's address."""
        return self.jid.partition("/")[0]

    @property
    def user(self) -> str:
        """The account's name."""
        return self.jid.partition("@")[0]


def secured(server: Server, source: str | None = None) -> Client:
    """A client under TLS that has been shown the mechanisms."""
    client = Client(server, source)
    client.start_tls()
    client.open()
    return client


def logged_in(server: Server, user: str, resource: str = "", source: str | None = None) -> Client:
    """A client that has bound a resource, and has sent no presence."""
    client = secured(server, source)
    assert client.authenticate(user).tag == SASL + "success", client.came
    client.bind(resource)
    return client


def online(server: Server, user: str | None = None, resource: str = "", source: str | None = None) -> Client:
    """A client that has sent its initial presence; of a new account, if none is named."""
    client = logged_in(server, user or server.account(), resource, source)
    client.available()
    return client


def fail_to_log_in(server: Server, user: str, source: str, times: int) -> None:
    """Wrong passwords, from one address; waits for each refusal."""
    for begun in range(0, times, 3):
        with secured(server, source) as client:
            for _ in range(min(3, times - begun)):
                assert condition(client.authenticate(user, "wrong")) == "not-authorized"


def auth(mechanism: str, message: str | bytes) -> str:
    """An <auth/> with an initial response."""
    return sasl("auth", message, f" mechanism='{mechanism}'")


def sasl(name: str, message: str | bytes, attributes: str = "") -> str:
    """A SASL element around a message."""
    data = base64.b64encode(message.encode() if isinstance(message, str) else message).decode()
    return f"<{name} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'{attributes}>{data or '='}</{name}>"


def condition(stanza: Element) -> str | None:
    """The condition of a stanza error or of a SASL failure; None of what is neither."""
    error = stanza.find(f"{CLIENT}error")
    if error is None:
        error = stanza if stanza.tag == SASL + "failure" else None
    return None if error is None else error[0].tag.rpartition("}")[2]


def _asks_who_is_there(element: Element) -> bool:
    id = element.get("id") or ""
    return element.tag == "{jabber:client}iq" and element.get("from") == DOMAIN and id.startswith("ask-")
