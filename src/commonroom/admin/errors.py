"""Why something that an operator asked for is not done; each text says what, and what to do instead."""


class AdminError(Exception):
    """It was not done; unless the text says otherwise, nothing was changed."""


class BadAddress(AdminError):  # noqa: N818 - it says what the text is
    """Not the address of an account that could exist here."""


class BadPassword(AdminError):  # noqa: N818
    """Not a password (RFC 8265 §4.2); the text does not repeat it."""


class AccountExists(AdminError):  # noqa: N818
    """There is such an account already."""


class NoSuchAccount(AdminError):  # noqa: N818
    """There is no such account."""


class NoSuchClient(AdminError):  # noqa: N818
    """The account has no such client."""


class AlreadyThere(AdminError):  # noqa: N818
    """A file that would be written exists already."""
