"""Security rules: what a room may tell whom, who may change it, and how much one may make it do."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from xml.etree.ElementTree import Element

import pytest

from tests.attack.client import CLIENT, Client, condition, online
from tests.attack.server import DOMAIN, Server

SERVICE = f"group.{DOMAIN}"
MUC = "http://jabber.org/protocol/muc"
USER = f"{{{MUC}#user}}"
SIDS = "{urn:xmpp:sid:0}"
OCCUPANTS = "{urn:xmpp:occupant-id:0}"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
NAMES = count()


def configuration(**fields: str) -> str:
    """What an owner submits."""
    inside = f"<field var='FORM_TYPE'><value>{MUC}#roomconfig</value></field>"
    for name, value in {"persistentroom": "1", **fields}.items():
        inside += f"<field var='muc#roomconfig_{name}'><value>{value}</value></field>"
    return f"<query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='submit'>{inside}</x></query>"


def enter(client: Client, room: str, nick: str) -> list[Element]:
    client.send(f"<presence to='{room}/{nick}'><x xmlns='{MUC}'/></presence>")
    return client.fence()


def make(owner: Client, **fields: str) -> str:
    """A room of its own for each test."""
    room = f"r{next(NAMES)}-{owner.user}@{SERVICE}"
    enter(owner, room, "owner")
    answer = owner.ask(f"<iq type='set' id='own' to='{room}'>{configuration(**fields)}</iq>")
    assert condition(answer) is None
    return room


def destroy(owner: Client, room: str) -> None:
    """Accounts own only so many."""
    owner.ask(f"<iq type='set' id='end' to='{room}'><query xmlns='{MUC}#owner'><destroy/></query></iq>")


def say(client: Client, room: str, text: str, more: str = "") -> None:
    client.send(f"<message type='groupchat' to='{room}'><body>{text}</body>{more}</message>")


def bodies(stanzas: list[Element]) -> list[str | None]:
    found = [e.findtext(f"{CLIENT}body") for e in stanzas if e.tag == f"{CLIENT}message"]
    return [body for body in found if body]


@pytest.fixture
def owner(server: Server) -> Iterator[Client]:
    with online(server, resource="owner") as client:
        yield client


@pytest.fixture
def mallory(server: Server) -> Iterator[Client]:
    with online(server, resource="mallory") as client:
        yield client


def test_attack_rooms_messages_without_end(owner: Client, mallory: Client):
    """Who floods a room is told to wait; the others hear little of it, and can speak."""
    room = make(owner)
    enter(mallory, room, "mallory")
    for number in range(60):
        say(mallory, room, str(number))
    refused = [e for e in mallory.fence() if e.get("type") == "error"]
    assert {condition(e) for e in refused} == {"resource-constraint"}
    assert len(refused) >= 50
    say(owner, room, "quiet, please")
    heard = bodies(owner.fence())
    assert heard[-1] == "quiet, please"
    assert len(heard) <= 10
    destroy(owner, room)


def test_attack_rooms_nicknames_without_end(owner: Client, mallory: Client):
    """Each change costs every occupant two presences, so there are few."""
    room = make(owner)
    enter(mallory, room, "mallory")
    owner.fence()
    for number in range(60):
        mallory.send(f"<presence to='{room}/m{number}'/>")
    assert "resource-constraint" in {condition(e) for e in mallory.fence()}
    assert len(owner.fence()) <= 15
    destroy(owner, room)


def test_attack_rooms_entered_without_end(server: Server, mallory: Client):
    """A client is in so many rooms, and no more."""
    with ExitStack() as stack:
        owners = [stack.enter_context(online(server, resource="owner")) for _ in range(5)]
        rooms = [(owner, make(owner)) for owner in owners for _ in range(3)]
        answers = [enter(mallory, room, "m") for _, room in rooms]
        refused = [condition(answer[-1]) for answer in answers if answer[-1].get("type") == "error"]
        assert refused == ["resource-constraint"] * 5
        for owner, room in rooms:
            destroy(owner, room)


def test_attack_rooms_come_and_go(owner: Client, mallory: Client):
    """Whoever comes and goes makes nobody else wait."""
    room = make(owner)
    for _ in range(50):
        mallory.send(f"<presence to='{room}/m'><x xmlns='{MUC}'/></presence>")
        mallory.send(f"<presence type='unavailable' to='{room}/m'/>")
    mallory.fence()
    say(owner, room, "still here")
    assert bodies(owner.fence()) == ["still here"]
    destroy(owner, room)


def test_attack_rooms_owned_without_end(mallory: Client):
    """Lasting rooms take disk space, so an account owns only so many."""
    rooms = [make(mallory) for _ in range(3)]
    answer = enter(mallory, f"more-{mallory.user}@{SERVICE}", "m")
    assert condition(answer[-1]) == "resource-constraint"
    for room in rooms:
        destroy(mallory, room)


def test_attack_rooms_real_addresses(server: Server, mallory: Client):
    """Whoever is no moderator of a semi-anonymous room learns no address of anybody, whatever is asked."""
    with online(server, resource="secretplace") as owner, online(server, resource="burrow") as victim:
        room = make(owner, enablelogging="1")
        enter(victim, room, "victim")
        mallory.came = b""
        enter(mallory, room, "mallory")
        say(victim, room, "who am I?")
        victim.send(f"<message type='chat' to='{room}/mallory'><body>psst</body></message>")
        victim.send(f"<presence to='{room}/other'><show>away</show></presence>")
        victim.fence()
        for number, (kind, to, payload) in enumerate(
            (
                ("get", room, "<query xmlns='http://jabber.org/protocol/disco#items'/>"),
                ("get", room, "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
                ("get", f"{room}/other", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
                ("get", f"{room}/other", "<vCard xmlns='vcard-temp'/>"),
                ("get", f"{room}/other", "<query xmlns='jabber:iq:last'/>"),
                ("get", room, f"<query xmlns='{MUC}#admin'><item affiliation='owner'/></query>"),
                ("get", room, f"<query xmlns='{MUC}#admin'><item affiliation='member'/></query>"),
                ("get", room, f"<query xmlns='{MUC}#admin'><item role='participant'/></query>"),
                ("get", room, f"<query xmlns='{MUC}#owner'/>"),
                ("set", room, "<query xmlns='urn:xmpp:mam:2'/>"),
                ("get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#items'/>"),
            )
        ):
            mallory.send(f"<iq type='{kind}' id='q{number}' to='{to}'>{payload}</iq>")
            mallory.fence()
            victim.fence()
        victim.send(f"<presence type='unavailable' to='{room}/other'/>")
        victim.fence()
        mallory.fence()
        assert b"who am I?" in mallory.came
        for who in (victim, owner):
            assert f"{who.user}@{DOMAIN}".encode() not in mallory.came.replace(room.encode(), b"ROOM")
        assert b"burrow" not in mallory.came
        assert b"secretplace" not in mallory.came
        destroy(owner, room)


def test_attack_rooms_forged_marks(owner: Client, mallory: Client):
    """Ids, authors, delays and what only rooms say: all of it comes from the room, or not at all."""
    room = make(owner, enablelogging="1")
    enter(mallory, room, "mallory")
    owner.fence()
    forged = (
        f"<stanza-id xmlns='urn:xmpp:sid:0' by='{room}' id='666'/>"
        f"<stanza-id xmlns='urn:xmpp:sid:0' by='{SERVICE}' id='667'/>"
        "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='668'/>"
        f"<x xmlns='{MUC}#user'><item jid='king@{DOMAIN}' affiliation='owner'/><status code='110'/></x>"
        f"<delay xmlns='urn:xmpp:delay' from='{room}' stamp='2000-01-01T00:00:00Z'/>"
    )
    say(mallory, room, "believe me", forged)
    mallory.fence()
    (message,) = [e for e in owner.fence() if e.findtext(f"{CLIENT}body") == "believe me"]
    assert [e.get("by") for e in message.findall(f"{SIDS}stanza-id")] == [room]
    assert not {e.get("id") for e in message.findall(f"{SIDS}stanza-id")} & {"666", "667"}
    assert [e.get("id") != "668" for e in message.findall(f"{OCCUPANTS}occupant-id")] == [True]
    assert message.find(f"{USER}x") is None
    assert message.find("{urn:xmpp:delay}delay") is None
    mallory.send(f"<presence to='{room}/mallory'>{forged}</presence>")
    mallory.fence()
    (presence,) = [e for e in owner.fence() if e.tag == f"{CLIENT}presence"]
    items = presence.findall(f"{USER}x/{USER}item")
    assert [item.get("affiliation") for item in items] == ["none"]
    destroy(owner, room)


@pytest.mark.parametrize(
    "payload",
    [
        f"<query xmlns='{MUC}#admin'><item affiliation='owner' jid='{{me}}'/></query>",
        f"<query xmlns='{MUC}#admin'><item affiliation='admin' jid='{{me}}'/></query>",
        f"<query xmlns='{MUC}#admin'><item affiliation='member' jid='{{me}}'/></query>",
        f"<query xmlns='{MUC}#admin'><item affiliation='none' jid='{{owner}}'/></query>",
        f"<query xmlns='{MUC}#admin'><item affiliation='outcast' jid='{{owner}}'/></query>",
        f"<query xmlns='{MUC}#admin'><item role='moderator' nick='mallory'/></query>",
        f"<query xmlns='{MUC}#admin'><item role='none' nick='owner'/></query>",
        f"<query xmlns='{MUC}#owner'><destroy/></query>",
        configuration(membersonly="1"),
        "<moderate xmlns='urn:xmpp:message-moderate:1' id='1'>"
        "<retract xmlns='urn:xmpp:message-retract:1'/></moderate>",
    ],
)
def test_attack_rooms_privileges(owner: Client, mallory: Client, payload: str):
    """An occupant without a privilege does not get it by asking."""
    room = make(owner)
    enter(mallory, room, "mallory")
    owner.fence()
    wanted = payload.replace("{me}", mallory.bare).replace("{owner}", owner.bare)
    answer = mallory.ask(f"<iq type='set' id='p' to='{room}'>{wanted}</iq>")
    assert condition(answer) in ("forbidden", "not-allowed", "item-not-found")
    assert owner.fence() == []
    say(owner, room, "as before")
    owner.fence()
    assert "as before" in bodies(mallory.fence())
    destroy(owner, room)


def test_attack_rooms_archive_of_members(owner: Client, mallory: Client):
    """Who may not come in reads nothing of what was said, nor whether anything was."""
    room = make(owner, enablelogging="1", membersonly="1")
    say(owner, room, "for members only")
    owner.fence()
    for kind, name in (("set", "query"), ("get", "query"), ("get", "metadata")):
        answer = mallory.ask(f"<iq type='{kind}' id='m' to='{room}'><{name} xmlns='urn:xmpp:mam:2'/></iq>")
        assert condition(answer) == "forbidden"
    assert condition(enter(mallory, room, "m")[-1]) == "registration-required"
    assert b"members only" not in mallory.came
    destroy(owner, room)


def test_attack_rooms_huge_forms(owner: Client):
    """Forms with all that fits into a stanza are refused, or taken, at once; the room is still there."""
    room = make(owner)
    many = "".join(f"<field var='f{number}'><value>v</value></field>" for number in range(800))
    owners = "".join(f"<value>x{number}@{DOMAIN}</value>" for number in range(1500))
    for inside in (
        many,
        f"<field var='muc#roomconfig_roomname'><value>{'n' * 200_000}</value></field>",
        f"<field var='muc#roomconfig_roomadmins'>{owners}</field>",
        f"<field var='muc#roomconfig_roomdesc'>{'<value/>' * 1500}</field>",
        f"<field var='muc#roomconfig_maxusers'><value>{'9' * 10_000}</value></field>",
    ):
        form = f"<field var='FORM_TYPE'><value>{MUC}#roomconfig</value></field>{inside}"
        query = f"<query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='submit'>{form}</x></query>"
        answer = owner.ask(f"<iq type='set' id='h' to='{room}'>{query}</iq>")
        assert answer.get("type") in ("result", "error")
    say(owner, room, "still a room")
    assert "still a room" in bodies(owner.fence())
    destroy(owner, room)


def test_attack_rooms_large_messages(owner: Client, mallory: Client):
    """What would be copied to everybody is small."""
    room = make(owner)
    enter(mallory, room, "mallory")
    owner.fence()
    say(mallory, room, "x" * 20_000)
    assert condition(mallory.fence()[-1]) == "policy-violation"
    mallory.send(f"<presence to='{room}/mallory'><status>{'x' * 20_000}</status></presence>")
    assert condition(mallory.fence()[-1]) == "policy-violation"
    assert owner.fence() == []
    destroy(owner, room)


def test_attack_rooms_names_that_look_alike(owner: Client, mallory: Client):
    """Nobody makes a room that is mistaken for another one."""
    room = make(owner)
    fake = room.replace("u", "\u057d", 1)  # an Armenian letter
    answer = enter(mallory, fake, "m")
    assert condition(answer[-1]) == "not-acceptable"
    destroy(owner, room)


def test_attack_rooms_errors_do_not_go_round(owner: Client, mallory: Client):
    """An error to a room, or to somebody in it, is no reason for another one."""
    room = make(owner)
    enter(mallory, room, "mallory")
    owner.fence()
    error = f"<error type='cancel'><bad-request xmlns='{STANZAS}'/></error>"
    for kind in ("message", "iq", "presence"):
        for to in (room, f"{room}/owner", SERVICE, f"nowhere@{SERVICE}"):
            mallory.send(f"<{kind} type='error' id='e' to='{to}'>{error}</{kind}>")
    assert [e for e in mallory.fence() if e.get("type") == "error"] == []
    destroy(owner, room)


def test_attack_rooms_questions_tell_no_address(server: Server, mallory: Client):
    """Nor do answers: what clients write into them of themselves is taken out."""
    with online(server, resource="secretplace") as owner, online(server, resource="burrow") as victim:
        room = make(owner)
        enter(victim, room, "victim")
        enter(mallory, room, "mallory")
        victim.fence()
        mallory.came = victim.came = b""
        initiator = f"initiator='{mallory.bare}/mallory'"
        ask = f"<iq type='set' id='j' to='{room}/victim'><jingle xmlns='urn:xmpp:jingle:1' {initiator}/></iq>"
        mallory.send(ask)
        mallory.fence()
        (question,) = [e for e in victim.fence() if e.get("type") == "set"]
        assert mallory.bare.encode() not in victim.came
        card = f"<vCard xmlns='vcard-temp'><JABBERID>{victim.bare}</JABBERID></vCard>"
        victim.send(f"<iq type='result' id='{question.get('id')}' to='{question.get('from')}'>{card}</iq>")
        victim.fence()
        mallory.fence()
        assert b"vCard" in mallory.came
        assert victim.bare.encode() not in mallory.came
        destroy(owner, room)


def test_attack_rooms_coming_keeps_nobody_out(server: Server, owner: Client, mallory: Client):
    """What joins a room has for all is not used up by one who comes and goes."""
    room = make(owner)
    for _ in range(60):
        mallory.send(f"<presence to='{room}/m'><x xmlns='{MUC}'/></presence>")
        mallory.send(f"<presence type='unavailable' to='{room}/m'/>")
    assert "resource-constraint" in {condition(e) for e in mallory.fence()}
    with online(server, resource="late") as other:
        assert enter(other, room, "other")[-1].get("type") != "error"
    destroy(owner, room)


def test_attack_rooms_registrations_without_end(owner: Client, mallory: Client):
    """Each one is told to the admins, so that there are few."""
    room = make(owner)
    owner.fence()
    for number in range(30):
        form = f"<field var='FORM_TYPE'><value>{MUC}#register</value></field>"
        form += f"<field var='muc#register_roomnick'><value>m{number}</value></field>"
        query = f"<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>{form}</x></query>"
        mallory.send(f"<iq type='set' id='r{number}' to='{room}'>{query}</iq>")
    assert "policy-violation" in {condition(e) for e in mallory.fence()}
    assert len(owner.fence()) == 1
    destroy(owner, room)


def test_attack_rooms_invitations_without_end(owner: Client, mallory: Client):
    """One message may invite many, and counts as many."""
    room = make(owner)
    enter(mallory, room, "mallory")
    owner.fence()
    invites = f"<invite to='{owner.bare}'/>" * 20
    for _ in range(20):
        mallory.send(f"<message to='{room}'><x xmlns='{MUC}#user'>{invites}</x></message>")
    refused = [condition(e) for e in mallory.fence() if e.get("type") == "error"]
    assert refused.count("resource-constraint") >= 15
    assert len(owner.fence()) <= 100
    destroy(owner, room)


def test_attack_rooms_ids_of_messages(owner: Client, mallory: Client):
    """Who may take nothing away does not learn which messages there are."""
    room = make(owner, enablelogging="1", membersonly="1")
    say(owner, room, "hidden")
    (message,) = [e for e in owner.fence() if e.findtext(f"{CLIENT}body") == "hidden"]
    ids = [e.get("id") for e in message.findall(f"{SIDS}stanza-id")]
    for id in (*ids, "1"):
        retract = "<retract xmlns='urn:xmpp:message-retract:1'/>"
        moderate = f"<moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'>{retract}</moderate>"
        answer = mallory.ask(f"<iq type='set' id='m' to='{room}'>{moderate}</iq>")
        assert condition(answer) == "forbidden"
    destroy(owner, room)
