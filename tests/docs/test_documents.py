"""The documents say what is there: commands, files, links, and the path of a message."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from commonroom.cli.root import commonroom
from commonroom.core.message import Received, Sent
from commonroom.core.moments import Moment

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#]*)(#[^)]*)?\)")


def commands(command: click.Command, path: str = "commonroom") -> Iterator[str]:
    """Every command of the command line, by its words."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, f"{path} {name}")
    else:
        yield path


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made from their text."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {"#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("command", sorted(commands(commonroom)))
def test_every_command_is_in_the_operators_page(command: str) -> None:
    words = command.removeprefix("commonroom ")
    group, _, last = words.rpartition(" ")
    found = words in OPERATIONS or (group in OPERATIONS and re.search(rf"\b{last}\b", OPERATIONS))
    assert found, f"docs/operations.md does not say what `{command}` is for"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name} points to {target}, which is not there"
        if anchor:
            assert anchor in anchors(file), f"{page.name} points to {anchor}, which {file.name} does not have"


def test_the_files_on_the_line_are_there() -> None:
    line = (ROOT / "docs" / "architecture.md").read_text()
    files = re.findall(r"─► (\w+/\w+\.py)|[├└] (\w+/\w+\.py)", line)
    named = [one or other for one, other in files]
    assert len(named) >= 9
    for file in named:
        assert (ROOT / "src" / "commonroom" / file).is_file(), file


@pytest.mark.parametrize("order", [Sent, Received])
def test_the_life_of_a_message_names_the_stages_in_their_order(order: type[Sent] | type[Received]) -> None:
    stages = ", ".join(stage.name for stage in order)
    text = " ".join((ROOT / "docs" / "life-of-a-message.md").read_text().split())
    assert stages in text


def test_the_readme_begins_with_the_two_commands_that_the_makefile_has() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = re.findall(r"^make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert used[:2] == ["run", "test"]
    assert set(used) <= targets


def test_adding_a_feature_names_marks_and_moments_that_exist() -> None:
    text = (ROOT / "docs" / "adding-a-feature.md").read_text()
    for moment in re.findall(r"Moment\.(\w+)", text):
        assert moment in Moment.__members__
    for stage in re.findall(r"Received\.(\w+)", text):
        assert stage in Received.__members__


def test_adding_a_feature_quotes_what_is_there() -> None:
    """Its example can be opened: line by line, each piece is in one of the files that the page names."""
    text = (ROOT / "docs" / "adding-a-feature.md").read_text()
    files = ["src/commonroom/features/time.py", "tests/conversations/test_xep0199_ping.py"]
    assert all(file in text for file in files)
    sources = [(ROOT / file).read_text() for file in (*files, "src/commonroom/catalog.py")]
    pieces = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(pieces) == 3
    for paragraph in [paragraph for piece in pieces for paragraph in piece.split("\n\n")]:
        assert any(paragraph.strip("\n") in source for source in sources), paragraph
