"""XEP-0356 §7: a component sees presence as far as the operator allows it."""

import pytest

from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Presence, PresenceType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from tests.conversations.components import ComponentWorld, admitted, component, privileges, with_components
from tests.conversations.world import words

DOMAIN = "pubsub.capulet.lit"
MANAGED = privileges(presence="managed_entity")
ROSTER = privileges("get", push=False, presence="roster")
ACCOUNTS = ("juliet@capulet.lit", "nurse@capulet.lit", "romeo@montague.lit")


def world(allowed: object) -> ComponentWorld:
    """It manages capulet.lit; montague.lit stands for another server."""
    settings = with_components(("capulet.lit", "montague.lit"), pubsub_capulet_lit=component(allowed))  # type: ignore[arg-type]
    return ComponentWorld(*ACCOUNTS, settings=settings)


def befriended(allowed: object) -> ComponentWorld:
    here = world(allowed)
    here.befriend("juliet@capulet.lit", "romeo@montague.lit")
    return here


@pytest.mark.parametrize("allowed", [privileges(), privileges("both", message=True, pubsub="both")])
def test_xep0356_7_1_without_the_privilege_no_presence_is_seen(allowed: object):
    here = befriended(allowed)
    connected = admitted(here, DOMAIN)
    connected.received()
    here.online("juliet@capulet.lit/balcony").leave()
    here.online("romeo@montague.lit/orchard")
    assert connected.received() == []


def test_xep0356_7_1_initial_and_unavailable_presence_and_no_other():
    here = world(MANAGED)
    connected = admitted(here, DOMAIN)
    juliet = here.online("juliet@capulet.lit/balcony")
    assert words(connected.one()) == "available juliet@capulet.lit/balcony"
    juliet.send("<presence><show>away</show></presence>")
    juliet.send("<presence to='romeo@montague.lit'/><presence to='romeo@montague.lit' type='subscribe'/>")
    assert connected.received() == []
    juliet.send("<presence type='unavailable'><status>gone</status></presence>")
    gone = connected.one()
    assert words(gone) == "unavailable juliet@capulet.lit/balcony"
    assert gone.child_text(NS_CLIENT, "status") == "gone"
    juliet.cut()
    assert connected.received() == []


def test_xep0356_7_1_a_client_that_is_cut_off_is_seen_to_leave():
    here = world(MANAGED)
    connected = admitted(here, DOMAIN)
    here.online("juliet@capulet.lit/balcony").cut()
    assert [words(e) for e in connected.received()] == [
        "available juliet@capulet.lit/balcony",
        "unavailable juliet@capulet.lit/balcony",
    ]


def test_xep0356_7_1_accounts_of_another_domain_are_not_seen():
    here = befriended(MANAGED)
    connected = admitted(here, DOMAIN)
    here.online("romeo@montague.lit/orchard").leave()
    assert connected.received() == []


def test_xep0356_7_4_contacts_are_seen_once_also_while_nobody_is_there():
    here = befriended(ROSTER)
    here.befriend("nurse@capulet.lit", "romeo@montague.lit")
    connected = admitted(here, DOMAIN)
    romeo = here.online("romeo@montague.lit/orchard")
    assert [words(e) for e in connected.received()] == ["available romeo@montague.lit/orchard"]
    romeo.send("<presence><show>away</show></presence>")
    assert [words(e) for e in connected.received()] == ["available romeo@montague.lit/orchard"]
    romeo.send("<presence><show>away</show></presence>")
    assert connected.received() == []
    romeo.leave()
    assert [words(e) for e in connected.received()] == ["unavailable romeo@montague.lit/orchard"]


def test_xep0356_7_4_contacts_of_accounts_that_have_left_memory_are_seen():
    here = befriended(ROSTER)
    connected = admitted(here, DOMAIN)
    here.restart()
    connected = admitted(here, DOMAIN)
    assert here.core.users.find(JID.parse("juliet@capulet.lit")) is None
    here.online("romeo@montague.lit/orchard")
    assert [words(e) for e in connected.received()] == ["available romeo@montague.lit/orchard"]


