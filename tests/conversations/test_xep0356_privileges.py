"""XEP-0356: a component does in the name of accounts what the operator allows it, and nothing else."""

import pytest

from commonroom.protocol.jid import JID
from tests.conversations.components import (
    ComponentWorld,
    Connected,
    admitted,
    component,
    privileges,
    with_components,
)
from tests.conversations.world import condition

DOMAIN = "pubsub.capulet.lit"
ALL = privileges("both", message=True, presence="roster", pubsub="both", jabber_iq_private="both")
ROSTER_GET = (
    "<iq id='r1' from='pubsub.capulet.lit' to='{to}' type='get'><query xmlns='jabber:iq:roster'/></iq>"
)
ROSTER_SET = (
    "<iq id='r2' from='pubsub.capulet.lit' to='{to}' type='set'><query xmlns='jabber:iq:roster'>"
    "<item jid='nurse@example.com' name='Nurse'><group>Servants</group></item></query></iq>"
)
MESSAGE = (
    "<message from='pubsub.capulet.lit' to='{server}' id='notif1'><privilege xmlns='urn:xmpp:privilege:2'>"
    "<forwarded xmlns='urn:xmpp:forward:0'>{inside}</forwarded></privilege></message>"
)
INSIDE = (
    "<message from='{sender}' id='foo' to='{to}' type='chat' xmlns='jabber:client'><body>Wrapped</body>"
    "</message>"
)
SUBSCRIBE = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='n' jid='{jid}'/></pubsub>"


def privileged_iq(
    inside: str, to: str = "juliet@capulet.lit", kind: str = "set", sender: str = DOMAIN
) -> str:
    return (
        f"<iq from='{sender}' to='{to}' type='{kind}' id='priv_iq_1'>"
        f"<privileged_iq xmlns='urn:xmpp:privilege:2'>{inside}</privileged_iq></iq>"
    )


def inner(
    to: str | None = "romeo@montague.lit",
    kind: str = "set",
    namespace: str = "jabber:client",
    sender: str | None = None,
    payload: str = SUBSCRIBE.format(jid="juliet@capulet.lit"),
) -> str:
    addresses = (f" to='{to}'" if to else "") + (f" from='{sender}'" if sender else "")
    return f"<iq xmlns='{namespace}' type='{kind}' id='sub_1'{addresses}>{payload}</iq>"


def world(allowed: object = ALL, **more: object) -> ComponentWorld:
    settings = with_components(
        ("capulet.lit", "montague.lit"),
        pubsub_capulet_lit=component(allowed),  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )
    return ComponentWorld("juliet@capulet.lit", "nurse@capulet.lit", "romeo@montague.lit", settings=settings)


def refused(connected: Connected, stanza: str) -> str | None:
    return condition(connected.ask(stanza))


def listed(here: ComponentWorld, account: str = "juliet@capulet.lit") -> list[str]:
    user = here.core.users.find(JID.parse(account))
    return [] if user is None else sorted(item.jid for item in user.roster.listed())


# What is not allowed


@pytest.mark.parametrize(
    ("allowed", "request_"),
    [
        (privileges(), ROSTER_GET),
        (privileges(), ROSTER_SET),
        (privileges("set"), ROSTER_GET),
        (privileges("get"), ROSTER_SET),
        (privileges(message=True, pubsub="both", presence="managed_entity"), ROSTER_GET),
    ],
)
def test_xep0356_4_3_a_roster_that_may_not_be_asked_or_changed_is_forbidden(allowed: object, request_: str):
    here = world(allowed)
    here.online("juliet@capulet.lit/balcony")
    connected = admitted(here, DOMAIN)
    assert refused(connected, request_.format(to="juliet@capulet.lit")) == "forbidden"
    assert refused(connected, request_.format(to="nobody@capulet.lit")) == "forbidden"
    assert listed(here) == []


