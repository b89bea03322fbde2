"""XEP-0045 §7.1, §7.2: entering a room."""

import pytest

from commonroom.features.muc.affiliations import Affiliation, Role
from commonroom.features.muc.entering import MORE_ADMINS, MOST_SESSIONS
from commonroom.features.muc.room import Room
from commonroom.protocol.jid import JID
from tests.features.muc.coven import CRONE, HAG, HECATE, HIDDEN, MUC, WICCA, Coven, to

PLAIN = f"<x xmlns='{MUC}'/>"


def test_xep0045_7_2_1_without_a_nickname_it_is_a_malformed_address():
    assert Coven().hears(HAG, f"<presence>{PLAIN}</presence>") == ["hag66/pda < room: modify jid-malformed"]


@pytest.mark.parametrize("nick", [" ", "\u3000", "\u00a0 ", "\u2800"])
def test_xep0045_17_1_a_nickname_must_be_visible(nick: str):
    told = Coven().enter(HAG, nick)
    assert [text.split(": ")[1] for text in told] == ["modify not-acceptable"]


def test_xep0045_17_3_a_presence_with_a_type_does_not_enter():
    coven = Coven()
    for kind in ("probe", "subscribe", "subscribed", "unsubscribe", "unavailable", "error"):
        assert coven.hears(HAG, f"<presence type='{kind}' to='room/thirdwitch'>{PLAIN}</presence>") == []
    assert not coven.room.occupants


@pytest.mark.parametrize("given", ["", "<password>wrong</password>", "<password/>"])
def test_xep0045_7_2_5_a_wrong_password_is_not_authorized(given: str):
    coven = Coven(password="cauldronburn")
    assert coven.enter(HAG, "thirdwitch", given) == ["hag66/pda < thirdwitch: auth not-authorized"]


def test_xep0045_7_2_6_only_members_enter_a_members_only_room():
    coven = Coven(members_only=True)
    assert coven.enter(HECATE, "hecate") == ["hecate/broom < hecate: auth registration-required"]
    coven.enter(HAG, "thirdwitch")
    assert list(coven.room.occupants) == ["thirdwitch"]


def test_xep0045_7_2_7_banned_users_are_forbidden():
    coven = Coven(lists={"hag66@shakespeare.lit": Affiliation.OUTCAST})
    assert coven.enter(HAG, "thirdwitch") == ["hag66/pda < thirdwitch: auth forbidden"]


def test_xep0045_9_2_a_domain_is_banned_with_all_its_users_but_not_those_who_are_listed():
    coven = Coven(lists={"shakespeare.lit": Affiliation.OUTCAST, "crone1@shakespeare.lit": Affiliation.OWNER})
    assert coven.enter(HAG, "thirdwitch") == ["hag66/pda < thirdwitch: auth forbidden"]
    coven.enter(CRONE, "firstwitch")
    assert list(coven.room.occupants) == ["firstwitch"]


@pytest.mark.parametrize("nick", ["firstwitch", "FirstWitch", "\uff46irstwitch"])
def test_xep0045_7_2_8_a_nickname_in_use_is_a_conflict(nick: str):
    coven = Coven()
    coven.enter(CRONE, "firstwitch")
    assert [text.split(": ")[1] for text in coven.enter(HAG, nick)] == ["cancel conflict"]


def test_xep0045_7_2_8_a_nickname_reserved_for_another_member_is_a_conflict():
    coven = Coven()
    coven.admin(CRONE, "<item affiliation='member' jid='hecate@shakespeare.lit' nick='hecate'/>")
    assert coven.enter(HAG, "Hecate") == ["hag66/pda < Hecate: cancel conflict"]


def test_xep0045_7_2_9_a_full_room_is_unavailable_but_not_to_admins():
    coven = Coven(max_users=1)
    coven.enter(HECATE, "hecate")
    assert coven.enter(HAG, "thirdwitch") == ["hag66/pda < thirdwitch: wait service-unavailable"]
    coven.enter(WICCA, "secondwitch")
    coven.enter(CRONE, "firstwitch")
    assert list(coven.room.occupants) == ["hecate", "secondwitch", "firstwitch"]


