"""XEP-0313 §4: ids of archived messages rise and are never used twice."""

from collections.abc import Iterable

from commonroom.storage.ids import Ids


def ids_of(clock: Iterable[int], floor: int = 0) -> list[int]:
    moments = list(clock)
    left = iter(moments)
    source = Ids(lambda: next(left), floor)
    return [source.next() for _ in moments]


def test_an_id_is_the_moment() -> None:
    assert ids_of([1000, 2000, 5000]) == [1000, 2000, 5000]


def test_ids_of_one_moment_differ() -> None:
    assert ids_of([1000, 1000, 1000, 1001, 2000]) == [1000, 1001, 1002, 1003, 2000]


def test_ids_rise_while_the_clock_steps_back() -> None:
    assert ids_of([1000, 400, 500, 1001, 2000]) == [1000, 1001, 1002, 1003, 2000]


def test_ids_go_on_above_those_of_before_a_restart() -> None:
    assert ids_of([1000, 1001, 1_000_000], floor=5000) == [5001, 5002, 1_000_000]
