"""The programs in C that the bench builds for itself: the load generator, the speed probe, the relay."""

import subprocess
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra")
TLS = ("-lssl", "-lcrypto")


class Programs(NamedTuple):
    """Where they are."""

    generator: Path
    probe: Path
    relay: Path


class CannotBuild(Exception):  # noqa: N818 - what happened
    """The compiler's words, and what to do."""


def build(folder: Path) -> Programs:
    """Compile them into a folder; raises CannotBuild."""
    programs = Programs(folder / "generator", folder / "probe", folder / "relay")
    _compile(programs.generator, ("generator.c", "load.c", "client.c", "scram.c"), (*TLS, "-lm"))
    _compile(programs.probe, ("probe.c",), ())
    _compile(programs.relay, ("relay.c",), TLS)
    return programs


def _compile(program: Path, sources: tuple[str, ...], libraries: tuple[str, ...]) -> None:
    files = [str(FOLDER / name) for name in sources]
    try:
        run = subprocess.run(
            ["cc", *FLAGS, "-o", str(program), *files, *libraries], capture_output=True, text=True
        )
    except FileNotFoundError:
        raise CannotBuild("there is no C compiler; tools/bench_packages.sh installs one") from None
    if run.returncode:
        advice = "OpenSSL's headers are missing? tools/bench_packages.sh installs them"
        raise CannotBuild(f"{program.name} cannot be compiled; {advice}\n{run.stderr}")
