"""How long an attempt to log in has to wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonroom.accounts.throttle import FORGIVEN, REMEMBERED, Throttle

HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"


class Guessing:
    """A throttle and its clock."""

    def __init__(self, first: float = 1.0, longest: float = 30.0) -> None:
        self.now = 0.0
        self.throttle = Throttle(first, longest, lambda: self.now)

    def fail(self, times: int, account: str | None = "juliet", origin: str | bytes = ELSEWHERE) -> None:
        for _ in range(times):
            self.throttle.failed(account, origin)

    def delay(self, account: str | None = "juliet", origin: str | bytes = ELSEWHERE) -> float:
        return self.throttle.delay(account, origin)


def test_the_first_failures_cost_nothing_and_the_next_ones_twice_as_much_each():
    guessing = Guessing()
    delays = []
    for _ in range(10):
        delays.append(guessing.delay())
        guessing.fail(1)
    assert delays == [0, 0, 0, 1, 2, 4, 8, 16, 30, 30]


def test_the_first_delay_and_the_longest_are_the_operators():
    guessing = Guessing(first=0.5, longest=3.0)
    guessing.fail(3)
    assert guessing.delay() == 0.5
    guessing.fail(1000)
    assert guessing.delay() == 3.0
    guessing = Guessing(first=0.0)
    guessing.fail(1000)
    assert guessing.delay() == 0.0


def test_failures_at_an_account_count_from_everywhere():
    guessing = Guessing()
    for number in range(4):
        guessing.fail(1, origin=f"198.51.100.{number}")
    assert guessing.delay(origin="203.0.113.1") == 2
    assert guessing.delay("romeo", "203.0.113.1") == 0


def test_failures_from_an_origin_count_for_every_account():
    guessing = Guessing()
    for number in range(4):
        guessing.fail(1, f"user{number}")
    assert guessing.delay("romeo") == 2
    assert guessing.delay("romeo", HOME) == 0


def test_the_larger_of_both_counts():
    guessing = Guessing()
    guessing.fail(3, "romeo", ELSEWHERE)
    guessing.fail(5, "juliet", "203.0.113.1")
    assert guessing.delay("juliet", ELSEWHERE) == 4
    assert guessing.delay("nurse", ELSEWHERE) == 1


def test_names_that_are_no_accounts_count_for_the_origin_alone():
    guessing = Guessing()
    guessing.fail(4, None)
    assert guessing.delay(None) == 2
    assert guessing.delay("juliet") == 2
    assert guessing.delay(None, HOME) == 0


def test_an_origin_can_be_a_network():
    guessing = Guessing()
    guessing.fail(3, origin=bytes(8))
    assert guessing.delay("romeo", bytes(8)) == 1
    assert guessing.delay("romeo", b"\x20" + bytes(7)) == 0


# The owner


@pytest.mark.parametrize(("account", "origin"), [("juliet", ELSEWHERE), ("romeo", HOME), (None, HOME)])
def test_where_the_owner_logged_in_nothing_counts_but_guesses_at_this_account_from_there(account, origin):
    guessing = Guessing()
    guessing.throttle.succeeded("juliet", HOME)
    guessing.fail(100, account, origin)
    assert guessing.delay("juliet", HOME) == 0
    assert guessing.delay(account, ELSEWHERE if origin == ELSEWHERE else HOME) == 30


def test_guesses_at_the_owners_place_are_slowed_down_as_well():
    guessing = Guessing()
    guessing.throttle.succeeded("juliet", HOME)
    guessing.fail(4, "juliet", HOME)
    assert guessing.delay("juliet", HOME) == 2


def test_the_owners_success_forgives_the_slips_at_the_owners_place_and_nothing_else():
    guessing = Guessing()
    guessing.fail(5, "juliet", HOME)
    assert guessing.delay("juliet", HOME) == 4
    guessing.throttle.succeeded("juliet", HOME)
    assert guessing.delay("juliet", HOME) == 0
    assert guessing.delay("romeo", HOME) == 4  # an own account must not whitewash the origin
    assert guessing.delay("juliet", ELSEWHERE) == 4


def test_a_success_somewhere_does_not_make_other_places_good():
    guessing = Guessing()
    guessing.throttle.succeeded("juliet", HOME)
    guessing.fail(5)
    assert guessing.delay("juliet", ELSEWHERE) == 4
    assert guessing.delay("juliet", "203.0.113.1") == 4


# Time


def test_half_is_forgiven_in_ten_minutes_without_a_failure():
    guessing = Guessing()
    guessing.fail(8)
    assert guessing.delay() == 30
    guessing.now += FORGIVEN
    assert guessing.delay() == 2  # four
    guessing.now += FORGIVEN
    assert guessing.delay() == 0  # two
    guessing.fail(1)
    assert guessing.delay() == 1  # and one more


def test_the_owners_place_stays_good_however_much_time_passes():
    guessing = Guessing()
    guessing.throttle.succeeded("juliet", HOME)
    guessing.now += 365 * 24 * 3600
    guessing.fail(9, "juliet", ELSEWHERE)
    assert guessing.delay("juliet", HOME) == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["juliet", "romeo", None]),
            st.sampled_from([HOME, ELSEWHERE]),
            st.booleans(),
            st.floats(0, 1e6),
        ),
        max_size=60,
    )
)
def test_a_delay_is_never_negative_nor_longer_than_the_longest(events):
    guessing = Guessing()
    for account, origin, good, seconds in events:
        guessing.now += seconds
        if good and account is not None:
            guessing.throttle.succeeded(account, origin)
            assert guessing.delay(account, origin) == 0
        else:
            guessing.fail(1, account, origin)
        for who in ("juliet", "romeo", None):
            for where in (HOME, ELSEWHERE):
                assert 0 <= guessing.delay(who, where) <= 30


# Memory


def test_no_more_is_remembered_than_can_be_kept_and_the_oldest_is_forgotten_first():
    guessing = Guessing()
    guessing.throttle.succeeded("juliet", HOME)
    guessing.fail(5, "romeo", HOME)
    for number in range(REMEMBERED):
        guessing.fail(1, f"user{number}", f"10.0.{number >> 8}.{number & 255}")
        guessing.throttle.succeeded(f"user{number}", "203.0.113.1")
    assert guessing.delay("romeo", HOME) == 0
    guessing.fail(3, "juliet", ELSEWHERE)
    assert guessing.delay("juliet", HOME) == 1  # the place is no longer known to be good
    kept = [guessing.throttle._accounts, guessing.throttle._origins, guessing.throttle._good]
    assert [len(failures._counts) for failures in kept] == [REMEMBERED] * 3


def test_what_fails_again_is_kept_longer():
    guessing = Guessing()
    guessing.fail(3, "juliet", HOME)
    for number in range(REMEMBERED - 1):
        guessing.fail(1, f"user{number}", "203.0.113.1")
    guessing.fail(1, "juliet", "203.0.113.2")
    guessing.fail(5, "somebody", "203.0.113.1")
    assert guessing.delay("juliet", "203.0.113.3") == 2


def test_attempts_that_are_not_over_count_as_failed():
    guessing = Guessing()
    delays = []
    for _ in range(6):
        delays.append(guessing.delay())
        guessing.throttle.began("juliet", ELSEWHERE)
    assert delays == [0, 0, 0, 1, 2, 4]
    assert guessing.delay(origin=HOME) == guessing.delay("romeo") == 0
    for _ in range(6):
        guessing.throttle.ended("juliet", ELSEWHERE)
    assert guessing.delay() == 0
