"""XEP-0313 §6.1.2, XEP-0424, XEP-0425: what rooms keep, and who may read it."""

import pytest

from commonroom.protocol.muc import NS_MUC_ADMIN, NS_MUC_OWNER
from commonroom.xml.element import Element
from tests.conversations.rooms import HALL, codes, configure, enter, make, say
from tests.conversations.world import Client, World, condition

ALICE, BOB, EVE = "alice@example.org", "bob@example.org", "eve@example.org"
MAM, FORWARD, CLIENT = "urn:xmpp:mam:2", "urn:xmpp:forward:0", "jabber:client"


@pytest.fixture
def w() -> World:
    return World(ALICE, BOB, EVE)


@pytest.fixture
def alice(w: World) -> Client:
    alice = w.online(f"{ALICE}/a")
    make(alice, "Alice", enablelogging="1")
    return alice


@pytest.fixture
def bob(w: World, alice: Client) -> Client:
    bob = w.online(f"{BOB}/b")
    enter(bob, "Bob")
    alice.received()
    return bob


def query(client: Client, **fields: str) -> list[Element]:
    """All that comes to a query."""
    values = "".join(f"<field var='{v}'><value>{value}</value></field>" for v, value in fields.items())
    kind = f"<field var='FORM_TYPE'><value>{MAM}</value></field>"
    form = f"<x xmlns='jabber:x:data' type='submit'>{kind}{values}</x>"
    client.received()
    client.send(f"<iq type='set' id='m' to='{HALL}'><query xmlns='{MAM}' queryid='q'>{form}</query></iq>")
    return client.received()


def forwarded(stanzas: list[Element]) -> list[Element]:
    found = []
    for stanza in stanzas[:-1]:
        result = stanza.child(MAM, "result")
        assert result is not None
        assert stanza.get("from") == HALL
        forward = result.child(FORWARD, "forwarded")
        assert forward is not None
        message = forward.child(CLIENT, "message")
        assert message is not None
        found.append(message)
    return found


def bodies(stanzas: list[Element]) -> list[str | None]:
    return [message.child_text(CLIENT, "body") for message in forwarded(stanzas)]


def affiliate(client: Client, jid: str, affiliation: str) -> None:
    item = f"<item affiliation='{affiliation}' jid='{jid}'/>"
    client.send(f"<iq type='set' id='f' to='{HALL}'><query xmlns='{NS_MUC_ADMIN}'>{item}</query></iq>")
    client.received()


def test_outcasts_never_read(w: World, alice: Client) -> None:
    eve = w.online(f"{EVE}/e")
    assert query(eve)[-1].get("type") == "result"
    affiliate(alice, EVE, "outcast")
    assert condition(query(eve)[-1]) == "forbidden"


def test_members_only_rooms_are_read_by_members_only(w: World, alice: Client) -> None:
    configure(alice, membersonly="1")
    eve = w.online(f"{EVE}/e")
    say(alice, "for us")
    assert [condition(e) for e in query(eve)] == ["forbidden"]
    eve.received()
    eve.send(f"<iq type='get' id='m' to='{HALL}'><metadata xmlns='{MAM}'/></iq>")
    assert condition(eve.one()) == "forbidden"
    affiliate(alice, EVE, "member")
    assert bodies(query(eve)) == ["for us"]


def test_a_room_that_is_not_there_has_no_archive(w: World) -> None:
    assert condition(query(w.online(f"{EVE}/e"))[-1]) == "item-not-found"


def test_messages_come_from_the_occupant_to_nobody(alice: Client, bob: Client) -> None:
    say(alice, "one", id="first")
    say(bob, "two")
    came = query(bob)
    assert bodies(came) == ["one", "two"]
    first = forwarded(came)[0]
    assert (first.get("from"), first.get("to"), first.get("id")) == (f"{HALL}/Alice", None, "first")


def test_ids_are_those_that_occupants_were_told(alice: Client, bob: Client) -> None:
    say(alice, "one")
    (live,) = bob.received()
    stanza_id = live.child("urn:xmpp:sid:0", "stanza-id")
    assert stanza_id is not None
    result = query(bob)[0].child(MAM, "result")
    assert result is not None
    assert (stanza_id.get("by"), stanza_id.get("id")) == (HALL, result.get("id"))


