"""XEP-0045 §10.1, §10.2, §10.9: creating, configuring, destroying."""

import pytest

from commonroom.features.muc import owning
from commonroom.features.muc.affiliations import Affiliation, Role
from commonroom.features.muc.config import AllowPM, RoomConfig, Whois
from commonroom.features.muc.config_form import SETTINGS, config_form
from commonroom.features.muc.effects import AffiliationPut, RoomDestroyed, RoomPut
from commonroom.protocol.dataforms import form_fields
from commonroom.protocol.jid import JID
from tests.features.muc.coven import CRONE, HAG, HECATE, HIDDEN, MUC, WICCA, Coven, form, to

DATA = "jabber:x:data"


# Creating


def test_xep0045_10_1_1_the_founder_owns_a_locked_room():
    coven = Coven.new()
    assert coven.effects.writes == [RoomPut(), AffiliationPut(JID.parse("crone1@shakespeare.lit"))]
    assert coven.enter(CRONE, "firstwitch")[0] == (
        "crone1/desktop < firstwitch: owner/moderator jid=crone1/desktop 100 110 201"
    )
    phone = "crone1@shakespeare.lit/phone"
    assert to(coven.enter(phone, "firstwitch"), phone)[0].endswith("100 110")


@pytest.mark.parametrize("sender", [HAG, WICCA])
def test_xep0045_10_1_1_nobody_else_finds_it(sender: str):
    coven = Coven.new()
    coven.enter(CRONE, "firstwitch")
    for inside in ("", f"<x xmlns='{DATA}' type='submit'/>", "<destroy/>"):
        assert coven.owner(sender, inside)[0].endswith("item-not-found")


def test_xep0045_10_1_2_an_instant_room_is_unlocked():
    coven = Coven.new()
    coven.enter(CRONE, "firstwitch")
    assert coven.owner(CRONE, f"<x xmlns='{DATA}' type='submit'/>") == ["crone1/desktop < room: result"]
    assert coven.effects.writes == [RoomPut()]
    coven.enter(HAG, "thirdwitch")
    assert "thirdwitch" in coven.room.occupants


def test_xep0045_10_1_3_a_reserved_room_is_configured():
    coven = Coven.new()
    coven.enter(CRONE, "firstwitch")
    told = coven.configure(
        CRONE,
        roomname="A Dark Cave",
        passwordprotectedroom="1",
        roomsecret="cauldronburn",
        whois="moderators",
        roomadmins=["wiccarocks@shakespeare.lit", "hecate@shakespeare.lit"],
    )
    assert told[0] == "crone1/desktop < room: result"
    assert coven.room.config.name == "A Dark Cave"
    assert coven.room.config.password == "cauldronburn"
    assert coven.room.affiliation(JID.parse(HECATE)) is Affiliation.ADMIN
    assert not coven.room.is_locked


def test_xep0045_10_1_3_who_cancels_destroys_the_room():
    coven = Coven.new()
    coven.enter(CRONE, "firstwitch")
    assert coven.owner(CRONE, f"<x xmlns='{DATA}' type='cancel'/>") == [
        "crone1/desktop < firstwitch: gone owner/none jid=crone1/desktop destroyed 110",
        "crone1/desktop < room: result",
    ]
    assert coven.effects.has_ended


# Configuring


@pytest.mark.parametrize("sender", [HAG, WICCA, HECATE])
def test_xep0045_10_2_the_form_is_for_owners(sender: str):
    coven = Coven().everybody()
    assert coven.owner(sender, "", "get")[0].endswith("auth forbidden")
    assert coven.configure(sender, roomname="x")[0].endswith("auth forbidden")
    assert coven.owner(sender, "<destroy/>")[0].endswith("auth forbidden")


@pytest.mark.parametrize(
    "inside",
    ["", "<x xmlns='jabber:x:data' type='form'><field var='x'/></x>", form("register", {"x": "y"})],
)
def test_no_form_is_a_bad_request(inside: str):
    assert Coven().owner(CRONE, inside) == ["crone1/desktop < room: modify bad-request"]


