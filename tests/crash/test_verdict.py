"""A verdict that is too kind lets every run pass: each fault is put into a ledger, and must be found."""

import pytest

from crash.ledger import ArchiveRow, Key, Ledger
from crash.verdict import BROUGHT_AFTER, NOTED_AFTER, judge, late

KEYS = [Key(0, number) for number in (1, 2, 3, 4)]
ONE, TWO, THREE, FOUR = KEYS


def flawless(managed: bool = True) -> Ledger:
    """Four messages from 0 to 1: acknowledged, shown once in one session, in both archives."""
    ledger = Ledger()
    session = ledger.open_session(managed)
    for key in KEYS:
        ledger.sent(key)
        ledger.acknowledged(key)
        ledger.shown(key, session, archive_id(key))
    ledger.archives = {owner: [ArchiveRow(archive_id(key), key) for key in KEYS] for owner in (0, 1)}
    return ledger


def archive_id(key: Key) -> str:
    return f"id-{key.number}"


def forget(ledger: Ledger, key: Key) -> None:
    """Its recipient has never seen it."""
    ledger.records[key].showings.clear()
    ledger.orders[key.recipient].remove(key)


def test_a_message_that_nobody_has_is_lost():
    ledger = flawless()
    forget(ledger, TWO)
    for rows in ledger.archives.values():
        del rows[1]
    verdict = judge(ledger, has_archive=True)
    assert (verdict.lost, verdict.absent, verdict.is_loss) == (1, 1, True)
    assert verdict.keys["lost"] == [TWO]


def test_a_message_that_only_its_sender_has_is_lost():
    ledger = flawless()
    forget(ledger, TWO)
    del ledger.archives[1][1]
    assert judge(ledger, has_archive=True).lost == 1


def test_a_message_that_nobody_has_seen_is_lost_where_there_is_no_archive():
    ledger = flawless()
    forget(ledger, FOUR)
    ledger.archives.clear()
    assert judge(ledger, has_archive=False).is_loss


@pytest.mark.parametrize("owner", [0, 1])
def test_a_message_that_is_missing_in_one_archive_is_a_loss_even_if_it_was_seen(owner):
    ledger = flawless()
    del ledger.archives[owner][2]
    verdict = judge(ledger, has_archive=True)
    assert (verdict.lost, verdict.absent, verdict.is_loss) == (0, 1, True)


def test_an_archive_that_was_not_read_holds_nothing():
    ledger = flawless()
    del ledger.archives[1]
    assert judge(ledger, has_archive=True).absent == len(KEYS)


def test_what_only_a_search_of_the_whole_archive_finds_is_no_loss_but_a_flaw():
    ledger = flawless()
    forget(ledger, FOUR)
    verdict = judge(ledger, has_archive=True)
    assert (verdict.archive_only, verdict.is_loss, verdict.is_flawless) == (1, False, False)


def test_what_was_never_acknowledged_was_not_promised():
    ledger = flawless()
    ledger.sent(Key(0, 5))
    verdict = judge(ledger, has_archive=True)
    assert (verdict.lost, verdict.vanished, verdict.is_flawless) == (0, 1, True)


def test_what_was_refused_was_not_promised():
    ledger = flawless()
    key = Key(0, 5)
    ledger.sent(key)
    ledger.acknowledged(key)
    ledger.refused(key)
    verdict = judge(ledger, has_archive=True)
    assert (verdict.refused, verdict.lost, verdict.vanished, verdict.is_flawless) == (1, 0, 0, True)


def test_a_message_that_nobody_sent_is_a_flaw():
    ledger = flawless()
    assert ledger.shown(Key(0, 99), 0, "id-99") is None
    verdict = judge(ledger, has_archive=True)
    assert (verdict.strangers, verdict.is_flawless) == (1, False)


@pytest.mark.parametrize("owner", [0, 1])
def test_a_message_that_an_archive_has_twice_is_found(owner):
    ledger = flawless()
    ledger.archives[owner].append(ArchiveRow("id-again", TWO))
    verdict = judge(ledger, has_archive=True)
    assert (verdict.archived_twice, verdict.is_loss, verdict.is_flawless) == (1, False, False)
    assert verdict.keys["archived_twice"] == [TWO]


def test_a_copy_in_the_same_session_is_needless():
    ledger = flawless()
    ledger.shown(ONE, 0, archive_id(ONE))
    verdict = judge(ledger, has_archive=True)
    assert (verdict.shown_twice, verdict.needless, verdict.is_flawless) == (1, 1, False)


