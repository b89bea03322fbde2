"""XEP-0045 §7 to §10: the examples that the tests of the chapters leave out, each by its title."""

import pytest

from commonroom.features.muc.affiliations import Affiliation, Role
from commonroom.protocol.jid import JID
from tests.features.muc.coven import CRONE, HAG, HECATE, HIDDEN, MUC, OPEN, WICCA, Coven, to

BARE = "hecate@shakespeare.lit"
DELAY = "<delay xmlns='urn:xmpp:delay' from='{}' stamp='2004-09-29T01:54:37Z'/>"


@pytest.fixture
def coven() -> Coven:
    """Non-anonymous, with Hecate, who is nobody."""
    coven = Coven().everybody()
    coven.enter(HECATE, "hecate")
    return coven


def affiliate(jid: str, affiliation: str, reason: str = "") -> str:
    inside = f"<reason>{reason}</reason>" if reason else ""
    return f"<item affiliation='{affiliation}' jid='{jid}'>{inside}</item>"


def give(nick: str, role: str, reason: str = "") -> str:
    inside = f"<reason>{reason}</reason>" if reason else ""
    return f"<item nick='{nick}' role='{role}'>{inside}</item>"


# §7.2.3, §7.2.5


def test_xep0045_7_2_3_a_non_anonymous_room_shows_addresses_and_says_so():
    coven = Coven()
    coven.enter(CRONE, "firstwitch")
    told = coven.enter(HAG, "thirdwitch")
    assert to(told, CRONE) == ["thirdwitch: member/participant jid=hag66/pda"]
    assert "thirdwitch: member/participant jid=hag66/pda 100 110" in to(told, HAG)


def test_xep0045_7_2_5_who_provides_the_password_enters():
    coven = Coven(password="cauldronburn")
    told = coven.enter(HAG, "thirdwitch", "<password>cauldronburn</password>")
    assert to(told, HAG)[0] == "thirdwitch: member/participant jid=hag66/pda 100 110"


# §7.6


def test_xep0045_7_6_a_nickname_that_the_service_modified_is_marked(coven: Coven):
    coven.enter("hag66@shakespeare.lit/phone", "OldHag")
    told = coven.hears(HAG, "<presence to='room/oldhag'/>")
    assert "thirdwitch: gone member/participant jid=hag66/pda nick=OldHag 110 303" in to(told, HAG)
    assert "OldHag: member/participant jid=hag66/pda 110 210" in to(told, HAG)


# §7.9


def test_xep0045_7_9_an_owner_tells_when_something_was_said_elsewhere(coven: Coven):
    delay = DELAY.format("crone1@shakespeare.lit/desktop")
    [said] = coven.send(
        CRONE, f"<message type='groupchat'><body>Thrice.</body><thread>t</thread>{delay}</message>"
    )[:1]
    assert said.xml().count("<delay") == 1
    [again] = [s for s in coven.send("new@x/y", enter("new")) if "Thrice." in s.xml()]
    # The service does not add a stamp of its own.
    assert again.xml().count("<delay") == 1
    assert "from='crone1@shakespeare.lit/desktop'" in again.xml()


@pytest.mark.parametrize("sender", [WICCA, HAG])
def test_xep0045_7_9_nobody_else_does(coven: Coven, sender: str):
    [said] = coven.send(
        sender, f"<message type='groupchat'><body>x</body>{DELAY.format('shakespeare.lit')}</message>"
    )[:1]
    assert "<delay" not in said.xml()


@pytest.mark.parametrize(
    ("is_hidden", "by"),
    [
        (True, "crone1@shakespeare.lit/desktop"),
        (True, "coven@chat.shakespeare.lit"),
        (False, "chat.shakespeare.lit"),
    ],
)
def test_xep0045_7_9_nor_where_it_tells_who_it_is_or_is_the_rooms_word(is_hidden: bool, by: str):
    coven = Coven(HIDDEN if is_hidden else OPEN).everybody()
    told = coven.send(CRONE, f"<message type='groupchat'><body>x</body>{DELAY.format(by)}</message>")
    assert "<delay" not in told[0].xml()


def enter(nick: str) -> str:
    return f"<presence to='room/{nick}'><x xmlns='{MUC}'/></presence>"


# §7.14


def test_xep0045_7_14_a_custom_exit_message_is_told_to_all(coven: Coven):
    told = coven.hears(
        HAG, "<presence type='unavailable' to='room/thirdwitch'><status>gone</status></presence>"
    )
    assert to(told, HAG) == ["thirdwitch: gone gone member/none jid=hag66/pda 110"]
    assert to(told, CRONE) == ["thirdwitch: gone gone member/none jid=hag66/pda"]


# §8


def test_xep0045_8_1_a_moderator_sets_an_empty_subject(coven: Coven):
    coven.hears(CRONE, "<message type='groupchat'><subject>Fire Burn</subject></message>")
    told = coven.hears(CRONE, "<message type='groupchat'><subject></subject></message>")
    assert to(told, HAG) == ["firstwitch: subject=''"]


def test_xep0045_8_4_voice_is_revoked_with_a_reason(coven: Coven):
    told = coven.admin(CRONE, give("thirdwitch", "visitor", "Not so worthy after all!"))
    assert to(told, CRONE)[0] == "room: result"
    shown = "thirdwitch: member/visitor jid=hag66/pda by firstwitch because Not so worthy after all!"
    assert shown in to(told, HECATE)


