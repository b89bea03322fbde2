"""Checks that files stay under 500 lines and functions under 40, unless pyproject.toml says why not.

[tool.commonroom.sizes]
"src/commonroom/xml/parser.py" = "why the file must be long"
"src/commonroom/core/router.py::Router.submit" = "why the function must be long"
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

from tools.files import ROOT, project_files, shown

FILE_LINES = 500
FUNCTION_LINES = 40


class Piece(NamedTuple):
    """A file or a function that is too long."""

    name: str  # "src/commonroom/core/router.py" or "src/commonroom/core/router.py::Router.submit"
    line: int
    lines: int
    limit: int


def too_long(name: str, source: str) -> Iterator[Piece]:
    """The file itself and the functions in it, where they pass their limit."""
    lines = source.count("\n")
    if lines > FILE_LINES:
        yield Piece(name, 1, lines, FILE_LINES)
    for path, function in _functions(ast.parse(source), ""):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES:
            yield Piece(f"{name}::{path}", function.lineno, lines, FUNCTION_LINES)


def messages(pieces: list[Piece], allowed: dict[str, str]) -> Iterator[str]:
    """What is too long without a reason, and which reasons nothing needs any more."""
    for piece in pieces:
        if not allowed.get(piece.name, "").strip():
            file = piece.name.partition("::")[0]
            yield (
                f"{file}:{piece.line}: {piece.name} has {piece.lines} lines, the limit is {piece.limit}. "
                f"Split it, or give the reason in pyproject.toml under [tool.commonroom.sizes]."
            )
    names = {piece.name for piece in pieces}
    for name in allowed.keys() - names:
        yield f"pyproject.toml: [tool.commonroom.sizes] lists {name!r}, which is short. Remove the line."


def main() -> None:
    """Print what is wrong in the project; exit with 1 if anything is."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    allowed: dict[str, str] = settings["tool"].get("commonroom", {}).get("sizes", {})
    files = project_files(ROOT, ".py")
    pieces = [piece for path in files for piece in too_long(shown(path, ROOT), path.read_text("utf-8"))]
    sys.exit("\n".join(messages(pieces, allowed)) or 0)


def _functions(node: ast.AST, path: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{path}.{child.name}" if path else child.name
            if not isinstance(child, ast.ClassDef):
                yield name, child
            yield from _functions(child, name)
        else:
            yield from _functions(child, path)


if __name__ == "__main__":
    main()
