"""Files become a snapshot, and a plan: conflicts, sizes, and a hundred thousand accounts."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from commonroom.accounts.build import Builder
from commonroom.accounts.directory import Directory
from commonroom.accounts.line_files import LONGEST_LINE, PORTION, Unreadable, read_lines
from commonroom.accounts.plan import ChangeKind, HoldRule, Plan, read_plan
from commonroom.config.accounts import AccountFiles
from commonroom.protocol.jid import JID

SHA512 = "$6$vha7IBSB7Q.KTGAC$" + "w" * 86
BCRYPT = "$2b$10$" + "b" * 53
RULE = HoldRule(0.1, 10)
MANY = 100_000


class Place:
    """A folder with files, and snapshots of them one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[Directory] = []
        self.sources = {"people": AccountFiles(passwords=(folder / "passwd",))}
        self.number = 0
        self.previous: Path | None = None

    def write(self, name: str, *lines: str) -> None:
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def build(self, now: int = 0) -> Plan:
        self.number += 1
        path = self.folder / f"{self.number}.sqlite3"
        Builder(self.sources, ("example.org", "example.net"), self.previous, now, 1000).build(path)
        self.previous = path
        return read_plan(path)

    def directory(self) -> Directory:
        assert self.previous is not None
        found = Directory(lambda: 0.0, b"secret", ("example.org", "example.net"))
        found.use(self.previous)
        self.opened.append(found)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    for directory in place.opened:
        directory.close()


def jid(name: str) -> JID:
    return JID.parse(f"{name}@example.org")


# Reading lines


@pytest.mark.parametrize("size", [PORTION - 1, PORTION, PORTION + 1, 3 * PORTION])
def test_lines_are_whole_wherever_portions_end(tmp_path: Path, size: int) -> None:
    line = b"x" * 100 + b"\n"
    data = line * (size // len(line)) + b"y" * (size % len(line) or 1) + b"\n"
    path = tmp_path / "file"
    path.write_bytes(data)
    seen: list[bytes] = []
    found = list(read_lines(path, seen.append))
    assert b"".join(seen) == data
    assert b"\n".join(text for _, text in found) + b"\n" == data
    assert [number for number, _ in found] == list(range(1, len(found) + 1))


def test_a_line_without_end_is_no_line_and_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (2 * PORTION))
    with pytest.raises(Unreadable, match=f"more than {LONGEST_LINE} bytes"):
        list(read_lines(path, len))


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\n" * PORTION)
    lines = read_lines(path, len)
    next(lines)
    path.write_bytes(b"two\n" * PORTION)
    with pytest.raises(Unreadable, match="being written"):
        list(lines)


def test_nothing_is_left_of_a_snapshot_that_cannot_be_made(place: Place) -> None:
    with pytest.raises(Unreadable):
        place.build()
    assert list(place.folder.glob("*.sqlite3")) == []


# What is in them


def test_only_its_owner_can_read_a_snapshot(place: Place) -> None:
    place.write("passwd", f"juliet:{SHA512}")
    assert place.build().path.stat().st_mode & 0o077 == 0


def test_the_first_of_several_lines_files_and_tables_counts(place: Place) -> None:
    place.write("passwd", f"juliet:{SHA512}", f"juliet:{BCRYPT}")
    place.write("more", f"juliet:{BCRYPT}", f"romeo:{BCRYPT}")
    place.write("others", f"romeo:{SHA512}", f"nurse:{SHA512}")
    place.sources = {
        "people": AccountFiles(passwords=(place.folder / "passwd", place.folder / "more")),
        "others": AccountFiles(passwords=(place.folder / "others",)),
    }
    place.build()
    directory = place.directory()
    found = {name: directory.find(jid(name)) for name in ("juliet", "romeo", "nurse")}
    assert [(each.hash, each.source) for each in found.values() if each] == [
        (SHA512, "people"),
        (BCRYPT, "people"),
        (SHA512, "others"),
    ]


def test_a_table_has_its_own_domain(place: Place) -> None:
    place.write("passwd", f"juliet:{SHA512}")
    place.sources = {"people": AccountFiles(passwords=(place.folder / "passwd",), domain="example.net")}
    place.build()
    assert place.directory().find(jid("juliet")) is None
    assert place.directory().find(JID.parse("juliet@example.net"))


def test_who_is_not_there_has_a_stand_in_of_each_kind_as_often_as_the_files_have_it(place: Place) -> None:
    place.write("passwd", *(f"a{n}:{SHA512}" for n in range(75)), *(f"b{n}:{BCRYPT}" for n in range(25)))
    place.build()
    directory = place.directory()
    found = [directory.stand_in(jid(f"n{number}")) for number in range(1000)]
    assert 700 < found.count(SHA512) < 800
    assert found.count(SHA512) + found.count(BCRYPT) == 1000
    assert found == [directory.stand_in(jid(f"n{number}")) for number in range(1000)]


def test_a_directory_without_a_snapshot_lists_nobody() -> None:
    directory = Directory(lambda: 0.0, b"", ("example.org",))
    name = jid("juliet")
    assert (directory.find(name), directory.alias(name), directory.stand_in(name)) == (None, None, None)
    assert directory.resolve(name) == name


# Plans


