"""XEP-0045 §9, §10.3 to §10.8: affiliations."""

import pytest

from commonroom.features.muc import administering
from commonroom.features.muc.affiliations import Affiliation, Role
from commonroom.features.muc.effects import AffiliationPut, RoomPut
from commonroom.features.muc.room import MOST_FORMER
from commonroom.protocol.errors import StanzaError
from commonroom.protocol.jid import JID
from tests.features.muc.coven import CRONE, HAG, HECATE, HIDDEN, LISTS, OPEN, WICCA, Coven, to

BARE = "hecate@shakespeare.lit"


@pytest.fixture
def coven() -> Coven:
    coven = Coven(HIDDEN).everybody()
    coven.enter(HECATE, "hecate")
    return coven


def listed(coven: Coven, jid: str) -> Affiliation:
    return coven.room.affiliation(JID.parse(jid))


def item(jid: str, affiliation: str, more: str = "", inside: str = "") -> str:
    return f"<item jid='{jid}' affiliation='{affiliation}' {more}>{inside}</item>"


@pytest.mark.parametrize(
    ("xml", "condition"),
    [
        ("<item affiliation='member'/>", "modify bad-request"),
        (item(BARE, "queen"), "modify bad-request"),
        (item("@", "member"), "modify jid-malformed"),
        (item("coven@chat.shakespeare.lit/hecate", "member"), "modify bad-request"),
        (item(BARE, "member") + item(HECATE, "admin"), "modify bad-request"),
        (item("crone1@shakespeare.lit", "outcast"), "cancel conflict"),
        (item("crone1@shakespeare.lit", "admin"), "cancel conflict"),
        (item("crone1@shakespeare.lit", "none"), "cancel conflict"),
        (item("shakespeare.lit", "owner"), "modify not-acceptable"),
        (item("x@y", "member", "nick='hecate'"), "cancel conflict"),
        (item("x@y", "member", "nick=' '"), "modify not-acceptable"),
    ],
)
def test_requests_that_cannot_be(coven: Coven, xml: str, condition: str):
    before = dict(coven.room.affiliations)
    assert coven.admin(CRONE, xml) == [f"crone1/desktop < room: {condition}"]
    assert coven.room.affiliations == before


@pytest.mark.parametrize("sender", [HAG, HECATE, "stranger@x/y"])
@pytest.mark.parametrize("affiliation", list(Affiliation))
def test_xep0045_9_only_admins_change_affiliations(coven: Coven, sender: str, affiliation: str):
    assert coven.admin(sender, item("x@y", affiliation))[0].endswith("auth forbidden")


def test_xep0045_9_1_an_admin_does_not_ban_an_owner_or_an_admin(coven: Coven):
    assert coven.admin(WICCA, item("crone1@shakespeare.lit", "outcast"))[0].endswith("cancel not-allowed")
    coven.admin(CRONE, item(BARE, "admin"))
    assert coven.admin(WICCA, item(BARE, "outcast"))[0].endswith("cancel not-allowed")


def test_xep0045_9_1_nobody_bans_themselves(coven: Coven):
    for sender, bare in ((CRONE, "crone1@shakespeare.lit"), (WICCA, "wiccarocks@shakespeare.lit")):
        assert coven.admin(sender, item(bare, "outcast"))[0].endswith("cancel conflict")
    assert coven.admin(HAG, item("hag66@shakespeare.lit", "outcast"))[0].endswith("auth forbidden")


@pytest.mark.parametrize("affiliation", ["owner", "admin"])
def test_xep0045_10_3_only_owners_make_owners_and_admins(coven: Coven, affiliation: str):
    assert coven.admin(WICCA, item(BARE, affiliation))[0].endswith("auth forbidden")


@pytest.mark.parametrize("affiliation", ["member", "none"])
@pytest.mark.parametrize("jid", ["crone1@shakespeare.lit", "wiccarocks@shakespeare.lit"])
def test_xep0045_10_4_only_owners_unmake_them(coven: Coven, jid: str, affiliation: str):
    assert coven.admin(WICCA, item(jid, affiliation))[0].endswith("auth forbidden")


def test_xep0045_9_1_a_banned_user_is_removed(coven: Coven):
    told = coven.admin(WICCA, item(BARE, "outcast", inside="<reason>Treason</reason>"))
    assert told == [
        "hecate/broom < hecate: gone outcast/none jid=hecate/broom by secondwitch because Treason 110 301",
        "wiccarocks/laptop < room: result",
        "hag66/pda < hecate: gone outcast/none by secondwitch because Treason 301",
        "crone1/desktop < hecate: gone outcast/none jid=hecate/broom by secondwitch because Treason 301",
        "wiccarocks/laptop < hecate: gone outcast/none jid=hecate/broom by secondwitch because Treason 301",
    ]
    assert coven.effects.writes == [AffiliationPut(JID.parse(BARE)), RoomPut()]
    assert coven.enter(HECATE, "hecate") == ["hecate/broom < hecate: auth forbidden"]