@pytest.mark.parametrize(
    "fields",
    [
        {"passwordprotectedroom": "1"},
        {"passwordprotectedroom": "1", "roomsecret": ""},
        {"roomsecret": "x" * 5000},
        {"roomsecret": ["a", "b"]},
        {"membersonly": "maybe"},
        {"whois": "none"},
        {"allowpm": "me"},
        {"maxusers": "-1"},
        {"maxusers": "1_0"},
        {"presencebroadcast": ["queen"]},
        {"presencebroadcast": ["none"]},
        {"roomname": "x" * 5000},
        {"roomname": ["a", "b"]},
        {"roomadmins": ["@"]},
        {"pubsub": "https://example.org/node"},
        {"pubsub": "xmpp: no URI"},
        {"slow_mode_duration": "-1"},
        {"slow_mode_duration": "99999999"},
    ],
)
def test_xep0045_10_1_3_what_cannot_be_is_not_acceptable(fields: dict[str, str]):
    coven = Coven().everybody()
    before = coven.room.config
    assert coven.configure(CRONE, **fields)[0].endswith("modify not-acceptable")
    assert coven.room.config is before


def test_a_policy_may_fix_settings():
    coven = Coven(logging=True).everybody()
    coven.room.fixed = frozenset(("logging",))
    assert coven.configure(CRONE, enablelogging="0")[0].endswith("not-acceptable")
    assert coven.configure(CRONE, enablelogging="1")[0].endswith("result")
    assert "muc#roomconfig_enablelogging" not in form_fields(config_form(coven.room))


def test_xep0045_10_2_the_last_owner_stays():
    assert Coven().everybody().configure(CRONE, roomowners=[])[0].endswith("cancel conflict")


def test_xep0045_16_5_3_the_form_has_every_field_and_the_values():
    coven = Coven(
        HIDDEN, name="A Dark Cave", password="pw", max_users=50, allow_pm=AllowPM.MODERATORS, history_length=7
    )
    fields = form_fields(config_form(coven.room))
    registered = """maxhistoryfetch roomconfig_allowpm roomconfig_allowinvites roomconfig_changesubject
        roomconfig_enablelogging roomconfig_getmemberlist roomconfig_lang roomconfig_maxusers
        roomconfig_membersonly roomconfig_moderatedroom roomconfig_passwordprotectedroom
        roomconfig_persistentroom roomconfig_presencebroadcast roomconfig_publicroom roomconfig_pubsub
        roomconfig_roomadmins roomconfig_roomdesc roomconfig_roomname roomconfig_roomowners
        roomconfig_roomsecret roomconfig_whois"""
    assert {f"muc#{name}" for name in registered.split()} <= fields.keys()
    assert fields["muc#roomconfig_roomname"] == ("A Dark Cave",)
    assert fields["muc#roomconfig_maxusers"] == ("50",)
    assert fields["muc#roomconfig_allowpm"] == ("moderators",)
    assert fields["muc#maxhistoryfetch"] == ("7",)
    assert fields["muc#roomconfig_roomsecret"] == ("pw",)
    assert fields["muc#roomconfig_presencebroadcast"] == ("moderator", "participant", "visitor")
    assert fields["muc#roomconfig_roomowners"] == ("crone1@shakespeare.lit",)
    assert fields["muc#roomconfig_roomadmins"] == ("wiccarocks@shakespeare.lit",)


def test_a_form_that_comes_back_unchanged_changes_nothing():
    coven = Coven(HIDDEN, password="pw", contacts=(JID.parse("a@b"),))
    coven.enter(CRONE, "firstwitch", "<password>pw</password>")
    fields = form_fields(config_form(coven.room))
    fields.pop("FORM_TYPE")
    assert coven.owner(CRONE, form("roomconfig", dict(fields))) == ["crone1/desktop < room: result"]
    assert not coven.effects.writes