def test_a_plan_says_what_becomes_of_each_account(place: Place) -> None:
    place.sources = {
        "people": AccountFiles(passwords=(place.folder / "passwd",), mapping=place.folder / "map")
    }
    place.write("passwd", *(f"{n}:{SHA512}" for n in ("a", "b", "c", "d", "e")), "f:*")
    place.write("map", "e:eve")
    first = place.build()
    assert (first.before, first.accounts, first.is_empty) == (None, 6, True)
    place.write("passwd", f"a:{SHA512}", f"b:{BCRYPT}", "c:!", f"e:{SHA512}", f"f:{SHA512}", f"g:{SHA512}")
    place.write("map", "e:evelyn")
    plan = place.build()
    told = {kind: [(c.address, c.former) for c in plan.changes(kind)] for kind in ChangeKind}
    assert told == {
        ChangeKind.ADDED: [(jid("g"), None)],
        ChangeKind.DEPARTED: [(jid("d"), None)],
        ChangeKind.RENAMED: [(jid("evelyn"), jid("eve"))],
        ChangeKind.LOCKED: [(jid("c"), None)],
        ChangeKind.UNLOCKED: [(jid("f"), None)],
        ChangeKind.PASSWORD: [(jid("b"), None)],
    }
    assert plan.digest != first.digest


def test_a_mapping_that_comes_or_goes_renames(place: Place) -> None:
    mapped = AccountFiles(passwords=(place.folder / "passwd",), mapping=place.folder / "map")
    place.write("passwd", f"a:{SHA512}", f"b:{SHA512}")
    place.write("map", "a:anna")
    place.build()
    plain, place.sources = place.sources, {"people": mapped}
    (change,) = place.build().changes(ChangeKind.RENAMED)
    assert (change.former, change.address) == (jid("a"), jid("anna"))
    place.sources = plain
    (change,) = place.build().changes(ChangeKind.RENAMED)
    assert (change.former, change.address) == (jid("anna"), jid("a"))
    alias = place.directory().alias(jid("anna"))
    assert alias is not None
    assert alias.address == jid("a")


@pytest.mark.parametrize(
    ("left", "rule", "is_held"),
    [
        (100, RULE, False),
        (90, RULE, False),
        (89, RULE, True),
        (89, HoldRule(0.1, 11), False),
        (1, HoldRule(1.0, 0), False),
        (0, HoldRule(1.0, 1000), True),
        (99, HoldRule(0.0, 0), True),
    ],
)
def test_when_an_operator_is_asked(place: Place, left: int, rule: HoldRule, is_held: bool) -> None:
    names = [f"u{number}" for number in range(100)]
    place.write("passwd", *(f"{name}:{SHA512}" for name in names))
    assert place.build().hold(rule) is None
    place.write("passwd", *(f"{name}:{SHA512}" for name in names[:left]))
    assert (place.build().hold(rule) is not None) is is_held


def test_many_faults_are_counted_and_the_first_are_told(place: Place) -> None:
    place.write("passwd", *("a b:x" for _ in range(1000)), f"juliet:{SHA512}")
    plan = place.build()
    assert plan.fault_count == 1000
    assert len(plan.faults) == 200


def test_a_hundred_thousand_accounts_of_which_a_thousand_change_at_once(place: Place) -> None:
    lines = [f"u{number:06}:{SHA512}:19000:0:99999:7:::" for number in range(MANY)]
    place.write("passwd", *lines)
    begun = time.process_time()
    assert place.build().accounts == MANY
    place.write("passwd", *lines[: MANY - 500], *(f"n{n}:{SHA512}" for n in range(300)), "u000001:*")
    lines[:200] = [line.replace(SHA512, BCRYPT) for line in lines[:200]]
    place.write("passwd", *lines[: MANY - 500], *(f"n{n}:{SHA512}" for n in range(300)))
    plan = place.build()
    assert time.process_time() - begun < 30, "some 3 s"
    counts = {kind: plan.counts[kind] for kind in ChangeKind if plan.counts[kind]}
    assert counts == {ChangeKind.DEPARTED: 500, ChangeKind.ADDED: 300, ChangeKind.PASSWORD: 200}
    assert plan.hold(RULE) is None
    directory = place.directory()
    assert directory.find(jid("u000000")) is not None
    assert directory.find(jid("u099999")) is None


def test_files_that_are_replaced_while_they_are_read_are_one_or_the_other(place: Place) -> None:
    sizes = (2000, 3000)
    contents = ["".join(f"u{n}:{SHA512}\n" for n in range(size)) for size in sizes]
    (place.folder / "passwd").write_text(contents[0])
    done = threading.Event()

    def replace() -> None:
        while not done.is_set():
            for content in contents:
                new = place.folder / "new"
                new.write_text(content)
                new.replace(place.folder / "passwd")

    writer = threading.Thread(target=replace)
    writer.start()
    counts = set()
    for _ in range(20):
        try:
            counts.add(place.build().accounts)
        except Unreadable:
            counts.add(0)
    done.set()
    writer.join()
    assert counts <= {0, *sizes}


@pytest.mark.parametrize("table", ["timing", "alias"])
def test_a_damaged_snapshot_leaves_the_one_before_in_use(place: Place, table: str) -> None:
    place.write("passwd", f"romeo:{SHA512}")
    place.build()
    directory = place.directory()
    before = directory.stand_in(JID.parse("nobody@example.org"))
    place.write("passwd", f"romeo:{BCRYPT}")
    damaged = place.build().path
    with closing(sqlite3.connect(damaged)) as connection:
        connection.execute(f"DROP TABLE {table}")
    with pytest.raises(sqlite3.Error, match=table):
        directory.use(damaged)
    found = directory.find(JID.parse("romeo@example.org"))
    assert found is not None
    assert found.hash == SHA512
    assert directory.stand_in(JID.parse("nobody@example.org")) == before
