"""UTS #39: a nickname that looks like another one's is a conflict (XEP-0045 §7.2.8, §7.6)."""

import pytest

from tests.features.muc.coven import CRONE, HAG, HECATE, Coven

# Cyrillic letters, a capital I for an l, a digit, another case, full width, and rn for m.
ALIKE = [
    ("Alice", "\u0410lice"),
    ("Alice", "AIice"),
    ("Alice", "A1ice"),
    ("Alice", "ALICE"),
    ("Alice", "\uff21lice"),
    ("Malcolm", "Malcolrn"),
    ("scope", "\u0455\u0441\u043e\u0440\u0435"),
]


@pytest.mark.parametrize(("one", "other"), [*ALIKE, *[(other, one) for one, other in ALIKE]])
def test_xep0045_7_2_8_a_nickname_like_that_of_an_occupant_is_a_conflict(one: str, other: str):
    coven = Coven()
    coven.enter(CRONE, one)
    [refusal] = coven.enter(HAG, other)
    assert refusal.endswith("cancel conflict")


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_xep0045_7_2_8_or_like_one_that_is_reserved(one: str, other: str):
    coven = Coven()
    coven.enter(CRONE, "firstwitch")
    coven.admin(CRONE, f"<item jid='wyrd@shakespeare.lit' affiliation='member' nick='{one}'/>")
    assert coven.enter(HECATE, other)[0].endswith("cancel conflict")
    assert not coven.enter("wyrd@shakespeare.lit/x", other)[0].endswith("conflict")


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_xep0045_7_6_nor_may_one_change_to_it(one: str, other: str):
    coven = Coven()
    coven.enter(CRONE, one)
    coven.enter(HAG, "thirdwitch")
    assert coven.hears(HAG, f"<presence to='room/{other}'/>") == [f"hag66/pda < {other}: cancel conflict"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ian", "Lan"), ("Anna", "Ana"), ("Jose", "José"), ("Bob", "Rob"), ("\u0410\u043d\u043d\u0430", "Anna")],
)
def test_what_looks_different_is_different(one: str, other: str):
    coven = Coven()
    coven.enter(CRONE, one)
    assert not coven.enter(HAG, other)[0].endswith("conflict")


def test_whose_nickname_it_is_may_change_how_it_is_written():
    coven = Coven()
    coven.enter(CRONE, "Alice")
    told = coven.hears(CRONE, "<presence to='room/AIice'/>")
    assert not told[0].endswith("conflict")
    # The former one is not free: it looks like the new one.
    assert coven.enter(HAG, "Alice")[0].endswith("conflict")
    coven.hears(CRONE, "<presence to='room/Crone'/>")
    assert not coven.enter(HAG, "Alice")[0].endswith("conflict")


def test_two_reserved_nicknames_that_look_alike_are_each_their_owners():
    coven = Coven()
    coven.enter(CRONE, "firstwitch")
    for jid, nick in (("one@x", "Alice"), ("two@x", "AIice")):
        coven.room.reserve(nick, coven.room.address.of(jid.partition("@")[0], "x"))
    assert not coven.enter("one@x/a", "Alice")[0].endswith("conflict")
