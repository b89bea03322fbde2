"""Which files belong to the project."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def project_files(root: Path, *suffixes: str) -> list[Path]:
    """The files git tracks or would track, sorted; with suffixes (".py"), only those. Needs no git."""
    files = _git_files(root) if (root / ".git").exists() else list(_walked_files(root))
    return sorted(path for path in files if path.is_file() and (not suffixes or path.suffix in suffixes))


def shown(path: Path, root: Path) -> str:
    """The path as messages show it: relative to the project."""
    return path.relative_to(root).as_posix()


def _git_files(root: Path) -> list[Path]:
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [root / name for name in listing.split("\0") if name]


def _walked_files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name == ".ci" or not name.startswith((".", "__pycache__"))]
        yield from (Path(folder, name) for name in names)
