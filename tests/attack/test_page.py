"""docs/security.md names every attack, and no other."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "security.md"
PREFIX = "test_attack_"


def attacks() -> set[str]:
    """The names of the tests in this folder."""
    names = set()
    for path in HERE.glob("test_*.py"):
        functions = ast.walk(ast.parse(path.read_text("utf-8")))
        names |= {node.name for node in functions if isinstance(node, ast.FunctionDef)}
    return {name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)}


def test_the_page_names_every_attack_and_no_other():
    last_cells = [
        line.rstrip(" |").rpartition("|")[2] for line in PAGE.read_text("utf-8").splitlines() if "|" in line
    ]
    named = set(re.findall(r"`([a-z0-9_]+)`", " ".join(last_cells)))
    assert named == attacks()
