"""RFC 6121 §2.1 to §2.5: what a client asks of its own roster, and what it is told."""

from dataclasses import replace

import pytest

from commonroom.config.schema import Roster
from commonroom.xml.names import NS_ROSTER
from tests.conversations.world import Client, World, condition, with_options

GET = "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>"


def change(item: str, to: str = "") -> str:
    """A roster set."""
    return f"<iq type='set' id='s'{to and f' to={to!r}'}><query xmlns='jabber:iq:roster'>{item}</query></iq>"


def interested(world: World, jid: str) -> Client:
    """A client that gets roster pushes, but is not available."""
    client = world.login(jid)
    client.ask(GET)
    return client


def items(client: Client) -> list[dict[str, str]]:
    """The roster as the client gets it."""
    query = client.ask(GET).only_child()
    assert query is not None
    return [item.attributes for item in query.elements()]


# §2.3.3 Error cases


LIMITS = replace(Roster(), items=3, groups_per_item=2, name_length=5, group_length=4)


@pytest.mark.parametrize(
    ("item", "error"),
    [
        ("", "bad-request"),
        ("<item jid='a@example.org'/><item jid='b@example.org'/>", "bad-request"),
        ("<contact jid='a@example.org'/>", "bad-request"),
        ("<item xmlns='urn:other' jid='a@example.org'/>", "bad-request"),
        ("<item jid='a@example.org'><group>x</group><group>x</group></item>", "bad-request"),
        ("<item jid='a@example.org' name='123456'/>", "not-acceptable"),
        ("<item jid='a@example.org'><group/></item>", "not-acceptable"),
        ("<item jid='a@example.org'><group>12345</group></item>", "not-acceptable"),
        (
            f"<item jid='a@example.org'>{''.join(f'<group>{n}</group>' for n in '123')}</item>",
            "not-acceptable",
        ),
        ("<item/>", "jid-malformed"),
        ("<item jid=''/>", "jid-malformed"),
        ("<item jid='@example.org'/>", "jid-malformed"),
        ("<item jid='juliet@example.org'/>", "not-allowed"),
        ("<item jid='Juliet@EXAMPLE.org/chamber' subscription='remove'/>", "not-allowed"),
        ("<item jid='nobody@example.org' subscription='remove'/>", "item-not-found"),
    ],
)
def test_rfc6121_2_3_3_a_set_that_breaks_a_rule_is_refused_and_changes_nothing(item: str, error: str):
    world = World("juliet@example.org", settings=with_options(roster=LIMITS))
    juliet = interested(world, "juliet@example.org/balcony")
    answer = juliet.ask(change(item))
    assert (answer.get("type"), answer.get("id"), condition(answer)) == ("error", "s", error)
    assert items(juliet) == []


@pytest.mark.parametrize("to", ["romeo@example.org", "nobody@example.org"])
@pytest.mark.parametrize("request_", [GET, change("<item jid='a@example.org'/>")])
def test_rfc6121_2_3_3_nobody_reads_or_changes_a_foreign_roster(to: str, request_: str):
    """service-unavailable instead of forbidden: strangers must not learn which accounts exist (§8.5.1)."""
    world = World("juliet@example.org", "romeo@example.org")
    romeo = interested(world, "romeo@example.org/orchard")
    juliet = world.login("juliet@example.org/balcony")
    answer = juliet.ask(request_.replace("<iq", f"<iq to='{to}'"))
    assert condition(answer) == "service-unavailable"
    assert romeo.received() == []
    assert items(romeo) == []


def test_rfc6121_2_3_3_a_contact_may_not_read_or_change_the_roster_either():
    world = World("juliet@example.org", "romeo@example.org")
    world.befriend("juliet@example.org", "romeo@example.org")
    juliet = world.login("juliet@example.org/balcony")
    for request in (GET, change("<item jid='a@example.org'/>")):
        answer = juliet.ask(request.replace("<iq", "<iq to='romeo@example.org'"))
        assert condition(answer) == "service-unavailable"


def test_rfc6121_2_3_3_the_roster_is_the_accounts_not_the_servers():
    world = World("juliet@example.org")
    juliet = world.login("juliet@example.org/balcony")
    answer = juliet.ask(change("<item jid='a@example.org'/>", to="example.org"))
    assert condition(answer) == "service-unavailable"


