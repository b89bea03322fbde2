"""XEP-0045 §7.13, §8.2 to §8.6, §9.6 to §9.8: kicking, voice, and moderators."""

import pytest

from commonroom.features.muc.affiliations import Role
from tests.features.muc.coven import CRONE, HAG, HECATE, HIDDEN, WICCA, Coven, form, to


@pytest.fixture
def coven() -> Coven:
    """Moderated; Hecate, who is nobody, is a visitor."""
    coven = Coven(HIDDEN, moderated=True).everybody()
    coven.enter(HECATE, "hecate")
    return coven


def role(coven: Coven, nick: str) -> Role:
    return coven.room.occupants[nick].role


@pytest.mark.parametrize(
    ("item", "condition"),
    [
        ("", "modify bad-request"),
        ("<item role='none'/>", "modify bad-request"),
        ("<item nick='hecate'/>", "modify bad-request"),
        ("<item nick='hecate' role='queen'/>", "modify bad-request"),
        ("<item nick='hecate' role='none' affiliation='none'/>", "modify bad-request"),
        ("<item nick='hecate' role='none'/><item nick='hecate' role='visitor'/>", "modify bad-request"),
        ("<item nick='nobody' role='none'/>", "cancel item-not-found"),
        ("<item nick='firstwitch' role='none'/>", "cancel conflict"),
    ],
)
def test_xep0045_17_4_requests_that_cannot_be(coven: Coven, item: str, condition: str):
    assert coven.admin(CRONE, item) == [f"crone1/desktop < room: {condition}"]


@pytest.mark.parametrize("sender", [HAG, HECATE, "stranger@x/y"])
@pytest.mark.parametrize("new", ["none", "participant", "visitor", "moderator"])
def test_xep0045_8_only_moderators_change_roles(coven: Coven, sender: str, new: str):
    target = "hecate" if sender != HECATE else "thirdwitch"
    assert coven.admin(sender, f"<item nick='{target}' role='{new}'/>")[0].endswith("auth forbidden")


def test_xep0045_8_2_a_user_with_higher_affiliation_is_not_kicked(coven: Coven):
    coven.admin(CRONE, "<item nick='thirdwitch' role='moderator'/>")
    for actor, target in ((HAG, "secondwitch"), (HAG, "firstwitch"), (WICCA, "firstwitch")):
        assert coven.admin(actor, f"<item nick='{target}' role='none'/>")[0].endswith("cancel not-allowed")


def test_xep0045_8_2_an_occupant_is_kicked_and_the_order_is_kept(coven: Coven):
    told = coven.admin(CRONE, "<item nick='thirdwitch' role='none'><reason>Avaunt!</reason></item>")
    assert told == [
        "hag66/pda < thirdwitch: gone member/none jid=hag66/pda by firstwitch because Avaunt! 110 307",
        "crone1/desktop < room: result",
        "hecate/broom < thirdwitch: gone member/none by firstwitch because Avaunt! 307",
        "crone1/desktop < thirdwitch: gone member/none jid=hag66/pda by firstwitch because Avaunt! 307",
        "wiccarocks/laptop < thirdwitch: gone member/none jid=hag66/pda by firstwitch because Avaunt! 307",
    ]


def test_xep0045_8_2_two_who_are_kicked_hear_of_themselves_only(coven: Coven):
    told = coven.admin(CRONE, "<item nick='thirdwitch' role='none'/>", "<item nick='hecate' role='none'/>")
    assert [text.split(":")[0] for text in told[:3]] == [
        "hag66/pda < thirdwitch",
        "hecate/broom < hecate",
        "crone1/desktop < room",
    ]
    assert len(to(told, HAG)) == len(to(told, HECATE)) == 1


def test_xep0045_8_3_voice_is_granted(coven: Coven):
    told = coven.admin(CRONE, "<item nick='hecate' role='participant'><reason>worthy</reason></item>")
    assert told[0] == "crone1/desktop < room: result"
    assert to(told, HAG) == ["hecate: none/participant by firstwitch because worthy"]
    assert coven.say(HECATE, "x") != []