def test_xep0045_7_2_9_admins_are_some_reasonable_number_more():
    lists = {f"admin{n}@shakespeare.lit": Affiliation.ADMIN for n in range(MORE_ADMINS + 2)}
    coven = Coven(max_users=1, lists=lists)
    for n in range(MORE_ADMINS + 1):
        coven.enter(f"admin{n}@shakespeare.lit/r", f"admin{n}")
    last = f"admin{MORE_ADMINS + 1}@shakespeare.lit/r"
    assert coven.enter(last, "last")[0].endswith("wait service-unavailable")


def test_xep0045_7_2_10_a_locked_room_is_not_found():
    coven = Coven.new()
    coven.enter(CRONE, "firstwitch")
    assert coven.enter(HAG, "thirdwitch") == ["hag66/pda < thirdwitch: cancel item-not-found"]


def test_rfc6121_4_7_2_3_a_priority_is_a_number():
    told = Coven().enter(HAG, "thirdwitch", more="<priority>high</priority>")
    assert told == ["hag66/pda < thirdwitch: modify bad-request"]


def test_xep0045_7_2_18_a_presence_without_x_from_outside_is_answered_by_a_kick():
    coven = Coven()
    assert coven.hears(HAG, "<presence to='room/thirdwitch'/>") == [
        "hag66/pda < thirdwitch: gone none/none because You are not in the room. 110 307 333"
    ]
    assert not coven.room.occupants


def test_xep0045_7_1_order_of_events():
    coven = Coven()
    coven.enter(CRONE, "firstwitch")
    coven.enter(WICCA, "secondwitch")
    coven.say(CRONE, "Thrice")
    coven.hears(CRONE, "<message type='groupchat' id='s'><subject>Fire</subject></message>")
    assert to(coven.enter(HAG, "thirdwitch"), HAG) == [
        "firstwitch: owner/moderator jid=crone1/desktop",
        "secondwitch: admin/moderator jid=wiccarocks/laptop",
        "thirdwitch: member/participant jid=hag66/pda 100 110",
        "firstwitch: body='Thrice' delayed",
        "firstwitch: subject='Fire' delayed",
    ]


def test_xep0045_7_2_2_the_new_occupant_is_shown_to_all():
    coven = Coven()
    coven.enter(CRONE, "firstwitch")
    told = coven.enter(HAG, "thirdwitch")
    assert to(told, CRONE) == ["thirdwitch: member/participant jid=hag66/pda"]


def test_xep0045_7_2_2_the_self_presence_has_the_id_of_the_request():
    coven = Coven()
    own = coven.send(HAG, f"<presence id='n13mt3l' to='room/thirdwitch'>{PLAIN}</presence>")[0]
    assert own.id == "n13mt3l"


