"""The table [rooms]: rooms for many people, and the policy for their names."""

# ruff: noqa: RUF009 (option and table are dataclasses.field with more to say)
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from commonroom.config.kinds import Choice, FilePath, Flag, ListOf, Text, Whole, duration, size
from commonroom.config.option import Key, option, table, tables
from commonroom.config.people import Person, RoomName

_KEEP = duration("1h", "36500d")
_PEOPLE = ListOf(Person())


class WhoCreates(StrEnum):
    """Who may make a room whose name belongs to no class."""

    LOCAL = "local"
    CREATORS = "creators"
    NOBODY = "nobody"


class Fixed(StrEnum):
    """What a class may decide for good."""

    PERSISTENT = "persistent"
    MEMBERS_ONLY = "members_only"
    MODERATED = "moderated"
    PUBLIC = "public"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class RoomGroup:
    """A group of people, which other options name with an @ before it: `@maths`."""

    members: tuple[str, ...] = option(
        ListOf(Person(groups=False)),
        [],
        "Addresses of accounts; `*@maths.example.org` is everybody of a domain.",
        example=["*@maths.example.org", "alice@example.org"],
    )
    file: Path | None = option(
        FilePath(),
        None,
        "More of them, one on each line; what follows a # is a note. It is read when the server starts.",
        unset="only those of `members`",
        example="/etc/commonroom/maths.txt",
    )


@dataclass(frozen=True, slots=True)
class RoomClass:
    """Rooms whose names fit, under a name of your choice: who may make them, and how they begin. The first
    class that fits counts."""

    names: tuple[str, ...] = option(
        ListOf(Text(), minimum=1),
        ["*"],
        "Names of rooms (what stands before the @), in which `*` stands for any text.",
        example=["maths-*"],
        required=True,
    )
    creators: tuple[str, ...] = option(
        _PEOPLE,
        [],
        "Who may make such rooms: addresses, `*@domain`, `@group`. An empty list is nobody but operators.",
        example=["@maths"],
    )
    owners: tuple[str, ...] = option(
        _PEOPLE,
        [],
        "Who owns them, beside those who make them: accounts; a domain cannot.",
        example=["head@example.org"],
    )
    moderators: tuple[str, ...] = option(
        _PEOPLE,
        [],
        "Who moderates them, as administrators of the room: accounts; a domain cannot.",
        example=["@maths"],
    )
    members: tuple[str, ...] = option(_PEOPLE, [], "Who is a member from the start.", example=["@maths"])
    persistent: bool | None = option(
        Flag(), None, "Whether rooms stay when the last one leaves.", unset="as in [rooms]", example=True
    )
    members_only: bool | None = option(
        Flag(), None, "Whether only members get in.", unset="as in [rooms]", example=True
    )
    moderated: bool | None = option(
        Flag(),
        None,
        "Whether only those may speak who were given voice.",
        unset="as in [rooms]",
        example=True,
    )
    public: bool | None = option(
        Flag(), None, "Whether others can find the room.", unset="as in [rooms]", example=False
    )
    archived: bool | None = option(
        Flag(), None, "Whether the messages are kept.", unset="as in [rooms]", example=True
    )
    fixed: tuple[Fixed, ...] = option(
        ListOf(Choice(Fixed)),
        [],
        "Which of these the owners of the rooms cannot change.",
        example=["public", "members_only"],
    )
    keep: float | None = option(
        _KEEP, None, "How long messages are kept.", unset="as [archive] says", example="90d"
    )
    unused_after: float | None = option(
        _KEEP,
        None,
        "Rooms in which nobody was for so long are announced as unused to their owners, and removed "
        "`rooms.unused_notice` later.",
        unset="as in [rooms]",
        example="365d",
    )


@dataclass(frozen=True, slots=True)
class DeclaredRoom:
    """A room that always exists, under its name; it is made if it is not there."""

    title: str | None = option(
        Text(200), None, "What people see as its name.", unset="its name", example="The common room"
    )
    description: str | None = option(
        Text(), None, "What it is for.", unset="nothing", example="For all members of the college."
    )
    owners: tuple[str, ...] = option(_PEOPLE, [], "Who owns it.", example=["warden@example.org"])
    moderators: tuple[str, ...] = option(_PEOPLE, [], "Who moderates it.", example=["@maths"])
    members: tuple[str, ...] = option(_PEOPLE, [], "Who is a member.", example=["@maths"])


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """How much one room, one person in it, and one account may use. Who wants more is told to try later."""

    occupants: int = option(Whole(2, 100_000), 2000, "How many people may be in a room at most.")
    rooms_per_person: int = option(Whole(1, 10_000), 200, "In how many rooms one client may be.")
    owned: int = option(
        Whole(0, 100_000),
        50,
        "How many rooms one account may own: those that last, and those it made that still are in memory.",
    )
    messages_per_second: int = option(
        Whole(1, 10_000), 2, "How many messages one occupant may send each second in the long run."
    )
    message_burst: int = option(Whole(1, 10_000), 20, "How many at once, before that counts.")
    presences_per_minute: int = option(
        Whole(1, 10_000), 12, "How often one occupant may change presence or nickname each minute."
    )
    presence_burst: int = option(Whole(1, 10_000), 10, "How often at once, before that counts.")
    room_messages_per_second: int = option(
        Whole(1, 100_000), 50, "How many messages a room takes each second in the long run, from all."
    )
    room_message_burst: int = option(Whole(1, 100_000), 200, "How many at once, before that counts.")
    joins_per_second: int = option(
        Whole(1, 100_000), 100, "How many people may come into one room each second in the long run."
    )
    join_burst: int = option(Whole(1, 100_000), 2000, "How many at once, before that counts.")
    history: int = option(
        Whole(0, 1000), 50, "How many messages somebody who comes in is shown at most, if they want them."
    )
    subject_bytes: int = option(size("100 B", "64 KiB"), "4 KiB", "The size of a subject.", example="1 KiB")
    avatar_bytes: int = option(
        size("1 KiB", "1 MiB"), "128 KiB", "The size of a room's avatar, as it is sent.", example="64 KiB"
    )
    message_bytes: int = option(
        size("1 KiB", "16 MiB"), "64 KiB", "The size of a message to a room.", example="16 KiB"
    )
    presence_bytes: int = option(
        size("1 KiB", "1 MiB"),
        "8 KiB",
        "The size of an occupant's presence; whoever comes in gets that of all who are there.",
        example="4 KiB",
    )


