"""Accounts that are kept in the service's own database: SCRAM keys, never a password (RFC 5803)."""

from collections.abc import Callable, Iterable
from datetime import datetime

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import SALT_BYTES, derive_keys
from commonroom.storage.records import Account

# The hash that accounts have first, as a rule.
FIRST_HASH = "SHA-1"


def new_account(
    jid: JID,
    password: str,
    hash_names: Iterable[str],
    iterations: int,
    random: Callable[[int], bytes],
    now: datetime,
) -> Account:
    """Derive the keys of a new account; milliseconds of CPU for each hash.

    Raises ValueError for a password that RFC 8265 §4.2 forbids.
    """
    keys = tuple(derive_keys(password, name, random(SALT_BYTES), iterations) for name in hash_names)
    return Account(jid, keys, now)