def test_xep0045_7_2_2_the_service_tells_that_it_chose_the_nickname():
    coven = Coven(lock_nicks=True)
    coven.admin(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit' nick='thirdwitch'/>")
    told = coven.enter(HAG, "somebody")
    assert to(told, HAG)[0] == "thirdwitch: member/participant jid=hag66/pda 100 110 210"


def test_xep0045_7_2_2_roles_that_are_not_shown():
    coven = Coven(moderated=True, presence_broadcast=frozenset((Role.MODERATOR, Role.PARTICIPANT)))
    coven.enter(CRONE, "firstwitch")
    told = coven.enter(HECATE, "hecate")
    assert to(told, CRONE) == []
    assert to(told, HECATE)[:2] == [
        "firstwitch: owner/moderator jid=crone1/desktop",
        "hecate: none/visitor jid=hecate/broom 100 110",
    ]
    assert "hecate" not in "".join(to(coven.enter(HAG, "thirdwitch"), HAG))


def test_xep0045_7_2_4_only_moderators_see_addresses_in_a_semi_anonymous_room():
    coven = Coven(HIDDEN)
    coven.enter(CRONE, "firstwitch")
    coven.enter(HECATE, "hecate")
    told = coven.enter(HAG, "thirdwitch")
    assert to(told, CRONE) == ["thirdwitch: member/participant jid=hag66/pda"]
    assert to(told, HECATE) == ["thirdwitch: member/participant"]
    assert to(told, HAG)[:3] == [
        "firstwitch: owner/moderator",
        "hecate: none/participant",
        "thirdwitch: member/participant jid=hag66/pda 110",
    ]


def test_xep0045_7_2_12_a_room_that_logs_says_so():
    coven = Coven(logging=True)
    assert coven.enter(HAG, "thirdwitch")[0].endswith("jid=hag66/pda 100 110 170")


def test_xep0045_5_1_2_roles_in_a_moderated_room():
    coven = Coven(moderated=True).everybody()
    coven.enter(HECATE, "hecate")
    assert {nick: occupant.role for nick, occupant in coven.room.occupants.items()} == {
        "firstwitch": Role.MODERATOR,
        "secondwitch": Role.MODERATOR,
        "thirdwitch": Role.PARTICIPANT,
        "hecate": Role.VISITOR,
    }


def test_xep0045_17_3_what_only_the_room_may_say_is_not_reflected():
    coven = Coven()
    coven.enter(CRONE, "firstwitch")
    forged = (
        f"<x xmlns='{MUC}#user'><item affiliation='owner' role='moderator'/></x>"
        "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>"
        "<hats xmlns='urn:xmpp:hats:0'><hat title='Queen' uri='q'/></hats>"
        "<delay xmlns='urn:xmpp:delay' from='shakespeare.lit' stamp='2002-10-13T23:58:37Z'/>"
        "<show>away</show><c xmlns='http://jabber.org/protocol/caps' ver='v' node='n'/>"
    )
    coven.enter(HAG, "thirdwitch", "<password>x</password>", forged)
    shown = next(s for s in coven.effects.stanzas() if s.to == CRONE)
    assert [(child.namespace, child.name) for child in shown.elements()] == [
        ("jabber:client", "show"),
        ("http://jabber.org/protocol/caps", "c"),
        (f"{MUC}#user", "x"),
        ("urn:xmpp:occupant-id:0", "occupant-id"),
    ]
    assert "forged" not in shown.xml()


# Several clients, and the same client again


def other(resource: str) -> str:
    return f"hag66@shakespeare.lit/{resource}"


def test_xep0045_7_2_8_a_second_client_of_the_same_user_has_the_same_nickname():
    coven = Coven(HIDDEN).everybody()
    told = coven.enter(other("phone"), "thirdwitch")
    assert to(told, other("phone"))[:3] == [
        "firstwitch: owner/moderator",
        "secondwitch: admin/moderator",
        "thirdwitch: member/participant jid=hag66/phone 110",
    ]
    # The newest of two clients of one priority is the one that is shown.
    assert to(told, HAG) == ["thirdwitch: member/participant jid=hag66/phone 110"]
    assert to(told, CRONE) == ["thirdwitch: member/participant jid=hag66/phone"]


def test_xep0045_7_2_8_a_client_of_lower_priority_changes_nothing_for_the_others():
    coven = Coven(HIDDEN).everybody()
    told = coven.enter(other("phone"), "thirdwitch", more="<priority>-1</priority>")
    assert to(told, CRONE) == to(told, HAG) == []


def test_xep0045_7_2_8_messages_go_to_all_clients():
    coven = Coven().everybody()
    coven.enter(other("phone"), "thirdwitch")
    told = coven.say(CRONE, "Double")
    assert to(told, HAG) == to(told, other("phone")) == ["firstwitch: body='Double'"]
    assert to(coven.say(other("phone"), "toil"), CRONE) == ["thirdwitch: body='toil'"]


def test_xep0045_7_2_8_clients_of_one_user_are_bounded():
    coven = Coven()
    for n in range(MOST_SESSIONS):
        coven.enter(other(f"r{n}"), "thirdwitch")
    for nick in ("thirdwitch", "oldhag"):
        assert coven.enter(other("more"), nick) == [f"hag66/more < {nick}: wait resource-constraint"]


def test_xep0045_7_2_1_who_enters_again_sees_everything_again():
    coven = Coven().everybody()
    coven.say(CRONE, "Thrice")
    told = coven.enter(HAG, "thirdwitch")
    assert to(told, HAG) == [
        "firstwitch: owner/moderator jid=crone1/desktop",
        "secondwitch: admin/moderator jid=wiccarocks/laptop",
        "thirdwitch: member/participant jid=hag66/pda 100 110",
        "firstwitch: body='Thrice' delayed",
        "room: subject=''",
    ]
    assert to(told, CRONE) == []


def test_xep0045_17_3_the_others_see_what_is_new_when_somebody_enters_again():
    coven = Coven().everybody()
    told = coven.enter(HAG, "thirdwitch", more="<show>xa</show>")
    assert to(told, CRONE) == ["thirdwitch: xa member/participant jid=hag66/pda"]


def test_xep0045_17_3_entering_again_under_another_nickname_changes_it():
    coven = Coven().everybody()
    told = coven.enter(HAG, "oldhag")
    assert to(told, CRONE) == [
        "thirdwitch: gone member/participant jid=hag66/pda nick=oldhag 303",
        "oldhag: member/participant jid=hag66/pda",
    ]
    assert "oldhag: member/participant jid=hag66/pda 100 110" in to(told, HAG)


def test_xep0045_5_1_a_role_taken_by_a_moderator_outlasts_the_visit():
    coven = Coven().everybody()
    coven.enter(HECATE, "hecate")
    coven.admin(CRONE, "<item nick='hecate' role='visitor'/>")
    coven.hears(HECATE, "<presence type='unavailable' to='room/hecate'/>")
    coven.enter(HECATE, "innocent")
    assert coven.room.occupants["innocent"].role is Role.VISITOR


def test_joins_share_what_is_serialized():
    coven = Coven(HIDDEN)
    for n in range(20):
        coven.enter(f"user{n}@shakespeare.lit/r", f"user{n}")
    room: Room = coven.room
    seen = {id(occupant.appearance.plain) for occupant in room.occupants.values() if occupant.appearance}
    coven.enter(HAG, "thirdwitch")
    again = {id(occupant.appearance.plain) for occupant in room.occupants.values() if occupant.appearance}
    assert seen < again
    assert len(again) == 21
    assert JID.parse(HAG) in room.by_address


def test_xep0045_17_3_who_enters_again_keeps_a_nickname_that_looks_the_same():
    coven = Coven().everybody()
    heard = coven.enter(CRONE, "FirstWitch")
    assert to(heard, HAG) == []
    assert to(heard, CRONE)[-2] == "firstwitch: owner/moderator jid=crone1/desktop 100 110 210"
    assert not [text for text in heard if "303" in text]


def test_xep0045_7_10_who_enters_again_keeps_the_reserved_nickname():
    coven = Coven(lock_nicks=True).everybody()
    coven.admin(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit' nick='thirdwitch'/>")
    heard = coven.enter(HAG, "other")
    assert to(heard, HAG)[-2] == "thirdwitch: member/participant jid=hag66/pda 100 110 210"
    assert not [text for text in heard if "303" in text]


def test_xep0045_7_2_8_what_a_client_shows_that_enters_again_its_others_see():
    coven = Coven().everybody()
    phone = "hag66@shakespeare.lit/phone"
    coven.enter(phone, "thirdwitch")
    heard = coven.enter(HAG, "thirdwitch", more="<show>away</show><priority>5</priority>")
    assert to(heard, phone) == ["thirdwitch: away member/participant jid=hag66/pda 110"]
