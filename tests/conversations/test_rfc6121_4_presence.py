"""RFC 6121 §4.2, §4.4, §4.5, §4.7: presence that is broadcast, and who sees it."""

import pytest

from tests.conversations.world import Client, World, condition

CAPS = (
    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://psi-im.org' "
    "ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/>"
)


@pytest.fixture
def world() -> World:
    """Romeo and Juliet are contacts of each other; the nurse sees Juliet; Tybalt is nobody's contact."""
    world = World(*(f"{who}@example.org" for who in ("romeo", "juliet", "nurse", "tybalt")))
    world.befriend("romeo@example.org", "juliet@example.org")
    nurse, juliet = world.online("nurse@example.org/setup"), world.online("juliet@example.org/setup")
    nurse.send("<presence to='juliet@example.org' type='subscribe'/>")
    juliet.send("<presence to='nurse@example.org' type='subscribed'/>")
    nurse.leave()
    juliet.leave()
    return world


@pytest.fixture
def romeo(world: World) -> Client:
    return world.online("romeo@example.org/orchard")


# Errors


@pytest.mark.parametrize("kind", ["available", "", "UNAVAILABLE", "invisible"])
def test_rfc6121_4_7_1_an_unknown_type_is_a_bad_request(world: World, romeo: Client, kind: str):
    juliet = world.login("juliet@example.org/balcony")
    answer = juliet.ask(f"<presence type='{kind}' id='p1'/>")
    assert (answer.get("id"), condition(answer)) == ("p1", "bad-request")
    assert romeo.received() == []


@pytest.mark.parametrize(
    "priority", ["x", "1.0", "1_0", "\u0661", "128", "-129", "1e1", "9" * 5000, "1 1", "--1"]
)
def test_rfc6121_4_7_2_3_a_priority_that_is_none_is_a_bad_request(world: World, romeo: Client, priority: str):
    """The presence is not broadcast; a resource that was available stays as it was."""
    juliet = world.login("juliet@example.org/balcony")
    answer = juliet.ask(f"<presence id='p1'><priority>{priority}</priority></presence>")
    assert (answer.get("id"), condition(answer)) == ("p1", "bad-request")
    romeo.send("<message to='juliet@example.org' type='headline'><body>1</body></message>")
    juliet.send("<presence><priority>1</priority></presence>")
    juliet.received()
    juliet.send(f"<presence><show>away</show><priority>{priority}</priority></presence>")
    romeo.send("<message to='juliet@example.org' type='headline'><body>2</body></message>")
    assert juliet.bodies() == ["2"]
    assert romeo.told() == ["available juliet@example.org/balcony"]


@pytest.mark.parametrize(
    "to", ["", " to='romeo@example.org'", " to='nobody@example.org'", " to='example.org'"]
)
def test_rfc6121_4_3_a_probe_is_no_reason_for_an_error(world: World, to: str):
    """ "MUST NOT use its receipt … as the sole cause for returning a stanza or stream error"."""
    tybalt = world.online("tybalt@example.org/x")
    tybalt.send(f"<presence type='probe' id='p1'{to}/>")
    assert tybalt.received() == []
    assert not tybalt.closed


@pytest.mark.parametrize("to", ["", " to='juliet@example.org'", " to='juliet@example.org/balcony'"])
def test_rfc6120_8_3_1_a_presence_error_is_not_answered(world: World, romeo: Client, to: str):
    juliet = world.online("juliet@example.org/balcony")
    romeo.received()
    romeo.send(f"<presence type='error'{to}><error type='cancel'/></presence>")
    assert romeo.received() == []
    assert len(juliet.received()) == bool(to)


# §4.2 Initial presence


