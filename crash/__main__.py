"""`python -m crash --server NAME`: kill a server again and again, and tell what became of each message."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from crash.run import Options, run
from crash.servers.catalog import SERVERS, chosen
from crash.table import as_text, histories

SHORT = Options(kills=10, pairs=8)
LOST = 1


def main() -> None:
    """Exit with 1 if anything acknowledged is lost; with --strict, also for all else that is wrong."""
    command_line = parser()
    arguments = command_line.parse_args()
    try:
        kind = chosen(arguments.server, arguments.database)
    except ValueError as error:
        command_line.error(str(error))
    outcome = run(kind, options_of(arguments), _say if arguments.verbose else lambda _: None, arguments.keep)
    print(as_text(f"{arguments.server}, seed {arguments.seed}", outcome))
    if arguments.verbose:
        print(*histories(outcome), sep="\n")
    sys.exit(LOST if outcome.is_loss or (arguments.strict and not outcome.is_flawless) else 0)


def options_of(arguments: argparse.Namespace) -> Options:
    options = replace(
        SHORT if arguments.short else Options(), seed=arguments.seed, managed=not arguments.unmanaged
    )
    wanted = {name: value for name in ("kills", "pairs") if (value := getattr(arguments, name)) is not None}
    return replace(options, **wanted)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m crash", description=__doc__)
    parser.add_argument("--server", choices=SERVERS, default="commonroom")
    parser.add_argument("--database", help="sqlite or postgresql, for commonroom")
    parser.add_argument("--kills", type=int, help="how many lives the server has (30)")
    parser.add_argument("--seed", type=int, default=1, help="decides every moment (1)")
    parser.add_argument("--pairs", type=int, help="of clients (20)")
    parser.add_argument("--short", action="store_true", help="10 kills, 8 pairs: under a minute")
    parser.add_argument("--unmanaged", action="store_true", help="no client uses XEP-0198")
    parser.add_argument(
        "--strict", action="store_true", help="fail for anything twice or out of order as well"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="tell each life, and all about the messages with a fault"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="make it, and leave the server's files there"
    )
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
