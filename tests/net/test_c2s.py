"""Clients on real sockets with TLS, and what a connection does about the clock before there is a stream."""

import asyncio
import functools
import hashlib
import secrets
import ssl
from base64 import b64decode, b64encode
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import uvloop
from scramp import ScramClient

from commonroom.accounts.chain import Checked, stored_accounts
from commonroom.accounts.stored import new_account
from commonroom.accounts.throttle import Throttle
from commonroom.app import Surroundings, build_core, stream_settings
from commonroom.config import KeyPair, ListenAddress, Settings
from commonroom.net.c2s import ClientConnection, ClientLimits, ClientService
from commonroom.net.certificates import create_self_signed
from commonroom.net.connection import Connection
from commonroom.net.limits import ConnectionLimits
from commonroom.net.listener import Listener
from commonroom.net.tls import TlsContexts
from commonroom.protocol.jid import JID
from commonroom.storage.memory import Memory, memory_stores
from commonroom.xml.names import NS_BIND, NS_SASL, NS_TLS
from tests.conversations.world import HEADER, Client, World, condition

OPEN = HEADER.format(domain="example.org").encode()
STARTTLS = f"<starttls xmlns='{NS_TLS}'/>".encode()
BIND = f"<iq type='set' id='b'><bind xmlns='{NS_BIND}'><resource>balcony</resource></bind></iq>".encode()
PLAIN = f"<auth xmlns='{NS_SASL}' mechanism='PLAIN'>AGp1bGlldABzZWNyZXQ=</auth>".encode()


# Against the world's clock


class AfterHandshake(Client):
    """A client that needed all the time since the world began for its TLS handshake."""

    def __init__(self, world: World) -> None:
        self._world_began = 0.0
        super().__init__(world, "192.0.2.1")

    @property
    def connected_at(self) -> float:
        return self._world_began

    @connected_at.setter
    def connected_at(self, _: float) -> None:
        """It was before."""


def test_xep0368_the_login_deadline_of_direct_tls_runs_from_the_first_packet():
    world = World("juliet@example.org")
    world.advance(45)
    client = AfterHandshake(world)
    client.open("example.org")
    world.advance(14)
    assert not client.closed
    world.advance(1)
    assert condition(client.received()[-1]) == "connection-timeout"


def test_a_handshake_that_took_all_the_time_leaves_none():
    world = World("juliet@example.org")
    world.advance(61)
    client = AfterHandshake(world)
    world.advance(0)
    assert condition(client.received()[-1]) == "connection-timeout"


# On real sockets


class Server:
    """A whole service on a port of the loopback, with one account."""

    def __init__(self, contexts: TlsContexts, **limits: float) -> None:
        self._settings = Settings(domains=("example.org",))
        self._contexts = contexts
        self._limits = {
            "login_timeout": 10.0,
            "idle_ping_after": 300.0,
            "idle_ping_timeout": 60.0,
            "stanzas_per_second": 100.0,
            "stanza_burst": 500.0,
        } | limits
        self.port = 0
        self.talks: list[Talk] = []
        self._connections: list[Connection] = []

    async def __aenter__(self) -> "Server":
        loop = asyncio.get_running_loop()
        stores = memory_stores(Memory())
        juliet = JID.parse("juliet@example.org")
        hashes = ("SHA-256",)
        stores.accounts.put(
            new_account(juliet, "secret", hashes, 4096, secrets.token_bytes, datetime.now(UTC))
        )
        around = Surroundings(
            loop.create_task, loop.call_later, lambda: datetime.now(UTC), secrets.token_bytes
        )
        core = build_core(self._settings, stores, around)

        async def off_loop(work: Callable[[], Checked]) -> Checked:
            return work()

        service = ClientService(
            stream_settings(self._settings, core, b"fake", secrets.token_bytes),
            ClientLimits(**self._limits),
            self._contexts,
            stored_accounts(core.users.account, stores.accounts, stores.writes, off_loop, b"fake", 4096),
            core.devices,
            Throttle(1.0, 30.0, loop.time),
            core.sessions,
            core.bind2,
            core.resumption,
            core.questions,
            loop.create_task,
            asyncio.sleep,
            loop.call_later,
            loop.time,
        )
        handler = partial(ClientConnection, service, True)
        self._listening = Listener(ListenAddress("127.0.0.1", 0), partial(self._connection, handler))
        await self._listening.start()
        self.port = self._listening.address.port
        return self

    async def __aexit__(self, *exception: object) -> None:
        for talk in self.talks:
            talk.close()
        self._listening.stop()
        for connection in self._connections:
            connection.abort()
        await asyncio.sleep(0)

    def _connection(self, handler: Callable[[], ClientConnection]) -> Connection:
        self._connections.append(Connection(handler, ConnectionLimits(linger=0.5)))
        return self._connections[-1]


