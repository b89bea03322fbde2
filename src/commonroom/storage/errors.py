"""What can go wrong between the service and its database."""


class StorageError(Exception):
    """A read or a write failed for good, and will not be tried again."""


class StorageBusy(StorageError):  # noqa: N818 - a state, as the peer is told it
    """A queue to the database is full: to a peer that is `resource-constraint` (RFC 6120 §8.3.3.18)."""


class CannotOpen(StorageError):  # noqa: N818 - what happened, in words
    """The database cannot be used; the text tells an operator what, where, and what to do."""


def failure(doing: str, error: Exception) -> StorageError:
    """Say what a driver or a piece of work raised, without its cause.

    Only the first line is kept: PostgreSQL's others repeat the row, and with it what people wrote.
    """
    said = str(error).partition("\n")[0]
    return StorageError(f"{doing}: {type(error).__name__}: {said}")


class OldTables(CannotOpen):
    """The database has the tables of an older program; they are changed by `upgrade_database` only."""
