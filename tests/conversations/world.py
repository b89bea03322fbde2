"""A whole service without sockets, threads or a real clock: bytes in, bytes out.

Everything runs at once: the stores are in memory, so a coroutine never really waits, unless a test makes it:
`world.memory.writes.hold()` plays a slow disk, a `Gate` a slow handler. Then `world.turn()` goes on.
"""

import base64
import re
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from commonroom.accounts.chain import Checked
from commonroom.accounts.directory import Directory
from commonroom.accounts.stored import new_account
from commonroom.accounts.throttle import Throttle
from commonroom.app import Core, Surroundings, build_core, chain_accounts, stream_settings
from commonroom.config import Settings
from commonroom.core.feature import Feature, compile_features
from commonroom.net.c2s import ClientConnection, ClientLimits, ClientService
from commonroom.protocol.jid import JID
from commonroom.protocol.timestamps import to_microseconds
from commonroom.storage.memory import Memory, memory_stores
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND, NS_CLIENT, NS_ROSTER
from commonroom.xml.parser import Limits, StreamHeader, StreamParser

HEADER = (
    "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xml:lang='en' "
    "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NO_LIMITS = Limits(10**9, depth=200, elements=10**6, attributes=1000, names=10**6, tag_bytes=10**9)


class Task:
    """A coroutine that goes as far as it can at once, and on at each turn of the world; many can await it."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._result: object = None
        self._error: Exception | None = None
        self._awaited = False
        self.done = False

    def go_on(self) -> None:
        """Run to the next wait. What goes wrong is told to those who await this, or to the test."""
        try:
            self._coroutine.send(None)
        except StopIteration as end:
            self.done, self._result = True, end.value
        except Exception as error:
            self.done, self._error = True, error
            if not self._awaited:
                raise

    def end(self) -> None:
        """It goes no further: what waits behind it is closed, and not left to the garbage collector."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, None, Any]:
        self._awaited = True
        while not self.done:
            yield
        if self._error is not None:
            raise self._error
        return self._result


class Gate:
    """Something to wait for that a test lets happen."""

    def __init__(self) -> None:
        self.is_open = False

    def __await__(self) -> Generator[Any, None, None]:
        while not self.is_open:
            yield


class FakeTimer:
    """Calls a function when the world's clock gets there."""

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class World:
    """A service with these accounts, each with the password `secret`; options replace `Settings`' own."""

    def __init__(
        self, *accounts: str, settings: Settings | None = None, directory: Directory | None = None
    ) -> None:
        self.settings = settings or Settings(domains=("example.org",))
        self.directory = directory
        self.seconds = 0.0
        self.timers: list[FakeTimer] = []
        self.tasks: list[Task] = []
        self.slept: list[float] = []
        self.counter = 0
        self.memory = Memory()
        self.stores = memory_stores(self.memory)
        for account in accounts:
            self.add(account)
        self._build()

    def _build(self) -> None:
        around = Surroundings(self.start, self.later, self.now, self.random, self.microseconds)
        last_id = max((kept[-1].id for kept in self.memory.archive.kept.values() if kept), default=0)
        self.core: Core = build_core(self.settings, self.stores, around, last_id, self.directory)
        self.service = self._service()

    def restart(self) -> None:
        """The process dies, and another begins with what is on disk; clients must connect anew."""
        self.timers.clear()
        for task in self.tasks:
            task.end()
        self.tasks.clear()
        self._build()

    def declare(self, feature: Feature) -> None:
        """One more feature: its stages come after those of the catalog."""
        ours, its = self.core.tables, compile_features([feature])
        ours.iq.update(its.iq)
        for name in ("sent", "copies", "arriving", "received", "delivery", "rooms"):
            table = getattr(ours, name)
            table._entries = (*table.entries(), *getattr(its, name).entries())
            table.clear()  # what was looked up before
        for moment, handlers in its.session.items():
            ours.session[moment] += handlers

    def _service(self) -> ClientService:
        c2s, sasl = self.settings.c2s, self.settings.sasl
        self.keys = chain_accounts(self.settings, self.stores, self.core.accounts, self._off_loop, b"fake")
        return ClientService(
            stream_settings=stream_settings(self.settings, self.core, b"fake", self.random),
            limits=ClientLimits(
                c2s.login_timeout,
                c2s.idle_ping_after,
                c2s.idle_ping_timeout,
                c2s.stanzas_per_second,
                c2s.stanza_burst,
            ),
            tls=None,  # type: ignore[arg-type]  # connections here are a trusted proxy's
            accounts=self.keys,
            devices=self.core.devices,
            throttle=Throttle(sasl.delay_first, sasl.delay_longest, lambda: self.seconds),
            sessions=self.core.sessions,
            bind2=self.core.bind2,
            resumption=self.core.resumption,
            questions=self.core.questions,
            start=self.start,
            sleep=self._sleep,
            later=self.later,
            clock=lambda: self.seconds,
        )

    def add(self, account: str) -> None:
        """Make an account; one cheap hash is enough."""
        hashes = ("SHA-256",)
        made = new_account(JID.parse(account), "secret", hashes, 4096, self.random, self.now())
        self.stores.accounts.put(made)

    # What a service is handed

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
        task = Task(coroutine)
        task.go_on()
        if not task.done:
            self.tasks.append(task)
        return task

    def turn(self) -> None:
        """Let whatever waits go on, until all of it has ended or waits for the test."""
        for _ in range(100):
            waiting, self.tasks = self.tasks, []
            for task in waiting:
                task.go_on()
            self.tasks = [task for task in waiting if not task.done] + self.tasks
            if not self.tasks:
                return

    def later(self, delay: float, call: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(self.seconds + delay, call)
        self.timers.append(timer)
        return timer

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def microseconds(self) -> int:
        return to_microseconds(self.now())

    def random(self, size: int) -> bytes:
        self.counter += 1
        return self.counter.to_bytes(size, "big")

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def _off_loop(self, work: Callable[[], Checked], _: Callable[[], bool]) -> Checked:
        return work()

    def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.seconds + seconds
        while due := [t for t in self.timers if not t.cancelled and t.at <= end]:
            timer = min(due, key=lambda t: t.at)
            self.timers.remove(timer)
            self.seconds = max(self.seconds, timer.at)
            timer.call()
        self.seconds = end

    # Clients

    def connect(self, address: str = "192.0.2.1") -> "Client":
        """A client whose connection a trusted proxy carries."""
        return Client(self, address)

    def login(self, jid: str, password: str = "secret") -> "Client":
        """A client that has bound the resource of this full address."""
        client = self.connect()
        address = JID.parse(jid)
        client.open(address.domain)
        client.authenticate(address.local or "", password)
        client.open(address.domain)
        client.bind(address.resource)
        return client

    def online(self, jid: str, priority: int | None = None) -> "Client":
        """A client that has logged in, asked for its roster, and sent initial presence."""
        client = self.login(jid)
        client.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
        inside = "" if priority is None else f"<priority>{priority}</priority>"
        client.send(f"<presence>{inside}</presence>")
        client.received()
        return client

    def befriend(self, one: str, other: str) -> None:
        """Subscribe two accounts to each other, by the protocol."""
        a, b = self.online(f"{one}/setup"), self.online(f"{other}/setup")
        a.send(f"<presence to='{other}' type='subscribe'/>")
        b.send(f"<presence to='{one}' type='subscribed'/><presence to='{one}' type='subscribe'/>")
        a.send(f"<presence to='{other}' type='subscribed'/>")
        a.leave()
        b.leave()


class Client:
    """Plays the connection and the client behind it; what the server sends can be read as elements."""

    def __init__(self, world: World, address: str) -> None:
        self.world = world
        self.address = (address, 40000)
        self.connected_at = world.seconds
        self.tls = None
        self.last_received = world.seconds
        self.paused: set[object] = set()
        self.is_in = False  # no newcomer any more (net/newcomers.py)
        self.closed = False
        self.bytes = ""
        self._parser = StreamParser(NO_LIMITS)
        self.jid = ""
        self.handler = ClientConnection(world.service, needs_tls=False)
        self.handler.connected(self)  # type: ignore[arg-type]  # a connection without a socket

    # The connection that the handler sees

    def write(self, text: str) -> bool:
        assert not self.closed
        self.bytes += text
        return True

    def close(self) -> None:
        self.closed = True

    def abort(self, reason: str) -> None:
        self.cut()

    def come_in(self) -> None:
        self.is_in = True

    def pause(self, reason: object) -> None:
        self.paused.add(reason)

    def resume(self, reason: object) -> None:
        self.paused.discard(reason)

    # The client

    def send(self, text: str | bytes) -> None:
        """Bytes to the server."""
        self.last_received = self.world.seconds
        self.handler.receive(text.encode() if isinstance(text, str) else text)

    def cut(self) -> None:
        """The connection is gone without a word."""
        self.handler.lost("connection reset")

    def leave(self) -> None:
        """Close the stream as a client should."""
        self.send("</stream:stream>")
        self.handler.lost("closed")

    def open(self, domain: str) -> list[Element]:
        """Open a stream, or open it anew; gives the features."""
        self.send(HEADER.format(domain=domain))
        return self.received()

    def authenticate(self, user: str, password: str) -> None:
        """Log in by PLAIN, and expect to get in."""
        self.send(plain(user, password))
        assert [e.name for e in self.received()] == ["success"], f"{user} cannot log in"

    def bind(self, resource: str | None) -> None:
        """Bind a resource, and expect to get it."""
        inside = "" if resource is None else f"<resource>{resource}</resource>"
        self.send(f"<iq type='set' id='bind'><bind xmlns='{NS_BIND}'>{inside}</bind></iq>")
        (result,) = self.received()
        bind = result.only_child()
        assert bind is not None, f"not bound: {result}"
        self.jid = bind.child_text(NS_BIND, "jid") or ""

    def received(self) -> list[Element]:
        """What came since the last look: elements of the stream, without headers."""
        text, self.bytes = self.bytes, ""
        elements: list[Element] = []
        for part in re.split(r"(?=<\?xml)", text):
            if part.startswith("<?xml"):
                self._parser = StreamParser(NO_LIMITS)
            for event in self._parser.feed(part.encode()):
                if isinstance(event, Exception):
                    raise event
                if isinstance(event, Element):
                    elements.append(event)
                elif isinstance(event, StreamHeader):
                    self.header = event
        return elements

    def one(self) -> Element:
        """The one element that came."""
        elements = self.received()
        assert len(elements) == 1, f"not one element: {elements}"
        return elements[0]

    def ask(self, iq: str) -> Element:
        """Send a request and take the one answer."""
        self.received()
        self.send(iq)
        return self.one()

    def told(self) -> list[str]:
        """What came, each in a few words: see `words`."""
        return [words(element) for element in self.received()]

    def bodies(self) -> list[str | None]:
        """The bodies of the messages that came."""
        return [e.child_text(NS_CLIENT, "body") for e in self.received() if e.name == "message"]


def plain(user: str, password: str) -> str:
    """An <auth/> by PLAIN."""
    data = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    return f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{data}</auth>"


def words(stanza: Element) -> str:
    """A stanza in a few words: `available romeo@example.org/orchard`, `push romeo@example.org both`."""
    kind, sender = stanza.get("type"), stanza.get("from")
    if kind == "error":
        return f"{stanza.name} error {condition(stanza)} {sender}"
    if stanza.name == "presence":
        return f"{kind or 'available'} {sender}"
    if stanza.name == "message":
        return f"message {stanza.child_text(NS_CLIENT, 'body')} {sender}"
    query = stanza.child(NS_ROSTER, "query")
    if kind == "set" and query is not None:
        item = query.elements()[0]
        flags = [name for name in ("ask", "approved") if item.get(name) is not None]
        return " ".join(["push", item.get("jid", ""), item.get("subscription", ""), *flags])
    return f"iq {kind} {stanza.get('id')}"


def condition(stanza: Element) -> str | None:
    """The error condition of a stanza, of a stream error or of a SASL failure."""
    error = stanza.child(NS_CLIENT, "error") if stanza.namespace == NS_CLIENT else stanza
    return None if error is None else error.elements()[0].name


def with_options(**tables: object) -> Settings:
    """Settings whose tables are replaced: `with_options(offline=Offline(messages=1))`."""
    return replace(Settings(domains=("example.org",)), **tables)  # type: ignore[arg-type]
