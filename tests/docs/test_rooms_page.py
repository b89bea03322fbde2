"""The examples of docs/rooms.md are configurations, and do what the page says."""

import re
from pathlib import Path

import pytest

from commonroom.config import Settings, parse
from commonroom.features.muc.policy import Groups, NamePolicy
from commonroom.protocol.errors import StanzaError
from commonroom.protocol.jid import JID

PAGE = Path(__file__).parents[2] / "docs" / "rooms.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
DOMAINS = 'domains = ["example.org", "staff.example.org"]\n'


def settings(text: str) -> Settings:
    return parse(DOMAINS + text, PAGE)


def policy() -> NamePolicy:
    made = settings("\n".join(EXAMPLES))
    groups = {name: group.members for name, group in made.rooms.groups.items()}
    everybody = {**groups, "maths": ("gauss@example.org",)}
    return NamePolicy(made.rooms, Groups(everybody), frozenset(made.domains))


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_copied(example: str) -> None:
    assert settings(example).rooms.classes


@pytest.mark.parametrize(
    ("name", "maker", "facts"),
    [
        ("maths-sup-algebra-3", "gauss@example.org", {"persistent": True, "members_only": True}),
        ("course-algebra", "noether@example.org", {"public": True, "members_only": False, "logging": True}),
        ("call-monday", "porter@example.org", {"moderated": True, "logging": False}),
        ("tea", "somebody@example.org", {"persistent": False, "public": False}),
    ],
)
def test_each_room_begins_as_the_page_says(name: str, maker: str, facts: dict[str, bool]) -> None:
    begun = policy().may_create(name, JID.parse(maker))
    assert {fact: getattr(begun.config, fact) for fact in facts} == facts


@pytest.mark.parametrize(
    "name",
    ["maths-sup-1", "m\u0430ths-sup-1", "course-algebra", "call-monday", "staff-tea", "staff-common-room"],
)
def test_nobody_else_makes_them(name: str) -> None:
    with pytest.raises(StanzaError):
        policy().may_create(name, JID.parse("somebody@example.org"))


def test_the_staff_belongs_to_its_room() -> None:
    begun = policy().declared("staff-common-room")
    assert begun.members == (JID.parse("staff.example.org"),)
    assert (begun.config.members_only, begun.config.public, begun.config.persistent) == (True, False, True)
