"""XEP-0463: MUC Affiliations Versioning."""

import re

import pytest

from commonroom.features.muc.affiliation_versions import MOST_ITEMS, read_version, version_text
from commonroom.features.muc.affiliations import Affiliation
from commonroom.features.muc.room import Room
from tests.features.muc.coven import CRONE, HAG, HIDDEN, OPEN, WICCA, Coven

MAV = "urn:xmpp:muc:affiliations:1"


def enter(coven: Coven, sender: str, since: str | None) -> list[str]:
    attribute = "" if since is None else f" since='{since}'"
    coven.enter(sender, sender.split("@")[0], f"<mav xmlns='{MAV}'{attribute}/>")
    return [stanza.xml() for stanza in coven.effects.stanzas() if stanza.to == sender]


def version(room: Room) -> str:
    return version_text(room, room.version)


def test_xep0463_5_2_3_who_may_not_have_the_lists_gets_an_error_and_is_inside():
    told = enter(Coven(HIDDEN), HAG, None)
    assert "<message type='error'" in told[0]
    assert "forbidden" in told[0]
    assert not any(MAV in text for text in told[1:])


@pytest.mark.parametrize("text", ["", "1", "1-", "1-0000", "-1-x", "9" * 50, "²-x", "1_0-x"])
def test_xep0463_5_2_1_a_version_that_we_never_said_gets_everything(text: str):
    coven = Coven()
    assert read_version(coven.room, text) is None
    told = enter(coven, CRONE, text)
    assert told[0].count("<item ") == 3
    assert "since=" not in told[0]


def test_xep0463_5_2_1_the_answer_comes_before_any_presence_and_the_version_with_the_self_presence():
    coven = Coven()
    told = enter(coven, HAG, None)
    assert told[0].startswith("<message to='hag66@shakespeare.lit/pda' from='coven@chat.shakespeare.lit'>")
    assert f"<mav xmlns='{MAV}' until='{version(coven.room)}'/>" in told[0]
    assert f"<mav xmlns='{MAV}' until='{version(coven.room)}'/>" in told[1]
    assert told[1].startswith("<presence")


def test_xep0463_5_2_1_who_knows_the_current_version_gets_nothing():
    coven = Coven()
    assert all("<message to" not in text for text in enter(coven, HAG, version(coven.room))[:1])


def test_xep0463_5_2_1_what_changed_since():
    coven = Coven()
    before = version(coven.room)
    coven.admin(CRONE, "<item jid='hecate@shakespeare.lit' affiliation='member'/>")
    coven.admin(CRONE, "<item jid='wiccarocks@shakespeare.lit' affiliation='none'/>")
    told = enter(coven, CRONE, before)[0]
    assert f"since='{before}' until='{version(coven.room)}'" in told
    assert re.findall(r"jid='(\w+)@[^']+' affiliation='(\w+)'", told) == [
        ("hecate", "member"),
        ("wiccarocks", "none"),
    ]


def test_xep0463_5_2_3_outcasts_are_for_admins():
    coven = Coven()
    coven.admin(CRONE, "<item jid='hecate@shakespeare.lit' affiliation='outcast'/>")
    assert "hecate" in enter(coven, WICCA, None)[0]
    assert "hecate" not in enter(coven, HAG, None)[0]


def test_xep0463_6_a_difference_does_not_tell_who_was_banned():
    coven = Coven()
    before = version(coven.room)
    coven.admin(CRONE, "<item jid='x@y' affiliation='member'/>")
    assert "since=" in enter(coven, HAG, before)[0]
    coven.hears(HAG, "<presence type='unavailable' to='room/x'/>")
    for affiliation in ("outcast", "none"):
        coven.admin(CRONE, f"<item jid='hecate@shakespeare.lit' affiliation='{affiliation}'/>")
        told = enter(coven, HAG, before)[0]
        assert "since=" not in told
        assert "hecate" not in told
        coven.hears(HAG, "<presence type='unavailable' to='room/x'/>")


def test_long_lists_are_split():
    lists = {f"u{n}@x": Affiliation.MEMBER for n in range(MOST_ITEMS + 1)} | {
        "crone1@shakespeare.lit": Affiliation.OWNER
    }
    told = enter(Coven(lists=lists), CRONE, None)
    assert [text.count("jid='u") + text.count("jid='crone1@shakespeare.lit' aff") for text in told[:2]] == [
        100,
        2,
    ]


def test_xep0463_5_2_2_changes_say_their_versions():
    coven = Coven(OPEN).everybody()
    before = version(coven.room)
    coven.admin(CRONE, "<item jid='wiccarocks@shakespeare.lit' affiliation='member'/>")
    element = f"<mav xmlns='{MAV}' since='{before}' until='{version(coven.room)}'/>"
    assert [element in stanza.xml() for stanza in coven.effects.stanzas()] == [False, True, True, True]


def test_xep0463_5_2_2_not_to_those_who_see_no_addresses():
    coven = Coven(HIDDEN).everybody()
    coven.admin(CRONE, "<item jid='wiccarocks@shakespeare.lit' affiliation='owner'/>")
    assert all(MAV not in stanza.xml() for stanza in coven.effects.stanzas() if stanza.to == HAG)


def test_who_was_asked_for_less_than_we_remember_gets_everything():
    coven = Coven()
    text = version(coven.room)
    coven.room.version = coven.room.complete_from = 5
    assert read_version(coven.room, text) is None
    assert read_version(coven.room, version_text(coven.room, 6)) is None
