"""What differs between two configurations, and what of it can count at once."""

from dataclasses import replace
from pathlib import Path

from commonroom.config import Settings, parse
from commonroom.config.changes import Change, changes, merged
from commonroom.config.option import Table, entries, options

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


def test_every_option_by_itself_counts_at_once_or_after_a_restart() -> None:
    base = Settings(domains=("localhost",))
    for name, entry in entries(Settings).items():
        if not isinstance(entry, Table):
            continue
        inner = getattr(base, name)
        for option_name, option in options(entry.settings).items():
            if option.example == getattr(inner, option_name):
                continue
            new = replace(base, **{name: replace(inner, **{option_name: option.example})})
            assert list(changes(base, new)) == [Change(f"{name}.{option_name}", option.live)]
            assert merged(base, new) == (new if option.live else base)