def test_every_setting_is_one_of_the_configuration():
    assert len({setting.attribute for setting in SETTINGS}) == len(SETTINGS)
    left = set(RoomConfig().to_dict()) - {setting.attribute for setting in SETTINGS}
    assert left == {"password"}


def test_the_configuration_as_json_and_back():
    config = RoomConfig(
        name="x",
        password="y",
        whois=Whois.ANYONE,
        presence_broadcast=frozenset((Role.MODERATOR,)),
        contacts=(JID.parse("a@b"),),
    )
    assert RoomConfig.from_dict(config.to_dict()) == config
    assert RoomConfig.from_dict({"name": "x", "of_the_future": 1, "contacts": ["a@b", "@"]}) == RoomConfig(
        name="x", contacts=(JID.parse("a@b"),)
    )


def codes(told: list[str], who: str) -> list[str]:
    return [text.removeprefix("room: ") for text in to(told, who) if text[-3:].isdigit()]


def test_xep0045_10_2_1_what_touches_privacy_has_codes_of_its_own():
    coven = Coven(HIDDEN).everybody()
    assert codes(coven.configure(CRONE, enablelogging="1"), HAG) == ["170"]
    assert codes(coven.configure(CRONE, enablelogging="0"), HAG) == ["171"]
    assert codes(coven.configure(CRONE, whois="anyone"), HAG) == ["172"]
    assert codes(coven.configure(CRONE, whois="moderators", roomname="x"), HAG) == ["173", "104"]
    assert codes(coven.configure(CRONE, slow_mode_duration="5"), HAG) == ["104"]
    assert codes(coven.configure(CRONE, roomname="x"), HAG) == []


def test_xep0045_10_2_a_room_that_becomes_members_only_removes_the_others():
    coven = Coven().everybody()
    coven.enter(HECATE, "hecate")
    told = coven.configure(CRONE, membersonly="1")
    assert told[:2] == [
        "hecate/broom < hecate: gone none/none jid=hecate/broom 110 322",
        "crone1/desktop < room: result",
    ]
    assert to(told, HAG) == ["hecate: gone none/none jid=hecate/broom 322", "room: 104"]
    assert len(to(told, HECATE)) == 1


def test_xep0045_10_2_who_becomes_an_admin_by_the_same_form_stays():
    coven = Coven().everybody()
    coven.enter(HECATE, "hecate")
    coven.configure(CRONE, membersonly="1", roomadmins=["hecate@shakespeare.lit"])
    assert "hecate" in coven.room.occupants


def test_xep0045_5_1_2_in_a_room_that_is_no_longer_moderated_all_have_voice():
    coven = Coven(moderated=True).everybody()
    coven.enter(HECATE, "hecate")
    told = coven.configure(CRONE, moderatedroom="0")
    assert "hecate: none/participant jid=hecate/broom" in to(told, HAG)


def test_who_gets_a_voice_and_is_seen_for_the_first_time_is_seen_as_a_participant():
    coven = Coven(
        moderated=True, presence_broadcast=frozenset((Role.MODERATOR, Role.PARTICIPANT))
    ).everybody()
    coven.enter(HECATE, "hecate")
    told = coven.configure(CRONE, moderatedroom="0")
    assert [text for text in to(told, HAG) if "hecate" in text] == [
        "hecate: none/participant jid=hecate/broom"
    ]


def test_roles_that_become_hidden_or_shown():
    coven = Coven().everybody()
    told = coven.configure(CRONE, presencebroadcast=["moderator"])
    assert "thirdwitch: gone member/none jid=hag66/pda" in to(told, WICCA)
    told = coven.configure(CRONE, presencebroadcast=["moderator", "participant"])
    assert "thirdwitch: member/participant jid=hag66/pda" in to(told, WICCA)


