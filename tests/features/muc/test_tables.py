"""XEP-0045 §5: the tables, read as the specification has them."""

import pytest

from commonroom.features.muc.affiliations import (
    AFFILIATION_CHANGES,
    PRIVILEGES,
    RANK,
    ROLE_CHANGES,
    Affiliation,
    Grade,
    Privilege,
    Role,
    affiliation_refusal,
    default_role,
    role_after,
    role_refusal,
)

NOBODY = Affiliation.NONE
STANDINGS = [(affiliation, role) for affiliation in Affiliation for role in Role if role is not Role.NONE]

# XEP-0045 §5.2.2, row by row: who it takes ("o": an owner, "a": an admin or owner).
CHART = {
    Affiliation.OUTCAST: "- a a o o",
    Affiliation.NONE: "a - a o o",
    Affiliation.MEMBER: "a a - o o",
    Affiliation.ADMIN: "o o o - o",
    Affiliation.OWNER: "o o o o -",
}
COLUMNS = (Affiliation.OUTCAST, Affiliation.NONE, Affiliation.MEMBER, Affiliation.ADMIN, Affiliation.OWNER)
WHO = {"a": {Affiliation.ADMIN, Affiliation.OWNER}, "o": {Affiliation.OWNER}}


def test_xep0045_5_2_2_the_affiliation_state_chart():
    read = {
        (old, new): WHO[cell]
        for old, row in CHART.items()
        for new, cell in zip(COLUMNS, row.split(), strict=True)
        if cell != "-"
    }
    assert {change: set(who) for change, who in AFFILIATION_CHANGES.items()} == read


@pytest.mark.parametrize("actor", list(Affiliation))
@pytest.mark.parametrize("old", list(Affiliation))
@pytest.mark.parametrize("new", list(Affiliation))
def test_xep0045_5_2_2_nobody_else_changes_an_affiliation(
    actor: Affiliation, old: Affiliation, new: Affiliation
):
    refusal = affiliation_refusal(actor, old, new)
    if old is not new:
        assert (refusal is None) == (actor in AFFILIATION_CHANGES[old, new])
    elif refusal is None:
        assert RANK[actor] >= max(RANK[old], RANK[Affiliation.ADMIN])


def test_xep0045_5_2_1_each_affiliation_has_the_privileges_of_the_lower_ones():
    for privilege, affiliations in PRIVILEGES.items():
        if privilege is not Privilege.REGISTER:  # those who are more need not
            lowest = min(RANK[affiliation] for affiliation in affiliations)
            assert affiliations == {one for one, rank in RANK.items() if rank >= lowest}
    assert Affiliation.OUTCAST not in set().union(*PRIVILEGES.values())


def test_xep0045_5_1_3_the_role_state_chart():
    for (old, new), grade in ROLE_CHANGES.items():
        takes_admin = Role.MODERATOR in (old, new)
        assert (grade is Grade.ADMIN) == takes_admin
    assert len(ROLE_CHANGES) == 9  # nobody is brought in by it


@pytest.mark.parametrize("actor", STANDINGS)
@pytest.mark.parametrize("target", STANDINGS)
@pytest.mark.parametrize("new", list(Role))
def test_xep0045_5_1_3_what_the_notes_deny(
    actor: tuple[Affiliation, Role], target: tuple[Affiliation, Role], new: Role
):
    if role_refusal(actor, target, new) is not None or target[1] is new:
        return
    assert actor[1] is Role.MODERATOR
    if Role.MODERATOR in (target[1], new):
        assert actor[0] in (Affiliation.ADMIN, Affiliation.OWNER)
    if new is Role.NONE:
        assert RANK[actor[0]] >= RANK[target[0]]  # §8.2
    if new is Role.VISITOR:
        assert RANK[actor[0]] > RANK[target[0]]  # §8.4
        assert target[0] not in (Affiliation.ADMIN, Affiliation.OWNER)
    if new is Role.PARTICIPANT:
        assert target[0] not in (Affiliation.ADMIN, Affiliation.OWNER)  # §9.7


def test_xep0045_5_1_2_initial_roles():
    for affiliation, moderated, unmoderated in (
        (Affiliation.NONE, Role.VISITOR, Role.PARTICIPANT),
        (Affiliation.MEMBER, Role.PARTICIPANT, Role.PARTICIPANT),
        (Affiliation.ADMIN, Role.MODERATOR, Role.MODERATOR),
        (Affiliation.OWNER, Role.MODERATOR, Role.MODERATOR),
    ):
        assert default_role(affiliation, True) is moderated
        assert default_role(affiliation, False) is unmoderated


@pytest.mark.parametrize(
    ("role", "old", "new", "moderated", "after"),
    [
        (Role.VISITOR, NOBODY, Affiliation.ADMIN, True, Role.MODERATOR),
        (Role.VISITOR, NOBODY, Affiliation.MEMBER, True, Role.PARTICIPANT),
        (Role.MODERATOR, NOBODY, Affiliation.MEMBER, True, Role.MODERATOR),
        (Role.MODERATOR, Affiliation.ADMIN, NOBODY, True, Role.VISITOR),
        (Role.MODERATOR, Affiliation.OWNER, Affiliation.MEMBER, True, Role.PARTICIPANT),
        (Role.PARTICIPANT, Affiliation.MEMBER, NOBODY, False, Role.PARTICIPANT),
        (Role.PARTICIPANT, Affiliation.MEMBER, NOBODY, True, Role.VISITOR),
        (Role.VISITOR, Affiliation.MEMBER, NOBODY, False, Role.VISITOR),
        (Role.MODERATOR, Affiliation.MEMBER, NOBODY, True, Role.MODERATOR),
    ],
)
def test_xep0045_5_1_3_the_role_after_a_change(
    role: Role, old: Affiliation, new: Affiliation, moderated: bool, after: Role
):
    assert role_after(role, old, new, moderated) is after
