"""Results as tables: plain text for the terminal, Markdown for the documentation."""

from collections.abc import Iterator, Mapping, Sequence

from bench.results import Cases, Spread
from bench.scenarios.scenario import Figure, Scenario
from bench.servers.catalog import COMPARED, OURS, label


def number(value: float, digits: int) -> str:
    """As people write it: 12.3; 1,234; 0 and not -0."""
    return f"{value:z,.{digits}f}"


def cell(spread: Spread, digits: int) -> str:
    """The median, and how far the rounds were apart."""
    least, most = number(spread.least, digits), number(spread.most, digits)
    return number(spread.median, digits) + ("" if least == most else f" ({least}–{most})")


def best_peer(servers: dict[str, dict[str, Spread]], key: str) -> str | None:
    """The tuned peer with the lowest median."""
    peers = [name for name in COMPARED if key in servers.get(name, {})]
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
    """How ours compares with the best peer, by each figure that is compared."""
    told = [_verdict_by(figure, servers) for figure in scenario.compared]
    told += [_verdict_alone(figure, servers.get(OURS, {})) for figure in scenario.limited]
    return "; ".join(words for words in told if words)


def _verdict_by(figure: Figure, servers: dict[str, dict[str, Spread]]) -> str:
    found, peer = ratio(servers, figure.key), best_peer(servers, figure.key)
    if found is None or peer is None:
        return ""
    wanted = [f"{word} {limit:g}" for word, limit in (("bar", figure.bar), ("goal", figure.goal)) if limit]
    limits = f" ({', '.join(wanted)}): {reached(found, figure)}" if wanted else ""
    return f"{found:.2f} of {label(peer)}'s {figure.title}{limits}"


def _verdict_alone(figure: Figure, ours: Mapping[str, Spread]) -> str:
    if figure.key not in ours:
        return ""
    told = number(ours[figure.key].median, figure.digits)
    return f"{told} {figure.title} (at most {figure.most:g}): {kept_to(ours[figure.key].median, figure)}"


def kept_to(value: float, figure: Figure) -> str:
    """Whether ours has no more than it may; empty if it may have anything."""
    if figure.most is None:
        return ""
    return "bar reached" if value <= figure.most else "bar missed"


def reached(share: float, figure: Figure) -> str:
    """Whether bar and goal were; empty if there are none."""
    if figure.bar is None or figure.goal is None:
        return ""
    if share > figure.bar:
        return "bar missed"
    return "goal reached" if share <= figure.goal else "bar reached, goal missed"


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
