"""Hypothesis strategies for settings with any values that their options allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from commonroom.config import Mechanism, Settings
from commonroom.config.accounts import Accounts
from commonroom.config.addresses import (
    AccountAddress,
    DatabaseUrl,
    Domain,
    HostAndPort,
    Listen,
    ListenAddress,
    Uri,
)
from commonroom.config.components import Component, Privileges
from commonroom.config.kinds import Choice, Duration, FilePath, Flag, Kind, ListOf, Number, Size, Text, Whole
from commonroom.config.option import Checked, Option, Table, Tables, entries
from commonroom.config.people import Person

HOSTS = st.ip_addresses().map(str)
LOOPBACK = st.ip_addresses(network="127.0.0.0/8").map(str) | st.just("::1")
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"),
    min_size=1,
)
DOMAINS = st.from_regex(r"[a-z0-9]([a-z0-9]{0,5}[a-z0-9])?(\.[a-z]{2,5}){0,2}", fullmatch=True)


def values(kind: Kind[Any]) -> st.SearchStrategy[Any]:
    """Values that the kind allows."""
    match kind:
        case Whole() | Size():
            return st.integers(kind.minimum, kind.maximum)
        case Number():
            return st.floats(kind.minimum, kind.maximum)
        case Duration():
            return st.integers(round(kind.minimum * 1e6), round(kind.maximum * 1e6)).map(lambda n: n / 1e6)
        case Flag():
            return st.booleans()
        case Choice():
            return st.sampled_from(kind.members)
        case ListOf():
            return st.lists(values(kind.item), min_size=kind.minimum, max_size=4, unique=True).map(tuple)
        case Listen():
            hosts = LOOPBACK if kind.loopback_only else HOSTS | st.just("*")
            return st.builds(ListenAddress, hosts, st.integers(1, 65535))
        case HostAndPort():
            return st.builds(ListenAddress, HOSTS | DOMAINS, st.integers(1, 65535))
        case Text():
            return TEXT.filter(lambda text: len(text) <= kind.maximum)
        case FilePath():
            return TEXT.filter(lambda text: not text.startswith("~")).map(Path)
        case Uri():
            return st.from_regex(r"https://[a-z.]{1,9}/[a-zA-Z0-9~%&=?#']{0,9}", fullmatch=True)
        case AccountAddress():
            return st.builds("{}@{}".format, st.from_regex(r"[a-zé.]{1,5}", fullmatch=True), DOMAINS)
        case Domain():
            return DOMAINS
        case Person():  # no groups: they would have to be there
            return st.builds("{}@{}".format, st.sampled_from(("*", "juliet")), DOMAINS)
        case DatabaseUrl():
            return st.sampled_from(["sqlite", "postgresql://u:p%22@h/d", "postgresql:///d"])
    raise AssertionError(f"no values for {kind}")


@st.composite
def tables(draw: st.DrawFn, settings: type[Any], domains: tuple[str, ...] = ()) -> Any:
    """A table with any subset of its options set; named tables are named by the domains."""
    changed: dict[str, Any] = {}
    for name, entry in entries(settings).items():
        if isinstance(entry, Option):
            if entry.required or draw(st.booleans()):
                one_of_ours = isinstance(entry.kind, Domain) and domains
                changed[name] = draw(st.sampled_from(domains) if one_of_ours else values(entry.kind))
        elif isinstance(entry, Table):
            changed[name] = draw(tables(entry.settings, changed.get("domains", domains)))
        elif isinstance(entry, Tables):
            domains = changed.get("domains", domains)
            names = draw(st.lists(st.sampled_from(domains), unique=True, max_size=2))
            changed[name] = {each: draw(tables(entry.settings, domains)) for each in names}
    return replace(settings(), **changed)


# The tables whose options can contradict each other.
CHECKED = ("c2s", "limits", "sasl", "archive", "accounts", "federation", "rooms")


def _at_peace(settings: Settings) -> Settings:
    """Tables that contradict themselves are as they are without a word in the file."""
    parts: dict[str, Checked] = {name: getattr(settings, name) for name in CHECKED}
    calm: dict[str, Any] = {name: type(part)() for name, part in parts.items() if list(part.faults())}
    return replace(settings, **calm)


def all_settings() -> st.SearchStrategy[Settings]:
    """Settings that a file can hold: each option as allowed, and all of them together."""
    everything: st.SearchStrategy[Settings] = tables(Settings)
    return everything.map(_that_fit).map(_at_peace).filter(lambda made: not list(made.faults()))


def _that_fit(settings: Settings) -> Settings:
    """Few that are drawn would: files need PLAIN and a place in the order, components their own domains."""
    accounts = replace(settings.accounts, order=Accounts().order)
    if Mechanism.PLAIN not in settings.sasl.mechanisms:
        accounts = replace(accounts, files={})
    domains = {f"component.{name}": _allowed(each) for name, each in settings.components.domains.items()}
    components = replace(settings.components, domains=domains)
    return replace(settings, accounts=accounts, components=components)


def _allowed(component: Component) -> Component:
    """With privileges that do not contradict each other."""
    contradicts = list(component.privileges.faults())
    return replace(component, privileges=Privileges()) if contradicts else component
