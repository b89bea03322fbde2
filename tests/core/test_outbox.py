"""XEP-0198 §4: what was sent and not acknowledged, and how it is counted."""

import pytest

from commonroom.core.outbox import Outbox
from commonroom.protocol.stanza import Message
from commonroom.protocol.stream_management import WRAP


def filled(count: int, before: int = 0) -> Outbox:
    outbox = Outbox([Message(id=f"b{number}") for number in range(before)])
    for number in range(count):
        outbox.add(Message(id=f"m{number}"))
    return outbox


def test_xep0198_4_what_was_confirmed_is_given_once_and_in_order():
    outbox = filled(5)
    assert [stanza.id for stanza in outbox.confirm(2)] == ["m0", "m1"]
    assert outbox.confirm(2) == []
    assert [stanza.id for stanza in outbox.confirm(3)] == ["m2"]
    assert [stanza.id for stanza in outbox.remaining()] == ["m3", "m4"]
    assert (outbox.confirmed, outbox.sent, len(outbox)) == (3, 5, 2)


def test_its_size_is_that_of_what_waits():
    outbox = filled(3, before=2)
    each = len(Message(id="m0").xml())
    assert outbox.size == 5 * each
    outbox.confirm(1)
    assert outbox.size == 2 * each
    outbox.confirm(3)
    assert outbox.size == 0


@pytest.mark.parametrize("handled", [0, 1, 2])
def test_xep0198_4_what_was_sent_before_the_count_began_is_confirmed_by_any_number(handled: int):
    outbox = filled(2, before=3)
    assert outbox.sent == 2
    place = outbox.place(handled)
    assert place == handled
    assert [s.id for s in outbox.confirm(place)] == ["b0", "b1", "b2", "m0", "m1"][: 3 + handled]


@pytest.mark.parametrize(
    ("confirmed", "handled", "place"),
    [
        (0, 0, 0),
        (0, 7, 7),
        (7, 7, 7),
        (7, 5, 5),
        (0, WRAP - 1, -1),
        (WRAP - 2, WRAP - 1, WRAP - 1),
        (WRAP - 2, 0, WRAP),
        (WRAP - 2, 3, WRAP + 3),
        (WRAP + 3, WRAP - 1, WRAP - 1),
        (3 * WRAP + 1, 2, 3 * WRAP + 2),
    ],
)
def test_xep0198_4_after_the_greatest_number_comes_zero(confirmed: int, handled: int, place: int):
    outbox = Outbox()
    outbox.confirmed = confirmed
    assert outbox.place(handled) == place
