"""XEP-0045 §7.10, §7.12, §9.9: registering with a room, and reserved nicknames."""

import pytest

from commonroom.features.muc.affiliations import Affiliation, Entry
from commonroom.features.muc.registering import MOST_REQUESTS, WHO
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Stanza
from tests.features.muc.coven import CRONE, HAG, HECATE, MUC, WICCA, Coven, form, to

BARE = JID.parse("hecate@shakespeare.lit")
REGISTER = "jabber:iq:register"


def ask(coven: Coven, sender: str = HECATE) -> list[Stanza]:
    return coven.send(sender, f"<iq type='get' id='r'><query xmlns='{REGISTER}'/></iq>")


def register(coven: Coven, nick: str = "hecate", sender: str = HECATE) -> list[str]:
    filled = form("register", {"muc#register_roomnick": nick, "muc#register_first": "H"})
    return coven.hears(sender, f"<iq type='set' id='r'><query xmlns='{REGISTER}'>{filled}</query></iq>")


def give_up(coven: Coven, sender: str = HECATE) -> list[str]:
    return coven.hears(sender, f"<iq type='set' id='r'><query xmlns='{REGISTER}'><remove/></query></iq>")


def approve(
    coven: Coven, sender: str, nick: str = "hecate", allow: str = "1", who: str = str(BARE)
) -> list[str]:
    fields = {"muc#register_roomnick": nick, "muc#register_allow": allow}
    filled = form("register", fields | ({WHO: who} if who else {}))
    return coven.hears(sender, f"<message id='407'>{filled}</message>")


def test_xep0045_7_10_who_is_not_allowed_to_register():
    closed = Coven(self_registration=False)
    assert closed.hears(HECATE, f"<iq type='get' id='r'><query xmlns='{REGISTER}'/></iq>") == [
        "hecate/broom < room: cancel not-allowed"
    ]
    assert register(closed) == ["hecate/broom < room: cancel not-allowed"]
    banned = Coven(lists={str(BARE): Affiliation.OUTCAST})
    assert register(banned) == ["hecate/broom < room: cancel not-allowed"]


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "<x xmlns='jabber:x:data' type='form'/>",
        "<x xmlns='jabber:x:data' type='submit'/>",
        "<username>hecate</username>",
        form("roomconfig", {"muc#register_roomnick": "x"}),
        form("register", {"muc#register_roomnick": ""}),
        form("register", {"muc#register_roomnick": ["a", "b"]}),
    ],
)
def test_xep0045_7_10_no_valid_form_is_a_bad_request(inside: str):
    xml = f"<iq type='set' id='r'><query xmlns='{REGISTER}'>{inside}</query></iq>"
    assert Coven().hears(HECATE, xml) == ["hecate/broom < room: modify bad-request"]


def test_xep0045_7_10_a_nickname_of_another_is_a_conflict():
    coven = Coven(approve_registration=False).everybody()
    assert register(coven, "thirdwitch") == ["hecate/broom < room: cancel conflict"]
    register(coven, "hecate")
    assert register(coven, "Hecate", HAG) == ["hag66/pda < room: cancel conflict"]


def test_xep0077_3_2_who_is_not_registered_cannot_stop_to_be():
    assert give_up(Coven()) == ["hecate/broom < room: auth registration-required"]


def test_xep0045_7_10_the_form():
    [answer] = ask(Coven())
    assert "muc#register_roomnick" in answer.xml()
    assert "<required/>" in answer.xml()


def test_xep0045_7_10_who_is_registered_is_told_so():
    coven = Coven(approve_registration=False)
    register(coven)
    [answer] = ask(coven)
    assert "<registered/><username>hecate</username>" in answer.xml()


def test_xep0045_7_10_who_registers_becomes_a_member_and_all_are_told():
    coven = Coven(approve_registration=False).everybody()
    coven.enter(HECATE, "hecate")
    told = register(coven)
    assert told[0] == "hecate/broom < room: result"
    assert to(told, CRONE) == ["hecate: member/participant jid=hecate/broom"]
    assert coven.room.affiliations[BARE] == Entry(Affiliation.MEMBER, "hecate", None, 2)


def test_xep0045_7_10_a_member_registers_a_nickname():
    coven = Coven().everybody()
    assert register(coven, "thirdwitch", HAG)[0] == "hag66/pda < room: result"
    assert coven.room.affiliations[JID.parse(HAG).bare].nick == "thirdwitch"


