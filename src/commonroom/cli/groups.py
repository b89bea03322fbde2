"""Groups of commands: in the order in which they are needed, loaded when they are called."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem


class Later(NamedTuple):
    """A command that is not loaded yet: its name in its module, and its line in the list of commands."""

    module: str
    name: str
    help: str


class Group(click.Group):
    """Keeps the order in which commands are declared, and names the one that was probably meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of declaration."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is refused with the nearest."""
        name = args[0]
        known = self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            near = get_close_matches(name, known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
            ctx.fail(f"there is no command {name!r}; {advice}")
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """Loads a command when it is called, and none to list or complete them.

    The server is 0.45 s of imports, `--version` and `--help` are 0.05 s (CPU, CPython 3.11).
    """

    def __init__(self, *args: Any, later: Mapping[str, Later], **options: Any) -> None:
        super().__init__(*args, **options)
        self._later = later

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of declaration."""
        return list(self._later)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        if (later := self._later.get(cmd_name)) is None:
            return None
        command: click.Command = getattr(import_module(later.module), later.name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List what there is."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, later.help) for name, later in self._later.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names that begin so."""
        commands = [
            CompletionItem(name, help=later.help)
            for name, later in self._later.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)
