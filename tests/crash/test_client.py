"""XEP-0198: the harness's client does what is asked of a client; else the server would be blamed."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from commonroom.xml.element import Element
from crash.client import Client, Habits, World, make
from crash.ledger import Key, Ledger
from crash.stanzas import NS_IDS, NS_MANAGEMENT
from tests.crash.double import Double, Peer, Script

KEY = Key(0, 1)  # the first message

Watch = Callable[[Client, Ledger], Coroutine[Any, Any, None]]


async def nothing_else(_client: Client, _ledger: Ledger) -> None:
    pass


def played(folder: Path, *scripts: Script, meanwhile: Watch = nothing_else) -> Ledger:
    """What account 0 notes while the scripts are played."""

    async def play() -> Ledger:
        ledger = Ledger()
        double = Double(folder, *scripts)
        world = World(await double.start(), ledger, lambda: None)
        client = make(0, Habits(manages=True, catches_up=False), world, seed=1)
        living = asyncio.create_task(client.live())
        watching = asyncio.create_task(meanwhile(client, ledger))
        try:
            await double.finished()
            await watching
        finally:
            living.cancel()
            watching.cancel()
            await asyncio.gather(living, watching, return_exceptions=True)
            client.bury()
            await double.close()
        return ledger

    return asyncio.run(play())


def ids(message: Element) -> tuple[str | None, str | None]:
    origin = message.child(NS_IDS, "origin-id")
    return message.get("id"), origin.get("id") if origin else None


async def one_message(peer: Peer) -> Element:
    """The first thing that a new client writes; the server goes without acknowledging it."""
    await peer.let_in()
    await peer.bind()
    return await peer.element("message")


def test_xep0198_4_a_new_session_begins_with_what_was_not_acknowledged_under_the_same_ids(tmp_path):
    async def first(peer: Peer) -> None:
        assert ids(await one_message(peer)) == (KEY.id, KEY.id)

    async def second(peer: Peer) -> None:
        await peer.let_in()
        assert (await peer.element("resume")).attributes == {"previd": "stream-1", "h": "0"}
        peer.send(f"<failed xmlns='{NS_MANAGEMENT}'/>")
        await peer.bind()
        assert ids(await peer.element("message")) == (KEY.id, KEY.id)

    ledger = played(tmp_path, first, second)
    assert not ledger.records[Key(0, 1)].acknowledged
    assert len(ledger.sessions) == 2


def test_xep0198_5_a_resumed_stream_begins_with_what_was_not_handled(tmp_path):
    async def second(peer: Peer) -> None:
        await peer.let_in()
        await peer.element("resume")
        peer.send(f"<resumed xmlns='{NS_MANAGEMENT}' previd='stream-1' h='1'/>")
        assert (await peer.element("message")).get("id") == KEY.id

    async def third(peer: Peer) -> None:
        await peer.let_in()
        await peer.element("resume")
        peer.send(f"<resumed xmlns='{NS_MANAGEMENT}' previd='stream-1' h='2'/>")
        assert (await peer.element("message")).get("id") != KEY.id

    async def first(peer: Peer) -> None:
        await one_message(peer)

    ledger = played(tmp_path, first, second, third)
    assert ledger.records[Key(0, 1)].acknowledged
    assert len(ledger.sessions) == 1


def test_xep0198_5_a_failure_that_tells_the_count_acknowledges(tmp_path):
    async def first(peer: Peer) -> None:
        await one_message(peer)

    async def second(peer: Peer) -> None:
        await peer.let_in()
        await peer.element("resume")
        peer.send(f"<failed xmlns='{NS_MANAGEMENT}' h='2'/>")
        await peer.bind()
        assert (await peer.element("message")).get("id") != KEY.id

    assert played(tmp_path, first, second).records[Key(0, 1)].acknowledged


def test_xep0198_4_all_stanzas_that_came_are_counted_and_nothing_else(tmp_path):
    async def script(peer: Peer) -> None:
        await peer.let_in()
        await peer.bind()
        peer.send("<presence/><message><body>hello</body></message>")
        peer.send(f"<a xmlns='{NS_MANAGEMENT}' h='0'/><r xmlns='{NS_MANAGEMENT}'/>")
        assert (await peer.element("a")).get("h") == "2"

    played(tmp_path, script)


def test_an_error_is_a_refusal_and_no_delivery(tmp_path):
    async def script(peer: Peer) -> None:
        message = await one_message(peer)
        peer.send(f"<message type='error' id='{message.get('id')}'/><r xmlns='{NS_MANAGEMENT}'/>")
        await peer.element("a")

    ledger = played(tmp_path, script)
    record = ledger.records[Key(0, 1)]
    assert (record.refused, record.showings) == (True, [])


def test_what_came_is_noted_with_its_id_in_the_own_archive_only(tmp_path):
    async def script(peer: Peer) -> None:
        await peer.let_in()
        await peer.bind()
        foreign = f"<stanza-id xmlns='{NS_IDS}' id='forged' by='u1@here'/>"
        own = f"<stanza-id xmlns='{NS_IDS}' id='17' by='u0@here'/>"
        for number, more in ((1, foreign + own), (2, foreign)):
            peer.send(f"<message id='x'><body>{Key(1, number).text}</body>{more}</message>")
        peer.send(f"<r xmlns='{NS_MANAGEMENT}'/>")
        await peer.element("a")

    async def sent_by_partner(_client: Client, ledger: Ledger) -> None:
        for number in (1, 2):
            ledger.sent(Key(1, number))

    ledger = played(tmp_path, script, meanwhile=sent_by_partner)
    first, second = (ledger.records[Key(1, number)].showings[0] for number in (1, 2))
    assert (first.archive_id, second.archive_id) == ("17", None)
    assert first.acknowledged_at is not None


def test_a_connection_that_is_cut_says_nothing_and_is_resumed_on_another_one(tmp_path):
    cut = asyncio.Event()
    silent: list[str] = []

    async def first(peer: Peer) -> None:
        await one_message(peer)
        cut.set()

        async def listen() -> None:
            while isinstance(event := await peer.next(), Element):
                silent.append(event.name)

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.1)
        peer.send("<message><body>into the void</body></message>" * 3)
        await resumed.wait()
        assert not listening.done(), "the old connection must seem to be alive"
        listening.cancel()

    resumed = asyncio.Event()

    async def second(peer: Peer) -> None:
        await peer.let_in()
        assert (await peer.element("resume")).get("h") == "0", "what came after the cut did not arrive"
        resumed.set()

    async def cutting(client: Client, _ledger: Ledger) -> None:
        await cut.wait()
        await asyncio.sleep(0.05)  # for the rest of what was written with the first message
        silent.clear()
        client.cut()

    played(tmp_path, first, second, meanwhile=cutting)
    assert silent == []


def test_a_client_that_leaves_says_so_and_does_not_resume(tmp_path):
    here = asyncio.Event()

    async def first(peer: Peer) -> None:
        await one_message(peer)
        here.set()
        try:
            while True:
                await peer.next()
        except AssertionError:
            pass  # the end of the stream, which is no element

    async def second(peer: Peer) -> None:
        await peer.let_in()
        await peer.bind()

    async def leaving(client: Client, _ledger: Ledger) -> None:
        await here.wait()
        client.leave()
        client.come_back()

    ledger = played(tmp_path, first, second, meanwhile=leaving)
    assert len(ledger.sessions) == 2