def test_xep0356_7_4_managed_accounts_are_seen_too_and_their_changes_if_they_are_contacts():
    here = world(ROSTER)
    connected = admitted(here, DOMAIN)
    nurse = here.online("nurse@capulet.lit/kitchen")
    nurse.send("<presence><show>away</show></presence>")
    assert [words(e) for e in connected.received()] == ["available nurse@capulet.lit/kitchen"]
    nurse.leave()
    connected.received()
    here.befriend("juliet@capulet.lit", "nurse@capulet.lit")
    connected.received()
    nurse = here.online("nurse@capulet.lit/kitchen")
    nurse.send("<presence><show>away</show></presence>")
    assert [words(e) for e in connected.received()] == ["available nurse@capulet.lit/kitchen"] * 2


@pytest.mark.parametrize(
    "presence", ["<presence to='juliet@capulet.lit'/>", "<presence to='nobody@capulet.lit'/>"]
)
def test_xep0356_7_4_strangers_are_not_seen(presence: str):
    here = world(ROSTER)
    connected = admitted(here, DOMAIN)
    here.online("romeo@montague.lit/orchard").send(presence)
    assert connected.received() == []


def test_xep0356_8_a_component_that_connects_later_is_told_of_all_who_are_there():
    here = befriended(ROSTER)
    here.online("juliet@capulet.lit/balcony")
    here.online("romeo@montague.lit/orchard")
    here.online("nurse@capulet.lit/kitchen").leave()
    connected = admitted(here, DOMAIN)
    assert connected.received() == []  # it was told with the rest
    again = admitted(here, DOMAIN)
    connected.die()
    assert sorted(words(e) for e in again.received()) == [
        "available juliet@capulet.lit/balcony",
        "available romeo@montague.lit/orchard",
    ]


def test_xep0356_8_of_many_it_is_told_as_fast_as_it_reads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("commonroom.features.privileged_presence.AT_ONCE", 2)
    here = world(MANAGED)
    for number in range(5):
        here.online(f"juliet@capulet.lit/{number}")
    standby, connected = admitted(here, DOMAIN), admitted(here, DOMAIN)
    standby.die()
    assert len(connected.received()) == 2
    connected.unsent = 2 * 1024 * 1024
    here.advance(0.06)
    assert connected.received() == []
    connected.unsent = 0
    here.advance(0.2)
    assert len(connected.received()) == 3


def test_presence_that_a_component_does_not_read_costs_nobody_else_anything(caplog: pytest.LogCaptureFixture):
    here = world(MANAGED)
    connected = admitted(here, DOMAIN)
    connected.unsent = 2 * 1024 * 1024
    juliet = here.online("juliet@capulet.lit/balcony")
    assert all("error" not in each for each in juliet.told())
    juliet.send("<presence type='unavailable'/><presence/>")
    assert all("error" not in each for each in juliet.told())
    assert [r.message for r in caplog.records].count("a component misses presence") == 1


def test_what_is_remembered_of_contacts_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("commonroom.features.privileged_presence.REMEMBERED", 2)
    here = befriended(ROSTER)
    connected = admitted(here, DOMAIN)
    for number in range(4):
        presence = Presence(
            PresenceType.AVAILABLE,
            JID.parse("juliet@capulet.lit"),
            JID.parse(f"romeo@montague.lit/{number}"),
            children=[Element(NS_CLIENT, "status", None, str(number))],
        )
        here.core.router.tell(presence)
    assert len(connected.received()) == 4
    again = admitted(here, DOMAIN)
    connected.die()
    assert [words(e) for e in again.received()] == [
        "available romeo@montague.lit/2",
        "available romeo@montague.lit/3",
    ]
