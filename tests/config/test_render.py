"""The file that `commonroom init` writes: it is read as the settings it was written from."""

from __future__ import annotations

import itertools
import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings

from commonroom.config import ListenAddress, Settings, parse, render
from commonroom.config.option import options, walk
from tests.config.strategies import all_settings

FILE = Path("/srv/commonroom.toml")


def resolved(value: Any) -> Any:
    """The settings, or a part of them, with the paths that they have when read from FILE."""
    if isinstance(value, Path):
        return FILE.parent / value
    if isinstance(value, tuple) and any(isinstance(each, Path) for each in value):
        return tuple(map(resolved, value))
    if isinstance(value, dict):
        return {name: resolved(each) for name, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: resolved(getattr(value, each.name)) for each in fields(value)})
    return value


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(all_settings())
def test_any_settings_are_read_as_they_were_written(made: Settings) -> None:
    assert parse(render(made), FILE) == resolved(made)


def test_what_is_not_default_is_set_and_all_else_a_comment() -> None:
    made = replace(Settings(domains=("example.org",)), c2s=replace(Settings().c2s, linger=0.5))
    lines = [line for line in render(made).splitlines() if line and not line.startswith(("#", "["))]
    assert lines == ['domains = ["example.org"]', 'linger = "500ms"']


def test_every_option_is_there_with_its_meaning() -> None:
    text = render(Settings(domains=("example.org",)))
    notes = " ".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    lines = text.splitlines()
    for key, table in walk(Settings):
        for name, option in options(table).items():
            assert " ".join(option.doc.split()) in notes
            assert any(line.lstrip("#").startswith(f"{name} = ") for line in lines), (key, name)


def test_options_without_their_number_sign_are_the_defaults_and_the_examples() -> None:
    text = render(Settings(domains=("example.org",)))
    read = parse(re.sub(r"(?m)^#(?! |$)", "", text), FILE)
    assert read.c2s == Settings().c2s
    assert read.tls.certificate == Path("/etc/letsencrypt/live/example.org/fullchain.pem")
    assert list(read.tls.domains) == ["example.org"]


def test_lines_of_notes_are_short() -> None:
    notes = [line[2:] for line in render(Settings()).splitlines() if line.startswith("# ")]
    assert [line for line in notes if len(line) > 98 and " " in line] == []


def test_notes_go_on_to_the_end_of_their_line() -> None:
    """However the text is broken where it was written."""
    lines = render(Settings(domains=("example.org",))).splitlines()
    for line, following in itertools.pairwise(lines):
        words = following.removeprefix("# ").split()
        if line.startswith("# ") and following.startswith("# ") and words[0].isalpha() and words[0].islower():
            assert len(f"{line} {words[0]}") > 98, line


def test_a_listen_address_is_written_as_it_is_read() -> None:
    listen = (ListenAddress("::1", 1), ListenAddress("*", 2))
    made = replace(Settings(), c2s=replace(Settings().c2s, listen=listen))
    assert 'listen = ["[::1]:1", "*:2"]' in render(made)
