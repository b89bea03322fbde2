"""XEP-0045 §6.6, §17.4: questions to the room and from one occupant to another; XEP-0410: self-ping."""

import pytest

from commonroom.features.muc.relaying import MOST_OF_ONE, MOST_RELAYED
from commonroom.protocol.stanza import Stanza
from tests.features.muc.coven import CRONE, HAG, HECATE, HIDDEN, OPEN, WICCA, Coven, brief

PING = "<ping xmlns='urn:xmpp:ping'/>"
INFO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"


@pytest.fixture
def coven() -> Coven:
    coven = Coven(HIDDEN).everybody()
    coven.enter(HECATE, "hecate")
    return coven


def ask(coven: Coven, sender: str, nick: str, payload: str = INFO, kind: str = "get") -> list[Stanza]:
    return coven.send(sender, f"<iq type='{kind}' id='q' to='room/{nick}'>{payload}</iq>")


def answer(
    coven: Coven, sender: str, question: Stanza, payload: str = "", kind: str = "result"
) -> list[Stanza]:
    xml = f"<iq type='{kind}' id='{question.id}' to='{question.sender}'>{payload}</iq>"
    return coven.send(sender, xml)


def test_what_the_room_does_not_know_is_unavailable(coven: Coven):
    assert coven.hears(HAG, "<iq type='get' id='q'><query xmlns='x'/></iq>") == [
        "hag66/pda < room: cancel service-unavailable"
    ]


def test_xep0045_6_6_somebody_outside_asks_no_occupant(coven: Coven):
    assert brief(ask(coven, "x@y/z", "firstwitch")[0]).endswith("modify bad-request")
    assert brief(ask(coven, "x@y/z", "firstwitch", "<query xmlns='x'/>")[0]).endswith("modify not-acceptable")


def test_nobody_of_this_name_is_not_found(coven: Coven):
    assert brief(ask(coven, HAG, "nobody")[0]) == "hag66/pda < nobody: cancel item-not-found"


def test_xep0410_3_2_who_is_not_inside_is_told_so(coven: Coven):
    assert brief(ask(coven, "x@y/z", "firstwitch", PING)[0]).endswith("modify not-acceptable")


def test_xep0410_3_3_the_room_answers_a_self_ping(coven: Coven):
    assert [brief(stanza) for stanza in ask(coven, HAG, "thirdwitch", PING)] == [
        "hag66/pda < thirdwitch: result"
    ]


def test_xep0410_3_3_a_ping_to_somebody_else_is_passed_on(coven: Coven):
    assert [brief(stanza) for stanza in ask(coven, HAG, "hecate", PING)] == ["hecate/broom < thirdwitch: get"]


def test_xep0199_4_the_room_answers_pings(coven: Coven):
    assert coven.hears("x@y/z", f"<iq type='get' id='p'>{PING}</iq>") == ["x/z < room: result"]


def test_xep0045_17_4_neither_learns_the_others_address(coven: Coven):
    [question] = ask(coven, HAG, "hecate")
    assert brief(question) == "hecate/broom < thirdwitch: get"
    assert "hag66" not in question.xml()
    [told] = answer(coven, HECATE, question, "<query xmlns='x' publisher='hecate@shakespeare.lit/broom'/>")
    assert (brief(told), told.id) == ("hag66/pda < hecate: result", "q")
    assert HECATE[:6] + "@" not in told.xml()


def test_xep0045_17_4_nor_by_what_the_question_says(coven: Coven):
    jingle = f"<jingle xmlns='urn:xmpp:jingle:1' initiator='{HAG}'/>"
    [question] = ask(coven, HAG, "hecate", jingle, "set")
    assert "hag66" not in question.xml()
    [question] = ask(coven, HAG, "firstwitch", jingle, "set")
    assert "initiator" in question.xml()  # moderators know it


def test_who_may_know_addresses_gets_the_answer_as_it_is(coven: Coven):
    [question] = ask(coven, CRONE, "hecate")
    [told] = answer(coven, HECATE, question, "<query xmlns='x' publisher='hecate@shakespeare.lit'/>")
    assert "publisher" in told.xml()


def test_xep0045_17_4_errors_tell_nothing_but_the_condition(coven: Coven):
    [question] = ask(coven, HAG, "hecate")
    [told] = answer(
        coven,
        HECATE,
        question,
        f"{INFO}<error type='cancel' by='shakespeare.lit'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>"
        "xmpp:hecate@elsewhere</gone>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>hecate@shakespeare.lit</text>"
        "</error>",
        "error",
    )
    assert "elsewhere" not in told.xml()
    assert "shakespeare.lit'" not in told.xml().replace(HAG, "").replace("chat.shakespeare.lit", "")
    assert brief(told) == "hag66/pda < hecate: cancel gone"


@pytest.mark.parametrize("sender", [CRONE, "hecate@shakespeare.lit/other", "x@y/z"])
def test_only_who_was_asked_answers(coven: Coven, sender: str):
    [question] = ask(coven, HAG, "hecate")
    assert answer(coven, sender, question) == []
    assert len(answer(coven, HECATE, question)) == 1
    assert answer(coven, HECATE, question) == []  # once


@pytest.mark.parametrize(
    "payload",
    [
        "<vCard xmlns='vcard-temp'/>",
        "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='x'/></pubsub>",
    ],
)
def test_cards_are_asked_of_the_account(coven: Coven, payload: str):
    [question] = ask(coven, HAG, "hecate", payload)
    assert question.to == "hecate@shakespeare.lit"
    assert [brief(told) for told in answer(coven, "hecate@shakespeare.lit", question)] == [
        "hag66/pda < hecate: result"
    ]


def test_but_nothing_is_set_there(coven: Coven):
    [question] = ask(coven, HAG, "hecate", "<vCard xmlns='vcard-temp'/>", "set")
    assert question.to == HECATE


def test_who_left_gets_no_answers(coven: Coven):
    [question] = ask(coven, HAG, "hecate")
    coven.hears(HAG, "<presence type='unavailable' to='room/thirdwitch'/>")
    assert answer(coven, HECATE, question) == []
    assert not coven.room.relayed


def test_questions_without_answers_are_bounded(coven: Coven):
    questions = [ask(coven, HAG, "hecate")[0] for _ in range(MOST_OF_ONE + 1)]
    assert len(coven.room.relayed) == MOST_OF_ONE
    assert answer(coven, HECATE, questions[0]) == []
    assert len(answer(coven, HECATE, questions[-1])) == 1


def test_xep0045_17_4_in_a_non_anonymous_room_it_works_as_well():
    coven = Coven(OPEN).everybody()
    [question] = ask(coven, HAG, "firstwitch")
    assert brief(answer(coven, CRONE, question)[0]) == "hag66/pda < firstwitch: result"


def test_one_user_who_asks_too_much_takes_nothing_from_others(coven: Coven):
    phones = [f"hag66@shakespeare.lit/{number}" for number in range(MOST_RELAYED // MOST_OF_ONE)]
    for phone in phones:
        coven.enter(phone, "thirdwitch")
    [mine] = ask(coven, WICCA, "hecate")
    for phone in phones:
        for _ in range(MOST_OF_ONE):
            [question] = ask(coven, phone, "hecate")
    assert len(coven.room.relayed) == MOST_RELAYED
    assert len(answer(coven, HECATE, mine)) == len(answer(coven, HECATE, question)) == 1
