"""RFC 6120 §4.9: what ends a client's stream from outside: another session, the clock, a database, a stop."""

from dataclasses import replace

import pytest

from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.memory import MemoryUserLoader
from commonroom.storage.records import StoredUser
from tests.conversations.world import HEADER, Client, World, condition

JULIET = JID.parse("juliet@example.org")
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"


def last_words(client: Client) -> str | None:
    """The stream error that came last."""
    assert client.closed
    assert client.bytes.endswith("</stream:error></stream:stream>")
    return condition(client.received()[-1])


class FailingUsers(MemoryUserLoader):
    """A database that can be read until it fails."""

    fails = False

    async def load_user(self, account: JID) -> StoredUser:
        if self.fails:
            raise StorageError("disk full")
        return await super().load_user(account)


def test_rfc6120_4_9_3_3_a_session_that_is_replaced_is_told_of_the_conflict():
    world = World("juliet@example.org")
    old = world.online("juliet@example.org/balcony")
    new = world.login("juliet@example.org/balcony")
    assert last_words(old) == "conflict"
    old.cut()
    new.send("<message to='juliet@example.org/balcony' type='chat'><body>still here</body></message>")
    assert new.bodies() == ["still here"]


def test_rfc6120_4_9_3_4_a_login_that_takes_too_long_is_ended():
    world = World("juliet@example.org")
    client = world.connect()
    world.advance(world.settings.c2s.login_timeout)
    assert last_words(client) == "connection-timeout"


def test_rfc6120_4_9_3_8_an_account_that_cannot_be_read_cannot_be_bound():
    world = World("juliet@example.org")
    loader = FailingUsers(world.memory)
    world.stores = replace(world.stores, users=loader)
    world.restart()
    client = world.connect()
    client.open("example.org")
    client.authenticate("juliet", "secret")
    loader.fails = True
    world.core.users.drop(JULIET, StreamError(StreamCondition.INTERNAL_SERVER_ERROR))
    client.send(HEADER.format(domain="example.org") + BIND)
    assert last_words(client) == "internal-server-error"


def test_rfc6120_4_9_3_12_an_account_that_was_closed_is_told():
    world = World("juliet@example.org")
    clients = [world.online("juliet@example.org/balcony"), world.login("juliet@example.org/chamber")]
    world.core.users.drop(JULIET, StreamError(StreamCondition.NOT_AUTHORIZED, "the account is disabled"))
    assert [last_words(client) for client in clients] == ["not-authorized", "not-authorized"]
    for client in clients:
        client.cut()


def test_rfc6120_4_9_3_20_a_stop_tells_everybody_wherever_they_are():
    world = World("juliet@example.org")
    silent, greeted, inside = world.connect(), world.connect(), world.online("juliet@example.org/balcony")
    greeted.open("example.org")
    for connection in tuple(world.service.connected):
        connection.fail(StreamError(StreamCondition.SYSTEM_SHUTDOWN))
    for client in (silent, greeted, inside):
        assert last_words(client) == "system-shutdown"
        client.cut()
    assert not world.service.connected


def test_rfc6120_4_9_1_2_who_has_not_said_anything_gets_a_header_with_the_error():
    world = World()
    client = world.connect()
    world.advance(world.settings.c2s.login_timeout)
    assert client.bytes.startswith("<?xml version='1.0'?><stream:stream from='example.org'")


@pytest.mark.parametrize(
    "bad", ["<message from='romeo@example.org'/>", "<!-- -->", "<x/>", "</stream:stream>"]
)
def test_rfc6121_4_5_2_whatever_ends_the_stream_ends_the_session_at_once(bad):
    world = World("juliet@example.org", "romeo@example.org")
    world.befriend("juliet@example.org", "romeo@example.org")
    romeo, juliet = world.online("romeo@example.org/orchard"), world.online("juliet@example.org/balcony")
    romeo.received()
    juliet.send(bad)
    assert romeo.told() == ["unavailable juliet@example.org/balcony"]
    user = world.core.users.find(JULIET)
    assert user is not None
    assert user.sessions == {}
    juliet.cut()
    assert romeo.told() == []


def test_rfc6121_4_5_2_a_connection_that_is_lost_ends_the_session():
    world = World("juliet@example.org", "romeo@example.org")
    world.befriend("juliet@example.org", "romeo@example.org")
    romeo, juliet = world.online("romeo@example.org/orchard"), world.online("juliet@example.org/balcony")
    romeo.received()
    juliet.cut()
    assert romeo.told() == ["unavailable juliet@example.org/balcony"]
    assert not juliet.closed


def test_a_client_that_is_gone_before_its_session_was_opened_leaves_none_behind():
    world = World("juliet@example.org")
    client = world.connect()
    client.open("example.org")
    client.authenticate("juliet", "secret")
    world.memory.writes.hold()
    world.stores.accounts.put(world.memory.kept[JULIET].account)  # the user is loaded after this is on disk
    client.send(HEADER.format(domain="example.org") + BIND)
    client.cut()
    world.memory.writes.release()
    world.turn()
    user = world.core.users.find(JULIET)
    assert user is not None
    assert user.sessions == {}


def test_rfc6120_4_4_what_was_sent_before_the_end_is_still_done():
    world = World("juliet@example.org", "romeo@example.org")
    juliet = world.online("juliet@example.org/balcony")
    juliet.send("<message to='romeo@example.org' type='chat'><body>farewell</body></message></stream:stream>")
    assert juliet.bytes == "</stream:stream>"
    juliet.cut()
    romeo = world.login("romeo@example.org/orchard")
    romeo.send("<presence/>")
    assert romeo.bodies() == ["farewell"]