def test_real_addresses_are_for_those_who_may_see_them(alice: Client, bob: Client) -> None:
    say(bob, "it is I")
    seen = query(bob)
    assert BOB not in repr(seen[0]).replace(f"to='{BOB}/b'", "").replace(f'to="{BOB}/b"', "")
    (message,) = forwarded(query(alice))
    x = message.child("http://jabber.org/protocol/muc#user", "x")
    assert x is not None
    assert x.elements()[0].get("jid") == f"{BOB}/b"
    assert condition(query(bob, **{"with": ALICE})[-1]) == "forbidden"
    assert bodies(query(alice, **{"with": BOB})) == ["it is I"]
    configure(alice, whois="anyone")
    assert f"{BOB}/b" in repr(forwarded(query(bob))[0])


def test_private_messages_are_in_no_archive_of_the_room(alice: Client, bob: Client) -> None:
    bob.send(f"<message type='chat' to='{HALL}/Alice'><body>psst</body></message>")
    say(bob, "aloud")
    assert bodies(query(alice)) == ["aloud"]


def test_nothing_is_kept_that_should_not_be(alice: Client, bob: Client) -> None:
    hint = "<no-store xmlns='urn:xmpp:hints'/>"
    bob.send(f"<message type='groupchat' to='{HALL}'><body>forget it</body>{hint}</message>")
    configure(alice, enablelogging="0")
    say(bob, "off the record")
    configure(alice, enablelogging="1")
    assert bodies(query(alice)) == []


def test_a_room_made_again_has_nothing_of_its_predecessor(w: World, alice: Client) -> None:
    say(alice, "old")
    alice.send(f"<iq type='set' id='d' to='{HALL}'><query xmlns='{NS_MUC_OWNER}'><destroy/></query></iq>")
    alice.received()
    (refused,) = enter(alice, "Alice")
    assert condition(refused) == "gone"
    w.advance(31 * 86400.0)
    assert "201" in codes(enter(w.online(f"{ALICE}/a"), "Alice"))
    alice = w.online(f"{ALICE}/c")
    enter(alice, "Alice")
    configure(alice, persistentroom="1")
    assert bodies(query(alice)) == []


def test_xep0425_4_a_moderators_retraction_leaves_a_tombstone(w: World, alice: Client, bob: Client) -> None:
    say(bob, "rude")
    result = query(alice)[0].child(MAM, "result")
    assert result is not None
    id = result.get("id")
    w.restart()
    alice, bob = w.online(f"{ALICE}/a"), w.online(f"{BOB}/b")
    enter(alice, "Alice")
    enter(bob, "Bob")
    retract = "<retract xmlns='urn:xmpp:message-retract:1'/>"
    moderate = f"<moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'>{retract}</moderate>"
    assert condition(bob.ask(f"<iq type='set' id='r' to='{HALL}'>{moderate}</iq>")) == "forbidden"
    alice.received()
    missing = moderate.replace(id or "", "12345")
    assert condition(alice.ask(f"<iq type='set' id='r' to='{HALL}'>{missing}</iq>")) == "item-not-found"
    alice.send(f"<iq type='set' id='r' to='{HALL}'>{moderate}</iq>")
    assert alice.received()[-1].get("type") == "result"
    tombstone = forwarded(query(bob))[0]
    assert tombstone.child_text(CLIENT, "body") is None
    assert tombstone.child("urn:xmpp:message-retract:1", "retracted") is not None
    assert tombstone.child("urn:xmpp:occupant-id:0", "occupant-id") is not None
    assert tombstone.get("from") == f"{HALL}/Bob"


@pytest.mark.parametrize("is_inside", [True, False])
def test_who_may_not_take_anything_away_does_not_learn_what_is_there(
    w: World, alice: Client, bob: Client, is_inside: bool
) -> None:
    say(alice, "secret")
    result = query(alice)[0].child(MAM, "result")
    assert result is not None
    if not is_inside:
        bob.send(f"<presence type='unavailable' to='{HALL}/Bob'/>")
        bob.received()
    for id in (result.get("id"), "12345"):
        retract = "<retract xmlns='urn:xmpp:message-retract:1'/>"
        moderate = f"<moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'>{retract}</moderate>"
        assert condition(bob.ask(f"<iq type='set' id='r' to='{HALL}'>{moderate}</iq>")) == "forbidden"


def test_xep0424_5_only_who_said_it_takes_it_back(alice: Client, bob: Client) -> None:
    say(bob, "oops")
    result = query(alice)[0].child(MAM, "result")
    assert result is not None
    retract = f"<retract xmlns='urn:xmpp:message-retract:1' id='{result.get('id')}'/>"
    alice.send(f"<message type='groupchat' to='{HALL}' id='r1'>{retract}</message>")
    assert bodies(query(bob))[0] == "oops"
    bob.send(f"<message type='groupchat' to='{HALL}' id='r2'>{retract}</message>")
    assert bodies(query(bob))[0] is None
