"""docs/configuration.md: complete, and not stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from commonroom.config import Settings
from commonroom.config.document import document, main
from commonroom.config.kinds import toml_key
from commonroom.config.option import options, walk

PAGE = Path(__file__).parents[2] / "docs/configuration.md"


def test_a_stale_page_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stale = tmp_path / "configuration.md"
    stale.write_text(document() + "\n")
    assert main(["--check", str(stale)]) == 1
    assert capsys.readouterr().err == f"{stale} is stale; run `make docs`\n"


def test_a_missing_page_is_stale(tmp_path: Path) -> None:
    assert main(["--check", str(tmp_path / "none.md")]) == 1


def test_the_page_in_the_repository_is_up_to_date() -> None:
    assert main(["--check", str(PAGE)]) == 0


def test_the_page_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == document()


def test_every_option_is_described() -> None:
    page = document()
    words = " ".join(page.split())
    for key, table in walk(Settings):
        for name, option in options(table).items():
            assert f"\n### `{toml_key((*key, name))}`\n" in page
            assert " ".join(option.doc.split()) in words
            assert f"\n- Value: {option.kind.expected}\n" in page
            assert f"\n- Example: `{name} = {option.kind.write(option.example)}`\n" in page
