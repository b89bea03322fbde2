"""slixmpp as a component with privileges (XEP-0356)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from slixmpp import ComponentXMPP
from slixmpp.plugins.xep_0356.permissions import IqPermission
from slixmpp.plugins.xep_0356.privilege import PrivilegedIqError
from slixmpp.xmlstream.stanzabase import StanzaBase

from tests.attack.client import Client, online
from tests.attack.server import DOMAIN, HOST, Server, free_ports

from .slix import LoopThread

NAME = f"bridge.{DOMAIN}"
PRIVATE = "jabber:iq:private"


class Bridge(ComponentXMPP):
    """It keeps what comes, and knows when it was told what it may do."""

    def __init__(self) -> None:
        super().__init__(NAME, "secret", HOST, 0)
        self.register_plugin("xep_0049")
        self.register_plugin("xep_0356")
        self.told = asyncio.Event()
        self.came: list[StanzaBase] = []
        self.add_event_handler("privileges_advertised", lambda _: self.told.set())
        self._sender: asyncio.Task[Any] | None = None

    async def run_filters(self) -> None:
        """slixmpp's sender, which never ends by itself; remembered so that `end` can end it."""
        self._sender = asyncio.current_task()
        await super().run_filters()

    def recv_stanza(self, stanza: StanzaBase) -> None:
        super().recv_stanza(stanza)
        self.came.append(stanza)

    def end(self) -> None:
        """Drop the connection, and what runs for it."""
        self.cancel_connection_attempt()
        self.abort()
        if self._sender is not None:
            self._sender.cancel()


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, int]]:
    folder: Path = tmp_path_factory.mktemp("beside")
    (port,) = free_ports(1)
    name = f'components.domains."{NAME}"'
    server = Server(
        folder,
        {
            "components": {"listen": [f"{HOST}:{port}"]},
            name: {"secret": "secret"},
            f"{name}.privileges": {"roster": "both", "message": "outgoing", "presence": "managed_entity"},
            f'{name}.privileges.iq."{PRIVATE}"': {"allow": "both"},
        },
    )
    server.start()
    yield server, port
    server.stop()


@pytest.fixture
def bridge(loop: LoopThread, beside: tuple[Server, int]) -> Iterator[Bridge]:
    async def begin() -> Bridge:
        made = Bridge()
        made.connect(HOST, beside[1])
        await made.told.wait()
        return made

    made = loop.call(begin())
    yield made

    async def end() -> None:
        made.end()

    loop.call(end())


@pytest.fixture
def romeo(beside: tuple[Server, int]) -> Iterator[Client]:
    with online(beside[0], "u0") as client:
        yield client


def test_slixmpp_is_refused_what_it_was_not_given(loop: LoopThread, bridge: Bridge, romeo: Client) -> None:
    """Its plugin would not even ask; so it is told that it may."""

    async def ask() -> None:
        bridge.plugin["xep_0356"].granted_privileges[DOMAIN].iq["jabber:iq:last"] = IqPermission.BOTH
        bridge.register_plugin("xep_0012")
        iq = bridge.make_iq_get(ifrom=romeo.bare, ito=DOMAIN)
        iq.enable("last_activity")
        await bridge.plugin["xep_0356"].send_privileged_iq(iq)

    with pytest.raises(PrivilegedIqError) as refused:
        loop.call(ask())
    # slixmpp looks for errors in jabber:client alone, which is not the namespace of a component's stream.
    error = refused.value.iq.xml.find("{jabber:component:accept}error")
    assert error is not None
    assert error[0].tag == "{urn:ietf:params:xml:ns:xmpp-stanzas}forbidden"


def test_slixmpp_reads_and_changes_a_roster(loop: LoopThread, bridge: Bridge, romeo: Client) -> None:
    async def change() -> Any:
        contact = {"someone@irc.example": {"name": "Someone", "subscription": "none", "groups": ["IRC"]}}
        await bridge.plugin["xep_0356"].set_roster(romeo.bare, contact)
        return await bridge.plugin["xep_0356"].get_roster(romeo.bare)

    items = loop.call(change())["roster"]["items"]
    assert {str(jid): item["name"] for jid, item in items.items()} == {"someone@irc.example": "Someone"}


def test_slixmpp_sends_a_message_in_somebodys_name(loop: LoopThread, bridge: Bridge, romeo: Client) -> None:
    async def send() -> None:
        message = bridge.make_message(mto=romeo.jid, mfrom=f"u1@{DOMAIN}", mbody="from elsewhere")
        message["id"] = "wrapped"
        bridge.plugin["xep_0356"].send_privileged_message(message)

    loop.call(send())
    while (came := romeo.next()).get("id") != "wrapped":
        pass
    assert (came.get("from"), came.findtext("{jabber:client}body")) == (f"u1@{DOMAIN}", "from elsewhere")


def test_slixmpp_asks_in_somebodys_name(loop: LoopThread, bridge: Bridge, romeo: Client) -> None:
    note = "<a xmlns='urn:example'>kept</a>"
    romeo.ask(f"<iq type='set' id='s'><query xmlns='{PRIVATE}'>{note}</query></iq>")

    async def ask() -> Any:
        query = bridge.make_iq_get(queryxmlns=PRIVATE, ifrom=romeo.bare, ito=romeo.bare)
        query.xml[0].append(query.xml.makeelement("{urn:example}a", {}))
        return await bridge.plugin["xep_0356"].send_privileged_iq(query)

    answer = loop.call(ask())
    assert "kept" in str(answer)


def test_slixmpp_sees_who_is_online(loop: LoopThread, beside: tuple[Server, int], bridge: Bridge) -> None:
    with online(beside[0], "u1", "desk") as client:
        jid = client.jid
        client.fence()

    async def seen() -> list[str]:
        while True:
            kinds = [s["type"] for s in bridge.came if s.name == "presence" and str(s["from"]) == jid]
            if "unavailable" in kinds:
                return kinds
            await asyncio.sleep(0.02)

    assert loop.call(seen()) == ["available", "unavailable"]