@pytest.mark.parametrize("request_", [ROSTER_GET, ROSTER_SET])
def test_xep0356_4_3_rosters_of_another_domain_are_forbidden(request_: str):
    connected = admitted(world(), DOMAIN)
    assert refused(connected, request_.format(to="romeo@montague.lit")) == "forbidden"


def test_xep0356_4_3_a_roster_of_nobody():
    connected = admitted(world(), DOMAIN)
    assert refused(connected, ROSTER_GET.format(to="nobody@capulet.lit")) == "service-unavailable"


def test_xep0356_4_3_others_at_the_components_domain_get_what_strangers_get():
    connected = admitted(world(), DOMAIN)
    stanza = ROSTER_GET.replace("from='pubsub", "from='somebody@pubsub").format(to="juliet@capulet.lit")
    assert refused(connected, stanza) == "service-unavailable"


@pytest.mark.parametrize(
    ("allowed", "sender"),
    [
        (privileges(), "juliet@capulet.lit"),
        (privileges("both", pubsub="both"), "juliet@capulet.lit"),
        (ALL, "juliet@capulet.lit/balcony"),
        (ALL, "capulet.lit/x"),
        (ALL, "romeo@montague.lit"),
        (ALL, "montague.lit"),
        (ALL, "pope@vatican.example"),
        (ALL, "pubsub.capulet.lit"),
        (ALL, "nobody@capulet.lit"),
        (ALL, "@"),
    ],
)
def test_xep0356_5_1_messages_of_others_than_accounts_here_are_forbidden(allowed: object, sender: str):
    here = world(allowed)
    romeo = here.online("romeo@montague.lit/orchard")
    connected = admitted(here, DOMAIN)
    inside = INSIDE.format(sender=sender, to="romeo@montague.lit")
    answer = connected.ask(MESSAGE.format(server="capulet.lit", inside=inside))
    assert (answer.name, answer.get("id"), answer.get("from")) == ("message", "notif1", "capulet.lit")
    assert condition(answer) == "forbidden"
    assert romeo.received() == []


def test_xep0356_5_1_a_message_without_from_is_forbidden():
    connected = admitted(world(), DOMAIN)
    inside = INSIDE.replace(" from='{sender}'", "").format(to="romeo@montague.lit")
    assert refused(connected, MESSAGE.format(server="capulet.lit", inside=inside)) == "forbidden"


def test_xep0356_5_1_a_server_that_it_does_not_manage_forbids():
    connected = admitted(world(), DOMAIN)
    inside = INSIDE.format(sender="romeo@montague.lit", to="juliet@capulet.lit")
    assert refused(connected, MESSAGE.format(server="montague.lit", inside=inside)) == "forbidden"


def test_xep0356_5_1_of_a_closed_account_is_forbidden():
    here = world()
    here.online("juliet@capulet.lit/balcony")
    user = here.core.users.find(JID.parse("juliet@capulet.lit"))
    assert user is not None
    user.disabled = True
    connected = admitted(here, DOMAIN)
    inside = INSIDE.format(sender="juliet@capulet.lit", to="romeo@montague.lit")
    assert refused(connected, MESSAGE.format(server="capulet.lit", inside=inside)) == "forbidden"
    assert refused(connected, privileged_iq(inner())) == "forbidden"
    assert refused(connected, ROSTER_GET.format(to="juliet@capulet.lit")) == "forbidden"


@pytest.mark.parametrize(
    "inside",
    ["", "<message xmlns='jabber:server' from='juliet@capulet.lit'/>", "<iq xmlns='jabber:client'/>"],
)
def test_xep0356_5_3_what_wraps_no_message_is_a_bad_request(inside: str):
    connected = admitted(world(), DOMAIN)
    assert refused(connected, MESSAGE.format(server="capulet.lit", inside=inside)) == "bad-request"


