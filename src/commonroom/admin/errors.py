"""Why something that an operator asked for is not done; each text says what, and what to do instead."""


class AdminError(Exception):
    """It was not done; unless the text says otherwise, nothing was changed. `kind` is for programs."""

    kind = "refused"


class BadAddress(AdminError):  # noqa: N818 - it says what the text is
    """Not the address of an account that could exist here."""

    kind = "bad-argument"


class BadPassword(AdminError):  # noqa: N818
    """Not a password (RFC 8265 §4.2); the text does not repeat it."""

    kind = "bad-argument"


class AccountExists(AdminError):  # noqa: N818
    """There is such an account already."""

    kind = "exists"


class NoSuchAccount(AdminError):  # noqa: N818
    """There is no such account."""

    kind = "not-found"


class NoSuchClient(AdminError):  # noqa: N818
    """The account has no such client."""

    kind = "not-found"


class AlreadyThere(AdminError):  # noqa: N818
    """A file that would be written exists already."""

    kind = "exists"


class BadArgument(AdminError):  # noqa: N818
    """An argument that the operation has not, or that is not of its type."""

    kind = "bad-argument"


class NoSuchOperation(AdminError):  # noqa: N818
    """Nobody knows how to do that."""

    kind = "not-found"


class NotAllowed(AdminError):  # noqa: N818
    """Whoever asks may not do that."""

    kind = "not-allowed"


class NeedsService(AdminError):  # noqa: N818
    """It can be done only by a service that runs."""

    kind = "not-running"


class OutOfReach(AdminError):  # noqa: N818
    """The database, or something else that it needs, does not answer; later it may."""

    kind = "unavailable"


class NoSuchSession(AdminError):  # noqa: N818
    """Nobody is connected there."""

    kind = "not-found"


class NoSuchToken(AdminError):  # noqa: N818
    """There is no token of that name."""

    kind = "not-found"


class TokenExists(AdminError):  # noqa: N818
    """There is a token of that name already."""

    kind = "exists"


class BadConfiguration(AdminError):  # noqa: N818
    """The configuration, or a certificate, cannot be used; what held before holds."""

    kind = "refused"


class BadBackup(AdminError):  # noqa: N818
    """It cannot be restored."""
