"""Whose names of rooms are whose (docs/rooms.md)."""

from collections.abc import Mapping

import pytest

from commonroom.config.rooms import DeclaredRoom, RoomClass, Rooms, WhoCreates
from commonroom.features.muc.policy import Groups, NamePolicy
from commonroom.protocol.errors import StanzaError
from commonroom.protocol.jid import JID

ALICE = JID.parse("alice@example.org")
BOB = JID.parse("bob@maths.example.org/desk")
EVE = JID.parse("eve@elsewhere.example")
GROUPS: Mapping[str, tuple[str, ...]] = {"maths": ("*@maths.example.org", "carol@example.org"), "staff": ()}
MATHS = RoomClass(names=("maths-*",), creators=("@maths",), moderators=("@maths",), members_only=True)


def policy(**options: object) -> NamePolicy:
    local = frozenset(("example.org", "maths.example.org"))
    return NamePolicy(Rooms(**options), Groups(GROUPS), local)  # type: ignore[arg-type]


def refusal(names: NamePolicy, name: str, who: JID = ALICE) -> str:
    with pytest.raises(StanzaError) as caught:
        names.may_create(name, who)
    return caught.value.condition


def test_strangers_make_no_rooms() -> None:
    assert refusal(policy(), "tea", EVE) == "not-allowed"


def test_only_those_who_are_named_make_rooms() -> None:
    names = policy(create=WhoCreates.CREATORS, creators=("@maths", "dora@example.org"))
    assert refusal(names, "tea", ALICE) == "not-allowed"
    assert names.may_create("tea", BOB)
    assert names.may_create("tea", JID.parse("dora@example.org/x"))


def test_nobody_makes_rooms_where_that_is_so() -> None:
    assert refusal(policy(create=WhoCreates.NOBODY), "tea") == "not-allowed"


def test_names_of_a_class_are_for_its_people() -> None:
    names = policy(classes={"maths": MATHS})
    assert refusal(names, "maths-algebra") == "not-allowed"
    begun = names.may_create("maths-algebra", BOB)
    assert begun.kind == "maths"
    assert begun.config.members_only
    assert begun.admins == (JID.parse("carol@example.org"), JID.parse("maths.example.org"))
    assert names.may_create("algebra", ALICE).kind == ""


@pytest.mark.parametrize("name", ["m\u0430ths-algebra", "m\u03b1ths-x", "rnaths-x"])
def test_uts39_4_what_looks_like_a_class_is_refused(name: str) -> None:
    assert refusal(policy(classes={"maths": MATHS}), name, BOB) == "not-acceptable"
    assert policy(classes={"maths": MATHS}, look_alikes=True).may_create(name, ALICE)


@pytest.mark.parametrize("name", ["admin", "\u0430dmin", "the-official", "the-officia1"])
def test_forbidden_names_and_what_looks_like_them_are_nobodys(name: str) -> None:
    assert refusal(policy(forbidden=("Admin", "*-official")), name) == "not-acceptable"


def test_names_have_a_length() -> None:
    names = policy(shortest_name=3, longest_name=5)
    assert refusal(names, "ab") == refusal(names, "abcdef") == "not-acceptable"
    assert names.may_create("abc", ALICE)


def test_declared_rooms_are_the_services() -> None:
    names = policy(declared={"Hall": DeclaredRoom(title="The hall", members=("@maths",))})
    assert refusal(names, "hall") == "not-allowed"
    assert refusal(names, "ha11") == "not-acceptable"
    begun = names.declared("Hall")
    assert (begun.config.name, begun.config.persistent) == ("The hall", True)
    assert JID.parse("maths.example.org") in begun.members


def test_a_group_without_members_is_nobody() -> None:
    assert (
        refusal(policy(create=WhoCreates.CREATORS, creators=("@staff", "@unknown")), "tea") == "not-allowed"
    )
