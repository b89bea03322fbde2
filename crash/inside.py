"""Our server with a point to die at: `python -m crash.inside serve …` is `python -m commonroom serve …`.

The server's own code knows nothing of this: what a connection to the database promises to do in one
transaction is wrapped from outside, as the environment says. CRASH_POINT=before:57 kills the process in its
57th transaction when all is written but the COMMIT; `during` somewhere within the first milliseconds of the
COMMIT, that is, of its fsync; `after` when the COMMIT has returned and nobody has been told. CRASH_FULL=FILE:
while there is such a file, SQLite may not grow.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from commonroom.cli import main
from commonroom.storage.connection import DriverConnection, Work
from commonroom.storage.postgresql import PostgresConnection
from commonroom.storage.sqlite import SqliteConnection
from commonroom.storage.statements import Statement

POINT = "CRASH_POINT"
FULL = "CRASH_FULL"
POINTS = ("before", "during", "after")
# A commit to a local disk takes about half a millisecond, a busy one several.
LONGEST_COMMIT = 0.003
UNLIMITED = 2**31 - 2

Transaction = Callable[[DriverConnection, Work], None]


class Doom:
    """Counts transactions, and kills the process in one of them."""

    def __init__(self, point: str, number: int, kill: Callable[[], None]) -> None:
        if point not in POINTS:
            raise ValueError(f"{point}: is none of {', '.join(POINTS)}")
        self._point = point
        self._left = number
        self._kill = kill

    def wrap(self, transaction: Transaction) -> Transaction:
        """The same, deadly."""

        def wrapped(connection: DriverConnection, work: Work) -> None:
            self._left -= 1

            def work_and_meet_it() -> None:
                work()
                self._commit_begins()

            transaction(connection, work_and_meet_it)
            if self._point == "after" and not self._left:
                self._kill()

        return wrapped

    def _commit_begins(self) -> None:
        if self._left:
            return
        if self._point == "before":
            self._kill()
        elif self._point == "during":
            threading.Thread(target=self._kill_soon, daemon=True).start()

    def _kill_soon(self) -> None:
        time.sleep(random.uniform(0, LONGEST_COMMIT))
        self._kill()


def limited(file: Path, transaction: Transaction) -> Transaction:
    """The same in a file that cannot grow, while `file` is there."""
    was_full = False

    def wrapped(connection: DriverConnection, work: Work) -> None:
        nonlocal was_full
        if (is_full := file.exists()) or was_full:
            # 1 is less than there are: it means as many as there are.
            pages = 1 if is_full else UNLIMITED
            connection.rows(Statement(f"PRAGMA max_page_count = {pages}"), {})
        was_full = is_full
        transaction(connection, work)

    return wrapped


def die() -> None:
    """As by `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)


def prepare(environment: dict[str, str]) -> None:
    """Wrap what the environment names. On SQLite every transaction is a careful one."""
    if setting := environment.get(POINT):
        point, _, number = setting.partition(":")
        doom = Doom(point, int(number), die)
        _replace(SqliteConnection, "careful_transaction", doom.wrap)
        _replace(PostgresConnection, "careful_transaction", doom.wrap)
        _replace(PostgresConnection, "transaction", doom.wrap)
    if path := environment.get(FULL):
        _replace(
            SqliteConnection, "careful_transaction", lambda transaction: limited(Path(path), transaction)
        )


def _replace(owner: type[DriverConnection], name: str, wrap: Callable[[Transaction], Transaction]) -> None:
    setattr(owner, name, wrap(getattr(owner, name)))


if __name__ == "__main__":
    prepare(dict(os.environ))
    main()
