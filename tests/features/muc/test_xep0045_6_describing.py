"""XEP-0045 §6.4, §6.5, §18.1.1: what a room says of itself."""

from typing import Any

import pytest

from commonroom.features.muc import describing
from commonroom.features.muc.affiliations import Role
from commonroom.protocol.dataforms import NS_DATA, form_fields
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_DISCO_INFO
from tests.features.muc.coven import CRONE, HAG, HECATE, HIDDEN, Coven

ITEMS = "http://jabber.org/protocol/disco#items"


def ask(coven: Coven, sender: str, namespace: str = NS_DISCO_INFO, node: str = "") -> Element | str:
    """The query of the answer, or the condition of the error."""
    attribute = f" node='{node}'" if node else ""
    [answer] = coven.send(sender, f"<iq type='get' id='d'><query xmlns='{namespace}'{attribute}/></iq>")
    assert isinstance(answer, Iq)
    if answer.type is IqType.ERROR:
        return answer.elements()[0].elements()[0].name
    return answer.elements()[0]


def features(coven: Coven, sender: str = HECATE) -> list[str]:
    query = ask(coven, sender)
    assert isinstance(query, Element)
    return [child.get("var", "") for child in query.elements() if child.name == "feature"]


def fields(coven: Coven, sender: str = HECATE) -> dict[str, tuple[str, ...]]:
    query = ask(coven, sender)
    assert isinstance(query, Element)
    form = query.child(NS_DATA, "x")
    assert form is not None
    return form_fields(form)


def test_other_nodes_are_not_found():
    for namespace in (NS_DISCO_INFO, ITEMS):
        assert ask(Coven(), HAG, namespace, "x") == "item-not-found"


def test_xep0045_18_1_1_everything_may_be_sent():
    assert ask(Coven(), HAG, node="http://jabber.org/protocol/muc#traffic") == "service-unavailable"


def test_a_locked_room_says_nothing():
    assert ask(Coven.new(), HAG) == "item-not-found"


def test_xep0045_6_4_identity_and_features():
    query = ask(Coven(name="A Dark Cave"), HECATE)
    assert isinstance(query, Element)
    assert query.elements()[0].attributes == {"category": "conference", "type": "text", "name": "A Dark Cave"}
    assert {
        "http://jabber.org/protocol/muc",
        "http://jabber.org/protocol/muc#stable_id",
        "http://jabber.org/protocol/muc#self-ping-optimization",
        "urn:xmpp:occupant-id:0",
        "urn:xmpp:message-moderate:1",
        "urn:xmpp:muc:affiliations:1",
        "urn:xmpp:hats:0",
        "urn:xmpp:sid:0",
    } <= set(features(Coven()))


@pytest.mark.parametrize(
    ("changes", "yes", "no"),
    [
        ({"password": "x"}, "muc_passwordprotected", "muc_unsecured"),
        ({"public": True}, "muc_public", "muc_hidden"),
        ({"persistent": True}, "muc_persistent", "muc_temporary"),
        ({"members_only": True}, "muc_membersonly", "muc_open"),
        ({"moderated": True}, "muc_moderated", "muc_unmoderated"),
    ],
)
def test_xep0045_6_4_what_kind_of_room_it_is(changes: dict[str, Any], yes: str, no: str):
    opposite: dict[str, Any] = {key: False if value is True else None for key, value in changes.items()}
    assert yes in features(Coven(**changes))
    assert no in features(Coven(**opposite))


def test_xep0045_6_4_who_sees_addresses():
    assert "muc_nonanonymous" in features(Coven())
    assert "muc_semianonymous" in features(Coven(HIDDEN))


def test_xep0045_6_4_the_form():
    coven = Coven(
        description="The place", lang="en", contacts=(JID.parse("a@b"),), slow_mode_seconds=20
    ).everybody()
    coven.hears(CRONE, "<message type='groupchat'><subject>Spells</subject></message>")
    said = fields(coven)
    assert said["FORM_TYPE"] == ("http://jabber.org/protocol/muc#roominfo",)
    assert said["muc#roominfo_description"] == ("The place",)
    assert said["muc#roominfo_contactjid"] == ("a@b",)
    assert said["muc#roominfo_subject"] == ("Spells",)
    assert said["muc#roomconfig_changesubject"] == ("0",)
    assert said["muc#roominfo_occupants"] == ("3",)
    assert said["muc#roominfo_lang"] == ("en",)
    assert said["muc#maxhistoryfetch"] == ("20",)
    assert said["muc#roominfo_slow_mode_duration"] == ("20",)  # XEP-0500 §5.2


def test_xep0045_6_4_the_node_that_goes_with_a_room():
    node = "xmpp:pubsub.shakespeare.lit?;node=the-coven-node"
    coven = Coven().everybody()
    assert "muc#roomconfig_pubsub" not in fields(coven)
    assert coven.configure(CRONE, pubsub=node)[0].endswith("result")
    assert fields(coven)["muc#roomconfig_pubsub"] == (node,)


def test_the_subject_is_for_those_who_may_enter():
    coven = Coven(members_only=True).everybody()
    coven.hears(CRONE, "<message type='groupchat'><subject>Spells</subject></message>")
    assert "muc#roominfo_subject" not in fields(coven, HECATE)
    assert "muc#roominfo_subject" in fields(coven, HAG)


def test_the_service_adds_what_it_does():
    coven = Coven()
    iq = Iq(IqType.GET, coven.room.address, JID.parse(HAG), "d", [Element(NS_DISCO_INFO, "query")])
    [answer] = describing.info(coven.room, iq, coven.now, ("urn:xmpp:mam:2",), {"x": ("y",)}).stanzas()
    assert "urn:xmpp:mam:2" in answer.xml()
    assert "<field var='x'><value>y</value></field>" in answer.xml()


def occupants(coven: Coven, sender: str) -> list[str]:
    query = ask(coven, sender, ITEMS)
    assert isinstance(query, Element)
    return [JID.parse(item.get("jid", "")).resource or "" for item in query.elements()]


def test_xep0045_6_5_who_is_inside_is_private():
    coven = Coven().everybody()
    assert occupants(coven, HECATE) == []
    assert occupants(coven, HAG) == ["firstwitch", "secondwitch", "thirdwitch"]
    assert occupants(Coven(allow_query_users=True).everybody(), HECATE) != []


def test_xep0045_6_5_roles_that_are_hidden_are_hidden_here_too():
    coven = Coven(presence_broadcast=frozenset((Role.MODERATOR,))).everybody()
    assert occupants(coven, CRONE) == ["firstwitch", "secondwitch"]


def test_xep0313_6_1_2_who_may_read_and_see_addresses():
    room = Coven(HIDDEN, members_only=True, password=None).everybody().room
    assert [room.may_read(JID.parse(jid)) for jid in (CRONE, HAG, HECATE)] == [True, True, False]
    assert [describing.has_address(room, JID.parse(jid)) for jid in (CRONE, HAG, HECATE)] == [
        True,
        False,
        False,
    ]
    assert describing.has_address(Coven().room, JID.parse(HECATE))
    closed = Coven(password="x").room
    assert [closed.may_read(JID.parse(jid)) for jid in (CRONE, HAG)] == [True, False]
