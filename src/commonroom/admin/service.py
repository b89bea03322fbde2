"""Operations on all who are connected, and how the service is doing."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Protocol

from commonroom.admin.errors import BadArgument
from commonroom.admin.live import Live
from commonroom.admin.operation import Arg, Form, operation
from commonroom.admin.registry import Registry, served
from commonroom.admin.scopes import Scope
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Message, MessageType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT

LONGEST_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class Stats:
    """How the service is doing; times are in seconds. `waiting_writes` wait for the disk.

    `commit_seconds` and `lag_seconds` are the worst of the last minute: of a commit, and of the loop's turn.
    """

    started: datetime
    uptime_seconds: int
    memory_bytes: int
    accounts: int
    sessions: int
    connections: int
    messages: int
    presences: int
    requests: int
    logins: int
    failed_logins: int
    waiting_writes: int
    commit_seconds: float
    lag_seconds: float


@dataclass(frozen=True, slots=True)
class Announced:
    """To how many clients it went."""

    sessions: int


class Doing(Protocol):
    """Knows how the service is doing."""

    def stats(self) -> Stats:
        """Of this moment."""


@operation("stats", Scope.SERVICE_READ, "Show how the service is doing.", "", "get-online-users-num")
async def stats(doing: Doing) -> Stats:
    """Costs as much as counting the sessions."""
    return doing.stats()


@operation(
    "announce",
    Scope.ANNOUNCEMENTS_WRITE,
    "Send a message to everybody who is connected.",
    "'We restart at noon.' --domain example.org",
    "announce",
)
async def announce(
    live: Live,
    registry: Registry,
    text: Annotated[str, Arg("What they are told.", Form.LINES, "announcement")],
    subject: Annotated[str | None, Arg("What it is about.", var="subject")] = None,
    domain: Annotated[str | None, Arg("Only to the accounts of this domain.", Form.DOMAIN)] = None,
) -> Announced:
    """A headline from the domain to each available client; it is stored for nobody (XEP-0133 §4.23)."""
    if not 0 < len(text) <= LONGEST_TEXT:
        raise BadArgument(f"text: write 1 to {LONGEST_TEXT} characters")
    if domain is not None:
        served(registry, domain)
    told = 0
    for session in live.sessions():
        if session.presence is not None and domain in (None, session.jid.domain):
            session.send(_headline(session.jid, text, subject))
            told += 1
    return Announced(told)


def _headline(to: JID, text: str, subject: str | None) -> Message:
    children: list[Element | str] = [Element(NS_CLIENT, "body", None, text)]
    if subject is not None:
        children.insert(0, Element(NS_CLIENT, "subject", None, subject))
    return Message(MessageType.HEADLINE, to=to, sender=JID.of(None, to.domain), children=children)


def memory_bytes() -> int:
    """What this process has in memory (Linux)."""
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE")
