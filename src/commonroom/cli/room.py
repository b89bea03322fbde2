"""`commonroom room`: rooms for many people."""

import sys
from pathlib import Path
from typing import Any

import click

from commonroom.admin import rooms as operations
from commonroom.admin.rooms import RoomFacts
from commonroom.cli.groups import Group
from commonroom.cli.output import config_option, json_option, moment, print_json, tell
from commonroom.cli.with_rooms import ask_rooms

address_argument = click.argument("address")


@click.group(cls=Group)
def room() -> None:
    """List, show, make, change and destroy rooms.

    A running service is asked to do it, and whoever is in the room sees it at once.
    """


@room.command("list")
@json_option
@config_option
def list_(as_json: bool, path: Path) -> None:
    """List the rooms that last, one on a line, by address; behind a tab, their names.

    \b
    Example:
      commonroom room list --json | jq -r '.[] | select(.public) | .address'
    """

    found: list[operations.RoomLine] = []
    after: str | None = None
    while True:
        page = ask_rooms(path, operations.list_rooms, after=after)
        found += page.rooms
        if (after := page.next) is None:
            break
    if as_json:
        print_json(
            [
                {"address": r.address, "name": r.name, "public": r.public, "used": moment(r.used)}
                for r in found
            ]
        )
    else:
        for each in found:
            click.echo(f"{each.address}\t{each.name}" if each.name else each.address)


@room.command()
@address_argument
@json_option
@config_option
def show(address: str, as_json: bool, path: Path) -> None:
    """Show what is known of a room, with all options that `room set` changes.

    \b
    Example:
      commonroom room show chess@group.example.org
    """
    facts = ask_rooms(path, operations.show_room, address=address)
    if as_json:
        print_json(_facts(facts))
        return
    for name, value in _facts(facts).items():
        if isinstance(value, dict):
            for key, text in value.items():
                click.echo(f"{key + ':':<22} {text}")
        else:
            click.echo(f"{name + ':':<22} {value}")


@room.command()
@address_argument
@click.option("--owner", required=True, help="Whose room it is: the address of an account.")
@config_option
def create(address: str, owner: str, path: Path) -> None:
    """Make a room that lasts. It begins as the configuration says for its name.

    \b
    Example:
      commonroom room create chess@group.example.org --owner alice@example.org
    """
    jid = ask_rooms(path, operations.create_room, address=address, owner=owner)
    tell(f"{jid} was made.")


@room.command()
@address_argument
@click.option("--reason", help="What those are told who look for it.")
@click.option("--alternate", metavar="ROOM", help="Where people can go on.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def destroy(address: str, reason: str | None, alternate: str | None, yes: bool, path: Path) -> None:
    """Destroy a room, with all that was said in it. This cannot be undone.

    \b
    Example:
      commonroom room destroy chess@group.example.org --reason "See you in the garden." --yes
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError(
            f"there is no terminal to ask; say --yes if {address} is really to be destroyed"
        )
    if not yes:
        click.confirm(f"Destroy {address} and all that was said in it?", abort=True, err=True)
    jid = ask_rooms(path, operations.destroy_room, address=address, reason=reason, alternate=alternate)
    tell(f"{jid} was destroyed.")


@room.command("set")
@address_argument
@click.argument("options", nargs=-1, required=True, metavar="OPTION=VALUE...")
@config_option
def set_(address: str, options: tuple[str, ...], path: Path) -> None:
    """Change options of a room; `room show` lists them with their values.

    \b
    Example:
      commonroom room set chess@group.example.org "name=Chess club" members_only=yes
    """
    jid = ask_rooms(path, operations.change_room, address=address, options=options)
    tell(f"{jid} was changed.")


@room.command()
@address_argument
@click.option("--set", "person", nargs=2, metavar="PERSON AFFILIATION", help="Change what somebody is.")
@json_option
@config_option
def members(address: str, person: tuple[str, str] | None, as_json: bool, path: Path) -> None:
    """List who belongs to a room: owners, administrators, members, and who is banned (`outcast`).

    A domain stands for everybody there; `none` takes somebody off the lists.

    \b
    Examples:
      commonroom room members chess@group.example.org
      commonroom room members chess@group.example.org --set bob@example.org owner
    """
    if person is not None:
        who, affiliation = person
        ask_rooms(path, operations.set_member, address=address, person=who, affiliation=affiliation)
        return
    found = ask_rooms(path, operations.members, address=address)
    if as_json:
        print_json(
            [
                {"address": m.address, "affiliation": m.affiliation, "nick": m.nick, "reason": m.reason}
                for m in found
            ]
        )
    else:
        for member in found:
            click.echo(f"{member.address}\t{member.affiliation}")


@room.command()
@address_argument
@click.option("--last", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@json_option
@config_option
def history(address: str, last: int, as_json: bool, path: Path) -> None:
    """Print what was said last in a room, with who it really was.

    \b
    Example:
      commonroom room history chess@group.example.org --last 20
    """
    found = ask_rooms(path, operations.history, address=address, limit=last)
    if as_json:
        print_json([{"at": moment(s.at), "nick": s.nick, "sender": s.sender, "text": s.text} for s in found])
    else:
        for said in found:
            click.echo(f"{moment(said.at)}\t{said.sender.bare}\t{said.nick}\t{said.text}")


@room.command()
@json_option
@config_option
def requests(as_json: bool, path: Path) -> None:
    """List the rooms that people would like to have and may not make themselves.

    \b
    Example:
      commonroom room requests
    """
    found = ask_rooms(path, operations.requests)
    if as_json:
        print_json([{"address": r.address, "requester": r.requester, "at": moment(r.stamp)} for r in found])
    else:
        for request in found:
            click.echo(f"{request.address}\t{request.requester}\t{moment(request.stamp)}")


@room.command()
@address_argument
@config_option
def approve(address: str, path: Path) -> None:
    """Make a room that somebody asked for, and give it to who asked.

    \b
    Example:
      commonroom room approve maths-tea@group.example.org
    """
    tell(f"{ask_rooms(path, operations.approve, address=address)} was made.")


@room.command()
@address_argument
@click.option("--reason", help="Why.")
@config_option
def refuse(address: str, reason: str | None, path: Path) -> None:
    """Refuse a room that somebody asked for.

    \b
    Example:
      commonroom room refuse maths-tea@group.example.org
    """
    tell(f"{ask_rooms(path, operations.refuse, address=address, reason=reason)} was refused.")


def _facts(facts: RoomFacts) -> dict[str, Any]:
    return {
        "address": facts.address,
        "created": moment(facts.created),
        "used": moment(facts.used),
        "subject": facts.subject,
        "members": dict(facts.members),
        "options": dict(facts.options),
    }
