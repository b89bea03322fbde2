"""Appointments that share timers."""

from collections.abc import Callable

import pytest

from commonroom.net.rounds import NONE, Rounds
from tests.conversations.world import World


class Member:
    """Somebody with an appointment."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.appointment = NONE


class Visits:
    """What the rounds under test do; `now` is the world's clock."""

    def __init__(self, grain: float = 1.0) -> None:
        self.world = World()
        self.made: list[tuple[str, float]] = []
        self.then: Callable[[Member], None] = lambda member: None
        self.rounds: Rounds[Member] = Rounds(self.world.later, grain, self.visit)

    def visit(self, member: Member) -> None:
        self.made.append((member.name, self.world.seconds))
        self.then(member)

    def meet(self, member: Member, delay: float) -> None:
        self.rounds.meet(member, self.world.seconds, delay)

    def timers(self) -> int:
        return len([timer for timer in self.world.timers if not timer.cancelled])


def test_who_missed_the_appointment_is_not_visited():
    visits, one = Visits(), Member("one")
    visits.meet(one, 3)
    visits.rounds.miss(one)
    visits.world.advance(10)
    assert (visits.made, visits.timers()) == ([], 0)


def test_a_visit_that_fails_is_logged_and_the_others_are_made(caplog: pytest.LogCaptureFixture):
    visits = Visits()
    for name in ("one", "two"):
        visits.meet(Member(name), 3)

    def fail(member: Member) -> None:
        if member.name == "one":
            raise ValueError("a bug")

    visits.then = fail
    visits.world.advance(10)
    assert [name for name, _ in visits.made] == ["one", "two"]
    assert [record.getMessage() for record in caplog.records] == ["a visit failed"]


def test_to_miss_what_was_never_made_harms_nobody():
    Visits().rounds.miss(Member("one"))


@pytest.mark.parametrize(("delay", "at"), [(-1, 0), (0, 0), (0.1, 1), (1, 1), (2.5, 3)])
def test_a_visit_is_never_early_and_late_by_less_than_a_grain(delay, at):
    visits = Visits()
    visits.meet(Member("one"), delay)
    visits.world.advance(10)
    assert visits.made == [("one", at)]


def test_a_new_appointment_takes_the_place_of_the_old_one():
    visits, one = Visits(), Member("one")
    visits.meet(one, 3)
    visits.meet(one, 5)
    visits.world.advance(10)
    assert visits.made == [("one", 5)]


def test_those_of_one_grain_share_a_timer():
    visits, members = Visits(), [Member(str(number)) for number in range(100)]
    for number, member in enumerate(members):
        visits.meet(member, 1 + number / 100)
    assert visits.timers() == 2
    visits.world.advance(2)
    assert sorted(name for name, _ in visits.made) == sorted(member.name for member in members)


def test_a_visit_may_make_the_next_appointment():
    visits, one = Visits(), Member("one")
    visits.then = lambda member: visits.meet(member, 2)
    visits.meet(one, 1)
    visits.world.advance(6)
    assert visits.made == [("one", 1), ("one", 3), ("one", 5)]


def test_a_visit_may_end_the_appointment_of_another():
    visits, both = Visits(), [Member("one"), Member("other")]

    def end_the_other(member: Member) -> None:
        visits.rounds.miss(both[1 - both.index(member)])

    visits.then = end_the_other
    for member in both:
        visits.meet(member, 1)
    visits.world.advance(10)
    assert len(visits.made) == 1