def test_rfc6120_8_3_1_an_error_that_wraps_something_is_not_answered():
    connected = admitted(world(), DOMAIN)
    inside = INSIDE.format(sender="juliet@capulet.lit", to="romeo@montague.lit")
    stanza = MESSAGE.format(server="capulet.lit", inside=inside)
    connected.send(stanza.replace("<message ", "<message type='error' ", 1))
    assert connected.received() == []


@pytest.mark.parametrize(
    "to",
    [
        "juliet@capulet.lit/balcony",
        "capulet.lit",
        "nobody@capulet.lit",
        "romeo@montague.lit",
        "x@far.example",
    ],
)
def test_xep0356_6_3_to_must_be_the_bare_address_of_a_managed_account(to: str):
    here = world()
    juliet = here.online("juliet@capulet.lit/balcony")
    connected = admitted(here, DOMAIN)
    assert refused(connected, privileged_iq(inner(), to)) == "forbidden"
    assert juliet.received() == []


@pytest.mark.parametrize(
    ("allowed", "kind", "payload"),
    [
        (privileges("both", message=True), "set", SUBSCRIBE),
        (privileges(pubsub="none"), "get", SUBSCRIBE),
        (privileges(pubsub="get"), "set", SUBSCRIBE),
        (privileges(pubsub="set"), "get", SUBSCRIBE),
        (privileges(pubsub="both"), "set", "<query xmlns='jabber:iq:private'/>"),
        (privileges(pubsub="both"), "get", "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'/>"),
    ],
)
def test_xep0356_6_3_namespace_and_type_must_be_allowed(allowed: object, kind: str, payload: str):
    here = world(allowed)
    romeo = here.online("romeo@montague.lit/orchard")
    connected = admitted(here, DOMAIN)
    stanza = privileged_iq(inner("romeo@montague.lit/orchard", kind, payload=payload), kind=kind)
    assert refused(connected, stanza) == "forbidden"
    assert romeo.received() == []


@pytest.mark.parametrize("namespace", ["jabber:server", "jabber:component:accept", "urn:xmpp:privilege:2"])
def test_xep0356_6_3_what_is_wrapped_must_be_of_jabber_client(namespace: str):
    connected = admitted(world(), DOMAIN)
    assert refused(connected, privileged_iq(inner(namespace=namespace))) == "forbidden"


@pytest.mark.parametrize("sender", ["nurse@capulet.lit", "juliet@capulet.lit/balcony", "capulet.lit", "@"])
def test_xep0356_6_3_from_must_be_absent_or_be_to(sender: str):
    connected = admitted(world(), DOMAIN)
    assert refused(connected, privileged_iq(inner(sender=sender))) == "forbidden"


@pytest.mark.parametrize("kind", ["get", "result", "error", "x", ""])
def test_xep0356_6_3_both_types_must_be_the_same(kind: str):
    connected = admitted(world(), DOMAIN)
    assert refused(connected, privileged_iq(inner(kind=kind))) == "forbidden"


@pytest.mark.parametrize(
    "inside", ["", "<message xmlns='jabber:client'/>", inner() + inner(), inner(payload="")]
)
def test_rfc6120_8_2_3_what_wraps_no_request_is_a_bad_request(inside: str):
    connected = admitted(world(), DOMAIN)
    assert refused(connected, privileged_iq(inside)) == "bad-request"


def test_xep0356_6_3_a_user_cannot_wrap_anything():
    here = world()
    juliet = here.online("juliet@capulet.lit/balcony")
    stanza = privileged_iq(inner(), "nurse@capulet.lit").replace(f" from='{DOMAIN}'", "")
    assert condition(juliet.ask(stanza)) == "service-unavailable"
    inside = INSIDE.format(sender="nurse@capulet.lit", to="romeo@montague.lit")
    stanza = MESSAGE.replace(" from='pubsub.capulet.lit'", "").format(server="capulet.lit", inside=inside)
    assert condition(juliet.ask(stanza)) == "service-unavailable"
