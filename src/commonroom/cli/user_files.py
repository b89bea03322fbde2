"""`commonroom user plan` and `confirm`: what the account files would change, and that they may."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from commonroom.accounts.plan import Change, ChangeKind, Plan
from commonroom.admin.account_files import (
    FilesState,
    FilesStatus,
    confirm,
    hold_rule,
    planned,
    read_status,
)
from commonroom.admin.errors import AdminError
from commonroom.cli.output import config_option, explained, json_option, print_json, settings_of, tell
from commonroom.config import Settings

SHOWN = 20


class Instead(click.ParamType[tuple[Path, Path]]):
    """`OLD=NEW`: a file and the one that would take its place."""

    name = "old=new"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Split it."""
        if isinstance(value, tuple):
            return value
        old, equals, new = str(value).partition("=")
        if not (old and equals and new):
            self.fail(
                f"{value}: write the file that is configured, =, and the one to try instead", param, ctx
            )
        return Path(old), Path(new)


@click.command()
@click.option(
    "--instead",
    type=Instead(),
    multiple=True,
    metavar="OLD=NEW",
    help="Read NEW where the configuration names OLD; may be repeated.",
)
@click.option(
    "--all", "everything", is_flag=True, help=f"Name all accounts, not only the first {SHOWN} of a kind."
)
@json_option
@config_option
def plan(instead: tuple[tuple[Path, Path], ...], everything: bool, as_json: bool, path: Path) -> None:
    """Show what the account files would change, before they do.

    Compares the files with what is in force. It changes nothing, and works beside a running service, which
    reads files by itself within seconds: to see what a new file would do, write it elsewhere first.

    \b
    Examples:
      commonroom user plan
      commonroom user plan --instead /etc/commonroom/shadow=/tmp/new-shadow
    """
    settings = settings_of(path)
    limit = sys.maxsize if everything else SHOWN
    with explained(AdminError), planned(settings, dict(instead)) as found:
        status = read_status(settings)
        if as_json:
            print_json(_facts(settings, found, status, limit))
        else:
            click.echo("\n".join(_words(settings, found, status, limit)))


@click.command("confirm")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def confirm_(yes: bool, path: Path) -> None:
    """Let a change of the account files happen that is held back.

    It is shown first. What is confirmed is the files as they are now: if they change again, that is another
    change. A running service acts on it within seconds, a stopped one when it starts.

    \b
    Example:
      commonroom user confirm
    """
    settings = settings_of(path)
    with explained(AdminError), planned(settings) as found:
        if found.hold(hold_rule(settings)) is None:
            raise AdminError("nothing in the files has to be confirmed; see `commonroom user plan`")
        if not yes and not sys.stdin.isatty():
            raise click.UsageError("there is no terminal to ask; say --yes if the change is really wanted")
        if not yes:
            click.echo("\n".join(_words(settings, found, None, SHOWN)), err=True)
            click.confirm("Let this happen?", abort=True, err=True)
        confirm(settings, found)
    tell("It was confirmed.")


def _words(settings: Settings, plan: Plan, status: FilesStatus | None, limit: int) -> Iterator[str]:
    if status is not None and status.state is not FilesState.IN_FORCE:
        yield f"The service holds to what was in force before: {status.reason}"
    before = "" if plan.before is None else f", {plan.before} now"
    yield f"{plan.accounts} accounts are in the files{before}."
    for kind in ChangeKind:
        count = plan.counts[kind]
        if count:
            yield f"{kind.value}: {count}"
            yield from (f"  {_change(change)}" for change in plan.sample(kind, limit))
            if count > limit:
                yield f"  ... and {count - limit} more"
    if plan.is_empty:
        yield "Nothing changes for anybody."
    reason = plan.hold(hold_rule(settings))
    if reason is not None:
        yield f"It needs `commonroom user confirm`: {reason}"
    yield from (f"fault: {text}" for text in plan.faults[:limit])
    if plan.fault_count > min(limit, len(plan.faults)):
        yield f"... of {plan.fault_count} faults"


def _change(change: Change) -> str:
    return change.address if change.former is None else f"{change.former} -> {change.address}"


def _facts(settings: Settings, plan: Plan, status: FilesStatus | None, limit: int) -> dict[str, Any]:
    return {
        "accounts": plan.accounts,
        "before": plan.before,
        "changes": {
            kind.value: {
                "count": plan.counts[kind],
                "accounts": [
                    {"address": change.address, "former": change.former}
                    for change in plan.sample(kind, limit)
                ],
            }
            for kind in ChangeKind
        },
        "held_because": plan.hold(hold_rule(settings)),
        "faults": list(plan.faults),
        "fault_count": plan.fault_count,
        "service": None if status is None else {"state": status.state.value, "reason": status.reason},
    }
