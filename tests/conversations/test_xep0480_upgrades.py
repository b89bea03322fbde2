"""XEP-0480: an account from the days of SHA-1 learns SHA-256 and SHA-512 when its owner logs in."""

import hmac
import re
from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac

import pytest
from scramp import ScramClient

from commonroom.accounts.stored import new_account
from commonroom.core.sessions import CHANGED
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import check_password
from commonroom.storage.errors import StorageError
from commonroom.storage.records import Account
from commonroom.xml.element import Element
from commonroom.xml.names import NS_SASL2
from tests.conversations.returning import BIND, FAST, WANTS, agent, by_token
from tests.conversations.world import Client, World, condition
from tests.protocol.sasl2 import authenticate, plain, response
from tests.protocol.test_upgrades import ABORT, SHA256, SHA512, begins, hashed, salted, upgrades, wish

USER = JID.parse("user@example.org")
HEADER = (
    "<stream:stream from='{}' to='example.org' version='1.0' xml:lang='en' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)


def world(*hashes: str) -> World:
    """One that knows this user's password for these hashes."""
    here = World("other@example.org")
    here.stores.accounts.put(made(here, "secret", *hashes or ("SHA-1",)))
    return here


def made(here: World, password: str, *hashes: str) -> Account:
    return new_account(USER, password, hashes, 4096, here.random, here.now())


def opened(here: World, sender: str = USER) -> Client:
    client = here.connect()
    client.send("<?xml version='1.0'?>" + HEADER.format(sender))
    return client


def asked(here: World, *tasks: str) -> Client:
    """A client that has the password, and was asked for its first task."""
    client = opened(here)
    client.received()
    client.send(plain(agent() + wish(*tasks), "user", "secret"))
    assert client.one().name == "continue"
    return client


def told(client: Client, task: str = SHA256) -> Element:
    """The salt for a task."""
    client.send(begins(task))
    return client.one()


def upgraded(client: Client) -> list[Element]:
    client.send(hashed(salted(told(client), password=b"secret")))
    return client.received()


def hashes(here: World) -> list[str]:
    return [keys.hash_name for keys in here.memory.kept[USER].account.keys]


def scram(client: Client, mechanism: str, password: str = "secret", inside: str = "") -> list[Element]:
    """All of SCRAM, by a client that is not ours; gives what follows the proof."""
    peer = ScramClient([mechanism], "user", password)
    client.received()
    client.send(authenticate(mechanism, peer.get_client_first().encode(), inside))
    peer.set_server_first(b64decode(client.one().text()).decode())
    client.send(response(peer.get_client_final().encode()))
    answers = client.received()
    if answers[0].name != "failure":
        peer.set_server_final(b64decode(answers[0].child_text(NS_SASL2, "additional-data") or "").decode())
    return answers


def names(client: Client) -> list[str]:
    """The mechanisms that were announced."""
    authentication = client.one().child(NS_SASL2, "authentication")
    assert authentication is not None
    return [element.text() for element in authentication.elements() if element.name == "mechanism"]


# What goes wrong


def test_a_new_password_amid_the_task_is_not_mixed_with_the_former_one():
    here = world()
    client = asked(here, SHA256)
    salt = told(client)
    here.stores.accounts.put(made(here, "changed", "SHA-1"))
    here.core.users.outdate(USER, here.memory.revision, CHANGED)  # when it is noticed
    client.send(hashed(salted(salt, password=b"secret")))
    assert hashes(here) == ["SHA-1"]
    client.received()
    client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    assert condition(client.one()) == "not-allowed"


def test_an_account_that_is_locked_amid_the_task_stays_as_it_is():
    here = world()
    client = asked(here, SHA256)
    salt = told(client)
    here.stores.accounts.disable(USER, True)
    client.send(hashed(salted(salt, password=b"secret")))
    assert hashes(here) == ["SHA-1"]


def test_a_disk_that_does_not_take_the_keys_lets_nobody_in():
    here = world()
    client = asked(here, SHA256)
    salt = told(client)
    here.memory.writes.hold()
    client.send(hashed(salted(salt, password=b"secret")))
    assert client.received() == []  # <success/> would say that they are there
    here.memory.writes.release(StorageError("disk full"))
    here.turn()
    assert condition(client.one()) == "temporary-auth-failure"


def test_success_comes_when_the_keys_are_on_disk():
    here = world()
    client = asked(here, SHA256)
    salt = told(client)
    here.memory.writes.hold()
    client.send(hashed(salted(salt, password=b"secret")))
    assert client.received() == []
    here.memory.writes.release()
    here.turn()
    assert client.received()[0].name == "success"


@pytest.mark.parametrize("task", [SHA256, SHA512])
def test_who_gives_up_keeps_what_there_was(task: str):
    here = world()
    client = asked(here, task)
    told(client, task)
    client.send(ABORT)
    assert condition(client.one()) == "aborted"
    assert hashes(here) == ["SHA-1"]
    client.send(plain("", "user", "secret"))
    assert condition(client.one()) == "not-authorized"  # XEP-0388 §4.8
    assert client.closed


def test_the_time_for_a_login_ends_amid_a_task():
    here = world()
    client = asked(here, SHA256)
    here.advance(here.settings.c2s.login_timeout)
    assert condition(client.one()) == "connection-timeout"


def test_a_login_as_another_than_the_stream_is_from_has_no_task():
    here = world()
    here.stores.accounts.put(
        new_account(JID.parse("third@example.org"), "secret", ("SHA-1",), 4096, here.random, here.now())
    )
    client = opened(here)
    client.received()
    client.send(plain(wish(SHA256), "third", "secret"))
    assert condition(client.one()) == "invalid-authzid"
    assert hashes(here) == ["SHA-1"]


def test_a_token_does_not_make_a_password():
    here = world()
    owner = opened(here)
    owner.send(plain(agent() + WANTS, "user", "secret"))
    found = re.search(r" token='([^']+)'", owner.bytes)
    assert found is not None
    thief = opened(here)
    thief.received()
    digest = hmac.digest(found[1].encode(), b"Initiator", "sha256")
    thief.send(authenticate("HT-SHA-256-NONE", b"user\0" + digest, agent() + FAST + wish(SHA256)))
    assert thief.received()[0].name == "success"
    thief.send(begins())
    assert condition(thief.one()) == "not-authorized"
    assert hashes(here) == ["SHA-1"]


def test_a_hash_that_the_account_lacks_is_no_way_in():
    here = world()
    client = opened(here)
    client.received()
    client.send(authenticate("SCRAM-SHA-256", b"n,,n=user,r=abc"))
    assert condition(client.one()) == "invalid-mechanism"


@pytest.mark.parametrize("sender", ["nobody@example.org", "example.org", "other@example.org/x"])
def test_xep0388_3_who_is_not_there_is_offered_what_all_are(sender: str):
    here = world("SHA-1", "SHA-256", "SHA-512")
    here.stores.accounts.disable(JID.parse("other@example.org"), True)
    (features,) = opened(here, sender).received()
    assert features == opened(here).received()[0]


# What comes of it


def test_xep0388_2_1_an_account_is_offered_what_it_can_do():
    here = world()
    assert names(opened(here)) == ["SCRAM-SHA-1", "PLAIN"]
    assert scram(opened(here), "SCRAM-SHA-1")[0].name == "success"


def test_who_has_all_hashes_is_offered_none():
    here = world("SHA-1", "SHA-256", "SHA-512")
    (features,) = opened(here).received()
    assert upgrades(features) == []
    assert names(opened(here)) == ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]


