"""Passwords come from a terminal or from standard input, never from an argument: others can see those."""

import sys

import click

password_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input: one line."
)


def read_password(from_stdin: bool) -> str:
    """The password, typed twice at a terminal, or piped in."""
    if from_stdin:
        return _piped()
    if not sys.stdin.isatty():
        raise click.UsageError(
            "there is no terminal to ask for the password; pipe it in with --password-stdin"
        )
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True)
    return password


def _piped() -> str:
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise click.UsageError("the password on standard input is not UTF-8")
    line = text.removesuffix("\n").removesuffix("\r")
    if "\n" in line:
        raise click.UsageError("there is more than one line on standard input; pipe in the password alone")
    if not line:
        raise click.UsageError("there is no password on standard input")
    return line
