"""XEP-0425: Moderated Message Retraction; XEP-0424: one's own words."""

import pytest

from commonroom.features.muc.effects import MessageRetracted
from commonroom.features.muc.occupant_ids import occupant_id
from commonroom.protocol.jid import JID
from tests.features.muc.coven import CRONE, HAG, HECATE, KEY, WICCA, Coven, to

RETRACT = "<retract xmlns='urn:xmpp:message-retract:1'/>"


def moderate(coven: Coven, sender: str, id: str = "1000", inside: str = RETRACT) -> list[str]:
    return coven.hears(
        sender,
        f"<iq type='set' id='r'><moderate id='{id}' xmlns='urn:xmpp:message-moderate:1'>"
        f"{inside}</moderate></iq>",
    )


@pytest.fixture
def coven() -> Coven:
    coven = Coven(logging=True).everybody()
    coven.say(HAG, "magic potions!")
    return coven


@pytest.mark.parametrize("sender", [HAG, HECATE])
def test_xep0425_3_2_only_moderators(coven: Coven, sender: str):
    assert moderate(coven, sender)[0].endswith("auth forbidden")


def test_other_actions_and_messages(coven: Coven):
    assert moderate(coven, CRONE, inside="")[0].endswith("bad-request")
    assert moderate(coven, CRONE, "x")[0].endswith("item-not-found")
    unlogged = Coven().everybody()
    assert moderate(unlogged, CRONE, "7")[0].endswith("item-not-found")


def test_xep0425_3_1_all_are_told_by_the_room(coven: Coven):
    told = moderate(coven, CRONE, inside=f"{RETRACT}<reason>spam</reason>")
    assert told == [f"{who} < room:" for who in ("crone1/desktop", "wiccarocks/laptop", "hag66/pda")] + [
        "crone1/desktop < room: result"
    ]
    said = next(coven.effects.stanzas()).xml()
    moderator = occupant_id(KEY, JID.parse(CRONE))
    assert (
        "<retract xmlns='urn:xmpp:message-retract:1' id='1000'>"
        "<moderated xmlns='urn:xmpp:message-moderate:1' by='coven@chat.shakespeare.lit/firstwitch'>"
        f"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{moderator}'/></moderated>"
        "<reason>spam</reason></retract>"
    ) in said


def test_xep0425_4_history_and_archive_lose_it(coven: Coven):
    moderate(coven, CRONE)
    [gone] = coven.effects.writes
    assert isinstance(gone, MessageRetracted)
    assert (gone.id, gone.author) == (1000, None)
    assert occupant_id(KEY, JID.parse(HAG)) in gone.xml
    assert "moderated" in gone.xml
    assert len(coven.effects.archive) == 1
    assert not any("magic" in text for text in coven.enter(HECATE, "hecate"))


def test_xep0425_5_a_client_cannot_pretend(coven: Coven):
    forged = (
        "<retract xmlns='urn:xmpp:message-retract:1' id='1000'>"
        "<moderated xmlns='urn:xmpp:message-moderate:1' by='x'/>"
        "</retract>"
    )
    coven.say(HAG, "x", forged)
    assert all("moderated" not in stanza.xml() for stanza in coven.effects.stanzas())
    assert not coven.effects.writes


def test_xep0424_5_own_words_are_taken_back(coven: Coven):
    xml = "<message type='groupchat' id='t'><retract xmlns='urn:xmpp:message-retract:1' id='1000'/></message>"
    coven.hears(HAG, xml)
    [gone] = coven.effects.writes
    assert isinstance(gone, MessageRetracted)
    assert (gone.id, gone.author) == (1000, "hag66@shakespeare.lit")
    assert len(coven.effects.archive) == 1
    assert not coven.room.history


def test_xep0424_5_not_those_of_others(coven: Coven):
    xml = "<message type='groupchat' id='t'><retract xmlns='urn:xmpp:message-retract:1' id='1000'/></message>"
    assert to(coven.hears(WICCA, xml), HAG) == ["secondwitch:"]
    assert len(coven.room.history) == 1
    [gone] = coven.effects.writes
    assert isinstance(gone, MessageRetracted)
    assert gone.author == "wiccarocks@shakespeare.lit"  # so the archive keeps it


def test_xep0424_an_id_that_is_none_of_ours(coven: Coven):
    xml = "<message type='groupchat' id='t'><retract xmlns='urn:xmpp:message-retract:1' id='abc'/></message>"
    assert len(coven.hears(HAG, xml)) == 3
    assert not coven.effects.writes