def test_xep0480_4_the_old_keys_stay_and_the_new_ones_are_the_same_password():
    here = world()
    client = opened(here)
    (question,) = scram(client, "SCRAM-SHA-1", inside=agent() + wish(SHA256))
    assert question.name == "continue"
    assert upgraded(client)[0].name == "success"
    assert names(opened(here)) == ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
        assert scram(opened(here), mechanism)[0].name == "success"
        assert condition(scram(opened(here), mechanism, "wrong")[0]) == "not-authorized"


def test_xep0480_2_2_both_hashes_in_one_login():
    here = world()
    client = asked(here, SHA512, SHA256)
    client.send(hashed(salted(told(client, SHA512), "SHA-512", b"secret")))
    assert client.one().name == "continue"
    assert upgraded(client)[0].name == "success"
    assert hashes(here) == ["SHA-1", "SHA-512", "SHA-256"]
    keys = here.memory.kept[USER].account.keys
    assert all(check_password(each, "secret") for each in keys)
    assert len({each.salt for each in keys}) == 3


def test_tokens_and_sessions_stay_good():
    here = world()
    phone = opened(here)
    phone.send(plain(agent() + WANTS + BIND, "user", "secret"))
    found = re.search(r" token='([^']+)'", phone.bytes)
    assert found is not None
    phone.received()
    upgraded(asked(here, SHA256))
    assert here.memory.revision == 2  # two accounts were made, and nothing has happened since
    assert phone.received() == []
    assert not phone.closed
    assert by_token(here, USER, found[1]).outcome == "success"


