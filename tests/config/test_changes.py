"""What differs between two configurations, and what of it can count at once."""

from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from commonroom.config import Settings, parse
from commonroom.config.changes import Change, changes, merged
from tests.config.strategies import all_settings

PATH = Path("commonroom.toml")


def read(text: str) -> Settings:
    return parse("domains = ['localhost']\n" + text, PATH)


def test_what_is_the_same_has_not_changed() -> None:
    assert list(changes(read(""), read("[c2s]\nconnections = 50000"))) == []


def test_changes_are_named_as_in_the_file() -> None:
    new = read(
        "state = 'elsewhere'\n[c2s]\nconnections = 5\n"
        "[tls.domains.localhost]\ncertificate = 'a'\nkey = 'b'\n"
        "[archive.policies.students]\naccounts = ['*']\nkeep = '1d'\n[log]\nlevel = 'debug'"
    )
    assert list(changes(read(""), new)) == [
        Change("state", live=False),
        Change("tls.domains.localhost", live=True),
        Change("c2s.connections", live=True),
        Change("archive.policies.students", live=True),
        Change("log.level", live=True),
    ]


def test_what_was_removed_has_changed() -> None:
    old = read("[archive.policies.students]\naccounts = ['*']\nkeep = '1d'")
    assert list(changes(old, read(""))) == [Change("archive.policies.students", live=True)]


def test_what_needs_a_restart_keeps_its_old_value() -> None:
    old, new = (
        read("[c2s]\nconnections = 5"),
        read("state = 'elsewhere'\n[c2s]\nconnections = 7\nlisten = []"),
    )
    both = merged(old, new)
    assert both == replace(old, c2s=replace(old.c2s, connections=7))


# Most of what can be made of so many options contradicts itself somewhere.
@settings(max_examples=15, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(all_settings(), all_settings())
def test_what_is_merged_differs_from_the_new_one_by_what_needs_a_restart(
    old: Settings, new: Settings
) -> None:
    both = merged(old, new)
    assert all(change.live for change in changes(old, both))
    assert not any(change.live for change in changes(both, new))
