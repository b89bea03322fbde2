"""XEP-0045 §7.3 to §7.5, §8.1, §17.2: messages to all, private ones, and the subject."""

import pytest

from commonroom.features.muc.config import AllowPM
from commonroom.features.muc.discussing import LONGEST_SUBJECT, MOST_OF_SUBJECT
from commonroom.features.muc.effects import Broadcast, RoomPut
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message
from tests.features.muc.coven import CRONE, HAG, HECATE, HIDDEN, MUC, WICCA, Coven, to


def test_xep0045_7_4_somebody_outside_may_not_speak():
    assert Coven().everybody().say(HECATE, "x") == ["hecate/broom < room: modify not-acceptable"]


def test_xep0045_7_4_a_visitor_may_not_speak():
    coven = Coven(moderated=True).everybody()
    coven.enter(HECATE, "hecate")
    assert coven.say(HECATE, "x") == ["hecate/broom < room: auth forbidden"]


def test_xep0045_17_2_a_message_to_a_locked_room_finds_no_room():
    coven = Coven.new()
    assert coven.say(HAG, "x") == ["hag66/pda < room: cancel item-not-found"]


@pytest.mark.parametrize("kind", ["chat", "normal", "headline"])
def test_xep0045_17_2_another_type_to_the_room_is_refused(kind: str):
    coven = Coven().everybody()
    xml = f"<message type='{kind}'><body>x</body></message>"
    assert coven.hears(HAG, xml) == ["hag66/pda < room: modify bad-request"]
    assert coven.hears(HECATE, xml) == ["hecate/broom < room: auth forbidden"]


def test_xep0045_7_4_a_message_is_reflected_to_all_with_its_id():
    coven = Coven().everybody()
    told = coven.send(
        HAG, "<message type='groupchat' id='hysf1v37' xml:lang='en'><body>Harpier</body></message>"
    )
    assert [(stanza.to, stanza.sender, stanza.id, stanza.lang) for stanza in told] == [
        (jid, "coven@chat.shakespeare.lit/thirdwitch", "hysf1v37", "en") for jid in (CRONE, WICCA, HAG)
    ]


def test_xep0045_7_4_a_message_without_an_id_gets_one():
    told = Coven().everybody().send(HAG, "<message type='groupchat'><body>x</body></message>")
    assert {stanza.id for stanza in told} == {"1000"}


def test_a_broadcast_is_serialized_once():
    coven = Coven().everybody()
    coven.say(HAG, "x")
    [broadcast] = coven.effects.send
    assert isinstance(broadcast, Broadcast)
    copies = list(broadcast.copies())
    assert len({id(copy.payload()) for copy in copies}) == 1


def test_xep0359_3_forged_ids_are_stripped_and_the_room_gives_its_own():
    coven = Coven().everybody()
    forged = "".join(
        f"<stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='forged'/>"
        for by in ("coven@chat.shakespeare.lit", "chat.shakespeare.lit", "COVEN@chat.shakespeare.lit/x")
    )
    kept = "<origin-id xmlns='urn:xmpp:sid:0' id='mine'/>"
    kept += "<stanza-id xmlns='urn:xmpp:sid:0' by='a@b' id='theirs'/>"
    coven.say(HAG, "x", forged + kept)
    said = next(coven.effects.stanzas())
    ids = [
        (child.name, child.get("by"), child.get("id"))
        for child in said.elements()
        if "sid" in child.namespace
    ]
    assert ids == [
        ("origin-id", None, "mine"),
        ("stanza-id", "a@b", "theirs"),
        ("stanza-id", "coven@chat.shakespeare.lit", "1000"),
    ]


def test_xep0313_6_1_2_forged_roles_in_messages_are_stripped():
    coven = Coven().everybody()
    coven.say(
        HAG, "x", f"<x xmlns='{MUC}#user'><item jid='forged@x' role='moderator' affiliation='owner'/></x>"
    )
    assert all("forged" not in stanza.xml() for stanza in coven.effects.stanzas())


def test_xep0313_6_1_2_a_room_that_logs_archives_once_before_anybody_is_told():
    coven = Coven(logging=True).everybody()
    coven.say(HAG, "x")
    [archived] = coven.effects.archive
    assert archived.id == 1000
    assert archived.sender == HAG
    assert archived.message.to is None
    assert archived.message.sender == "coven@chat.shakespeare.lit/thirdwitch"


# The subject


@pytest.mark.parametrize("sender", [HAG, HECATE])
def test_xep0045_8_1_only_moderators_change_the_subject(sender: str):
    coven = Coven().everybody()
    coven.enter(HECATE, "hecate")
    told = coven.hears(sender, "<message type='groupchat'><subject>Fire</subject></message>")
    assert [text.split(": ")[1] for text in told] == ["auth forbidden"]


def test_xep0045_8_1_a_subject_has_an_end():
    coven = Coven().everybody()
    xml = f"<message type='groupchat'><subject>{'x' * (LONGEST_SUBJECT + 1)}</subject></message>"
    assert coven.hears(CRONE, xml) == ["crone1/desktop < room: modify not-acceptable"]


def test_what_stands_beside_a_subject_has_an_end():
    coven = Coven().everybody()
    xml = f"<message type='groupchat'><subject>x</subject><y xmlns='z'>{'x' * MOST_OF_SUBJECT}</y></message>"
    assert coven.hears(CRONE, xml) == ["crone1/desktop < room: modify not-acceptable"]
    assert coven.room.subject is None


