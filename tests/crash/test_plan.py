"""The seed decides everything."""

from crash.plan import LONGEST_LIFE, SHORTEST_LIFE, Fault, Possible, lives

ALL = Possible(dict.fromkeys((Fault.KILLED, Fault.BEFORE_COMMIT, Fault.IN_COMMIT), 1), {Fault.DISK_FULL: 0.5})


def test_another_seed_is_another_plan():
    assert list(lives(1, 5, 8, ALL)) != list(lives(2, 5, 8, ALL))


def test_the_same_seed_is_the_same_plan():
    assert list(lives(7, 50, 8, ALL)) == list(lives(7, 50, 8, ALL))


def test_a_longer_plan_begins_like_a_shorter_one():
    assert list(lives(7, 50, 8, ALL))[:10] == list(lives(7, 10, 8, ALL))


def test_only_what_is_possible_is_planned():
    plan = list(lives(1, 100, 8, Possible({Fault.KILLED: 1}, {})))
    assert {life.end for life in plan} == {Fault.KILLED}
    assert {life.hardship for life in plan} == {None}


def test_everything_that_is_possible_is_planned():
    plan = list(lives(1, 100, 8, ALL))
    assert {life.end for life in plan} == set(ALL.ends)
    assert {life.hardship for life in plan} == {None, Fault.DISK_FULL}


def test_every_moment_is_within_its_life():
    for life in lives(1, 100, 40, ALL):
        assert SHORTEST_LIFE <= life.seconds <= LONGEST_LIFE
        assert life.commit >= 1
        moments = [absence.at for absence in life.absences] + [at for at, _ in life.cuts]
        assert len(moments) == 8 + 6
        assert all(0 <= moment <= life.seconds for moment in (*moments, life.hardship_at))
