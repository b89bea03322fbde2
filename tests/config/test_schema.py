"""The settings themselves: bounds that specifications set, what follows from options, and their defaults."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from commonroom.config import Mechanism, Settings
from commonroom.config.kinds import RefusedError, Whole
from commonroom.config.option import Option, entries, option, options, walk
from commonroom.config.tls import DomainTls

TABLES = [pytest.param(table, id=".".join(key) or "top") for key, table in walk(Settings)]
OPTIONS = [
    pytest.param(each, id=".".join((*key, name)))
    for key, table in walk(Settings)
    for name, each in options(table).items()
]


def test_a_default_that_its_kind_refuses_is_a_bug_found_at_import() -> None:
    with pytest.raises(RefusedError):
        option(Whole(1, 9), 10, "Too large.")
    with pytest.raises(RefusedError):
        option(Whole(1, 9), 1, "The example is too large.", example=10)


@pytest.mark.parametrize("each", OPTIONS)
def test_an_option_is_a_sentence_with_an_example(each: Option[Any]) -> None:
    assert each.doc[0].isupper() or each.doc[0] == "`"
    assert each.doc.endswith(".")
    assert each.kind.write(each.example)
    assert each.unset or each.default is not None


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_a_frozen_dataclass_with_a_text(table: type[Any]) -> None:
    assert is_dataclass(table)
    assert table.__doc__
    assert "__dict__" not in dir(table())
    assert entries(table).keys() == {each.name for each in fields(table)}
    with pytest.raises(FrozenInstanceError):
        setattr(table(), fields(table)[0].name, None)


def test_the_defaults_fit_each_other() -> None:
    defaults = Settings()
    for part in (defaults, defaults.c2s, defaults.limits, defaults.sasl):
        assert not list(part.faults())


def test_a_password_in_the_database_url_is_not_in_the_repr() -> None:
    database = replace(Settings().database, url="postgresql://u:secret@h/d")
    assert "secret" not in repr(replace(Settings(), database=database))


def test_a_domain_below_a_served_one_may_have_a_certificate() -> None:
    own = {"rooms.a.org": DomainTls(Path("c"), Path("k"))}
    made = Settings(domains=("a.org",), tls=replace(Settings().tls, domains=own))
    assert not list(made.faults())
    made = Settings(domains=("oms.a.org",), tls=made.tls)
    assert [key for key, _ in made.faults()] == [("tls", "domains", "rooms.a.org")]


def bounds(table: object, name: str) -> tuple[Any, Any]:
    kind: Any = options(type(table))[name].kind
    return kind.minimum, kind.maximum


def test_rfc6120_13_12_the_smallest_limit_of_a_stanza_is_10000_bytes() -> None:
    assert bounds(Settings().limits, "stanza_bytes")[0] == 10_000
    assert bounds(Settings().limits, "stanza_bytes_before_login")[0] == 10_000


def test_rfc6120_6_4_5_two_to_five_retries() -> None:
    assert bounds(Settings().sasl, "tries_per_stream") == (1 + 2, 1 + 5)


def test_rfc7677_3_at_least_4096_iterations() -> None:
    assert bounds(Settings().sasl, "iterations")[0] == 4096


def test_rfc6120_13_8_1_scram_sha_1_is_offered() -> None:
    assert {Mechanism.SCRAM_SHA_1, Mechanism.SCRAM_SHA_1_PLUS} <= set(Settings().sasl.mechanisms)


def test_mechanisms_are_their_names() -> None:
    assert "SCRAM-SHA-256" in Settings().sasl.mechanisms
