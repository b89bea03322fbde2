"""Makes a snapshot of the account files, and finds out what it would change. Seconds for a million lines.

Which account is which, is told by the login name: if its address changes, it is renamed.
"""

import hashlib
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path

from commonroom.accounts import snapshot
from commonroom.accounts.entries import Faults, LineReader
from commonroom.config.accounts import AccountFiles, Unmapped

_ROWS_AT_ONCE = 5_000

_STAGING = """
CREATE TEMP TABLE password (login TEXT, hash TEXT, source TEXT);
CREATE TEMP TABLE listed (list INTEGER, login TEXT, PRIMARY KEY (list, login)) WITHOUT ROWID;
CREATE TEMP TABLE mapped (login TEXT PRIMARY KEY, address TEXT) WITHOUT ROWID;
CREATE TEMP TABLE wished (name TEXT, login TEXT);
CREATE TEMP TABLE candidate (login TEXT PRIMARY KEY, address TEXT, hash TEXT, source TEXT) WITHOUT ROWID;
"""


class Builder:
    """`served` are the domains, the default one first; `sources` the tables of `[accounts.files]`, in order.

    `previous` is the snapshot in force. `now` and `keep_former` are in seconds.
    """

    def __init__(
        self,
        sources: dict[str, AccountFiles],
        served: tuple[str, ...],
        previous: Path | None,
        now: int,
        keep_former: int,
    ) -> None:
        self._sources = sources
        self._served = served
        self._previous = previous
        self._now = now
        self._keep_former = keep_former
        self._faults = Faults()
        self._digest = hashlib.sha256(repr((served, list(map(_shape, sources.items())))).encode())
        self._lists = 0
        self._is_mapped = any(source.mapping is not None for source in sources.values())
        # By which column of a new entry a login is found: without a mapping they are the same.
        self._key = "login" if self._is_mapped else "address"

    def build(self, path: Path) -> None:
        """Write the snapshot and sync it to disk; raises Unreadable, and leaves nothing then."""
        connection = snapshot.create(path)
        try:
            if self._previous is not None:
                connection.execute("ATTACH ? AS old", (snapshot.uri(self._previous),))
            connection.executescript(_STAGING)
            connection.execute("BEGIN")
            for name, source in self._sources.items():
                self._read(connection, name, source)
            self._settle(connection)
            self._compare(connection)
            self._note(connection)
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            path.unlink(missing_ok=True)
            raise
        connection.close()
        _sync(path)

    # Reading: each line becomes a row of a temporary table

    def _read(self, connection: sqlite3.Connection, name: str, source: AccountFiles) -> None:
        reader = LineReader(source.domain or self._served[0], self._faults, self._digest.update)
        for table in ("password", "mapped", "listed"):
            connection.execute(f"DELETE FROM temp.{table}")
        for path in source.passwords:
            rows = ((login, hash, name) for login, hash in reader.passwords(path))
            _insert(connection, "INSERT INTO password VALUES (?, ?, ?)", rows)
        if source.mapping is not None:
            self._read_mapping(connection, reader, source.mapping)
        only = [self._list(connection, reader, (path,)) for path in source.only]
        without = self._list(connection, reader, source.without)
        self._choose(connection, source, only, without)
        timings = [(t.made.scheme.value, t.made.cost, t.hashes, t.sample) for t in reader.timings()]
        connection.executemany("INSERT INTO timing VALUES (?, ?, ?, ?)", timings)

    def _read_mapping(self, connection: sqlite3.Connection, reader: LineReader, path: Path) -> None:
        for login, address, aliases in reader.mapping(path):
            added = connection.execute("INSERT OR IGNORE INTO mapped VALUES (?, ?)", (login, address))
            if added.rowcount:
                connection.executemany("INSERT INTO wished VALUES (?, ?)", [(a, login) for a in aliases])
            else:
                self._faults.add(f"{path}: {login} is there twice; the first line counts")

    def _list(self, connection: sqlite3.Connection, reader: LineReader, paths: Collection[Path]) -> int:
        self._lists += 1
        statement = f"INSERT OR IGNORE INTO listed VALUES ({self._lists}, ?)"
        _insert(connection, statement, reader.names(paths))
        return self._lists

    def _choose(
        self, connection: sqlite3.Connection, source: AccountFiles, only: Iterable[int], without: int
    ) -> None:
        """Who is in the password file, in each list, and not excluded; the first line of a name counts."""
        is_in = "EXISTS (SELECT 1 FROM listed l WHERE l.list = {} AND l.login = p.login)"
        conditions = [is_in.format(each) for each in only]
        conditions.append("NOT " + is_in.format(without))
        if source.mapping is not None and source.unmapped is Unmapped.NOBODY:
            conditions.append("m.address IS NOT NULL")
        table = "candidate" if self._is_mapped else "entry"
        connection.execute(
            f"INSERT OR IGNORE INTO {table} (login, address, hash, source)"
            " SELECT p.login, coalesce(m.address, p.login), p.hash, p.source"
            " FROM password p LEFT JOIN mapped m ON m.login = p.login"
            f" WHERE {' AND '.join(conditions)} ORDER BY p.login, p.rowid"
        )

    # Who has which address

    def _settle(self, connection: sqlite3.Connection) -> None:
        """An address that two names claim is left with the one that has it already, if any.

        It must never go from one person to another by mistake.
        """
        if self._is_mapped:
            self._settle_mapped(connection)
        self._keep_former_addresses(connection)

    def _settle_mapped(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "CREATE TEMP TABLE contested AS"
            " SELECT address FROM candidate GROUP BY address HAVING count(*) > 1"
        )
        connection.execute("CREATE INDEX temp.by_contested ON contested (address)")
        holds = "0"
        if self._previous is not None:
            holds = "EXISTS (SELECT 1 FROM old.entry o WHERE o.address = c.address AND o.login = c.login)"
        refused = f"c.address IN (SELECT address FROM contested) AND NOT {holds}"
        for login, address in connection.execute(
            f"SELECT login, address FROM candidate c WHERE {refused} LIMIT 1000"
        ):
            self._faults.add(f"{address}: more than one name claims this address; {login} does not get it")
        connection.execute(
            "INSERT INTO entry SELECT address, login, hash, source FROM candidate c"
            f" WHERE NOT ({refused}) ORDER BY address"
        )
        connection.execute("CREATE INDEX by_login ON entry (login)")
        self._settle_aliases(connection)

    def _settle_aliases(self, connection: sqlite3.Connection) -> None:
        """An alias is nobody's address, and only one account's."""
        wanted = (
            "SELECT w.name, e.address FROM wished w JOIN entry e ON e.login = w.login"
            " WHERE w.name <> e.address"
        )
        for name, address in connection.execute(
            f"SELECT name, address FROM ({wanted}) WHERE name IN (SELECT address FROM entry)"
        ):
            self._faults.add(f"{name}: this is an address, and no alias of {address}")
        connection.execute(
            f"CREATE TEMP TABLE alone AS SELECT name, min(address) AS address FROM ({wanted})"
            " WHERE name NOT IN (SELECT address FROM entry) GROUP BY name HAVING min(address) = max(address)"
        )
        connection.execute("INSERT INTO alias SELECT name, address, NULL FROM alone")
        for (name,) in connection.execute(
            f"SELECT name FROM ({wanted}) GROUP BY name HAVING min(address) <> max(address)"
        ):
            self._faults.add(f"{name}: more than one account claims this alias; nobody gets it")

    def _keep_former_addresses(self, connection: sqlite3.Connection) -> None:
        """Of those that are renamed now, and of earlier ones whose time is not over."""
        if self._previous is None:
            return
        free = "NOT EXISTS (SELECT 1 FROM entry x WHERE x.address = {})"
        connection.execute(
            "INSERT OR IGNORE INTO alias SELECT o.address, e.address, ? FROM old.entry o"
            f" JOIN entry e ON e.{self._key} = o.login AND e.login = o.login"
            f" WHERE e.address <> o.address AND {free.format('o.address')}",
            (self._now + self._keep_former,),
        )
        connection.execute(
            "INSERT OR IGNORE INTO alias SELECT a.name, e.address, a.until FROM old.alias a"
            " JOIN old.entry o ON o.address = a.address"
            f" JOIN entry e ON e.{self._key} = o.login AND e.login = o.login"
            f" WHERE a.until > ? AND {free.format('a.name')}",
            (self._now,),
        )

    # What changes

    def _compare(self, connection: sqlite3.Connection) -> None:
        if self._previous is None:
            return
        is_mapped = connection.execute("SELECT 1 FROM old.sqlite_master WHERE name = 'by_login'").fetchone()
        old_key = "login" if is_mapped else "address"
        both = f"FROM old.entry o JOIN entry e ON e.{self._key} = o.login AND e.login = o.login"
        connection.execute(
            "INSERT INTO change SELECT 'departed', o.address, NULL FROM old.entry o WHERE NOT EXISTS"
            f" (SELECT 1 FROM entry e WHERE e.{self._key} = o.login AND e.login = o.login)"
        )
        connection.execute(
            "INSERT INTO change SELECT 'added', e.address, NULL FROM entry e WHERE NOT EXISTS"
            f" (SELECT 1 FROM old.entry o WHERE o.{old_key} = e.login AND o.login = e.login)"
        )
        connection.execute(
            f"INSERT INTO change SELECT 'renamed', e.address, o.address {both} WHERE e.address <> o.address"
        )
        connection.execute(
            "INSERT INTO change SELECT CASE WHEN e.hash = '' THEN 'locked' WHEN o.hash = '' THEN 'unlocked'"
            f" ELSE 'password' END, e.address, NULL {both} WHERE e.hash <> o.hash"
        )

    def _note(self, connection: sqlite3.Connection) -> None:
        connection.executemany("INSERT INTO fault VALUES (?)", [(text,) for text in self._faults.texts])
        count = connection.execute("SELECT count(*) FROM entry").fetchone()[0]
        before = None
        if self._previous is not None:
            before = connection.execute("SELECT value FROM old.fact WHERE name = 'accounts'").fetchone()[0]
        facts = {
            "version": snapshot.VERSION,
            "accounts": count,
            "before": before,
            "faults": self._faults.count,
            "digest": self._digest.hexdigest(),
            "made": self._now,
        }
        connection.executemany("INSERT INTO fact VALUES (?, ?)", facts.items())


def _shape(named: tuple[str, AccountFiles]) -> tuple[object, ...]:
    """What is done with the files, wherever they are."""
    name, source = named
    counts = len(source.passwords), len(source.only), len(source.without)
    return name, source.domain, counts, source.mapping is None, source.unmapped.value


def _insert(connection: sqlite3.Connection, statement: str, rows: Iterator[tuple[str, ...]]) -> None:
    """Other threads get their turn between portions."""
    while portion := list(islice(rows, _ROWS_AT_ONCE)):
        connection.executemany(statement, portion)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
