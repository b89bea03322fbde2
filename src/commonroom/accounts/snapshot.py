"""The accounts of the files as they were read: one SQLite file, so that a million of them take no memory.

It is made anew at each change, and never changed afterwards. `address` is what others write to, `login` the
name in the password file as an address of its domain; most often they are the same. `hash` is empty where
nobody can log in. An alias with `until` was an address before, and is one no longer then.
"""

import sqlite3
from pathlib import Path
from urllib.parse import quote

VERSION = 1
# Pages that a connection keeps, in KiB: a few for look-ups, more to sort a million lines.
LOOKING_UP = 2_000
BUILDING = 32_000

SCHEMA = """
CREATE TABLE entry (address TEXT PRIMARY KEY, login TEXT NOT NULL, hash TEXT NOT NULL, source TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE alias (name TEXT PRIMARY KEY, address TEXT NOT NULL, until INTEGER) WITHOUT ROWID;
CREATE TABLE timing (scheme TEXT, cost TEXT, count INTEGER, sample TEXT);
CREATE TABLE fault (text TEXT);
CREATE TABLE change (kind TEXT, address TEXT, former TEXT);
CREATE TABLE fact (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


def create(path: Path) -> sqlite3.Connection:
    """A new snapshot, which only its owner can read: there are hashes in it."""
    path.unlink(missing_ok=True)
    path.touch(0o600)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA cache_size = -{BUILDING}")
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA temp_store = FILE")
    connection.executescript(SCHEMA)
    return connection


def open_finished(path: Path) -> sqlite3.Connection:
    """Read one; raises sqlite3.Error if it is none of this version."""
    connection = sqlite3.connect(uri(path), uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA cache_size = -{LOOKING_UP}")
        found = connection.execute("SELECT value FROM fact WHERE name = 'version'").fetchone()
        if found != (VERSION,):
            raise sqlite3.DatabaseError("it is of another version")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def uri(path: Path) -> str:
    """As SQLite wants it; nobody changes the file while it is open."""
    return f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
