"""The table [components]: what does not fit is refused, with the option and what to write instead."""

from pathlib import Path

import pytest

from commonroom.config import ConfigError
from commonroom.config.components import Allowed, AllowedPresence
from commonroom.config.load import parse

NAME = "pubsub.capulet.lit"
HEAD = f'domains = ["capulet.lit", "montague.lit"]\n[components.domains."{NAME}"]\nsecret = "s"\n'
PRIVILEGES = f'[components.domains."{NAME}".privileges]\n'


def faults(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, Path("commonroom.toml"))
    return str(caught.value)


@pytest.mark.parametrize(
    "namespace",
    ["urn:xmpp:delegation:2", "urn:xmpp:delegation:2::x", "urn:xmpp:delegation:2:bare:disco#info:x"],
)
def test_xep0355_8_the_namespace_of_delegation_is_not_delegated(namespace: str) -> None:
    text = faults(f'{HEAD}[components.domains."{NAME}".delegations."{namespace}"]\n')
    assert f'components.domains."{NAME}".delegations."{namespace}": this namespace is never delegated' in text


def test_a_namespace_of_one_domain_has_one_owner() -> None:
    table = '[components.domains."{0}"]\nsecret = "s"\n[components.domains."{0}".delegations."urn:x"]\n'
    text = 'domains = ["capulet.lit"]\n' + table.format("a.capulet.lit") + table.format("b.capulet.lit")
    assert "a.capulet.lit has it already; remove one of the two (commonroom.toml:7)" in faults(text)
    other = text.replace('"capulet.lit"]', '"capulet.lit", "montague.lit"]').replace(
        "b.capulet", "b.montague"
    )
    assert parse(other, Path("commonroom.toml")).components.domains


@pytest.mark.parametrize("roster", ["none", "set"])
def test_xep0356_7_4_presence_of_contacts_needs_the_right_to_read_rosters(roster: str) -> None:
    text = faults(f'{HEAD}{PRIVILEGES}roster = "{roster}"\npresence = "roster"\n')
    assert 'privileges.presence: "roster" shows who is a contact of whom; write roster = "get"' in text


@pytest.mark.parametrize("roster", ["none", "set"])
def test_xep0356_4_1_pushes_need_the_right_to_read_rosters(roster: str) -> None:
    text = faults(f'{HEAD}{PRIVILEGES}roster = "{roster}"\nroster_push = true\n')
    assert "privileges.roster_push: it cannot be told of what it may not read" in text


@pytest.mark.parametrize(
    ("roster", "push", "expected"),
    [
        ("none", "", False),
        ("get", "", True),
        ("set", "", False),
        ("both", "", True),
        ("both", "roster_push = false", False),
        ("set", "roster_push = false", False),
    ],
)
def test_xep0356_4_1_pushes_are_the_default_for_who_may_read(roster: str, push: str, expected: bool) -> None:
    settings = parse(f'{HEAD}{PRIVILEGES}roster = "{roster}"\n{push}\n', Path("commonroom.toml"))
    assert settings.components.domains[NAME].privileges.pushes is expected


def test_a_component_manages_the_nearest_domain_above_it() -> None:
    text = HEAD.replace('"capulet.lit"', '"lit", "capulet.lit"').replace(NAME, "a.pubsub.capulet.lit")
    component = parse(text, Path("commonroom.toml")).components.domains["a.pubsub.capulet.lit"]
    assert component.managed("a.pubsub.capulet.lit", ("lit", "capulet.lit")) == ("capulet.lit",)
    assert component.managed("other.example", ("lit", "capulet.lit")) == ()


def test_a_component_that_is_below_none_says_whom_it_manages() -> None:
    text = (HEAD + PRIVILEGES + 'message = "outgoing"\n').replace(NAME, "pubsub.example")
    assert "it is below no domain with accounts; write manages" in faults(text)
    said = text.replace('secret = "s"\n', 'secret = "s"\nmanages = ["montague.lit"]\n')
    component = parse(said, Path("commonroom.toml")).components.domains["pubsub.example"]
    assert component.managed("pubsub.example", ("capulet.lit", "montague.lit")) == ("montague.lit",)


def test_whom_it_manages_has_accounts_here() -> None:
    text = faults(HEAD + 'manages = ["far.example", "capulet.lit"]\n')
    assert "manages: far.example is not in domains; correct one of them" in text


def test_all_of_it() -> None:
    text = f"""{HEAD}{PRIVILEGES}roster = "both"
message = "outgoing"
presence = "roster"
[components.domains."{NAME}".privileges.iq."http://jabber.org/protocol/pubsub"]
allow = "set"
[components.domains."{NAME}".delegations."urn:xmpp:mam:2"]
attributes = ["node"]
[components.domains."{NAME}".delegations."urn:xmpp:delegation:2:bare:disco#items:*"]
"""
    component = parse(text, Path("commonroom.toml")).components.domains[NAME]
    allowed = component.privileges
    assert (allowed.roster, allowed.presence) == (Allowed.BOTH, AllowedPresence.ROSTER)
    assert allowed.iq["http://jabber.org/protocol/pubsub"].allow is Allowed.SET
    assert component.delegations["urn:xmpp:mam:2"].attributes == ("node",)