class Talk:
    """A client's socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def up_to_tls(cls, server: Server, with_starttls: bytes = b"") -> "Talk":
        """Connect and start TLS; what was sent with the command is not answered."""
        talk = cls(*await asyncio.open_connection("127.0.0.1", server.port))
        server.talks.append(talk)
        await talk.say(OPEN, b"</stream:features>")
        assert await talk.say(STARTTLS + with_starttls, b"/>") == f"<proceed xmlns='{NS_TLS}'/>".encode()
        await talk._start_tls()
        return talk

    async def say(self, data: bytes, until: bytes) -> bytes:
        self._writer.write(data)
        return await asyncio.wait_for(self._reader.readuntil(until), 5)

    async def rest(self, data: bytes) -> bytes:
        """Say this, and hear everything up to the end; raises if the connection is reset."""
        self._writer.write(data)
        return await asyncio.wait_for(self._reader.read(), 5)

    async def _start_tls(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await self._writer.start_tls(context)

    def certificate(self) -> bytes:
        """The server's."""
        certificate: bytes = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return certificate

    def close(self) -> None:
        self._writer.transport.abort()


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> TlsContexts:
    folder = tmp_path_factory.mktemp("c2s")
    pair = KeyPair(folder / "certificate.pem", folder / "key.pem")
    create_self_signed(*pair, ["example.org"], datetime.now(UTC))
    return TlsContexts({"example.org": pair})


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(asyncio.wait_for(test(*args, **kwargs), 10))

    return run


@in_loop
async def test_rfc6120_5_4_3_3_what_came_with_starttls_is_discarded(contexts):
    async with Server(contexts) as server:
        talk = await Talk.up_to_tls(server, OPEN + PLAIN)
        assert b"<success" not in await talk.say(OPEN, b"</stream:features>")


@in_loop
async def test_rfc5929_4_xep0440_3_a_login_bound_to_the_servers_certificate(contexts):
    async with Server(contexts) as server:
        talk = await Talk.up_to_tls(server)
        features = await talk.say(OPEN, b"</stream:features>")
        assert b"<channel-binding type='tls-server-end-point'/>" in features
        assert b"<channel-binding type='tls-exporter'/>" in features
        binding = ("tls-server-end-point", hashlib.sha256(talk.certificate()).digest())
        client = ScramClient(["SCRAM-SHA-256-PLUS"], "juliet", "secret", channel_binding=binding)
        first = b64encode(client.get_client_first().encode()).decode()
        challenge = await talk.say(
            f"<auth xmlns='{NS_SASL}' mechanism='SCRAM-SHA-256-PLUS'>{first}</auth>".encode(), b"</challenge>"
        )
        client.set_server_first(b64decode(challenge.split(b">")[1].split(b"<")[0]).decode())
        final = b64encode(client.get_client_final().encode()).decode()
        success = await talk.say(f"<response xmlns='{NS_SASL}'>{final}</response>".encode(), b"</success>")
        client.set_server_final(b64decode(success.split(b">")[1].split(b"<")[0]).decode())
        assert b"<bind" in await talk.say(OPEN, b"</stream:features>")
        assert b"<jid>juliet@example.org/balcony</jid>" in await talk.say(BIND, b"</iq>")
        assert (await talk.say(b"</stream:stream>", b"</stream:stream>")).endswith(b"</stream:stream>")


@in_loop
async def test_rfc6120_4_9_1_1_who_floods_and_is_cut_off_can_still_read_why(contexts):
    async with Server(contexts, stanzas_per_second=1.0, stanza_burst=10.0) as server:
        talk = await Talk.up_to_tls(server)
        await talk.say(OPEN, b"</stream:features>")
        await talk.say(PLAIN, b"</success>")
        await talk.say(OPEN, b"</stream:features>")
        await talk.say(BIND, b"</iq>")
        stanza = b"<iq type='result' id='x'/>"
        flood = stanza * 20 + b"<message from='mallory@example.net'/>" + stanza * 20_000
        assert b"<invalid-from" in await talk.rest(flood)