def test_xep0045_7_10_the_nickname_may_be_locked_at_once():
    coven = Coven(approve_registration=False, lock_nicks=True).everybody()
    coven.enter(HECATE, "somebody")
    told = register(coven)
    assert to(told, CRONE) == [
        "somebody: gone member/participant jid=hecate/broom nick=hecate 303",
        "hecate: member/participant jid=hecate/broom 210",
    ]


def test_xep0077_3_2_giving_up():
    coven = Coven(approve_registration=False).everybody()
    register(coven)
    register(coven, "firstwitch", CRONE)
    assert give_up(coven)[0] == "hecate/broom < room: result"
    assert BARE not in coven.room.affiliations
    give_up(coven, CRONE)
    assert coven.room.affiliations[JID.parse(CRONE).bare].affiliation is Affiliation.OWNER
    assert coven.room.affiliations[JID.parse(CRONE).bare].nick is None


# Approval


def test_xep0045_9_9_who_may_not_approve():
    coven = Coven().everybody()
    register(coven)
    assert approve(coven, HAG) == ["hag66/pda < room: auth forbidden"]
    assert approve(coven, CRONE, allow="maybe") == ["crone1/desktop < room: modify bad-request"]
    assert approve(coven, CRONE, nick="other") == ["crone1/desktop < room: cancel item-not-found"]


def test_xep0045_9_9_the_admins_are_asked():
    coven = Coven().everybody()
    told = register(coven)
    assert [text.split(" <")[0] for text in told] == ["hecate/broom", "crone1/desktop", "wiccarocks/laptop"]
    assert register(coven) == ["hecate/broom < room: result"]  # once is enough
    assert BARE not in coven.room.affiliations
    approve(coven, WICCA)
    assert coven.room.affiliations[BARE].nick == "hecate"
    assert not coven.room.requests


def test_xep0045_9_9_without_admins_inside_they_are_asked_at_home():
    told = register(Coven())
    assert [text.split(" <")[0] for text in told] == ["hecate/broom", "crone1", "wiccarocks"]


def test_xep0045_9_9_a_form_without_our_field_is_enough():
    coven = Coven().everybody()
    register(coven)
    approve(coven, CRONE, who="")
    assert BARE in coven.room.affiliations


def test_xep0045_9_9_no_means_no():
    coven = Coven().everybody()
    register(coven)
    assert approve(coven, CRONE, allow="0") == []
    assert BARE not in coven.room.affiliations
    assert approve(coven, CRONE)[0].endswith("item-not-found")


def test_two_cannot_ask_for_one_nickname_and_requests_are_bounded():
    coven = Coven()
    register(coven)
    assert register(coven, sender="x@y/z") == ["x/z < room: cancel conflict"]
    for n in range(MOST_REQUESTS - 1):
        register(coven, f"n{n}", f"u{n}@y/z")
    assert register(coven, "late", "late@y/z") == ["late/z < room: wait resource-constraint"]


def test_admins_are_not_bothered_without_end():
    coven = Coven()
    register(coven)
    assert register(coven, "other") == ["hecate/broom < room: wait policy-violation"]
    approve(coven, CRONE, allow="0")
    assert register(coven) == ["hecate/broom < room: wait policy-violation"]
    coven.wait(60)
    assert len(register(coven, "other")) == 3


# Reserved nicknames


def nick(coven: Coven, sender: str) -> str:
    query = "<query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/>"
    [answer] = coven.send(sender, f"<iq type='get' id='n'>{query}</iq>")
    return answer.xml().split(">", 1)[1]


def test_xep0045_7_12_without_a_reserved_nickname_the_answer_is_empty():
    assert nick(Coven(), HAG) == (
        "<query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/></iq>"
    )


def test_xep0045_7_12_ones_own_reserved_nickname():
    coven = Coven()
    coven.admin(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit' nick='thirdwitch'/>")
    assert "<identity category='conference' name='thirdwitch' type='text'/>" in nick(coven, HAG)
    assert "thirdwitch" not in nick(coven, HECATE)
    assert MUC not in nick(coven, HAG)


def test_xep0045_9_9_a_request_that_cannot_be_granted_still_waits():
    coven = Coven(approve_registration=True).everybody()
    register(coven, "owl")
    coven.admin(CRONE, "<item affiliation='member' jid='owl@shakespeare.lit' nick='owl'/>")
    assert approve(coven, CRONE, nick="owl") == ["crone1/desktop < room: cancel conflict"]
    assert list(coven.room.requests.values()) == ["owl"]
    assert approve(coven, CRONE, nick="owl", allow="0") == []
    assert not coven.room.requests
