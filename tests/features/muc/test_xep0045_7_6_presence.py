"""XEP-0045 §7.6, §7.7, §7.14, §11, §17.3, §18.1.2: nicknames, status, leaving, and those who are gone."""

import pytest

from commonroom.features.muc import leaving
from commonroom.features.muc.affiliations import Role
from commonroom.features.muc.effects import RoomDestroyed
from commonroom.protocol.jid import JID
from tests.features.muc.coven import CRONE, HAG, HECATE, HIDDEN, WICCA, Coven, to

PHONE = "hag66@shakespeare.lit/phone"


def change(coven: Coven, sender: str, nick: str, more: str = "") -> list[str]:
    return coven.hears(sender, f"<presence id='ifd1c35' to='room/{nick}'>{more}</presence>")


@pytest.mark.parametrize("nick", ["firstwitch", "FIRSTWITCH"])
def test_xep0045_7_6_a_nickname_in_use_is_a_conflict(nick: str):
    assert change(Coven().everybody(), HAG, nick) == [f"hag66/pda < {nick}: cancel conflict"]


def test_xep0045_7_6_a_reserved_nickname_is_a_conflict():
    coven = Coven().everybody()
    coven.admin(CRONE, "<item affiliation='member' jid='hecate@shakespeare.lit' nick='hecate'/>")
    assert change(coven, HAG, "hecate") == ["hag66/pda < hecate: cancel conflict"]


