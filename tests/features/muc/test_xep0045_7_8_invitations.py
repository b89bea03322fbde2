"""XEP-0045 §7.8, §9.5: inviting others through the room, and declining."""

import pytest

from commonroom.features.muc.affiliations import Affiliation
from commonroom.features.muc.effects import AffiliationPut, RoomPut
from commonroom.protocol.jid import JID
from tests.features.muc.coven import CRONE, HAG, HECATE, HIDDEN, MUC, WICCA, Coven

BARE = "hecate@shakespeare.lit"


def invite(coven: Coven, sender: str, *invitees: str, reason: str = "") -> list[str]:
    text = f"<reason>{reason}</reason>" if reason else ""
    invites = "".join(f"<invite to='{invitee}'>{text}</invite>" for invitee in invitees)
    return coven.hears(sender, f"<message id='nzd143v8'><x xmlns='{MUC}#user'>{invites}</x></message>")


def decline(coven: Coven, sender: str, to: str, reason: str = "") -> list[str]:
    text = f"<reason>{reason}</reason>" if reason else ""
    return coven.hears(
        sender,
        f"<message id='jk2vs61v'><x xmlns='{MUC}#user'><decline to='{to}'>{text}</decline></x></message>",
    )


def test_xep0045_7_8_2_somebody_outside_invites_nobody():
    assert invite(Coven(), HAG, BARE) == ["hag66/pda < room: modify not-acceptable"]


def test_xep0045_7_8_2_an_invitation_is_to_an_address():
    coven = Coven().everybody()
    assert invite(coven, HAG, "@") == ["hag66/pda < room: modify jid-malformed"]
    assert coven.hears(HAG, f"<message><x xmlns='{MUC}#user'><invite/></x></message>")[0].endswith(
        "bad-request"
    )
    assert coven.hears(HAG, f"<message><x xmlns='{MUC}#user'/></message>")[0].endswith("bad-request")


def test_many_at_once_are_refused():
    assert invite(Coven().everybody(), HAG, *[f"u{n}@x" for n in range(21)])[0].endswith("bad-request")


def test_somebody_who_is_banned_is_not_invited():
    coven = Coven(lists={BARE: Affiliation.OUTCAST, "crone1@shakespeare.lit": Affiliation.OWNER}).everybody()
    assert invite(coven, HAG, BARE) == ["hag66/pda < room: modify not-acceptable"]


def test_xep0045_9_5_a_mere_member_may_not_invite_into_a_members_only_room():
    coven = Coven(members_only=True).everybody()
    assert invite(coven, HAG, BARE) == ["hag66/pda < room: auth forbidden"]
    assert JID.parse(BARE) not in coven.room.affiliations


def test_xep0045_7_8_2_the_room_sends_the_invitation_with_the_password():
    coven = Coven(password="cauldronburn")
    coven.enter(CRONE, "firstwitch", "<password>cauldronburn</password>")
    assert invite(coven, CRONE, BARE, reason="Hey") == [
        "hecate < room: invite crone1 because Hey password=cauldronburn"
    ]
    assert JID.parse(BARE) not in coven.room.affiliations  # §9.5: through an open room it makes no members


def test_a_semi_anonymous_room_does_not_tell_who_invites():
    coven = Coven(HIDDEN).everybody()
    assert invite(coven, HAG, HECATE) == ["hecate/broom < room: invite thirdwitch"]
    assert all("hag66" not in stanza.xml() for stanza in coven.effects.stanzas())


def test_xep0045_7_8_2_an_admin_who_invites_makes_a_member():
    coven = Coven(members_only=True).everybody()
    told = invite(coven, WICCA, BARE)
    assert told[-1] == "hecate < room: invite wiccarocks"
    assert coven.room.affiliations[JID.parse(BARE)].affiliation is Affiliation.MEMBER
    assert coven.effects.writes == [AffiliationPut(JID.parse(BARE)), RoomPut()]


