"""The table [records]: what is recorded of what people do, for how long, and what for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from commonroom.config.kinds import Choice, ListOf, Text, duration
from commonroom.config.option import option


class Role(StrEnum):
    """A role of [roles]."""

    OPERATOR = "operator"
    HELPDESK = "helpdesk"
    AUDITOR = "auditor"


def _kept(default: str, example: str, doc: str, least: str = "0s", most: str = "3650d") -> float:
    return option(duration(least, most), default, doc, example=example, live=True)


def _purpose(default: str) -> str:
    return option(Text(), default, "What that is for, as `commonroom privacy` tells your users.", live=True)


@dataclass(frozen=True, slots=True)
class Records:
    """What is recorded. Never the text of a message. Each kind is kept for a time, then erased; 0 records
    nothing. `commonroom privacy` makes a text for your users of this table."""

    accounts: float = _kept(
        "365d",
        "730d",
        "How long it is kept what became of accounts that are in files: when they appeared, departed, came "
        "back, were locked, renamed or erased, and when files were held back.",
    )
    logins: float = _kept(
        "90d", "30d", "How long log-ins and failed ones are kept: account, time, IP address."
    )
    sessions: float = _kept(
        "90d", "30d", "How long it is kept when clients were connected: address, begin and end, IP address."
    )
    messages: float = _kept(
        "0s",
        "7d",
        "How long it is kept who wrote to whom: both addresses, time, type, and the length of the text.",
    )
    operators: float = _kept(
        "365d",
        "730d",
        "How long it is kept what operators did, and what they read. This cannot be turned off.",
        least="1d",
    )
    statistics: float = _kept(
        "1095d",
        "365d",
        "How long numbers of each day are kept: users, messages, peaks, clients. They name nobody.",
        most="36500d",
    )
    readers: tuple[Role, ...] = option(
        ListOf(Choice(Role)),
        ["operator", "auditor"],
        "Which roles may read records. Each reading is itself recorded.",
        example=["auditor"],
        live=True,
    )
    accounts_purpose: str = _purpose("To answer who had an account when, and what became of it.")
    logins_purpose: str = _purpose(
        "To find out who used an account, when it was misused or its owner cannot log in."
    )
    sessions_purpose: str = _purpose(
        "To find out why somebody was disconnected, or when somebody was connected."
    )
    messages_purpose: str = _purpose("To find out why a message did not arrive.")
    operators_purpose: str = _purpose("To show who of the staff did what, and who read these records.")
    statistics_purpose: str = _purpose("To plan the service: how many use it, and with which programs.")
