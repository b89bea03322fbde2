"""XEP-0386, XEP-0198 §9: a session with all that a client wants, in one request, and nothing in between."""

import pytest

from commonroom.config.c2s import C2s, ResourceConflict
from commonroom.config.schema import Offline
from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND, NS_BIND2, NS_CARBONS, NS_MAM
from tests.conversations.returning import BIND, NS_SM, OTHER, Login, by_password
from tests.conversations.world import HEADER, Client, World, condition, with_options
from tests.protocol.sasl2 import plain

JULIET, ROMEO = "juliet@example.org", "romeo@example.org"
CARBONS = f"<enable xmlns='{NS_CARBONS}'/>"
MANAGED = f"<enable xmlns='{NS_SM}' resume='true'/>"
INACTIVE = "<inactive xmlns='urn:xmpp:csi:0'/>"
ROSTER = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"


def bind(inside: str = "", tag: str | None = "Nightingale") -> str:
    tagged = "" if tag is None else f"<tag>{tag}</tag>"
    return f"<bind xmlns='{NS_BIND2}'>{tagged}{inside}</bind>"


def chat(to: str, body: str = "Hi") -> str:
    return f"<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>"


def world(**tables: object) -> World:
    return World(JULIET, ROMEO, settings=with_options(**tables))


def sm(login: Login, name: str) -> Element:
    found = login.bound.child(NS_SM, name) or login.success.child(NS_SM, name)
    assert found is not None, login.success
    return found


def cut_off(here: World, inside: str = MANAGED) -> tuple[str, str]:
    """A session that waits for its client; gives the name of its stream, and its address."""
    login = by_password(here, JULIET, bind(inside))
    login.client.send("<presence/>")
    login.client.received()
    login.client.cut()
    return sm(login, "enabled").get("id", ""), login.jid


def resume(name: str, handled: int = 0) -> str:
    return f"<resume xmlns='{NS_SM}' previd='{name}' h='{handled}'/>"


# What goes wrong


def test_rfc6120_13_12_too_many_sessions_are_no_reason_to_refuse_the_login():
    here = world(c2s=C2s(sessions_per_account=1))
    here.online(f"{JULIET}/there")
    login = by_password(here, JULIET, bind())
    assert login.jid == JULIET
    assert login.success.child(NS_BIND2, "bound") is None
    login.client.send(f"<iq type='set' id='b'><bind xmlns='{NS_BIND}'/></iq>")
    assert condition(login.client.one()) == "resource-constraint"


def test_who_is_locked_meanwhile_gets_no_session():
    here = world()
    here.stores.accounts.disable(JID.parse(JULIET), True)
    assert by_password(here, JULIET, bind()).outcome == "not-authorized"


@pytest.mark.parametrize("tag", ["x" * 1020, "\N{ZERO WIDTH SPACE}", "a\N{BYTE ORDER MARK}"])
def test_xep0386_3_2_1_a_tag_that_can_be_no_resource_is_left_out(tag):
    login = by_password(world(), JULIET, bind(tag=tag))
    assert len(JID.parse(login.jid).resource or "") == 12


def test_what_is_not_known_is_not_answered():
    login = by_password(
        world(), JULIET, bind("<enable xmlns='urn:example:nothing'/><disable xmlns='urn:xmpp:carbons:2'/>")
    )
    assert [element.name for element in login.bound.elements()] == ["metadata"]


def test_xep0198_3_to_enable_it_twice_fails_the_second_time():
    login = by_password(world(), JULIET, bind(MANAGED + MANAGED))
    assert [element.name for element in login.bound.elements()] == ["enabled", "failed", "metadata"]


def test_xep0198_9_1_1_a_wish_that_cannot_be_read_fails_alone():
    login = by_password(world(), JULIET, bind(f"<enable xmlns='{NS_SM}' resume='maybe'/>"))
    assert sm(login, "failed").elements()[0].name == "bad-request"
    assert login.jid.startswith(f"{JULIET}/Nightingale/")


def test_an_archive_that_cannot_be_read_is_not_described():
    here = world()

    async def bounds(owner: JID) -> None:
        raise StorageError("out of reach")

    here.memory.archive.bounds = bounds  # type: ignore[method-assign]
    login = by_password(here, JULIET, bind(CARBONS))
    assert login.bound.elements() == []


def test_who_leaves_while_the_archive_is_looked_at_leaves_no_session():
    here = world()
    by_password(here, JULIET, bind()).client.leave()
    here.memory.writes.hold()
    here.stores.private.put(JID.parse(JULIET), "a", "b", "<b xmlns='a'/>")
    login = by_password(here, JULIET, bind(), id=None)
    assert login.answers == []
    user = here.core.users.find(JID.parse(JULIET))
    assert user is not None
    assert len(user.sessions) == 1
    login.client.cut()
    here.memory.writes.release()
    here.turn()
    assert user.sessions == {}