def test_xep0045_8_5_a_modified_voice_list_with_reasons(coven: Coven):
    told = coven.admin(
        CRONE, give("thirdwitch", "visitor", "Not so worthy"), give("hecate", "participant", "x")
    )
    assert to(told, CRONE)[0] == "room: result"
    shown = "thirdwitch: member/visitor jid=hag66/pda by firstwitch because Not so worthy"
    assert shown in to(told, WICCA)


# §9


def test_xep0045_9_2_a_modified_ban_list(coven: Coven):
    told = coven.admin(
        WICCA, affiliate("lordscroop@x", "outcast", "Treason"), affiliate("grey@x", "outcast", "Treason")
    )
    assert to(told, WICCA)[0] == "room: result"
    assert coven.room.affiliation(JID.parse("grey@x")) is Affiliation.OUTCAST


def test_xep0045_9_3_membership_is_granted_with_a_reason(coven: Coven):
    told = coven.admin(WICCA, affiliate(BARE, "member", "A worthy witch indeed!"))
    assert to(told, WICCA)[0] == "room: result"
    shown = "hecate: member/participant jid=hecate/broom by secondwitch because A worthy witch indeed!"
    assert shown in to(told, HAG)


def test_xep0045_9_5_a_modified_member_list(coven: Coven):
    told = coven.admin(
        WICCA, affiliate("hag66@shakespeare.lit", "none"), affiliate(BARE, "member", "New member")
    )
    assert "thirdwitch: none/participant jid=hag66/pda by secondwitch" in to(told, CRONE)
    assert "hecate: member/participant jid=hecate/broom by secondwitch because New member" in to(told, CRONE)


def test_xep0045_9_6_and_9_7_moderator_status_with_a_reason(coven: Coven):
    told = coven.admin(WICCA, give("thirdwitch", "moderator", "A worthy witch indeed!"))
    shown = "thirdwitch: member/moderator jid=hag66/pda by secondwitch because A worthy witch indeed!"
    assert shown in to(told, HECATE)
    told = coven.admin(WICCA, give("thirdwitch", "participant", "Not so worthy"))
    shown = "thirdwitch: member/participant jid=hag66/pda by secondwitch because Not so worthy"
    assert shown in to(told, HECATE)


def test_xep0045_9_8_a_modified_moderator_list_is_applied_as_a_whole(coven: Coven):
    refused = coven.admin(WICCA, give("firstwitch", "participant"), give("hecate", "moderator"))
    assert refused[0].endswith("cancel not-allowed")
    coven.admin(WICCA, give("thirdwitch", "moderator"), give("hecate", "moderator"))
    assert {coven.room.occupants[nick].role for nick in ("thirdwitch", "hecate")} == {Role.MODERATOR}


# §10


@pytest.mark.parametrize("affiliation", ["owner", "admin"])
def test_xep0045_10_3_and_10_6_granted_to_somebody_inside_with_a_reason(coven: Coven, affiliation: str):
    told = coven.admin(CRONE, affiliate(BARE, affiliation, "A worthy witch indeed!"))
    assert to(told, CRONE)[0] == "room: result"
    role = f"{affiliation}/moderator"
    shown = f"hecate: {role} jid=hecate/broom by firstwitch because A worthy witch indeed!"
    assert shown in to(told, HAG)


@pytest.mark.parametrize("affiliation", ["owner", "admin"])
def test_xep0045_10_3_and_10_6_granted_to_somebody_who_is_away(coven: Coven, affiliation: str):
    told = coven.admin(CRONE, affiliate("wyrd@shakespeare.lit", affiliation))
    assert f"room: {affiliation}/none jid=wyrd" in to(told, HAG)


def test_xep0045_10_4_and_10_7_revoked_with_a_reason(coven: Coven):
    coven.admin(CRONE, affiliate(BARE, "owner"))
    told = coven.admin(CRONE, affiliate(BARE, "admin", "Not so worthy"))
    assert "hecate: admin/moderator jid=hecate/broom by firstwitch because Not so worthy" in to(told, HAG)
    told = coven.admin(CRONE, affiliate(BARE, "member", "Not at all"))
    assert "hecate: member/participant jid=hecate/broom by firstwitch because Not at all" in to(told, HAG)


@pytest.mark.parametrize("affiliation", ["owner", "admin"])
def test_xep0045_10_5_and_10_8_modified_lists(coven: Coven, affiliation: str):
    items = (affiliate(BARE, affiliation), affiliate("wyrd@shakespeare.lit", affiliation))
    assert coven.admin(WICCA, *items) == ["wiccarocks/laptop < room: auth forbidden"]
    assert to(coven.admin(CRONE, *items), CRONE)[0] == "room: result"
    assert coven.room.affiliation(JID.parse(BARE)) is Affiliation(affiliation)


def test_xep0045_10_9_only_owners_destroy_a_room(coven: Coven):
    for sender in (WICCA, HAG, HECATE):
        assert coven.owner(sender, "<destroy/>")[0].endswith("auth forbidden")
        assert not coven.effects.has_ended