def test_rfc6121_2_3_3_a_full_roster_takes_no_more_and_still_lets_its_items_be_changed():
    world = World("juliet@example.org", settings=with_options(roster=LIMITS))
    juliet = interested(world, "juliet@example.org/balcony")
    for name in "abc":
        juliet.send(change(f"<item jid='{name}@example.org'/>"))
    assert condition(juliet.ask(change("<item jid='d@example.org'/>"))) == "not-acceptable"
    for kind in ("subscribe", "subscribed"):
        assert condition(juliet.ask(f"<presence to='d@example.org' type='{kind}'/>")) == "not-acceptable"
    juliet.send(change("<item jid='c@example.org' name='C'/>"))
    assert juliet.told() == ["push c@example.org none", "iq result s"]
    juliet.send(change("<item jid='c@example.org' subscription='remove'/>"))
    juliet.received()
    juliet.send(change("<item jid='d@example.org'/>"))
    assert juliet.told() == ["push d@example.org none", "iq result s"]


# §2.1.3, §2.1.4, §2.2


def test_rfc6121_2_1_4_an_empty_roster_is_a_query_without_items():
    juliet = World("juliet@example.org").login("juliet@example.org/balcony")
    answer = juliet.ask(GET)
    query = answer.only_child()
    assert query is not None
    assert (answer.get("type"), query.namespace, query.name) == ("result", NS_ROSTER, "query")
    assert query.get("ver")  # §2.6.3: the server SHOULD include it even where the client does not
    assert query.elements() == []


@pytest.mark.parametrize("to", ["", " to='juliet@example.org'", " to='JULIET@Example.Org'"])
def test_rfc6121_2_1_3_the_roster_is_read_without_to_or_at_the_own_bare_address(to: str):
    juliet = World("juliet@example.org").login("juliet@example.org/balcony")
    answer = juliet.ask(GET.replace("<iq", f"<iq{to}"))
    assert (answer.get("type"), answer.get("id")) == ("result", "g")
    assert answer.get("to") in (None, "juliet@example.org/balcony")
    assert answer.get("from") in (None, "juliet@example.org")  # RFC 6120 §8.1.2.1, rule 3


def test_rfc6121_2_1_5_only_remove_counts_of_what_a_client_says_of_the_subscription():
    """Nor may clients write `ask` and `approved` (§2.1.2.1, §2.1.2.2)."""
    world = World("juliet@example.org")
    juliet = interested(world, "juliet@example.org/balcony")
    juliet.send(change("<item jid='a@example.org' subscription='both' ask='subscribe' approved='true'/>"))
    assert items(juliet) == [{"jid": "a@example.org", "subscription": "none"}]


# §2.3.2, §2.4, §2.5


def test_rfc6121_2_3_2_an_added_item_is_pushed_to_all_interested_resources_and_to_no_other():
    world = World("juliet@example.org", "romeo@example.org")
    balcony, chamber = (interested(world, f"juliet@example.org/{r}") for r in ("balcony", "chamber"))
    garden = world.login("juliet@example.org/garden")
    garden.send("<presence/>")
    romeo = interested(world, "romeo@example.org/orchard")
    garden.received()
    balcony.send(change("<item jid='nurse@example.org' name='Nurse'><group>b</group><group>a</group></item>"))
    push, result = balcony.received()
    assert (result.get("type"), result.get("id")) == ("result", "s")
    other = chamber.one()
    for iq, address in ((push, "juliet@example.org/balcony"), (other, "juliet@example.org/chamber")):
        assert iq.get("type") == "set"
        assert iq.get("id")
        assert iq.get("to") == address
        assert iq.get("from") in (None, "juliet@example.org")
        query = iq.only_child()
        assert query is not None
        assert query.get("ver")
        (item,) = query.elements()
        assert item.attributes == {"jid": "nurse@example.org", "name": "Nurse", "subscription": "none"}
        assert sorted(group.text() for group in item.elements()) == ["a", "b"]
    assert garden.received() == romeo.received() == []


