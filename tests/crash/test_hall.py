"""What is said of a room after a run: messages that are gone, twice, late; lists that forgot somebody."""

import pytest

from crash.hall import Hall
from crash.hall_verdict import judge_hall
from crash.ledger import ArchiveRow, Key

ONE, TWO, OTHER = Key(8, 1), Key(8, 2), Key(9, 1)


@pytest.fixture
def hall() -> Hall:
    """Three messages were sent and acknowledged."""
    hall = Hall.at("hall@group.example.org", lambda: 0.0)
    for key in (ONE, TWO, OTHER):
        hall.ledger.sent(key)
        hall.ledger.acknowledged(key)
    return hall


def keep(hall: Hall, *keys: Key) -> None:
    hall.rows = [ArchiveRow(str(id), key) for id, key in enumerate(keys)]


def test_what_was_acknowledged_must_be_in_the_archive(hall):
    keep(hall, ONE, OTHER)
    verdict = judge_hall(hall)
    assert verdict.is_loss
    assert verdict.keys == {"absent": [TWO.text]}


def test_what_was_refused_is_not_promised(hall):
    hall.ledger.refused(TWO)
    keep(hall, ONE, OTHER)
    assert judge_hall(hall).is_flawless


def test_what_was_shown_must_be_in_the_archive(hall):
    shown = Key(8, 3)
    hall.ledger.sent(shown)
    hall.ledger.shown(shown, 0, "3")
    keep(hall, ONE, TWO, OTHER)
    verdict = judge_hall(hall)
    assert verdict.keys == {"forgotten": [shown.text]}
    assert not verdict.is_flawless
    assert not verdict.is_loss


def test_what_is_twice_or_late_is_found(hall):
    keep(hall, TWO, OTHER, ONE, OTHER)
    verdict = judge_hall(hall)
    assert verdict.keys == {"archived_twice": [OTHER.text], "archived_out_of_order": [ONE.text]}


def test_senders_need_not_be_in_order_with_each_other(hall):
    keep(hall, OTHER, ONE, TWO)
    assert judge_hall(hall).is_flawless


def test_what_nobody_sent_is_found(hall):
    keep(hall, ONE, TWO, OTHER, Key(9, 7))
    assert judge_hall(hall).strangers == 1


def test_an_affiliation_that_was_acknowledged_must_be_there(hall):
    keep(hall, ONE, TWO, OTHER)
    hall.lists.ask("request-1", "guest@example.org", "member")
    hall.lists.answer("request-1", is_result=True)
    verdict = judge_hall(hall)
    assert (verdict.listed, verdict.keys) == (1, {"unlisted": ["guest@example.org"]})
    assert verdict.is_loss
    hall.found = {"guest@example.org": "member"}
    assert judge_hall(hall).is_flawless


@pytest.mark.parametrize(("found", "is_fine"), [("member", True), ("outcast", True), ("none", False)])
def test_what_was_asked_for_later_may_be_there(hall, found, is_fine):
    keep(hall, ONE, TWO, OTHER)
    for number, (affiliation, is_result) in enumerate([("none", True), ("member", True), ("outcast", False)]):
        hall.lists.ask(f"request-{number}", "guest@example.org", affiliation)
        hall.lists.answer(f"request-{number}", is_result)
    hall.found = {} if found == "none" else {"guest@example.org": found}
    assert judge_hall(hall).is_flawless == is_fine