def test_xep0045_8_4_voice_is_revoked(coven: Coven):
    told = coven.admin(WICCA, "<item nick='thirdwitch' role='visitor'/>")
    assert to(told, HECATE) == ["thirdwitch: member/visitor by secondwitch"]
    assert coven.say(HAG, "x")[0].endswith("forbidden")


@pytest.mark.parametrize(
    ("actor", "target"), [(CRONE, "secondwitch"), (WICCA, "firstwitch"), (WICCA, "secondwitch")]
)
def test_xep0045_8_4_the_voice_of_an_admin_or_owner_is_revoked_by_nobody(
    coven: Coven, actor: str, target: str
):
    assert coven.admin(actor, f"<item nick='{target}' role='visitor'/>")[0].endswith("cancel not-allowed")


def test_xep0045_8_4_nor_that_of_somebody_at_the_moderators_level(coven: Coven):
    coven.admin(CRONE, "<item nick='hecate' role='moderator'/>")
    coven.enter("other@x/y", "other")
    coven.admin(CRONE, "<item nick='other' role='participant'/>")
    for target in ("other", "thirdwitch"):
        assert coven.admin(HECATE, f"<item nick='{target}' role='visitor'/>")[0].endswith("not-allowed")


def test_xep0045_8_5_the_voice_list(coven: Coven):
    assert coven.listing(HAG, "<item role='participant'/>")[0].xml().count("forbidden") == 1
    [answer] = coven.listing(WICCA, "<item role='participant'/>")
    assert (
        "<item affiliation='member' jid='hag66@shakespeare.lit/pda' nick='thirdwitch' role='participant'/>"
        in answer.xml()
    )


def test_xep0045_8_5_a_delta_is_applied_as_a_whole_or_not_at_all(coven: Coven):
    told = coven.admin(
        WICCA, "<item nick='hecate' role='participant'/>", "<item nick='firstwitch' role='visitor'/>"
    )
    assert told[0].endswith("not-allowed")
    assert role(coven, "hecate") is Role.VISITOR
    coven.admin(WICCA, "<item nick='hecate' role='participant'/>", "<item nick='thirdwitch' role='visitor'/>")
    assert (role(coven, "hecate"), role(coven, "thirdwitch")) == (Role.PARTICIPANT, Role.VISITOR)


def test_xep0045_9_6_only_an_admin_makes_a_moderator(coven: Coven):
    coven.admin(CRONE, "<item nick='thirdwitch' role='moderator'/>")
    assert coven.admin(HAG, "<item nick='hecate' role='moderator'/>") == ["hag66/pda < room: auth forbidden"]


def test_xep0045_9_6_a_new_moderator_sees_the_addresses(coven: Coven):
    told = coven.admin(CRONE, "<item nick='thirdwitch' role='moderator'/>")
    assert to(told, HECATE) == ["thirdwitch: member/moderator by firstwitch"]
    assert to(told, HAG) == [
        "thirdwitch: member/moderator jid=hag66/pda by firstwitch 110",
        "firstwitch: owner/moderator jid=crone1/desktop",
        "secondwitch: admin/moderator jid=wiccarocks/laptop",
        "hecate: none/visitor jid=hecate/broom",
    ]


def test_xep0045_9_7_moderator_status_is_revoked(coven: Coven):
    coven.admin(CRONE, "<item nick='thirdwitch' role='moderator'/>")
    told = coven.admin(WICCA, "<item nick='thirdwitch' role='participant'/>")
    assert to(told, HECATE) == ["thirdwitch: member/participant by secondwitch"]


@pytest.mark.parametrize(
    ("actor", "target"), [(WICCA, "firstwitch"), (WICCA, "secondwitch"), (CRONE, "secondwitch")]
)
def test_xep0045_9_7_but_not_from_an_admin_or_owner(coven: Coven, actor: str, target: str):
    assert coven.admin(actor, f"<item nick='{target}' role='participant'/>")[0].endswith("not-allowed")


def test_xep0045_9_8_the_moderator_list_is_for_admins(coven: Coven):
    coven.admin(CRONE, "<item nick='thirdwitch' role='moderator'/>")
    assert "forbidden" in coven.listing(HAG, "<item role='moderator'/>")[0].xml()
    [answer] = coven.listing(WICCA, "<item role='moderator'/>")
    assert answer.xml().count("role='moderator'") == 3