def test_xep0386_3_2_nothing_comes_before_success():
    here = world()
    by_password(here, JULIET, bind()).client.leave()
    romeo = here.online(f"{ROMEO}/orchard")
    here.memory.writes.hold()
    here.stores.private.put(JID.parse(JULIET), "a", "b", "<b xmlns='a'/>")
    login = by_password(here, JULIET, bind(), id=None)
    user = here.core.users.find(JID.parse(JULIET))
    assert user is not None
    (resource,) = user.sessions
    romeo.send(f"<iq type='get' id='v' to='{JULIET}/{resource}'><query xmlns='jabber:iq:version'/></iq>")
    romeo.send(f"<message to='{JULIET}/{resource}'><subject>early</subject></message>")
    assert login.client.received() == []
    here.memory.writes.release()
    here.turn()
    names = [element.name for element in login.client.received()]
    assert names[:2] == ["success", "features"]
    assert names[2:] == ["message"]


def test_xep0198_9_2_1_who_cannot_resume_has_a_new_session():
    here = world()
    name, jid = cut_off(here)
    here.advance(10_000)
    login = by_password(here, JULIET, resume(name) + bind(MANAGED))
    assert sm(login, "failed").elements()[0].name == "item-not-found"
    assert login.jid == jid
    assert sm(login, "enabled").get("id") != name


def test_another_accounts_stream_is_not_resumed():
    here = world()
    name, _ = cut_off(here)
    login = by_password(here, ROMEO, resume(name) + bind())
    assert sm(login, "failed").elements()[0].name == "item-not-found"
    assert login.jid.startswith(f"{ROMEO}/")


# XEP-0386 §3.1: what is announced


def test_xep0386_3_1_what_can_be_enabled_is_announced():
    authentication = world().connect().open("example.org")[0].child("urn:xmpp:sasl:2", "authentication")
    assert authentication is not None
    inline = authentication.child("urn:xmpp:sasl:2", "inline")
    assert inline is not None
    features = inline.child(NS_BIND2, "bind")
    assert features is not None
    assert [e.get("var") for e in features.elements()[0].elements()] == [
        "urn:xmpp:carbons:2",
        "urn:xmpp:csi:0",
        "urn:xmpp:sm:3",
    ]


# §3.2: the session


def test_xep0386_3_2_1_the_same_client_gets_the_same_resource_and_its_former_session_ends():
    here = world()
    first = by_password(here, JULIET, bind())
    second = by_password(here, JULIET, bind())
    assert first.jid == second.jid
    assert first.jid.startswith(f"{JULIET}/Nightingale/")
    assert first.client.closed
    assert condition(first.client.one()) == "conflict"
    third = by_password(here, JULIET, bind(tag="Lark"))
    assert second.client.closed
    assert third.jid != second.jid


@pytest.mark.parametrize("policy", list(ResourceConflict))
def test_xep0386_3_2_that_holds_whatever_is_done_about_conflicts(policy):
    here = world(c2s=C2s(resource_conflict=policy))
    first = by_password(here, JULIET, bind())
    assert by_password(here, JULIET, bind()).jid == first.jid


def test_xep0386_3_2_others_stay():
    here = world()
    first, other = by_password(here, JULIET, bind()), by_password(here, JULIET, bind(), id=OTHER)
    nameless = by_password(here, JULIET, bind(), id=None)
    again = by_password(here, JULIET, bind(), id=None)
    assert len({first.jid, other.jid, nameless.jid, again.jid}) == 4
    assert not any(login.client.closed for login in (first, other, nameless, again))


def test_xep0386_3_2_1_the_archive_is_described_as_it_is_then():
    here = world()
    assert by_password(here, JULIET, bind()).bound.child(NS_MAM, "metadata") == Element(NS_MAM, "metadata")
    romeo = here.online(f"{ROMEO}/orchard")
    for body in ("one", "two"):
        here.seconds += 1
        romeo.send(chat(JULIET, body))
    metadata = by_password(here, JULIET, bind()).bound.child(NS_MAM, "metadata")
    assert metadata is not None
    start, end = metadata.elements()
    kept = here.memory.archive.kept[JID.parse(JULIET)]
    assert [start.get("id"), end.get("id")] == [str(message.id) for message in kept]


