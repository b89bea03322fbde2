"""`commonroom room`: rooms for many people."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from commonroom.admin import rooms as operations
from commonroom.admin.rooms import RoomAdmin, RoomFacts
from commonroom.cli.groups import Group
from commonroom.cli.output import config_option, json_option, moment, print_json, tell
from commonroom.cli.with_rooms import with_rooms
from commonroom.protocol.jid import JID

address_argument = click.argument("address")


@click.group(cls=Group)
def room() -> None:
    """List, show, make, change and destroy rooms.

    What changes rooms needs the service to be stopped: while it runs, they are in its memory.
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

    async def work(rooms: RoomAdmin) -> list[operations.RoomLine]:
        found: list[operations.RoomLine] = []
        after: JID | None = None
        for domain in sorted(rooms.services):
            only = RoomAdmin({domain: rooms.services[domain]}, rooms.stores)
            after = None
            while page := await operations.list_rooms(only, after):
                found += page
                after = page[-1].address
        return found

    found = with_rooms(path, work, writing=False)
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
    facts = with_rooms(path, lambda rooms: operations.show_room(rooms, address), writing=False)
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
    jid = with_rooms(path, lambda rooms: operations.create_room(rooms, address, owner))
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
    jid = with_rooms(path, lambda rooms: operations.destroy_room(rooms, address, reason, alternate))
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
    now = datetime.now(UTC)
    jid = with_rooms(path, lambda rooms: operations.set_room(rooms, address, options, now))
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
        with_rooms(path, lambda rooms: operations.set_member(rooms, address, who, affiliation))
        return
    found = with_rooms(path, lambda rooms: operations.members(rooms, address), writing=False)
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
    found = with_rooms(path, lambda rooms: operations.history(rooms, address, last), writing=False)
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
    found = with_rooms(path, operations.requests, writing=False)
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
    tell(f"{with_rooms(path, lambda rooms: operations.approve(rooms, address))} was made.")


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
    tell(f"{with_rooms(path, lambda rooms: operations.refuse(rooms, address, reason))} was refused.")


def _facts(facts: RoomFacts) -> dict[str, Any]:
    return {
        "address": facts.address,
        "created": moment(facts.created),
        "used": moment(facts.used),
        "subject": facts.subject,
        "members": dict(facts.members),
        "options": dict(facts.options),
    }
