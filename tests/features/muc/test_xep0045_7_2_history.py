"""XEP-0045 §7.2.13 to §7.2.15: discussion history and the subject; XEP-0334: hints."""

import pytest

from commonroom.features.muc.history import MOST_CHARACTERS
from commonroom.protocol.delay import NS_DELAY
from tests.features.muc.coven import CRONE, HAG, HECATE, HIDDEN, ROOM, Coven, to

LINES = ["Thrice the brinded cat hath mew'd.", "Thrice and once the hedge-pig whined.", "Harpier cries"]


@pytest.fixture
def coven() -> Coven:
    coven = Coven()
    coven.enter(CRONE, "firstwitch")
    for line in LINES:
        coven.say(CRONE, line)
        coven.wait(60)
    return coven


def history(coven: Coven, wish: str) -> list[str]:
    told = to(coven.enter(HAG, "thirdwitch", wish), HAG)
    return [text.split("=", 1)[1].removesuffix(" delayed").strip("'\"") for text in told if "body=" in text]


@pytest.mark.parametrize(
    "wish",
    ["", "<history/>", "<history maxstanzas='many'/>", "<history seconds='-1'/>", "<history since='today'/>"],
)
def test_xep0045_7_2_14_what_is_no_limit_limits_nothing(coven: Coven, wish: str):
    assert history(coven, wish) == LINES


@pytest.mark.parametrize(
    ("wish", "count"),
    [
        ("maxchars='0'", 0),
        ("maxchars='65000'", 3),
        ("maxstanzas='0'", 0),
        ("maxstanzas='2'", 2),
        ("maxstanzas='20'", 3),
        ("seconds='60'", 1),
        ("seconds='180'", 3),
        ("since='1970-01-01T00:00:00Z'", 3),
        ("since='2002-10-13T23:59:37Z'", 2),
        ("since='2002-10-14T00:59:37+01:00'", 2),
        ("since='2042-10-13T23:59:37Z'", 0),
        ("since='1970-01-01T00:00:00Z' maxstanzas='1'", 1),
        ("seconds='180' since='2002-10-14T00:00:37Z'", 1),
    ],
)
def test_xep0045_7_2_14_the_smallest_amount_that_was_asked_for(coven: Coven, wish: str, count: int):
    assert history(coven, f"<history {wish}/>") == LINES[len(LINES) - count :]


def test_xep0045_7_2_14_maxchars_counts_complete_stanzas(coven: Coven):
    sizes = [
        len(s.xml())
        for s in coven.send(
            HAG, "<presence to='room/t'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        )
        if "body" in s.xml()
    ]
    coven.hears(HAG, "<presence type='unavailable' to='room/t'/>")
    assert history(coven, f"<history maxchars='{sum(sizes[1:])}'/>") == LINES[1:]
    coven.hears(HAG, "<presence type='unavailable' to='room/thirdwitch'/>")
    assert history(coven, f"<history maxchars='{sum(sizes[1:]) - 1}'/>") == LINES[2:]


def test_xep0045_7_2_13_stamps_are_from_the_room_itself(coven: Coven):
    coven.enter(HAG, "thirdwitch")
    delays = [stanza.child(NS_DELAY, "delay") for stanza in coven.effects.stanzas()]
    assert [(d.get("from"), d.get("stamp")) for d in delays if d is not None] == [
        (str(ROOM), "2002-10-13T23:58:37Z"),
        (str(ROOM), "2002-10-13T23:59:37Z"),
        (str(ROOM), "2002-10-14T00:00:37Z"),
    ]


def test_xep0045_7_2_13_the_configuration_limits_the_history():
    coven = Coven(history_length=2)
    coven.enter(CRONE, "firstwitch")
    for line in LINES:
        coven.say(CRONE, line)
    assert history(coven, "") == LINES[1:]


def test_history_is_bounded_in_characters():
    coven = Coven(history_length=100)
    coven.enter(CRONE, "firstwitch")
    for _ in range(10):
        coven.say(CRONE, "x" * (MOST_CHARACTERS // 5))
    assert len(coven.room.history) == 4


@pytest.mark.parametrize("hint", ["no-store", "no-permanent-store"])
def test_xep0334_4_hinted_messages_are_in_no_history_and_no_archive(hint: str):
    coven = Coven(logging=True)
    coven.enter(CRONE, "firstwitch")
    told = coven.say(CRONE, "psst", f"<{hint} xmlns='urn:xmpp:hints'/>")
    assert told == ["crone1/desktop < firstwitch: body='psst'"]
    assert not coven.room.history
    assert not coven.effects.archive


def test_xep0334_4_4_a_hint_to_store_is_heeded():
    coven = Coven(logging=True)
    coven.enter(CRONE, "firstwitch")
    coven.hears(CRONE, "<message type='groupchat'><e xmlns='e'/><store xmlns='urn:xmpp:hints'/></message>")
    assert len(coven.effects.archive) == len(coven.room.history) == 1


def test_chat_states_are_not_kept():
    coven = Coven(logging=True)
    coven.enter(CRONE, "firstwitch")
    coven.hears(
        CRONE,
        "<message type='groupchat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
    )
    assert not coven.effects.archive
    assert not coven.room.history


def test_xep0045_7_2_15_without_a_subject_there_is_an_empty_one():
    assert Coven().enter(HAG, "thirdwitch")[-1] == "hag66/pda < room: subject=''"


def test_xep0045_7_2_15_a_cleared_subject_is_stamped():
    coven = Coven()
    coven.enter(CRONE, "firstwitch")
    coven.hears(CRONE, "<message type='groupchat'><subject>x</subject></message>")
    coven.hears(CRONE, "<message type='groupchat'><subject/></message>")
    assert coven.enter(HAG, "thirdwitch")[-1] == "hag66/pda < firstwitch: subject='' delayed"


def test_xep0045_7_2_13_the_subject_is_no_part_of_the_history():
    coven = Coven()
    coven.enter(CRONE, "firstwitch")
    coven.hears(CRONE, "<message type='groupchat'><subject>x</subject></message>")
    coven.say(CRONE, "Thrice")
    assert to(coven.enter(HAG, "thirdwitch"), HAG)[-2:] == [
        "firstwitch: body='Thrice' delayed",
        "firstwitch: subject='x' delayed",
    ]


def test_a_real_address_is_not_in_the_history_of_a_semi_anonymous_room():
    coven = Coven(HIDDEN)
    coven.enter(HECATE, "hecate")
    coven.say(
        HECATE,
        "x",
        "<delay xmlns='urn:xmpp:delay' from='hecate@shakespeare.lit' stamp='2002-10-13T23:58:37Z'/>"
        "<addresses xmlns='http://jabber.org/protocol/address'>"
        "<address type='ofrom' jid='crone1@shakespeare.lit'/></addresses>",
    )
    coven.enter(HAG, "thirdwitch")
    for stanza in [stanza for stanza in coven.effects.stanzas() if stanza.to == HAG]:
        assert "hecate@" not in stanza.xml()
        assert "crone1@" not in stanza.xml()
