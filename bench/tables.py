"""Results as tables: plain text for the terminal, Markdown for the documentation."""

from collections.abc import Iterator, Sequence

from bench.results import Cases, Spread
from bench.scenarios.scenario import Figure, Scenario
from bench.servers.catalog import OURS, PEERS, label


def number(value: float, digits: int) -> str:
    """As people write it: 12.3; 1,234."""
    return f"{value:,.{digits}f}"


def cell(spread: Spread, digits: int) -> str:
    """The median, and how far the rounds were apart."""
    least, most = number(spread.least, digits), number(spread.most, digits)
    return number(spread.median, digits) + ("" if least == most else f" ({least}–{most})")


def best_peer(servers: dict[str, dict[str, Spread]], key: str) -> str | None:
    """The tuned peer with the lowest median."""
    peers = [name for name in PEERS if key in servers.get(name, {})]
    return min(peers, key=lambda name: servers[name][key].median, default=None)


def ratio(servers: dict[str, dict[str, Spread]], key: str) -> float | None:
    """Ours, as a share of the best peer's."""
    peer = best_peer(servers, key)
    if peer is None or key not in servers.get(OURS, {}) or not servers[peer][key].median:
        return None
    return servers[OURS][key].median / servers[peer][key].median


def rows(scenario: Scenario, servers: dict[str, dict[str, Spread]]) -> Iterator[list[str]]:
    """The header, then a row for each server."""
    yield ["", *(figure.title for figure in scenario.figures)]
    for name, figures in servers.items():
        yield [label(name), *(_figure(figures, figure) for figure in scenario.figures)]


def _figure(figures: dict[str, Spread], figure: Figure) -> str:
    found = figures.get(figure.key)
    return "–" if found is None else cell(found, figure.digits)


def verdict(scenario: Scenario, servers: dict[str, dict[str, Spread]]) -> str:
    """How ours compares with the best peer."""
    key = scenario.figures[0].key
    found, peer = ratio(servers, key), best_peer(servers, key)
    if found is None or peer is None:
        return ""
    wanted = [
        f"{word} {limit:g}" for word, limit in (("bar", scenario.bar), ("goal", scenario.goal)) if limit
    ]
    return f"{found:.2f} of {label(peer)}'s" + (f" ({', '.join(wanted)})" if wanted else "")


def as_text(scenario: Scenario, cases: Cases) -> str:
    """For a terminal."""
    parts = []
    for case, servers in cases.items():
        parts.append("\n".join([f"\n{case}", *_aligned(list(rows(scenario, servers)))]))
        if told := verdict(scenario, servers):
            parts.append(f"  ours: {told}")
    return "\n".join(parts)


def _aligned(table: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        )


def as_markdown(scenario: Scenario, servers: dict[str, dict[str, Spread]]) -> Iterator[str]:
    """Lines of a table."""
    for position, row in enumerate(rows(scenario, servers)):
        yield f"| {' | '.join(row)} |"
        if position == 0:
            yield "|---|" + "---:|" * (len(row) - 1)
