"""XEP-0198 from the client's side: what counts, what is sent again."""

import pytest

from crash.ledger import Key
from crash.outbox import WRAP, Outbox, Outgoing, WrongCount

MESSAGES = [Outgoing(f"<message id='{number}'/>", Key(0, number)) for number in (1, 2, 3)]
PRESENCE = Outgoing("<presence/>", None)


@pytest.fixture
def outbox() -> Outbox:
    outbox = Outbox()
    for stanza in (PRESENCE, *MESSAGES):
        outbox.add(stanza)
    return outbox


def test_xep0198_4_more_than_was_sent_cannot_be_acknowledged(outbox):
    with pytest.raises(WrongCount, match="5 acknowledged, 4 sent"):
        outbox.handled(5)


def test_xep0198_4_an_acknowledgement_is_not_taken_back(outbox):
    outbox.handled(3)
    with pytest.raises(WrongCount):
        outbox.handled(2)


def test_xep0198_4_every_stanza_counts_and_messages_are_told(outbox):
    assert outbox.handled(1) == []
    assert outbox.handled(3) == [Key(0, 1), Key(0, 2)]
    assert outbox.handled(3) == []
    assert len(outbox) == 1


def test_xep0198_4_the_count_begins_at_zero_again_after_its_largest(outbox):
    outbox.handled(4)
    outbox._acknowledged = WRAP - 1
    for stanza in MESSAGES[:2]:
        outbox.add(stanza)
    assert outbox.handled(1) == [Key(0, 1), Key(0, 2)]


def test_xep0198_5_a_resumed_stream_sends_again_what_was_not_acknowledged(outbox):
    outbox.handled(2)
    assert list(outbox.unacknowledged()) == MESSAGES[1:]
    assert len(outbox) == 2, "they still lack an acknowledgement"


def test_xep0198_4_a_new_session_sends_messages_again_and_counts_from_zero(outbox):
    outbox.handled(2)
    assert outbox.renew() == MESSAGES[1:]
    assert len(outbox) == 0
    outbox.add(MESSAGES[1])
    assert outbox.handled(1) == [Key(0, 2)]
