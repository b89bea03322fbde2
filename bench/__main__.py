"""`python -m bench SCENARIO …`: measure, keep the figures, show them."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from bench.generator import LoadFailed
from bench.native import CannotBuild
from bench.report import MATPLOTLIB_IS_MISSING, can_draw, keep_summary, load_summary, write
from bench.results import document, keep, summarize
from bench.run import new_run
from bench.scenarios.catalog import SCENARIOS
from bench.scenarios.scenario import Options, Row, Scenario
from bench.servers.catalog import is_installed
from bench.servers.commonroom import CHECKOUT, Installation, usual_python
from bench.tables import as_text

REPORT = "report"


def main() -> None:
    """Read the command line and do it."""
    arguments = _parser().parse_args()
    if arguments.scenarios == [REPORT]:
        write(load_summary())
        sys.exit(None if can_draw() else MATPLOTLIB_IS_MISSING)
    chosen = [scenario for scenario in SCENARIOS if scenario.name in arguments.scenarios] or SCENARIOS
    if arguments.record and not can_draw():
        _say(MATPLOTLIB_IS_MISSING)
    try:
        for scenario in chosen:
            found = _measured(scenario, arguments)
            if arguments.record:
                keep_summary(found)
                write(load_summary())
    except (CannotBuild, LoadFailed, RuntimeError, TimeoutError, ValueError) as error:
        sys.exit(f"bench: {error}")


def _parser() -> argparse.ArgumentParser:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "scenarios",
        nargs="*",
        choices=[*names, REPORT, []],
        metavar="SCENARIO",
        help=f"of {', '.join(names)}; all, if none is named. Or report: write docs/performance.md",
    )
    parser.add_argument("--servers", help="a,b,c; default: all that are installed, of churn only ours")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=3, help="of one measurement; default: %(default)s")
    parser.add_argument("--warm-up", type=float, default=1, help="seconds before it; default: %(default)s")
    parser.add_argument("--tries", type=int, default=3, help="while others are busy; default: %(default)s")
    parser.add_argument("--cases", default="", help="only those with this in their name")
    parser.add_argument("--sessions", type=int, default=200_000, help="of churn; default: %(default)s")
    parser.add_argument("--source", type=Path, default=CHECKOUT / "src", help="of ours; default: this one")
    parser.add_argument("--python", type=Path, help="that runs ours; default: Debian's, if ours is as new")
    parser.add_argument(
        "--record",
        action="store_true",
        help="put the medians into bench/results/summary.json, and write docs/performance.md",
    )
    return parser


def _measured(scenario: Scenario, arguments: argparse.Namespace) -> dict[str, object]:
    options = Options(
        arguments.rounds,
        arguments.seconds,
        arguments.warm_up,
        arguments.tries,
        arguments.cases,
        arguments.sessions,
    )
    ours = Installation(arguments.source.resolve(), (arguments.python or usual_python()).absolute())
    rows: list[Row] = []
    with new_run(_servers(scenario, arguments.servers), ours, _say) as run:
        for row in scenario.measure(run, options):
            rows.append(row)
            _say(_line(scenario, row))
        versions = run.versions
    found = document(scenario.name, rows, asdict(options), versions)
    path = keep(found)
    print(as_text(scenario, summarize(rows)))
    _say(f"kept in {path}")
    return found


def _servers(scenario: Scenario, named: str | None) -> list[str]:
    """Those that are named must be there; raises ValueError."""
    names = named.split(",") if named else list(scenario.servers)
    missing = [name for name in names if not is_installed(name)]
    if missing:
        advice = f"{', '.join(missing)}: not installed; tools/bench_packages.sh installs all"
        if named:
            raise ValueError(advice)
        _say(advice)
    return [name for name in names if name not in missing]


def _line(scenario: Scenario, row: Row) -> str:
    figure = scenario.figures[0]
    return f"{row.case}, round {row.round + 1}, {row.server}: {row.figures[figure.key]:.1f} {figure.title}"


def _say(text: str) -> None:
    print(f"# {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
