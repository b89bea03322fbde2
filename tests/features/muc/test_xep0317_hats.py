"""XEP-0317: Hats."""

import json

import pytest

from commonroom.features.muc import hats
from commonroom.features.muc.effects import RoomPut
from commonroom.features.muc.hats import MOST_HATS, MOST_WORN
from commonroom.features.muc.room import Hat
from commonroom.protocol.jid import JID
from tests.features.muc.coven import CRONE, HAG, HECATE, HIDDEN, WICCA, Coven, to

NODE = "urn:xmpp:hats:commands"
TEACHER = {"hats#title": "Teacher", "hats#uri": "urn:x:teacher"}
WORN = {"hats#jid": "hag66@shakespeare.lit", "hats#uri": "urn:x:teacher"}


def command(
    coven: Coven, sender: str, name: str, fields: dict[str, str] | None = None, more: str = ""
) -> str:
    filled = ""
    if fields is not None:
        parts = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in fields.items())
        filled = (
            "<x xmlns='jabber:x:data' type='submit'>"
            f"<field var='FORM_TYPE'><value>{NODE}</value></field>{parts}</x>"
        )
    told = coven.send(
        sender,
        "<iq type='set' id='h'><command xmlns='http://jabber.org/protocol/commands' "
        f"node='{NODE}:{name}' {more}>"
        f"{filled}</command></iq>",
    )
    return told[0].xml()


@pytest.fixture
def coven() -> Coven:
    coven = Coven(HIDDEN).everybody()
    command(coven, CRONE, "create", TEACHER)
    return coven


@pytest.mark.parametrize("name", ["create", "destroy", "assign", "unassign", "list", "list-assigned"])
def test_hats_are_for_admins_to_give(coven: Coven, name: str):
    assert "forbidden" in command(coven, HAG, name, WORN)
    assert "forbidden" in command(coven, HECATE, name)


def test_commands_and_hats_that_are_not(coven: Coven):
    assert "item-not-found" in command(coven, CRONE, "fly")
    assert "item-not-found" in command(coven, CRONE, "destroy", {"hats#uri": "urn:x:none"})
    assert "item-not-found" in command(coven, CRONE, "unassign", WORN)
    assert "jid-malformed" in command(coven, CRONE, "assign", WORN | {"hats#jid": "@"})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"hats#uri": "u"},
        {"hats#title": "t"},
        TEACHER | {"hats#hue": "red"},
        TEACHER | {"hats#hue": "361"},
        TEACHER | {"hats#title": "x" * 300},
    ],
)
def test_a_hat_needs_a_uri_and_a_title(fields: dict[str, str]):
    assert "not-acceptable" in command(Coven(), CRONE, "create", fields)


def test_hats_are_bounded():
    coven = Coven()
    for n in range(MOST_HATS):
        command(coven, CRONE, "create", {"hats#title": "t", "hats#uri": f"u{n}"})
    assert "resource-constraint" in command(coven, CRONE, "create", TEACHER)


def test_one_user_wears_only_so_many(coven: Coven):
    for number in range(MOST_WORN + 1):
        uri = f"urn:x:{number}"
        command(coven, CRONE, "create", TEACHER | {"hats#uri": uri})
        told = command(coven, CRONE, "assign", WORN | {"hats#uri": uri})
    assert "resource-constraint" in told
    assert len(coven.room.worn[JID.parse(HAG).bare]) == MOST_WORN


def test_xep0317_3_2_the_form_and_then_the_hat(coven: Coven):
    asked = command(coven, WICCA, "create")
    assert "status='executing'" in asked
    assert "hats#hue" in asked
    assert "canceled" in command(coven, WICCA, "create", None, "action='cancel'")
    made = command(
        coven, WICCA, "create", {"hats#title": "Host", "hats#uri": "urn:x:host", "hats#hue": "327.25"}
    )
    assert "status='completed'" in made
    assert coven.effects.writes == [RoomPut()]
    assert coven.room.hats["urn:x:host"] == Hat("Host", "327.25")


def test_xep0317_3_5_who_wears_a_hat_is_seen_with_it(coven: Coven):
    command(coven, CRONE, "assign", WORN)
    shown = next(stanza for stanza in coven.effects.stanzas() if stanza.to == WICCA)
    element = "<hats xmlns='urn:xmpp:hats:0'><hat title='Teacher' uri='urn:x:teacher'/></hats>"
    assert element in shown.xml()
    assert to(coven.enter(HECATE, "hecate"), HECATE)
    assert sum(element in stanza.xml() for stanza in coven.effects.stanzas()) == 1
    command(coven, CRONE, "assign", WORN)
    assert coven.room.worn[JID.parse(WORN["hats#jid"])] == ("urn:x:teacher",)


@pytest.mark.parametrize("name", ["unassign", "destroy"])
def test_xep0317_3_6_a_hat_is_taken(coven: Coven, name: str):
    command(coven, CRONE, "create", {"hats#title": "Host", "hats#uri": "urn:x:host"})
    command(coven, CRONE, "assign", WORN | {"hats#uri": "urn:x:host"})
    command(coven, CRONE, "assign", WORN)
    command(coven, CRONE, name, WORN)
    shown = next(stanza for stanza in coven.effects.stanzas() if stanza.to == WICCA)
    assert "urn:x:host" in shown.xml()
    assert "teacher" not in shown.xml()
    command(coven, CRONE, "unassign", WORN | {"hats#uri": "urn:x:host"})
    assert not coven.room.worn


def test_xep0317_3_4_lists(coven: Coven):
    command(coven, CRONE, "assign", WORN)
    assert "<value>urn:x:teacher</value>" in command(coven, CRONE, "list")
    assert "<value>hag66@shakespeare.lit</value>" in command(coven, CRONE, "list-assigned")


def test_xep0050_2_2_admins_see_the_commands(coven: Coven):
    query = (
        "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>"
    )
    xml = f"<iq type='get' id='i'>{query}</iq>"
    assert coven.send(CRONE, xml)[0].xml().count(NODE) == 6
    assert coven.send(HAG, xml)[0].xml().count(NODE) == 0


def test_xep0317_2_the_hash_changes_with_the_hats(coven: Coven):
    first = hats.hats_hash(coven.room)
    command(coven, CRONE, "create", {"hats#title": "Host", "hats#uri": "urn:x:host"})
    assert first != hats.hats_hash(coven.room)
    assert hats.hats_hash(Coven().room) is None


def test_hats_as_json_and_back(coven: Coven):
    command(coven, CRONE, "assign", WORN)
    values = json.loads(json.dumps(hats.to_dict(coven.room)))
    other = Coven().room
    hats.restore(other, values)
    assert (other.hats, other.worn) == (coven.room.hats, coven.room.worn)
    hats.restore(other, {"worn": {"@": ["x"]}})
    assert not other.worn


def test_xep0317_3_5_the_forms_offer_the_hats(coven: Coven):
    for name in ("assign", "unassign", "destroy"):
        asked = command(coven, CRONE, name)
        assert "<option label='Teacher'><value>urn:x:teacher</value></option>" in asked