@pytest.mark.parametrize("answer", ["<iq type='result' id='{}'/>", "<iq type='error' id='{}'/>", ""])
def test_rfc6121_2_1_6_the_answer_to_a_push_is_not_answered(answer: str):
    juliet = interested(World("juliet@example.org"), "juliet@example.org/balcony")
    juliet.send(change("<item jid='a@example.org'/>"))
    push, _ = juliet.received()
    for to in ("", " to='juliet@example.org'", " to='example.org'"):
        juliet.send(answer.format(push.get("id")).replace("<iq", f"<iq{to}"))
    assert juliet.received() == []


def test_rfc6121_2_3_2_the_address_is_normalised_and_without_resource():
    juliet = interested(World("juliet@example.org"), "juliet@example.org/balcony")
    for address in ("Nurse@EXAMPLE.org/kitchen", "nurse@example.org"):
        juliet.send(change(f"<item jid='{address}'/>"))
    assert items(juliet) == [{"jid": "nurse@example.org", "subscription": "none"}]


def test_rfc6121_2_3_2_a_domain_can_be_a_contact():
    juliet = interested(World("juliet@example.org"), "juliet@example.org/balcony")
    juliet.send(change("<item jid='pubsub.example.org'/>"))
    assert items(juliet) == [{"jid": "pubsub.example.org", "subscription": "none"}]


def test_rfc6121_2_4_1_an_item_is_as_the_last_set_says():
    """Deleting groups and the handle is done by leaving them out; an empty name is none."""
    juliet = interested(World("juliet@example.org"), "juliet@example.org/balcony")
    seen = []
    for item in (
        "<item jid='a@example.org' name='A'><group>x</group><group>y</group></item>",
        "<item jid='a@example.org' name='A'><group>y</group></item>",
        "<item jid='a@example.org' name='B'/>",
        "<item jid='a@example.org' name=''/>",
    ):
        juliet.send(change(item))
        push, _ = juliet.received()
        shown = push.elements()[0].elements()[0]
        seen.append((shown.get("name"), [group.text() for group in shown.elements()]))
    assert seen == [("A", ["x", "y"]), ("A", ["y"]), ("B", []), (None, [])]


def test_rfc6121_2_4_1_names_and_groups_are_opaque():
    juliet = interested(World("juliet@example.org"), "juliet@example.org/balcony")
    group = "<group> g&lt;\r\n</group>"
    juliet.send(change(f"<item jid='a@example.org' name=' &lt;A&amp;&apos;&#9;'>{group}</item>"))
    item = juliet.received()[0].elements()[0].elements()[0]
    assert item.get("name") == " <A&'\t"
    assert item.elements()[0].text() == " g<\n"  # XML makes one line feed of the two characters


def test_rfc6121_2_5_2_a_removed_item_is_pushed_as_removed():
    world = World("juliet@example.org")
    balcony, chamber = (interested(world, f"juliet@example.org/{r}") for r in ("balcony", "chamber"))
    balcony.send(change("<item jid='a@example.org'/>"))
    balcony.received()
    chamber.received()
    balcony.send(change("<item jid='a@example.org/x' name='n' subscription='remove'/>"))
    assert balcony.told() == ["push a@example.org remove", "iq result s"]
    assert chamber.told() == ["push a@example.org remove"]
    assert items(balcony) == []
    answer = balcony.ask(change("<item jid='a@example.org' subscription='remove'/>"))
    assert condition(answer) == "item-not-found"


def test_rfc6121_2_a_roster_outlives_a_restart():
    world = World("juliet@example.org")
    juliet = interested(world, "juliet@example.org/balcony")
    juliet.send(change("<item jid='a@example.org' name='A'><group>x</group></item>"))
    juliet.send(change("<item jid='b@example.org'/>"))
    juliet.send(change("<item jid='b@example.org' subscription='remove'/>"))
    world.restart()
    again = world.login("juliet@example.org/balcony")
    assert items(again) == [{"jid": "a@example.org", "name": "A", "subscription": "none"}]


def test_rfc6121_2_2_a_new_session_of_the_same_resource_is_not_interested_until_it_asks():
    world = World("juliet@example.org")
    interested(world, "juliet@example.org/balcony")
    balcony = world.login("juliet@example.org/balcony")
    chamber = interested(world, "juliet@example.org/chamber")
    chamber.send(change("<item jid='a@example.org'/>"))
    assert balcony.received() == []