@pytest.mark.parametrize(
    "item", ["", "<item/>", "<item role='queen'/>", "<item role='none' affiliation='none'/>"]
)
def test_lists_that_do_not_exist(coven: Coven, item: str):
    assert "bad-request" in coven.listing(CRONE, item)[0].xml()


def test_a_role_that_is_hidden_disappears_and_appears():
    coven = Coven(
        moderated=True, presence_broadcast=frozenset((Role.MODERATOR, Role.PARTICIPANT))
    ).everybody()
    told = coven.admin(CRONE, "<item nick='thirdwitch' role='visitor'/>")
    assert to(told, WICCA) == ["thirdwitch: gone member/none jid=hag66/pda"]
    assert to(told, HAG) == ["thirdwitch: member/visitor jid=hag66/pda by firstwitch 110"]
    told = coven.admin(CRONE, "<item nick='thirdwitch' role='participant'/>")
    assert to(told, WICCA) == ["thirdwitch: member/participant jid=hag66/pda by firstwitch"]


# Requests for voice


def request(coven: Coven, sender: str, wanted: str = "participant") -> list[str]:
    return coven.hears(sender, f"<message id='yd53c486'>{form('request', {'muc#role': wanted})}</message>")


def answer(
    coven: Coven, sender: str, allow: str = "true", jid: str = HECATE, nick: str = "hecate"
) -> list[str]:
    fields = {"muc#role": "participant", "muc#jid": jid, "muc#roomnick": nick, "muc#request_allow": allow}
    return coven.hears(sender, f"<message id='approve'>{form('request', fields)}</message>")


def test_xep0045_7_13_who_cannot_ask(coven: Coven):
    assert request(coven, "stranger@x/y") == ["stranger/y < room: modify not-acceptable"]
    assert request(coven, HAG) == ["hag66/pda < room: modify not-acceptable"]
    assert request(coven, HECATE, "moderator") == ["hecate/broom < room: modify bad-request"]
    closed = Coven(moderated=True, voice_requests=False)
    closed.enter(HECATE, "hecate")
    assert request(closed, HECATE) == ["hecate/broom < room: auth forbidden"]


def test_without_moderators_nobody_can_be_asked():
    coven = Coven(moderated=True)
    coven.enter(HECATE, "hecate")
    assert request(coven, HECATE) == ["hecate/broom < room: wait recipient-unavailable"]


def test_xep0045_8_6_the_moderators_are_asked(coven: Coven):
    told = coven.send(HECATE, f"<message>{form('request', {'muc#role': 'participant'})}</message>")
    assert [stanza.to for stanza in told] == [CRONE, WICCA]
    assert all(text in told[0].xml() for text in (HECATE, "<value>hecate</value>", "muc#request_allow"))


def test_who_asks_again_too_soon_has_to_wait(coven: Coven):
    request(coven, HECATE)
    assert request(coven, HECATE) == ["hecate/broom < room: wait policy-violation"]
    coven.hears(HECATE, "<presence type='unavailable' to='room/hecate'/>")
    coven.enter(HECATE, "hecate")
    assert request(coven, HECATE) == ["hecate/broom < room: wait policy-violation"]
    coven.wait(60)
    assert len(request(coven, HECATE)) == 2


def test_xep0045_8_6_only_a_moderator_approves(coven: Coven):
    for allow in ("true", "false"):
        assert answer(coven, HAG, allow) == ["hag66/pda < room: auth forbidden"]
        assert answer(coven, HECATE, allow) == ["hecate/broom < room: auth forbidden"]
    assert answer(coven, CRONE, "perhaps") == ["crone1/desktop < room: modify bad-request"]


def test_xep0045_8_6_voice_is_for_whoever_asked_not_for_who_has_the_nickname_now(coven: Coven):
    assert answer(coven, CRONE, jid="other@x/y") == ["crone1/desktop < room: cancel item-not-found"]
    assert answer(coven, CRONE, nick="nobody") == ["crone1/desktop < room: cancel item-not-found"]


def test_xep0045_8_6_an_approved_request_gives_voice(coven: Coven):
    assert to(answer(coven, CRONE), HAG) == ["hecate: none/participant by firstwitch"]
    assert answer(coven, CRONE) == []
    assert answer(coven, CRONE, "0") == []