def shown_again(managed: bool, lived_on: float, again: str = "id-4") -> Ledger:
    """The last message is acknowledged at 10; its session ends later, and another one shows it again."""
    ledger = flawless(managed)
    ledger.records[FOUR].showings[0].acknowledged_at = 10.0
    ledger.connection_lost(0, 10.0 + lived_on)
    ledger.shown(FOUR, ledger.open_session(managed), again)
    return ledger


def test_a_copy_under_another_archive_id_is_needless_for_nobody_can_tell_that_it_is_one():
    assert judge(shown_again(True, 0.01, "id-5"), has_archive=True).needless == 1


@pytest.mark.parametrize(("managed", "enough"), [(True, NOTED_AFTER), (False, BROUGHT_AFTER)])
def test_a_copy_is_needless_if_the_server_had_the_time_to_note_that_it_had_arrived(managed, enough):
    for lived_on, needless in ((enough + 0.1, 1), (enough - 0.1, 0)):
        verdict = judge(shown_again(managed, lived_on), has_archive=True)
        assert (verdict.shown_twice, verdict.needless) == (1, needless)


def test_a_copy_is_needless_if_any_earlier_showing_was_noted():
    ledger = shown_again(True, NOTED_AFTER - 0.1)
    record = ledger.records[FOUR]
    record.showings[1].acknowledged_at = 20.0
    ledger.connection_lost(1, 20.0 + NOTED_AFTER + 0.1)
    assert judge(ledger, has_archive=True).needless == 0
    ledger.shown(FOUR, ledger.open_session(True), "id-4")
    assert judge(ledger, has_archive=True).needless == 1


def test_a_server_whose_database_was_out_of_reach_had_no_time():
    ledger = shown_again(True, NOTED_AFTER + 3)
    ledger.troubles.append((9.0, 13.0))
    assert judge(ledger, has_archive=True).needless == 0


def test_a_copy_of_what_was_not_acknowledged_is_not_needless():
    ledger = shown_again(True, 100.0)
    ledger.records[FOUR].showings[0].acknowledged_at = None
    assert judge(ledger, has_archive=True).needless == 0


def test_a_message_that_is_shown_after_a_later_one_is_out_of_order():
    ledger = flawless()
    ledger.orders[1] = [ONE, THREE, TWO, FOUR]
    verdict = judge(ledger, has_archive=True)
    assert (verdict.out_of_order, verdict.is_loss, verdict.is_flawless) == (1, False, False)
    assert verdict.keys["out_of_order"] == [TWO]


def test_a_copy_is_not_out_of_order():
    ledger = flawless()
    ledger.shown(ONE, 0, archive_id(ONE))
    assert judge(ledger, has_archive=True).out_of_order == 0


def test_what_was_read_in_the_archive_first_is_not_out_of_order_when_it_comes_on_the_stream():
    ledger = flawless()
    for number in (5, 6):
        ledger.sent(Key(0, number))
    ledger.fetched(Key(0, 5))
    ledger.shown(Key(0, 6), 0, "id-6")
    ledger.shown(Key(0, 5), 0, "id-5")
    assert judge(ledger, has_archive=False).out_of_order == 0


def test_an_archive_that_has_a_pair_the_wrong_way_round_is_found():
    ledger = flawless()
    rows = ledger.archives[0]
    rows[1], rows[2] = rows[2], rows[1]
    verdict = judge(ledger, has_archive=True)
    assert (verdict.archived_out_of_order, verdict.is_flawless) == (1, False)


def test_the_two_directions_of_a_conversation_have_an_order_each():
    mixed = [Key(0, 1), Key(1, 1), Key(1, 2), Key(0, 2), Key(1, 3)]
    assert list(late(mixed)) == []
    assert list(late([*mixed, Key(0, 1), Key(1, 2)])) == [Key(0, 1), Key(1, 2)]


def test_a_server_that_does_not_answer_does_not_pass_for_having_promised_nothing():
    assert not judge(flawless(), has_archive=True, unanswered=1).is_flawless


def test_a_run_in_which_all_went_well_is_flawless():
    for has_archive in (True, False):
        verdict = judge(flawless(), has_archive)
        assert verdict.is_flawless
        assert (verdict.sent, verdict.acknowledged, verdict.keys) == (4, 4, {})


def test_reading_in_the_archive_is_as_good_as_a_delivery():
    ledger = flawless()
    forget(ledger, TWO)
    ledger.fetched(TWO)
    assert judge(ledger, has_archive=True).is_flawless
