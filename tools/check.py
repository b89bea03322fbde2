"""Runs every check of the project, one after the other, and says of each that fails what to do about it."""

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tools.files import ROOT


class Check(NamedTuple):
    """A command that exits with 0 when all is well and prints what is not."""

    name: str
    command: tuple[str, ...]  # its program is one of the environment's
    advice: str


CHECKS = (
    Check("format", ("ruff", "format", "--check", "--output-format", "concise", "."), "`make fmt` formats."),
    Check("style", ("ruff", "check", "--output-format", "concise", "."), "`make fmt` repairs some of it."),
    Check("types", ("mypy", "src/commonroom", "tools", "tests"), "Types are strict; see CONTRIBUTING.md."),
    Check(
        "layers",
        ("lint-imports", "--no-logo"),
        "Imports go downwards; what two modules share moves down a layer.",
    ),
    Check(
        "sizes",
        (
            "python",
            "-m",
            "tools.check_sizes",
        ),
        "Split it, or write the reason down.",
    ),
    Check(
        "references",
        (
            "python",
            "-m",
            "tools.check_references",
        ),
        "Look the section up in the specification's text.",
    ),
    Check(
        "specifications",
        ("python", "-m", "tools.make_specs", "--check"),
        "`make docs` writes docs/specs.md and doap.xml again.",
    ),
    Check(
        "configuration",
        ("python", "-m", "commonroom.config.document", "--check", "docs/configuration.md"),
        "`make docs` writes docs/configuration.md again.",
    ),
    Check(
        "words",
        (
            "python",
            "-m",
            "tools.check_words",
        ),
        "The files are read elsewhere, by people who were not here.",
    ),
)


def passes(check: Check) -> bool:
    """Run one check, show how it went."""
    begun = time.monotonic()
    program, *arguments = check.command
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    run = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    took = time.monotonic() - begun
    if run.returncode == 0:
        print(f"ok      {check.name} ({took:.1f} s)")
        return True
    print(f"{run.stdout.rstrip()}\nFAILED  {check.name} ({took:.1f} s). {check.advice}")
    return False


def main() -> None:
    """Run all, or those named as arguments."""
    chosen = [check for check in CHECKS if len(sys.argv) == 1 or check.name in sys.argv[1:]]
    failed = [check.name for check in chosen if not passes(check)]
    sys.exit(f"make check: {', '.join(failed)} failed" if failed else 0)


if __name__ == "__main__":
    main()