def test_xep0045_9_1_a_banned_user_has_no_reserved_nickname(coven: Coven):
    coven.admin(CRONE, item(BARE, "member", "nick='hecate'"))
    coven.admin(CRONE, item(BARE, "outcast"))
    coven.enter("x@y/z", "hecate")
    assert "hecate" in coven.room.occupants


def test_xep0045_9_2_a_domain_is_banned():
    coven = Coven(lists=LISTS).everybody()
    coven.enter(HECATE, "hecate")
    told = coven.admin(CRONE, item("shakespeare.lit", "outcast"))
    assert to(told, HECATE)[0].startswith("hecate: gone outcast/none")
    assert list(coven.room.occupants) == ["firstwitch", "secondwitch", "thirdwitch"]  # who stand on lists


def test_xep0045_9_2_the_ban_list(coven: Coven):
    coven.admin(CRONE, item(BARE, "outcast", inside="<reason>Treason</reason>"))
    [answer] = coven.listing(WICCA, "<item affiliation='outcast'/>")
    assert (
        "<item affiliation='outcast' jid='hecate@shakespeare.lit'><reason>Treason</reason></item>"
        in answer.xml()
    )
    assert "forbidden" in coven.listing(HAG, "<item affiliation='outcast'/>")[0].xml()


def test_xep0045_9_2_one_forbidden_change_forbids_all(coven: Coven):
    told = coven.admin(WICCA, item("x@y", "outcast"), item("crone1@shakespeare.lit", "outcast"))
    assert told[0].endswith("not-allowed")
    assert listed(coven, "x@y") is Affiliation.NONE


def test_xep0045_9_3_membership_is_granted(coven: Coven):
    told = coven.admin(CRONE, item(BARE, "member", "nick='hecate'"))
    assert told[0] == "crone1/desktop < room: result"
    assert to(told, HAG) == ["hecate: member/participant by firstwitch"]
    assert to(told, WICCA) == ["hecate: member/participant jid=hecate/broom by firstwitch"]


def test_xep0045_9_4_membership_is_revoked(coven: Coven):
    told = coven.admin(WICCA, item("hag66@shakespeare.lit", "none", inside="<reason>Not so worthy</reason>"))
    assert to(told, HECATE) == ["thirdwitch: none/participant by secondwitch because Not so worthy"]


def test_xep0045_9_4_a_members_only_room_removes_who_is_no_member():
    coven = Coven(members_only=True).everybody()
    told = coven.admin(CRONE, item("hag66@shakespeare.lit", "none"))
    assert told[:2] == [
        "hag66/pda < thirdwitch: gone none/none jid=hag66/pda by firstwitch 110 321",
        "crone1/desktop < room: result",
    ]
    assert to(told, WICCA) == ["thirdwitch: gone none/none jid=hag66/pda by firstwitch 321"]


def test_xep0045_9_5_the_member_list(coven: Coven):
    [answer] = coven.listing(WICCA, "<item affiliation='member'/>")
    assert "<item affiliation='member' jid='hag66@shakespeare.lit'/>" in answer.xml()


@pytest.mark.parametrize("sender", [HAG, HECATE, "stranger@x/y"])
def test_xep0045_5_2_1_the_lists_of_a_semi_anonymous_room_are_for_admins(coven: Coven, sender: str):
    for affiliation in Affiliation:
        assert "forbidden" in coven.listing(sender, f"<item affiliation='{affiliation}'/>")[0].xml()


def test_xep0045_9_5_in_a_non_anonymous_room_members_and_those_inside_get_it():
    coven = Coven(OPEN)
    assert "hag66" in coven.listing(HAG, "<item affiliation='member'/>")[0].xml()
    assert "forbidden" in coven.listing(HECATE, "<item affiliation='member'/>")[0].xml()
    coven.enter(HECATE, "hecate")
    assert "hag66" in coven.listing(HECATE, "<item affiliation='member'/>")[0].xml()


def test_xep0045_10_1_3_the_configuration_says_which_roles_get_it():
    coven = Coven(OPEN, get_member_list=frozenset((Role.MODERATOR,)))
    coven.enter(HECATE, "hecate")
    assert "forbidden" in coven.listing(HECATE, "<item affiliation='member'/>")[0].xml()


def test_xep0045_9_5_a_nickname_is_reserved_changed_and_given_up(coven: Coven):
    jid = JID.parse("hag66@shakespeare.lit")
    for more, nick in (
        ("nick='thirdwitch'", "thirdwitch"),
        ("", "thirdwitch"),
        ("nick='a'", "a"),
        ("nick=''", None),
    ):
        coven.admin(CRONE, item(str(jid), "member", more))
        assert coven.room.affiliations[jid].nick == nick
    assert not coven.room.reserved


def test_xep0045_10_3_owner_status_by_a_full_address(coven: Coven):
    told = coven.admin(CRONE, item(HECATE, "owner"))
    assert to(told, HAG) == ["hecate: owner/moderator by firstwitch"]
    assert listed(coven, BARE) is Affiliation.OWNER