def test_xep0045_7_6_a_locked_nickname_is_not_changed():
    coven = Coven(lock_nicks=True).everybody()
    coven.admin(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit' nick='thirdwitch'/>")
    assert change(coven, HAG, "oldhag") == ["hag66/pda < oldhag: modify not-acceptable"]


def test_xep0045_7_6_two_presences_for_each():
    coven = Coven().everybody()
    told = change(coven, HAG, "oldhag")
    for who in (CRONE, WICCA):
        assert to(told, who) == [
            "thirdwitch: gone member/participant jid=hag66/pda nick=oldhag 303",
            "oldhag: member/participant jid=hag66/pda",
        ]
    assert to(told, HAG) == [
        "thirdwitch: gone member/participant jid=hag66/pda nick=oldhag 110 303",
        "oldhag: member/participant jid=hag66/pda 110",
    ]


def test_xep0045_7_6_nobody_learns_an_address_by_a_new_nickname():
    coven = Coven(HIDDEN).everybody()
    coven.enter(HECATE, "hecate")
    assert to(change(coven, HAG, "oldhag"), HECATE) == [
        "thirdwitch: gone member/participant nick=oldhag 303",
        "oldhag: member/participant",
    ]


def test_xep0045_7_6_letters_of_ones_own_nickname_may_change_their_case():
    assert (
        to(change(Coven().everybody(), HAG, "ThirdWitch"), CRONE)[-1]
        == "ThirdWitch: member/participant jid=hag66/pda"
    )


def test_xep0045_7_6_all_clients_of_an_occupant_have_the_new_nickname():
    coven = Coven().everybody()
    coven.enter(PHONE, "thirdwitch")
    told = change(coven, HAG, "oldhag")
    assert len(to(told, PHONE)) == 2
    assert len(coven.room.occupants["oldhag"].sessions) == 2
    assert to(coven.say(PHONE, "x"), CRONE) == ["oldhag: body='x'"]


def test_xep0045_7_6_who_is_inside_twice_may_become_one():
    coven = Coven().everybody()
    coven.enter(PHONE, "oldhag")
    told = change(coven, PHONE, "thirdwitch")
    assert to(told, CRONE) == [
        "oldhag: gone member/participant jid=hag66/phone nick=thirdwitch 303",
        "thirdwitch: member/participant jid=hag66/phone",
    ]
    assert list(coven.room.occupants["thirdwitch"].sessions) == [HAG, PHONE]


def test_xep0045_7_6_who_gets_another_nickname_than_was_asked_for_is_told():
    coven = Coven().everybody()
    coven.enter(PHONE, "oldhag")
    assert to(change(coven, HAG, "OldHag"), HAG)[-1].endswith("110 210")
    assert to(change(coven, HAG, "hag"), HAG)[-1].endswith(" 110")


def test_xep0045_7_7_status_changes_are_passed_along():
    coven = Coven(HIDDEN).everybody()
    coven.enter(HECATE, "hecate")
    told = change(coven, HAG, "thirdwitch", "<show>xa</show><status>gone</status>")
    assert to(told, CRONE) == ["thirdwitch: xa gone member/participant jid=hag66/pda"]
    assert to(told, HECATE) == ["thirdwitch: xa gone member/participant"]
    assert to(told, HAG) == ["thirdwitch: xa gone member/participant jid=hag66/pda 110"]
    assert "thirdwitch: xa gone member/participant" in to(coven.enter("late@x/y", "late"), "late@x/y")


def test_xep0045_7_7_a_role_that_is_not_shown_has_no_status_for_others():
    coven = Coven(presence_broadcast=frozenset((Role.MODERATOR,))).everybody()
    assert change(coven, HAG, "thirdwitch", "<show>xa</show>") == [
        "hag66/pda < thirdwitch: xa member/participant jid=hag66/pda 110"
    ]


def test_xep0045_17_3_probes_are_answered_to_occupants():
    coven = Coven(HIDDEN).everybody()
    assert coven.hears(CRONE, "<presence type='probe' to='room/thirdwitch'/>") == [
        "crone1/desktop < thirdwitch: member/participant jid=hag66/pda"
    ]
    assert coven.hears(HAG, "<presence type='probe' to='room/firstwitch'/>") == [
        "hag66/pda < firstwitch: owner/moderator"
    ]
    assert coven.hears(HAG, "<presence type='probe' to='room/thirdwitch'/>")[0].endswith("110")
    assert coven.hears(HECATE, "<presence type='probe' to='room/thirdwitch'/>") == []
    assert coven.hears(HAG, "<presence type='probe' to='room/nobody'/>") == []


# Leaving


def leave(coven: Coven, sender: str, more: str = "") -> list[str]:
    return coven.hears(sender, f"<presence type='unavailable' to='room/x'>{more}</presence>")


def test_xep0045_17_3_who_is_not_inside_cannot_leave():
    coven = Coven().everybody()
    assert leave(coven, HECATE) == []
    assert len(coven.room.occupants) == 3


def test_xep0045_7_14_the_one_who_leaves_is_told_first():
    coven = Coven(HIDDEN).everybody()
    coven.enter(HECATE, "hecate")
    assert leave(coven, HAG, "<status>gone where the goblins go</status>") == [
        "hag66/pda < thirdwitch: gone gone where the goblins go member/none jid=hag66/pda 110",
        "hecate/broom < thirdwitch: gone gone where the goblins go member/none",
        "crone1/desktop < thirdwitch: gone gone where the goblins go member/none jid=hag66/pda",
        "wiccarocks/laptop < thirdwitch: gone gone where the goblins go member/none jid=hag66/pda",
    ]


def test_xep0045_7_14_one_of_several_clients_leaves():
    coven = Coven().everybody()
    coven.enter(PHONE, "thirdwitch")
    told = leave(coven, PHONE)
    assert to(told, PHONE) == ["thirdwitch: gone member/none jid=hag66/phone 110"]
    assert to(told, CRONE) == ["thirdwitch: member/participant jid=hag66/pda"]
    assert to(told, HAG) == ["thirdwitch: member/participant jid=hag66/pda 110"]
    assert JID.parse(PHONE) not in coven.room.by_address


def test_xep0045_7_14_a_client_that_nobody_saw_leaves_without_a_word():
    coven = Coven().everybody()
    coven.enter(PHONE, "thirdwitch", more="<priority>-5</priority>")
    assert leave(coven, PHONE) == ["hag66/phone < thirdwitch: gone member/none jid=hag66/phone 110"]


def test_xep0045_7_14_a_temporary_room_ends_with_its_last_occupant():
    coven = Coven(persistent=False)
    coven.enter(CRONE, "firstwitch")
    leave(coven, CRONE)
    assert coven.effects.has_ended
    assert coven.effects.writes == [RoomDestroyed()]


def test_xep0045_7_14_a_persistent_room_stays():
    coven = Coven()
    coven.enter(CRONE, "firstwitch")
    leave(coven, CRONE)
    assert not coven.effects.has_ended


def test_xep0045_10_1_3_a_room_whose_owner_leaves_before_it_is_configured_is_destroyed():
    coven = Coven.new()
    coven.enter(CRONE, "firstwitch")
    assert leave(coven, CRONE) == [
        "crone1/desktop < firstwitch: gone owner/none jid=crone1/desktop destroyed 110"
    ]
    assert coven.effects.has_ended


# Those who are gone


def error(kind: str, condition: str, to: str = "room/firstwitch") -> str:
    return (
        f"<{kind} type='error' id='e' to='{to}'><error type='cancel'>"
        f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></{kind}>"
    )


@pytest.mark.parametrize("kind", ["message", "presence"])
@pytest.mark.parametrize("condition", sorted(leaving.GONE))
def test_xep0045_18_1_2_who_cannot_be_reached_is_removed(kind: str, condition: str):
    coven = Coven().everybody()
    told = coven.hears(HAG, error(kind, condition))
    assert told == [
        "hag66/pda < thirdwitch: gone member/none jid=hag66/pda 110 333",
        "crone1/desktop < thirdwitch: gone member/none jid=hag66/pda 333",
        "wiccarocks/laptop < thirdwitch: gone member/none jid=hag66/pda 333",
    ]


def test_xep0045_18_1_2_another_error_removes_nobody():
    coven = Coven().everybody()
    assert coven.hears(HAG, error("message", "not-acceptable")) == []
    assert coven.hears(HAG, "<message type='error' to='room/firstwitch'/>") == []
    assert len(coven.room.occupants) == 3


def test_xep0045_18_1_2_an_error_that_may_mean_a_block_has_the_client_asked():
    coven = Coven().everybody()
    assert coven.hears(HAG, error("message", "service-unavailable")) == []
    assert coven.effects.doubtful == [HAG]


def test_xep0045_18_1_2_an_error_from_a_server_about_an_account_has_the_clients_asked():
    coven = Coven().everybody()
    assert coven.hears("hag66@shakespeare.lit", error("presence", "remote-server-not-found")) == []
    assert coven.effects.doubtful == [HAG]
    coven.hears("nobody@shakespeare.lit", error("presence", "remote-server-not-found"))
    assert coven.effects.doubtful == []


def test_xep0045_11_1_the_service_drops_somebody():
    coven = Coven().everybody()
    effects = leaving.drop(coven.room, JID.parse(HAG), coven.now)
    assert len(list(effects.stanzas())) == 3
    assert not leaving.drop(coven.room, JID.parse(HAG), coven.now).send


def test_xep0045_11_2_all_are_told_of_a_shutdown_each_of_itself():
    coven = Coven().everybody()
    effects = leaving.shut_down(coven.room)
    assert [(s.to, s.sender.resource if s.sender else "") for s in effects.stanzas()] == [
        (CRONE, "firstwitch"),
        (WICCA, "secondwitch"),
        (HAG, "thirdwitch"),
    ]
    assert all("code='110'/><status code='332'" in s.xml() for s in effects.stanzas())
    assert not coven.room.by_address


def test_xep0045_7_6_only_who_changes_to_a_nickname_of_their_own_hears_that_it_is_themselves():
    """Two nicknames of one user become one: the client that had it already has not changed."""
    coven = Coven().everybody()
    coven.enter(PHONE, "oldhag")
    told = change(coven, PHONE, "thirdwitch")
    gone = "oldhag: gone member/participant jid=hag66/phone nick=thirdwitch"
    assert to(told, PHONE)[0] == f"{gone} 110 303"
    assert to(told, HAG)[0] == f"{gone} 303"
    assert to(told, CRONE)[0] == f"{gone} 303"
    assert to(told, PHONE)[1:] == to(told, HAG)[1:] == ["thirdwitch: member/participant jid=hag66/phone 110"]
    assert len(coven.room.occupants["thirdwitch"].sessions) == 2


def test_xep0045_7_6_nor_does_a_semi_anonymous_room_tell_more_to_the_clients_of_one_user():
    coven = Coven(HIDDEN).everybody()
    coven.enter(PHONE, "oldhag")
    told = change(coven, PHONE, "thirdwitch")
    assert to(told, HAG)[0] == "oldhag: gone member/participant nick=thirdwitch 303"
    assert to(told, CRONE)[0] == "oldhag: gone member/participant jid=hag66/phone nick=thirdwitch 303"
