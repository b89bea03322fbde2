"""Which revision the tables are at, and bringing them to this program's. All of it or nothing."""

from sqlalchemy import text

from commonroom.storage.backend import Backend
from commonroom.storage.connection import Connection
from commonroom.storage.errors import CannotOpen, OldTables
from commonroom.storage.migrations import REVISIONS, VERSION_TABLE
from commonroom.storage.statements import Statement
from commonroom.storage.tables import metadata

_REVISION = Statement(f"SELECT version_num FROM {VERSION_TABLE}")


def prepare(backend: Backend, shown: str) -> None:
    """Make the tables where there are none. Raises CannotOpen; OldTables, if an older program made them."""
    found = inspect(backend, shown)
    if found is None:
        migrate(backend, shown)
    elif found != REVISIONS[-1]:
        raise OldTables(
            f"{shown}: has the tables of an older Common Room ({found}; this program works with"
            f" {REVISIONS[-1]}); start the service, or run `commonroom database upgrade`, which change them"
        )


def migrate(backend: Backend, shown: str) -> bool:
    """Bring the tables to this program's revision; False if they were there already.

    `shown` is the database in words to an operator; raises CannotOpen.
    """
    if inspect(backend, shown) == REVISIONS[-1]:
        return False
    try:
        _upgrade(backend)
    except CannotOpen:
        raise
    except Exception as error:
        raise CannotOpen(backend.explain(error)) from error
    return True


def inspect(backend: Backend, shown: str) -> str | None:
    """The revision that the tables are at, None if there are none; changes nothing. Raises CannotOpen."""
    try:
        return _check(backend, shown)
    except CannotOpen:
        raise
    except Exception as error:
        raise CannotOpen(backend.explain(error)) from error


def look(backend: Backend, shown: str) -> tuple[str | None, int]:
    """The same revision, and how many bytes the database takes, without a lock. Raises CannotOpen."""
    try:
        connection = backend.connect(writing=False)
        try:
            return _revision(backend, connection, shown), backend.size(connection)
        finally:
            connection.close()
    except CannotOpen:
        raise
    except Exception as error:
        raise CannotOpen(backend.explain(error)) from error


def _check(backend: Backend, shown: str) -> str | None:
    connection = backend.connect(writing=True)
    try:
        # An empty transaction: a file that cannot be written is found out now, not at the first write.
        connection.careful_transaction(lambda: None)
        return _revision(backend, connection, shown)
    finally:
        connection.close()


def _revision(backend: Backend, connection: Connection, shown: str) -> str | None:
    """The revision that the tables are at; None, if there are none."""
    tables = backend.tables(connection)
    if VERSION_TABLE not in tables:
        if strangers := sorted(tables & metadata.tables.keys()):
            raise CannotOpen(
                f"{shown}: holds tables of another program ({', '.join(strangers)}); name another database"
            )
        return None
    revision = str(connection.rows(_REVISION, {})[0][0])
    if revision not in REVISIONS:
        raise CannotOpen(
            f"{shown}: was last used by a newer Common Room (its tables are at {revision}, this program knows"
            f" {REVISIONS[-1]}); install that version again, or restore the backup made before it"
        )
    return revision


def _upgrade(backend: Backend) -> None:
    # Not at the top: importing Alembic takes longer than all the rest of opening, and few starts need it.
    from commonroom.storage.migrations.upgrade import upgrade  # noqa: PLC0415

    with backend.engine.begin() as connection:
        # Of two processes that start at once, the second finds nothing left to do.
        if (lock := backend.lock_schema()) is not None:
            connection.execute(text(lock))
        upgrade(connection)
