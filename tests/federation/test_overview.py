"""What operators see of other servers, and how they end connections."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from commonroom.federation.advice import OTHER
from commonroom.federation.dialing import UnreachableError
from commonroom.federation.failures import REMEMBERED, Failures
from commonroom.federation.journal import LONGEST, Journal
from commonroom.federation.overview import Overview, PeerStream
from commonroom.net.peer import Facts

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Connection:
    def __init__(self, theirs: str, *ours: str) -> None:
        self.speaks_for = theirs.split()
        self.ours = list(ours)
        self.ended: list[str] = []

    def facts(self) -> Facts:
        return Facts("192.0.2.1", "TLSv1.3", 3, 4, 100.0, 190.0)

    def end(self, error: Any) -> None:
        self.ended.append(error.condition.value)


def overview(*connections: Connection, links: tuple[Any, ...] = ()) -> Overview:
    peers: Any = SimpleNamespace(outgoing=connections[:1], incoming=connections[1:])
    outgoing: Any = SimpleNamespace(links=lambda: links)
    return Overview(peers, outgoing, Failures(), lambda: 200.0)


def test_streams_are_listed_with_who_opened_them():
    one, other = Connection("b.example", "example.org"), Connection("a.example c.example", "example.org")
    stranger = Connection("", "example.org")
    streams = overview(one, other, stranger).streams()
    assert [(each.theirs, each.direction) for each in streams] == [
        ("a.example c.example", "in"),
        ("b.example", "out"),
    ]
    expected = PeerStream("example.org", "b.example", "out", "192.0.2.1", "TLSv1.3", 3, 4, 100, 10)
    assert overview(one, other).streams("b.example") == (expected,)


def test_a_domains_connections_are_closed_and_no_others():
    one, other = Connection("b.example", "example.org"), Connection("a.example b.example", "example.org")
    third = Connection("a.example", "example.org")
    assert overview(one, other, third).close("b.example") == 2
    assert [each.ended for each in (one, other, third)] == [["reset"], ["reset"], []]


def test_what_others_write_is_one_line_of_some_length_and_nothing_for_a_terminal():
    text = "go away\n\x9b2J" + "a" * 10_000
    expected = "go away??2J" + "a" * (LONGEST - 11)
    journal, failures = Journal(lambda: 0.0), Failures()
    journal.note("failed", text)
    assert journal.steps[0].detail == expected
    assert failures.add("d.example", "in", NOW, text).reason == expected
    assert UnreachableError(text).reason == expected


def test_failures_are_counted_and_the_oldest_forgotten():
    failures = Failures()
    for number in range(REMEMBERED + 5):
        failures.add(f"d{number}.example", "out", NOW, "down")
    assert failures.add("d504.example", "out", NOW, "still down").times == 2
    assert len(failures.latest()) == REMEMBERED
    assert failures.latest()[0].reason == "still down"
    failures.forget("d504.example", "out")
    assert failures.latest()[0].domain == "d503.example"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("DNS gave no answer for a.example", "no answer from DNS"),
        ("a.example: no XMPP server", "not found"),
        ("192.0.2.1:5269: refuses connections", "unreachable"),
        ("its certificate is not accepted: expired", "their certificate"),
        ("it says <not-authorized/>", "our identity"),
        ("it ends the stream: host-unknown", "wrong machine"),
        ("something that nobody has seen yet", OTHER),
    ],
)
def test_failures_are_counted_by_kinds_of_a_fixed_list(reason, kind):
    failures = Failures()
    for number in range(3):
        failures.add(f"d{number}.example", "in", NOW, reason)
    assert failures.counts == {("in", kind): 3}