def test_two_clients_at_once_make_one_set_of_keys():
    here = world()
    one, other = asked(here, SHA256), asked(here, SHA256)
    salts = told(one), told(other)
    for client, salt in zip((one, other), salts, strict=True):
        client.send(hashed(salted(salt, password=b"secret")))
        assert client.received()[0].name == "success"
    assert hashes(here) == ["SHA-1", "SHA-256"]


# The example of §3, byte for byte


def test_xep0480_3_the_example():
    here = world()
    elsewhere = here.login("user@example.org/elsewhere")
    client = opened(here)
    announced, _, tasks = client.bytes.partition("<inline>")
    assert announced.endswith("<mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism>")
    assert tasks.rpartition("</inline>")[2].startswith(
        "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>"
        "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade></authentication>"
    )
    authenticate_as_the_example(client)
    client.send("<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-256'/>")
    said = re.fullmatch(
        "<task-data xmlns='urn:xmpp:sasl:2'><salt xmlns='urn:xmpp:scram-upgrade:0' iterations='4096'>"
        "([^<]+)</salt></task-data>",
        taken(client),
    )
    assert said is not None
    value = b64encode(pbkdf2_hmac("sha256", b"secret", b64decode(said[1]), 4096)).decode()
    client.send(
        f"<task-data xmlns='urn:xmpp:sasl:2'>\n  <hash xmlns='urn:xmpp:scram-upgrade:0'>\n    {value}\n"
        "  </hash>\n</task-data>"
    )
    assert taken(client).startswith(
        "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>user@example.org"
        "</authorization-identifier></success><stream:features>"
    )
    assert hashes(here) == ["SHA-1", "SHA-256"]
    assert elsewhere.received() == []  # and it goes on
    roster = elsewhere.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
    assert roster.get("type") == "result"


def authenticate_as_the_example(client: Client) -> None:
    """Up to <continue/>."""
    client.received()
    peer = ScramClient(["SCRAM-SHA-1"], "user", "secret", c_nonce="12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6")
    first = b64encode(peer.get_client_first().encode()).decode()
    client.send(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-1'>"
        "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>"
        f"<initial-response>{first}</initial-response>"
        "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'>"
        "<software>AwesomeXMPP</software><device>Kiva's Phone</device></user-agent></authenticate>"
    )
    peer.set_server_first(b64decode(client.one().text()).decode())
    client.send(response(peer.get_client_final().encode()))
    said = re.fullmatch(
        "<continue xmlns='urn:xmpp:sasl:2'><additional-data>([^<]+)</additional-data>"
        "<tasks><task>UPGR-SCRAM-SHA-256</task></tasks></continue>",
        taken(client),
    )
    assert said is not None
    peer.set_server_final(b64decode(said[1]).decode())


def taken(client: Client) -> str:
    """The bytes that came."""
    text, client.bytes = client.bytes, ""
    return text