@dataclass(frozen=True, slots=True)
class Rooms:
    """Rooms for many people (XEP-0045), at `group.` before each domain."""

    enabled: bool = option(Flag(), True, "Whether there are rooms.", example=False)
    prefix: str = option(
        Text(63),
        "group",
        "What stands before each served domain in the addresses of rooms: with `group`, those of example.org "
        "are at group.example.org.",
        example="conference",
    )
    create: WhoCreates = option(
        Choice(WhoCreates),
        "local",
        "Who may make rooms whose names belong to no class: everybody with an account here, those of "
        "`creators`, or nobody but operators.",
        example="creators",
    )
    creators: tuple[str, ...] = option(
        _PEOPLE,
        [],
        "Who may, if `create` says so: addresses, `*@domain` or `@group`.",
        example=["@staff", "*@staff.example.org"],
    )
    requests: bool = option(
        Flag(),
        False,
        "Whether the name of a room that somebody may not make is put down as a request, which operators "
        "answer with `commonroom room approve` or `refuse`.",
        example=True,
    )
    forbidden: tuple[str, ...] = option(
        ListOf(Text()),
        [],
        "Names that nobody gets, in which `*` stands for any text, nor names that look like them.",
        example=["admin", "security", "*-official"],
    )
    look_alikes: bool = option(
        Flag(),
        False,
        "Whether a room may have a name that looks like that of another one, one of a class, or a declared "
        "one: `maths` with a Greek alpha (UTS #39).",
        example=True,
    )
    shortest_name: int = option(Whole(1, 100), 1, "How many characters the name of a room has at least.")
    longest_name: int = option(Whole(1, 255), 64, "How many it has at most.")
    persistent: bool = option(
        Flag(),
        False,
        "Whether new rooms stay when the last one leaves; their owners can change this and what follows.",
        example=True,
    )
    members_only: bool = option(Flag(), False, "Whether only members get in.", example=True)
    moderated: bool = option(Flag(), False, "Whether one needs voice to speak.", example=True)
    public: bool = option(Flag(), False, "Whether others can find the room.", example=True)
    archived: bool = option(
        Flag(), True, "Whether the messages of rooms that stay are kept for those who may come in."
    )
    unused_after: float | None = option(
        _KEEP,
        None,
        "Rooms in which nobody was for so long are announced as unused to their owners, and removed "
        "`unused_notice` later.",
        unset="they stay",
        example="365d",
    )
    unused_notice: float = option(duration("1h", "365d"), "30d", "How long after that announcement.")
    tombstone: float = option(
        duration("0s", "3650d"),
        "30d",
        "How long nobody may take the name of a room that was destroyed; who comes is told why and where "
        "people went.",
    )
    idle_ping_after: float = option(
        duration("1m", "1d"),
        "15m",
        "An occupant who has sent nothing for so long is asked whether it is still there.",
    )
    idle_ping_timeout: float = option(
        duration("1s", "1h"),
        "2m",
        "Who has not answered that after so long is no occupant any more.",
    )
    limits: RoomLimits = table(RoomLimits)
    groups: Mapping[str, RoomGroup] = tables(RoomGroup, Text(100), example="maths")
    classes: Mapping[str, RoomClass] = tables(RoomClass, Text(100), example="supervisions")
    declared: Mapping[str, DeclaredRoom] = tables(DeclaredRoom, RoomName(), example="common-room")

    def faults(self) -> Iterator[tuple[Key, str]]:
        """Groups that are named exist, and names have room."""
        if self.shortest_name > self.longest_name:
            yield ("shortest_name",), "it is larger than rooms.longest_name; write a smaller number"
        yield from self._unknown((), self, ("creators",))
        for name, each in self.classes.items():
            yield from self._unknown(("classes", name), each, ("creators", "owners", "moderators", "members"))
        for name, room in self.declared.items():
            yield from self._unknown(("declared", name), room, ("owners", "moderators", "members"))

    def _unknown(self, path: Key, options: object, names: tuple[str, ...]) -> Iterator[tuple[Key, str]]:
        for name in names:
            for person in getattr(options, name):
                if person.startswith("@") and person[1:] not in self.groups:
                    written = f"write [rooms.groups.{person[1:]}] with its members, or correct the name"
                    yield (*path, name), f"there is no group {person}; {written}"
