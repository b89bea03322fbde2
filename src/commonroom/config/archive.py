"""The table [archive]: the history of messages."""

# ruff: noqa: RUF009 (option is dataclasses.field with more to say)
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from commonroom.config.kinds import Choice, ListOf, Text, Whole, duration
from commonroom.config.option import Key, option, tables


class ArchiveDefault(StrEnum):
    """Whose messages are archived when the user has said nothing."""

    ALWAYS = "always"
    ROSTER = "roster"
    NEVER = "never"


# No archive is older, and every database can compare with the moment so long ago.
_KEEP = duration("1h", "36500d")


@dataclass(frozen=True, slots=True)
class ArchivePolicy:
    """How long some accounts' messages are kept, under a name of your choice. The first that fits counts."""

    accounts: tuple[str, ...] = option(
        ListOf(Text(), minimum=1),
        ["*"],
        "Whose messages: addresses of accounts, in which `*` stands for any text. `*@students.example.org` "
        "is everybody of a domain.",
        example=["*@students.example.org", "reception@example.org"],
        required=True,
        live=True,
    )
    keep: float | None = option(
        _KEEP, None, "How long their messages are kept.", unset="for ever", example="90d", live=True
    )


@dataclass(frozen=True, slots=True)
class Archive:
    """The history that clients read on the server (XEP-0313)."""

    default: ArchiveDefault = option(
        Choice(ArchiveDefault),
        "always",
        "What is archived for users who never said (XEP-0441): all messages, those from and to contacts, or "
        "none. A message that is in no archive cannot be read by the devices that were not there.",
        example="roster",
    )
    page: int = option(
        Whole(1, 1000), 50, "How many messages a client gets at a time if it does not say how many."
    )
    largest_page: int = option(
        Whole(1, 1000), 250, "How many messages a client gets at a time at most, if they are short."
    )
    rules: int = option(
        Whole(0, 100_000),
        1000,
        "How many addresses a user may name whose messages are always archived, or never.",
    )
    keep: float | None = option(
        _KEEP,
        None,
        "How long messages are kept, where no policy says otherwise. Older ones are removed in the "
        "background; `commonroom archive expire --dry-run` tells what would go.",
        unset="for ever",
        example="365d",
        live=True,
    )
    policies: Mapping[str, ArchivePolicy] = tables(ArchivePolicy, Text(100), example="students")

    def faults(self) -> Iterator[tuple[Key, str]]:
        """The usual page is one that can be had."""
        if self.page > self.largest_page:
            yield ("page",), "it is larger than archive.largest_page; write a smaller number"