def test_xep0045_10_3_of_somebody_who_is_not_inside_those_hear_who_may():
    coven = Coven(HIDDEN).everybody()
    told = coven.admin(CRONE, item(BARE, "member"))
    assert told[1:] == [
        "crone1/desktop < room: member/none jid=hecate",
        "wiccarocks/laptop < room: member/none jid=hecate",
        "hecate < room: member/none 101",
    ]


def test_those_who_hear_of_a_ban_hear_of_its_end():
    coven = Coven(HIDDEN).everybody()
    for affiliation in ("outcast", "none"):
        told = coven.admin(CRONE, item(BARE, affiliation))
        assert f"wiccarocks/laptop < room: {affiliation}/none jid=hecate" in told
        assert to(told, HAG) == []


def test_xep0045_10_4_an_owner_may_go_if_there_is_another(coven: Coven):
    coven.admin(CRONE, item(BARE, "owner"))
    told = coven.admin(CRONE, item("crone1@shakespeare.lit", "admin"))
    assert to(told, HAG) == ["firstwitch: admin/moderator by firstwitch"]


def test_xep0045_10_4_or_in_the_same_request(coven: Coven):
    coven.admin(CRONE, item(BARE, "owner"), item("crone1@shakespeare.lit", "none"))
    assert (listed(coven, BARE), listed(coven, CRONE)) == (Affiliation.OWNER, Affiliation.NONE)


def test_xep0045_10_5_the_lists_of_owners_and_admins_are_for_owners(coven: Coven):
    for affiliation in ("owner", "admin"):
        xml = f"<item affiliation='{affiliation}'/>"
        assert "forbidden" in coven.listing(WICCA, xml)[0].xml()
        assert f"affiliation='{affiliation}'" in coven.listing(CRONE, xml)[0].xml()


def test_xep0045_10_7_an_admin_becomes_what_the_room_lets_in():
    coven = Coven(HIDDEN, moderated=True).everybody()
    told = coven.admin(CRONE, item("wiccarocks@shakespeare.lit", "none"))
    assert to(told, HAG) == ["secondwitch: none/visitor by firstwitch"]


def test_what_is_so_already_is_no_change(coven: Coven):
    assert coven.admin(CRONE, item("hag66@shakespeare.lit", "member")) == ["crone1/desktop < room: result"]
    assert coven.admin(CRONE, item("x@y", "none")) == ["crone1/desktop < room: result"]
    assert not coven.effects.writes


def test_all_clients_of_a_banned_user_leave_under_all_nicknames(coven: Coven):
    coven.enter("hecate@shakespeare.lit/phone", "hecate")
    coven.enter("hecate@shakespeare.lit/tablet", "hex")
    coven.admin(CRONE, item(BARE, "outcast"))
    assert list(coven.room.occupants) == ["firstwitch", "secondwitch", "thirdwitch"]
    assert not any("hecate" in jid for jid in coven.room.by_address)


# Operators


def test_an_operator_is_not_bound_by_the_tables(coven: Coven):
    effects = administering.assign(coven.room, JID.parse(HECATE), Affiliation.OWNER, "Hecate", "voted")
    assert effects.writes == [AffiliationPut(JID.parse(BARE)), RoomPut()]
    assert coven.room.affiliations[JID.parse(BARE)].nick == "Hecate"


def test_but_leaves_an_owner(coven: Coven):
    with pytest.raises(StanzaError):
        administering.assign(coven.room, JID.parse(CRONE), Affiliation.NONE)


def test_xep0463_those_who_lost_an_affiliation_are_remembered_up_to_a_number(coven: Coven):
    for n in range(MOST_FORMER + 1):
        jid = JID.parse(f"u{n}@x")
        administering.assign(coven.room, jid, Affiliation.MEMBER)
        effects = administering.assign(coven.room, jid, Affiliation.NONE)
    assert len(coven.room.former) == MOST_FORMER
    assert AffiliationPut(JID.parse("u0@x")) in effects.writes
    assert coven.room.complete_from == 3


def test_a_request_and_its_reasons_have_an_end(coven: Coven):
    reason = f"<reason>{'x' * (administering.LONGEST_REASON + 1)}</reason>"
    assert coven.admin(CRONE, item("x@y", "outcast", inside=reason))[0].endswith("not-acceptable")
    many = [item(f"u{n}@y", "member") for n in range(administering.MOST_ITEMS + 1)]
    assert coven.admin(CRONE, *many)[0].endswith("not-acceptable")
    assert coven.owner(CRONE, f"<destroy>{reason}</destroy>")[0].endswith("not-acceptable")


def test_the_lists_have_an_end(coven: Coven, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(administering, "MOST_ENTRIES", 3)
    assert coven.admin(CRONE, item("x@y", "member")) == ["crone1/desktop < room: wait resource-constraint"]
    assert coven.admin(CRONE, item("hag66@shakespeare.lit", "none"))[0].endswith("result")


def test_a_reserved_nickname_is_one(coven: Coven):
    long = f"nick='{'x' * 2000}'"
    assert coven.admin(CRONE, item("x@y", "member", long))[0].endswith("not-acceptable")
