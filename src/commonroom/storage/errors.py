"""What can go wrong between the service and its database."""


class StorageError(Exception):
    """A read or a write failed for good, and will not be tried again."""


class StorageBusy(StorageError):  # noqa: N818 - a state, as the peer is told it
    """A queue to the database is full: to a peer that is `resource-constraint` (RFC 6120 §8.3.3.18)."""


class CannotOpen(StorageError):  # noqa: N818 - what happened, in words
    """The database cannot be used; the text tells an operator what, where, and what to do."""