def test_xep0386_3_2_1_carbons_are_on_from_the_first_message():
    here = world()
    desk = by_password(here, JULIET, bind(CARBONS), id=OTHER)
    desk.client.send("<presence><priority>-1</priority></presence>")
    phone = here.online(f"{JULIET}/phone", 5)
    desk.client.received()
    phone.send(chat(ROMEO))
    (copy,) = desk.client.received()
    assert copy.child(NS_CARBONS, "sent") is not None


def test_xep0386_3_2_1_a_session_may_begin_inactive():
    here = world()
    here.befriend(JULIET, ROMEO)
    login = by_password(here, JULIET, bind(INACTIVE))
    login.client.send("<presence/>")
    login.client.received()
    romeo = here.online(f"{ROMEO}/orchard")
    assert login.client.received() == []
    romeo.send(chat(JULIET))
    assert [element.name for element in login.client.received()] == ["presence", "message"]


def test_xep0198_9_1_stanzas_count_from_the_first_on():
    here = world()
    login = by_password(here, JULIET, bind(MANAGED))
    assert sm(login, "enabled").get("resume") == "true"
    login.client.send(f"<presence/>{ROSTER}<r xmlns='{NS_SM}'/>")
    assert login.client.received()[-1] == Element(NS_SM, "a", {"h": "2"})


def test_xep0198_9_2_a_stream_is_resumed_with_the_login_and_goes_on():
    here = world()
    name, jid = cut_off(here)
    here.online(f"{ROMEO}/orchard").send(chat(JULIET, "missed"))
    login = by_password(here, JULIET, resume(name, 1) + bind())  # it had its own presence
    assert login.jid == jid
    assert [e.name for e in login.success.elements()] == ["authorization-identifier", "resumed"]
    assert [element.name for element in login.answers[1:]] == ["message", "r"]
    login.client.send(chat(ROMEO, "back"))
    assert login.client.received() == []


# §3.2: what waits


def test_xep0386_3_2_what_is_in_the_archive_is_not_sent_from_the_offline_store():
    here = world()
    romeo = here.online(f"{ROMEO}/orchard")
    romeo.send(chat(JULIET, "archived"))
    romeo.send(
        f"<message to='{JULIET}' type='chat'><body>secret</body>"
        "<no-permanent-store xmlns='urn:xmpp:hints'/></message>"
    )
    login = by_password(here, JULIET, bind())
    login.client.send("<presence/>")
    assert login.client.bodies() == ["secret"]  # nobody else has it


def test_xep0386_3_2_but_it_waits_until_somebody_has_read_it():
    here = world()
    here.online(f"{ROMEO}/orchard").send(chat(JULIET, "archived"))
    login = by_password(here, JULIET, bind())
    login.client.send("<presence/>")
    login.client.cut()
    old = here.login(f"{JULIET}/old")
    old.send("<presence/>")
    assert old.bodies() == ["archived"]


def test_xep0386_3_2_what_was_read_in_the_archive_waits_no_more():
    here = world()
    here.online(f"{ROMEO}/orchard").send(chat(JULIET, "archived"))
    login = by_password(here, JULIET, bind())
    login.client.send("<presence/>")
    login.client.send("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>")
    assert [e.name for e in login.client.received()][-2:] == ["message", "iq"]
    login.client.leave()
    old = here.login(f"{JULIET}/old")
    old.send("<presence/>")
    assert old.bodies() == []


def test_xep0386_3_2_who_never_reads_the_archive_keeps_room_for_what_comes():
    here = world(offline=Offline(messages=4))
    romeo = here.online(f"{ROMEO}/orchard")
    for number in range(4):
        romeo.send(chat(JULIET, str(number)))
    by_password(here, JULIET, bind()).client.leave()
    assert len(here.memory.kept[JID.parse(JULIET)].offline) == 2
    old = here.login(f"{JULIET}/old")
    old.send("<presence/>")
    assert old.bodies() == ["2", "3"]


def test_what_came_after_the_session_began_is_delivered():
    here = world()
    login = by_password(here, JULIET, bind())
    here.online(f"{ROMEO}/orchard").send(chat(JULIET, "between"))
    login.client.send("<presence/>")
    assert login.client.bodies() == ["between"]


def test_who_binds_as_of_old_gets_what_waits():
    here = world()
    here.online(f"{ROMEO}/orchard").send(chat(JULIET, "waits"))
    old = here.login(f"{JULIET}/old")
    old.send("<presence/>")
    assert old.bodies() == ["waits"]


def test_stanzas_that_come_with_the_request_are_taken_after_it():
    here = world()
    client: Client = here.connect()
    client.send(
        HEADER.format(domain="example.org") + plain(BIND, "juliet", "secret") + ROSTER + "<presence/>"
    )
    names = [element.name for element in client.received()]
    assert names == ["features", "success", "features", "iq", "presence"]