def test_rfc6121_4_2_2_initial_presence_reaches_subscribers_and_the_own_resources(
    world: World, romeo: Client
):
    chamber = world.online("juliet@example.org/chamber")
    nurse, tybalt = world.online("nurse@example.org/x"), world.online("tybalt@example.org/x")
    connected = world.login("romeo@example.org/connected")
    juliet = world.login("juliet@example.org/balcony")
    for client in (romeo, chamber, nurse):
        client.received()
    juliet.send(f"<presence id='p1' xml:lang='it'><show>chat</show><status>qui</status>{CAPS}</presence>")
    copies = [(romeo, "romeo@example.org"), (nurse, "nurse@example.org"), (chamber, "juliet@example.org")]
    for client, to in copies:
        presence = client.one()
        assert presence.attributes == {
            "from": "juliet@example.org/balcony",
            "to": to,
            "id": "p1",
            "xml:lang": "it",
        }
        assert [child.name for child in presence.elements()] == ["show", "status", "c"]
        assert presence.elements()[2].get("ver") == "q07IKJEyjvHSyhy//CH0CxmKi8w="
    assert "available juliet@example.org/balcony" in juliet.told()
    assert tybalt.received() == connected.received() == []


def test_rfc6121_4_2_2_a_new_resource_learns_who_is_there(world: World, romeo: Client):
    """Of the user's own resources and of the contacts whom the user sees, each as it last was."""
    romeo.send(f"<presence id='r2'><show>away</show>{CAPS}</presence>")
    world.online("romeo@example.org/foo", priority=-1)
    world.online("nurse@example.org/x")  # Juliet does not see her
    world.login("romeo@example.org/connected")
    chamber = world.online("juliet@example.org/chamber")
    chamber.received()
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence/>")
    got = juliet.received()
    assert sorted(presence.get("from", "") for presence in got) == [
        "juliet@example.org/balcony",
        "juliet@example.org/chamber",
        "romeo@example.org/foo",
        "romeo@example.org/orchard",
    ]
    (orchard,) = (presence for presence in got if presence.get("from") == "romeo@example.org/orchard")
    assert orchard.get("id") == "r2"
    assert [child.name for child in orchard.elements()] == ["show", "c"]
    assert chamber.told() == ["available juliet@example.org/balcony"]


def test_rfc6121_4_2_2_one_who_is_merely_connected_sees_nothing(world: World):
    juliet = world.login("juliet@example.org/balcony")
    romeo = world.online("romeo@example.org/orchard")
    romeo.leave()
    assert juliet.received() == []


# §4.4 Subsequent presence


def test_rfc6121_4_4_2_an_update_reaches_the_same_and_brings_nothing_new(world: World, romeo: Client):
    chamber, juliet = world.online("juliet@example.org/chamber"), world.online("juliet@example.org/balcony")
    romeo.received()
    chamber.received()
    juliet.send("<presence id='p2'><show>dnd</show><priority> +5\n</priority></presence>")
    for client in (romeo, chamber, juliet):
        presence = client.one()
        assert (presence.get("from"), presence.get("id")) == ("juliet@example.org/balcony", "p2")
        assert presence.child_text("jabber:client", "priority") == " +5\n"


# §4.5 Unavailable presence


def test_rfc6121_4_5_2_unavailable_presence_reaches_all_that_saw_the_resource(world: World, romeo: Client):
    """And the leaving resource itself."""
    chamber, juliet = world.online("juliet@example.org/chamber"), world.online("juliet@example.org/balcony")
    nurse, tybalt = world.online("nurse@example.org/x"), world.online("tybalt@example.org/x")
    for client in (romeo, chamber, nurse):
        client.received()
    juliet.send("<presence type='unavailable' id='p9'><status>bye</status></presence>")
    for client in (romeo, chamber, nurse, juliet):
        presence = client.one()
        assert (presence.get("type"), presence.get("from")) == ("unavailable", "juliet@example.org/balcony")
        assert presence.get("id") == "p9"
        assert presence.child_text("jabber:client", "status") == "bye"
    assert tybalt.received() == []


