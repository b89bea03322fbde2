"""The commands as a whole: what they are called, what help says, how they end."""

import os
import shlex
import subprocess
import sys

import click
import pytest

from commonroom import __version__
from commonroom.admin.operations import operations
from commonroom.cli.root import COMMANDS, commonroom

from .commands import PROGRAM, failed, run, worked

CONTEXT = click.Context(commonroom, info_name="commonroom")


def every_command(group: click.Group, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name in group.list_commands(CONTEXT):
        command = group.get_command(CONTEXT, name)
        assert command is not None
        here = (*words, name)
        found += every_command(command, here) if isinstance(command, click.Group) else [here]
    return found


EVERY_COMMAND = every_command(commonroom)


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("serv",), "there is no command 'serv'; did you mean serve?"),
        (("users",), "there is no command 'users'; did you mean user?"),
        (("user", "delete"), "there is no command 'delete'; there are: add, "),
        (("user", "dd"), "there is no command 'dd'; did you mean add?"),
        (("trace", "mesage"), "there is no command 'mesage'; did you mean message?"),
        (("xyzzy",), "there is no command 'xyzzy'; there are: demo, init, serve"),
        (("serve", "--confg"), "--config"),
        (("serve", "now"), "unexpected extra argument"),
    ],
)
def test_what_was_mistyped_is_answered_with_the_nearest(words: tuple[str, ...], advice: str) -> None:
    assert advice in failed(run(*words), 2)


ARGUMENTS: dict[tuple[str, ...], list[str]] = {
    ("user", "import"): [os.devnull],
    ("user", "list"): [],
    ("user", "plan"): [],
    ("user", "confirm"): [],
    ("trace", "s2s"): ["example.net"],
    ("session", "list"): ["a@b"],
    ("session", "revoke"): ["a@b", "x"],
    ("archive", "erase"): ["a@b", "--yes"],
    ("backup",): ["/nowhere/backup.tar"],
    ("restore",): ["/nowhere/backup.tar"],
    ("room", "list"): [],
    ("room", "requests"): [],
    ("room", "create"): ["a@b", "--owner", "c@d"],
    ("room", "destroy"): ["a@b", "--yes"],
    ("room", "set"): ["a@b", "public=yes"],
}
EXAMPLES = {each.words: shlex.split(each.example) for each in operations()}


@pytest.mark.parametrize("words", [words for words in EVERY_COMMAND if words not in {("demo",), ("init",)}])
def test_a_configuration_that_is_not_there_is_told_with_what_to_do(words: tuple[str, ...]) -> None:
    fallback = ["a@b"] if words[0] == "room" else []
    arguments = ARGUMENTS[words] if words in ARGUMENTS else EXAMPLES.get(words, fallback)
    result = run(*words, *arguments, "--config", "/nowhere/commonroom.toml")
    assert result.exit_code == 1
    assert "there is no such file; run `commonroom init` to write one" in result.output


def test_without_a_command_there_is_help() -> None:
    assert "Usage: commonroom [OPTIONS] COMMAND" in failed(run(), 2)


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
def test_the_help_of_every_command_has_an_example_of_it(words: tuple[str, ...]) -> None:
    text = worked(run(*words, "--help"))
    _, found, example = text.partition("Example")
    assert found
    assert f"commonroom {' '.join(words)}" in example


def test_every_command_is_called_what_the_list_says() -> None:
    listed = worked(run("--help"))
    for name, later in COMMANDS.items():
        command = commonroom.get_command(CONTEXT, name)
        assert command is not None
        assert command.get_short_help_str(200).removesuffix(".") == later.help.removesuffix(".")
        assert f"  {name} " in listed
        assert later.help in listed


def test_help_says_what_exit_codes_mean_and_how_to_complete() -> None:
    text = worked(run("-h"))
    assert "Exit codes: 0 done; 1 not done" in text
    assert "_COMMONROOM_COMPLETE=bash_source commonroom" in text


def test_the_version() -> None:
    assert worked(run("--version")) == f"Common Room {__version__}\n"


def test_the_list_of_commands_loads_none_of_them() -> None:
    code = (
        "import sys; from commonroom.cli.root import commonroom;"
        "commonroom(['--help'], standalone_mode=False);"
        "sys.exit(bool({'sqlalchemy', 'uvloop', 'OpenSSL', 'cryptography'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_accounts_do_not_need_the_server() -> None:
    code = (
        "import sys; import commonroom.cli.user;"
        "sys.exit(bool({'uvloop', 'OpenSSL', 'commonroom.core', 'commonroom.net'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_service_has_no_driver_for_postgresql_in_memory_before_it_is_told_to_use_it() -> None:
    code = (
        "import sys; import commonroom.app.service;"
        "sys.exit(bool({'psycopg', 'sqlalchemy.dialects.postgresql'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("typed", "completions"),
    [("commonroom us", {"user"}), ("commonroom user d", {"disable"}), ("commonroom serve --c", {"--config"})],
)
def test_the_shell_can_complete(typed: str, completions: set[str]) -> None:
    variables = {
        "_COMMONROOM_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
    }
    done = subprocess.run(PROGRAM, env={**os.environ, **variables}, capture_output=True, text=True)
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == completions
