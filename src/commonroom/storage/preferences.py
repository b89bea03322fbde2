"""XEP-0441: what accounts want archived, in a table."""

from collections.abc import Iterable

from commonroom.protocol.jid import JID
from commonroom.storage.database import Database
from commonroom.storage.records import ArchiveDefault, ArchivePreferences
from commonroom.storage.statements import row_of_account
from commonroom.storage.tables import archive_preferences as table

PREFERENCE_COLUMNS = (table.c.fallback, table.c.always, table.c.never)

_DEFAULTS = {default.value: default for default in ArchiveDefault}


class SqlPreferenceStore:
    """See `interfaces.PreferenceStore`."""

    def __init__(self, database: Database) -> None:
        self._writer = database.writer
        self._put = database.upsert(table, ["account_id"], row_of_account(table))

    def put(self, account: JID, preferences: ArchivePreferences) -> None:
        """Keep an account's preferences."""
        row = {
            "account": account,
            "fallback": preferences.default.value,
            "always": _to_text(preferences.always),
            "never": _to_text(preferences.never),
        }
        self._writer.append(self._put, row)


def to_preferences(fallback: str | None, always: str, never: str) -> ArchivePreferences | None:
    """Read the columns fallback, always, never; None if there is no such row."""
    if fallback is None:
        return None
    return ArchivePreferences(_DEFAULTS[fallback], _to_addresses(always), _to_addresses(never))


def _to_text(addresses: Iterable[JID]) -> str:
    """One on a line: no part of an address may contain an end of line (RFC 8265 §4.2.2)."""
    return "\n".join(sorted(addresses))


def _to_addresses(text: str) -> frozenset[JID]:
    return frozenset(map(JID.parse, text.splitlines()))