@pytest.mark.parametrize("how", [Client.leave, Client.cut])
def test_rfc6121_4_5_2_who_goes_without_a_word_is_made_unavailable(world: World, romeo: Client, how):
    chamber, juliet = world.online("juliet@example.org/chamber"), world.online("juliet@example.org/balcony")
    romeo.received()
    chamber.received()
    how(juliet)
    assert romeo.told() == chamber.told() == ["unavailable juliet@example.org/balcony"]


@pytest.mark.parametrize("how", [Client.leave, Client.cut])
def test_rfc6121_4_5_2_who_said_goodbye_leaves_in_silence(world: World, romeo: Client, how):
    juliet = world.online("juliet@example.org/balcony")
    juliet.send("<presence type='unavailable'/>")
    romeo.received()
    juliet.send("<presence type='unavailable'/>")
    how(juliet)
    assert romeo.received() == []


def test_rfc6121_4_5_2_one_who_was_never_available_leaves_in_silence(world: World, romeo: Client):
    juliet = world.login("juliet@example.org/balcony")
    juliet.send("<presence type='unavailable'/>")
    juliet.leave()
    assert romeo.received() == juliet.received() == []


def test_rfc6121_4_5_2_presence_after_unavailable_begins_a_new_presence_session(world: World, romeo: Client):
    juliet = world.online("juliet@example.org/balcony")
    juliet.send("<presence type='unavailable'/>")
    juliet.received()
    romeo.received()
    juliet.send("<presence/>")
    assert romeo.told() == ["available juliet@example.org/balcony"]
    assert juliet.told() == ["available juliet@example.org/balcony", "available romeo@example.org/orchard"]


def test_rfc6121_4_5_3_after_unavailable_nothing_for_the_bare_address_arrives(world: World, romeo: Client):
    juliet = world.online("juliet@example.org/balcony")
    juliet.send("<presence type='unavailable'/>")
    juliet.received()
    romeo.send("<presence><show>away</show></presence>")
    romeo.send("<message to='juliet@example.org' type='headline'><body>1</body></message>")
    assert juliet.received() == []
    romeo.send("<message to='juliet@example.org/balcony' type='chat'><body>2</body></message>")
    assert juliet.bodies() == ["2"]


# §4.7.2.3 Priority


@pytest.mark.parametrize(
    ("priority", "is_reachable"),
    [("", True), ("<priority/>", True), ("<priority>0</priority>", True), ("<priority>127</priority>", True)]
    + [(f"<priority>{n}</priority>", False) for n in ("-1", "-128")]
    + [("<priority xmlns='urn:other'>-1</priority>", True)],
)
def test_rfc6121_4_7_2_3_priority_decides_who_gets_messages(world: World, priority: str, is_reachable: bool):
    juliet, tybalt = world.login("juliet@example.org/balcony"), world.login("tybalt@example.org/x")
    juliet.send(f"<presence>{priority}</presence>")
    juliet.received()
    tybalt.send("<message to='juliet@example.org' type='headline'><body>1</body></message>")
    assert juliet.bodies() == (["1"] if is_reachable else [])


def test_rfc6121_4_7_2_3_a_changed_priority_counts_at_once(world: World):
    tybalt = world.login("tybalt@example.org/x")
    balcony, chamber = (world.online(f"juliet@example.org/{r}", 1) for r in ("balcony", "chamber"))

    def reached() -> list[bool]:
        balcony.received()
        chamber.received()
        tybalt.send("<message to='juliet@example.org' type='chat'><body>1</body></message>")
        return [bool(balcony.bodies()), bool(chamber.bodies())]

    assert reached() == [True, True]
    balcony.send("<presence><priority>2</priority></presence>")
    assert reached() == [True, False]
    chamber.send("<presence><priority>3</priority></presence>")
    assert reached() == [False, True]
    chamber.send("<presence type='unavailable'/>")
    assert reached() == [True, False]
    balcony.send("<presence><priority>-1</priority></presence>")
    assert reached() == [False, False]
    chamber.send("<presence/>")
    assert chamber.bodies() == ["1"]
    balcony.cut()
    assert reached() == [False, True]