def test_xep0045_9_5_members_may_invite_where_it_is_allowed():
    coven = Coven(members_only=True, allow_invites=True).everybody()
    assert invite(coven, HAG, BARE)[-1] == "hecate < room: invite hag66"
    coven.enter(HECATE, "hecate")
    assert "hecate" in coven.room.occupants


def test_xep0045_7_8_2_somebody_in_another_room_is_invited_and_no_member():
    coven = Coven(members_only=True).everybody()
    told = invite(coven, CRONE, "other@chat.shakespeare.lit/ghost")
    assert "invite" in told[-1]
    assert JID.parse("other@chat.shakespeare.lit") not in coven.room.affiliations


def test_xep0045_7_9_what_continues_a_chat_passes():
    coven = Coven().everybody()
    told = coven.send(
        HAG,
        f"<message><x xmlns='{MUC}#user'><invite to='{BARE}'><continue thread='t'/></invite></x></message>",
    )
    assert "<continue thread='t'/>" in told[0].xml()


@pytest.mark.parametrize("to", ["crone1@shakespeare.lit", "coven@chat.shakespeare.lit/firstwitch", "x@y"])
def test_nobody_declines_what_was_not_offered(to: str):
    assert decline(Coven().everybody(), HECATE, to) == ["hecate/broom < room: cancel item-not-found"]


def test_xep0045_7_8_2_the_inviter_is_told_of_a_refusal_once():
    coven = Coven().everybody()
    invite(coven, CRONE, BARE)
    assert decline(coven, HECATE, CRONE, "Sorry") == ["crone1/desktop < room: decline hecate because Sorry"]
    assert decline(coven, HECATE, CRONE, "Sorry")[0].endswith("item-not-found")


def test_xep0045_7_8_2_a_refusal_to_an_occupant():
    coven = Coven(HIDDEN).everybody()
    invite(coven, HAG, BARE)
    assert decline(coven, HECATE, "coven@chat.shakespeare.lit/thirdwitch") == [
        "hag66/pda < room: decline hecate"
    ]


def test_an_inviter_who_left_is_told_at_home():
    coven = Coven().everybody()
    invite(coven, HAG, BARE)
    coven.hears(HAG, "<presence type='unavailable' to='room/thirdwitch'/>")
    assert decline(coven, HECATE, HAG) == ["hag66 < room: decline hecate"]


def test_xep0045_7_8_2_an_invitation_that_could_not_be_delivered_is_told():
    coven = Coven().everybody()
    invite(coven, HAG, "nobody@shakespeare.lit")
    told = coven.hears(
        "nobody@shakespeare.lit",
        "<message type='error' id='nzd143v8'><error type='cancel'>"
        "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
    )
    assert told == ["hag66/pda < room: cancel service-unavailable"]
    assert coven.hears("nobody@shakespeare.lit", "<message type='error' id='nzd143v8'/>") == []


def test_xep0045_9_5_a_new_member_of_a_closed_room_is_invited():
    coven = Coven(members_only=True, password="pw")
    coven.enter(CRONE, "firstwitch", "<password>pw</password>")
    told = coven.admin(CRONE, f"<item affiliation='member' jid='{BARE}'/>")
    assert "hecate < room: invite crone1 password=pw" in told


def test_an_admin_who_is_not_inside_a_semi_anonymous_room_is_not_named():
    coven = Coven(HIDDEN, members_only=True)
    told = coven.admin(CRONE, f"<item affiliation='member' jid='{BARE}'/>")
    assert told == ["crone1/desktop < room: result", "hecate < room: invite room"]


def test_xep0045_18_1_somebody_who_is_not_inside_is_told_of_the_change():
    coven = Coven().everybody()
    told = coven.admin(CRONE, f"<item affiliation='member' jid='{BARE}'><reason>worthy</reason></item>")
    assert told[-1] == "hecate < room: member/none because worthy 101"
