"""`python -m bench SCENARIO …`: measure, keep the figures, show them."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from bench.native import CannotBuild
from bench.results import document, keep, summarize
from bench.run import new_run
from bench.scenarios.catalog import SCENARIOS
from bench.scenarios.scenario import Options, Row, Scenario
from bench.servers.catalog import ALL
from bench.servers.commonroom import CHECKOUT, Installation, usual_python
from bench.tables import as_text


def main() -> None:
    """Read the command line and do it."""
    arguments = _parser().parse_args()
    chosen = [scenario for scenario in SCENARIOS if scenario.name in arguments.scenarios]
    options = Options(
        arguments.rounds, arguments.seconds, arguments.warm_up, arguments.tries, arguments.cases
    )
    ours = Installation(arguments.source.resolve(), (arguments.python or usual_python()).absolute())
    try:
        for scenario in chosen or SCENARIOS:
            _measure(scenario, arguments.servers.split(","), ours, options)
    except (CannotBuild, ValueError) as error:
        sys.exit(f"bench: {error}")


def _parser() -> argparse.ArgumentParser:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"all, or some of: {', '.join(names)}"
    )
    parser.add_argument("--servers", default=",".join(ALL), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=3, help="of one measurement; default: %(default)s")
    parser.add_argument("--warm-up", type=float, default=1, help="seconds before it; default: %(default)s")
    parser.add_argument("--tries", type=int, default=3, help="while others are busy; default: %(default)s")
    parser.add_argument("--cases", default="", help="only those with this in their name")
    parser.add_argument("--source", type=Path, default=CHECKOUT / "src", help="of ours; default: this one")
    parser.add_argument("--python", type=Path, help="that runs ours; default: Debian's, if it is as ours")
    return parser


def _measure(scenario: Scenario, servers: list[str], ours: Installation, options: Options) -> None:
    rows: list[Row] = []
    with new_run(servers, ours, _say) as run:
        for row in scenario.measure(run, options):
            rows.append(row)
            first = scenario.figures[0]
            _say(
                f"{row.case}, round {row.round + 1}, {row.server}: {row.figures[first.key]:.1f} {first.title}"
            )
        versions = run.versions
    path = keep(document(scenario.name, rows, asdict(options), versions))
    print(as_text(scenario, summarize(rows)))
    _say(f"kept in {path}")


def _say(text: str) -> None:
    print(f"# {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
