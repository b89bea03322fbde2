"""Keys and times of the ledger."""

import pytest

from crash.ledger import Key, Ledger


@pytest.mark.parametrize(
    "text", [None, "", "message", "message-1", "message-1-2-3", "message-a-1", "other-1-2"]
)
def test_other_texts_are_no_key(text):
    assert Key.of(text) is None


def test_a_key_is_read_from_its_text():
    assert Key.of(Key(12, 345).text) == Key.of(Key(12, 345).id) == Key(12, 345)


def test_an_id_is_as_long_as_one_that_is_random():
    assert len(Key(0, 1).id) >= 16


def test_accounts_are_in_pairs():
    assert [Key(sender, 1).recipient for sender in range(4)] == [1, 0, 3, 2]


def test_troubles_are_subtracted_as_far_as_they_overlap():
    ledger = Ledger()
    ledger.troubles = [(0.0, 1.0), (4.0, 5.0), (9.5, 20.0)]
    assert ledger.untroubled(2.0, 10.0) == 8.0 - 1.0 - 0.5
