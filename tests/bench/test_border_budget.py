"""How many of our functions one message to another server calls, and one from there."""

import gc
from pathlib import Path

import pytest

from bench.site import DOMAIN, FAR_DOMAIN
from bench.stanzas import MESSAGE
from commonroom.config import Settings
from commonroom.config.archive import Archive, ArchiveDefault
from commonroom.net.c2s import READS_AFTER_LOGIN
from commonroom.net.peer import PeerConnection
from commonroom.protocol.s2s import PeerStream
from tests.bench.border import Border
from tests.bench.test_call_budget import calls_of, listed
from tests.conversations.world import Client, World

ROMEO, JULIET = f"romeo@{DOMAIN}", f"juliet@{FAR_DOMAIN}"

# On the way out, from a client's bytes to those for the other server; and the other way round.
OUT_BUDGET = 55
IN_BUDGET = 75


def world(account: str) -> World:
    domain = account.partition("@")[2]
    settings = Settings(domains=(domain,), archive=Archive(default=ArchiveDefault.NEVER))
    return World(account, settings=settings)


def say(client: Client, number: str) -> None:
    client.send(MESSAGE.replace("@TO@", JULIET).replace("@ID@", number))


@pytest.fixture
def talking(tmp_path: Path) -> tuple[Border, Client, Client]:
    """Over a border that has been crossed already; nobody has asked for acknowledgements in this moment."""
    near, far = world(ROMEO), world(JULIET)
    border = Border(near, far, tmp_path)
    romeo, juliet = near.online(f"{ROMEO}/orchard"), far.online(f"{JULIET}/balcony")
    for _ in range(READS_AFTER_LOGIN):  # what is done once, or while little comes, is done now
        say(romeo, "1")
    border.carry()
    assert juliet.received()[-1].get("id") == "1"
    return border, romeo, juliet


def test_one_message_to_another_server_stays_within_its_budget(talking):
    _, romeo, _ = talking
    calls = calls_of(lambda: say(romeo, "2"))
    assert calls.total() <= OUT_BUDGET, listed(calls)


def test_one_message_from_another_server_stays_within_its_budget(talking):
    border, romeo, juliet = talking
    say(romeo, "2")
    calls = calls_of(lambda: border.carry_to(border.far))
    assert juliet.received()[-1].get("id") == "2"
    assert calls.total() <= IN_BUDGET, listed(calls)


def test_a_connection_that_is_gone_leaves_nothing_to_the_garbage_collector(talking):
    border, *_ = talking
    for side in (border.near, border.far):
        side.world.timers.clear()
        side.federation.outgoing.save()  # or what is in doubt is sent anew, by a task that began amid the end
    gc.collect()
    gc.disable()
    try:
        for side in (border.near, border.far):
            side.handler.lost("closed")
            del side.handler
        left = [
            type(each).__name__ for each in gc.get_objects() if isinstance(each, PeerConnection | PeerStream)
        ]
    finally:
        gc.enable()
    assert left == []