@pytest.mark.parametrize("more", ["<body>x</body>", "<thread>x</thread>"])
def test_xep0045_8_1_a_subject_with_a_body_or_a_thread_changes_nothing(more: str):
    coven = Coven().everybody()
    told = coven.hears(HAG, f"<message type='groupchat'><subject>Fire</subject>{more}</message>")
    assert len(told) == 3
    assert coven.room.subject is None


def test_xep0045_8_1_all_are_told_of_a_new_subject_when_it_is_stored():
    coven = Coven(logging=True).everybody()
    told = coven.hears(WICCA, "<message type='groupchat' id='s'><subject>Fire</subject></message>")
    assert told == [
        f"{who} < secondwitch: subject='Fire'" for who in ("crone1/desktop", "wiccarocks/laptop", "hag66/pda")
    ]
    assert coven.effects.writes == [RoomPut()]
    assert len(coven.effects.archive) == 1  # XEP-0313 §6.1.2


def test_xep0045_7_3_occupants_change_it_where_they_may():
    coven = Coven(change_subject=True, moderated=True).everybody()
    coven.enter(HECATE, "hecate")
    xml = "<message type='groupchat'><subject>Fire</subject></message>"
    assert len(coven.hears(HAG, xml)) == 4
    assert coven.hears(HECATE, xml) == ["hecate/broom < room: auth forbidden"]


# Private messages


def whisper(coven: Coven, sender: str, nick: str, kind: str = "chat", more: str = "") -> list[str]:
    return coven.hears(
        sender, f"<message type='{kind}' id='w' to='room/{nick}'><body>wind</body>{more}</message>"
    )


def test_xep0045_7_5_a_groupchat_message_to_an_occupant_is_refused():
    told = whisper(Coven().everybody(), WICCA, "firstwitch", "groupchat")
    assert told == ["wiccarocks/laptop < firstwitch: modify bad-request"]


def test_xep0045_7_5_nobody_of_this_name_is_not_found():
    assert whisper(Coven().everybody(), WICCA, "nobody") == [
        "wiccarocks/laptop < nobody: cancel item-not-found"
    ]


def test_xep0045_7_5_somebody_outside_may_not_whisper():
    told = whisper(Coven().everybody(), HECATE, "firstwitch")
    assert told == ["hecate/broom < firstwitch: modify not-acceptable"]


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [
        (AllowPM.ANYONE, [CRONE, HAG, HECATE]),
        (AllowPM.PARTICIPANTS, [CRONE, HAG]),
        (AllowPM.MODERATORS, [CRONE]),
        (AllowPM.NONE, []),
    ],
)
def test_xep0045_7_5_who_may_whisper_is_configured(setting: AllowPM, allowed: list[str]):
    coven = Coven(allow_pm=setting, moderated=True).everybody()
    coven.enter(HECATE, "hecate")
    speakers = [
        who for who in (CRONE, HAG, HECATE) if "forbidden" not in whisper(coven, who, "secondwitch")[0]
    ]
    assert speakers == allowed


def test_xep0045_7_5_a_private_message_reaches_all_clients_and_is_marked():
    coven = Coven(HIDDEN).everybody()
    coven.enter("hag66@shakespeare.lit/phone", "thirdwitch")
    forged = f"<x xmlns='{MUC}#user'><invite from='x@y'/></x>"
    told = whisper(coven, WICCA, "thirdwitch", more=forged)
    assert told == [f"hag66/{resource} < secondwitch: body='wind'" for resource in ("pda", "phone")]
    said = next(coven.effects.stanzas())
    assert [child.name for child in said.elements()] == ["body", "x", "occupant-id"]
    assert not coven.effects.archive
    assert not coven.room.history


def bounced(coven: Coven, sender: str, condition: str, to_nick: str, more: str = "") -> list[str]:
    return coven.hears(
        sender,
        f"<message type='error' id='w' to='room/{to_nick}'><error type='cancel' by='{sender}'>"
        f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:{sender}</{condition}>"
        f"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{sender} is not here</text></error>"
        f"{more}</message>",
    )


def test_the_error_for_a_private_message_comes_back_without_addresses():
    coven = Coven(HIDDEN).everybody()
    whisper(coven, WICCA, "thirdwitch")
    assert bounced(coven, HAG, "not-acceptable", "secondwitch") == [
        "wiccarocks/laptop < thirdwitch: cancel not-acceptable"
    ]
    assert all("hag66" not in stanza.xml() for stanza in coven.effects.stanzas())
    assert bounced(coven, HAG, "not-acceptable", "secondwitch") == []


def test_an_error_for_what_nobody_sent_is_dropped():
    coven = Coven(HIDDEN).everybody()
    assert bounced(coven, HAG, "not-acceptable", "secondwitch") == []
    assert bounced(coven, HECATE, "not-acceptable", "secondwitch") == []


def test_extra_attributes_and_texts_pass():
    coven = Coven().everybody()
    message = Message(sender=JID.parse(HAG), to=coven.room.address, extra={"{x}y": "z"}, children=["text"])
    message.type = message.type.GROUPCHAT
    assert all(stanza.extra == {"{x}y": "z"} for stanza in coven.give(message))


def test_xep0045_7_4_the_sender_hears_it_too():
    assert to(Coven().everybody().say(HAG, "x"), HAG) == ["thirdwitch: body='x'"]