def test_xep0045_10_2_lists_in_the_form_are_full_lists():
    coven = Coven().everybody()
    told = coven.configure(CRONE, roomadmins=["hag66@shakespeare.lit"])
    assert "secondwitch: member/participant jid=wiccarocks/laptop by firstwitch" in to(told, HAG)
    assert "thirdwitch: admin/moderator jid=hag66/pda by firstwitch 110" in to(told, HAG)
    told = coven.configure(CRONE, roomowners=["hag66@shakespeare.lit"], roomadmins=[])
    assert "firstwitch: admin/moderator jid=crone1/desktop by firstwitch" in to(told, HAG)
    assert coven.room.affiliation(JID.parse(HAG)) is Affiliation.OWNER


def test_somebody_on_both_lists_is_an_owner():
    coven = Coven().everybody()
    both = ["crone1@shakespeare.lit"]
    coven.configure(CRONE, roomowners=both, roomadmins=both)
    assert coven.room.affiliation(JID.parse(CRONE)) is Affiliation.OWNER


def test_xep0045_10_2_who_cancels_later_leaves_all_as_it_was():
    coven = Coven().everybody()
    assert coven.owner(CRONE, f"<x xmlns='{DATA}' type='cancel'/>") == ["crone1/desktop < room: result"]
    assert not coven.effects.has_ended


def test_a_password_is_taken_away_or_changed():
    coven = Coven(password="old").everybody()
    coven.configure(CRONE, roomsecret="new")
    assert coven.room.config.password == "new"
    coven.configure(CRONE, roomname="x")
    assert coven.room.config.password == "new"
    coven.configure(CRONE, passwordprotectedroom="0", roomsecret="new")
    assert coven.room.config.password is None


def test_an_operator_configures():
    coven = Coven.new()
    coven.enter(CRONE, "firstwitch")
    effects = owning.configure(coven.room, RoomConfig(name="x", persistent=True), coven.now)
    assert RoomPut() in effects.writes
    assert not coven.room.is_locked


# Destroying


def test_xep0045_10_9_each_occupant_is_removed_with_the_reason_and_where_to_go():
    coven = Coven().everybody()
    told = coven.owner(
        CRONE,
        "<destroy jid='heath@chat.shakespeare.lit'><reason>Macbeth doth come.</reason>"
        "<password>pw</password></destroy>",
    )
    end = "destroyed heath because Macbeth doth come. 110"
    assert told == [
        f"crone1/desktop < firstwitch: gone owner/none jid=crone1/desktop {end}",
        f"wiccarocks/laptop < secondwitch: gone admin/none jid=wiccarocks/laptop {end}",
        f"hag66/pda < thirdwitch: gone member/none jid=hag66/pda {end}",
        "crone1/desktop < room: result",
    ]
    assert coven.effects.writes == [
        RoomDestroyed("Macbeth doth come.", JID.parse("heath@chat.shakespeare.lit"), "pw")
    ]
    assert coven.effects.has_ended


def test_xep0045_10_9_a_venue_is_an_address():
    assert Coven().owner(CRONE, "<destroy jid='@'/>")[0].endswith("jid-malformed")


def test_xep0045_10_2_the_owner_gets_the_form():
    coven = Coven(name="A Dark Cave").everybody()
    [answer] = coven.send(CRONE, f"<iq type='get' id='c'><query xmlns='{MUC}#owner'/></iq>")
    assert "<title>Configuration of A Dark Cave</title>" in answer.xml()


def test_what_strangers_are_told_is_small():
    coven = Coven().everybody()
    contacts = {"{urn:x-commonroom:room}contacts": [f"u{number}@x" for number in range(21)]}
    assert coven.owner(CRONE, form("roomconfig", contacts))[0].endswith("modify not-acceptable")
    contacts["{urn:x-commonroom:room}contacts"].pop()
    assert coven.owner(CRONE, form("roomconfig", contacts))[-1].endswith("104")


def test_xep0045_10_2_an_empty_room_that_is_to_be_temporary_ends():
    coven = Coven()
    assert coven.configure(CRONE, persistentroom="0") == ["crone1/desktop < room: result"]
    assert coven.effects.has_ended
