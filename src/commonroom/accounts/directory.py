"""The accounts that the files list now: looked up in microseconds, replaced as a whole when files change."""

import hmac
import sqlite3
from bisect import bisect
from collections.abc import Callable, Collection
from itertools import accumulate
from pathlib import Path
from typing import Any

from commonroom.accounts import snapshot
from commonroom.accounts.interfaces import Alias, Listed
from commonroom.protocol.jid import JID


class Directory:
    """Empty until it is given a snapshot. `now` is in seconds since 1970; `secret` blurs who is not there."""

    def __init__(self, now: Callable[[], float], secret: bytes, domains: Collection[str] = ()) -> None:
        self._now = now
        self._secret = secret
        self._connection: sqlite3.Connection | None = None
        self._domains = frozenset(domains)
        self._has_aliases = self._has_logins = False
        self._samples: list[str] = []
        self._shares: list[int] = []

    def begin(self, secret: bytes, domains: Collection[str]) -> None:
        """What is known only when the database is open."""
        self._secret = secret
        self._domains = frozenset(domains)

    def use(self, path: Path) -> None:
        """From now on, this snapshot counts; raises sqlite3.Error, and changes nothing then."""
        connection = snapshot.open_finished(path)
        try:
            timings = connection.execute("SELECT count, sample FROM timing ORDER BY scheme, cost").fetchall()
            has_aliases = _any(connection, "SELECT 1 FROM alias LIMIT 1")
            has_logins = _any(connection, "SELECT 1 FROM sqlite_master WHERE name = 'by_login'")
        except sqlite3.Error:
            connection.close()
            raise
        self._samples = [sample for _, sample in timings]
        self._shares = list(accumulate(count for count, _ in timings))
        self._has_aliases, self._has_logins = has_aliases, has_logins
        self.close()
        self._connection = connection

    def close(self) -> None:
        """List nobody any more."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def serves(self, domain: str) -> bool:
        """Whether there are files for this domain."""
        return domain in self._domains

    def find(self, account: JID) -> Listed | None:
        """The account that has this address."""
        if account.domain not in self._domains:
            return None
        row = self._row("SELECT login, hash, source FROM entry WHERE address = ?", account)
        return None if row is None else Listed(account, *row)

    def page(self, domain: str | None, after: JID | None, limit: int) -> list[Listed]:
        """The accounts of a domain, or all, by address, behind `after`."""
        if self._connection is None or (domain is not None and domain not in self._domains):
            return []
        ending = "" if domain is None or len(self._domains) == 1 else f"@{domain}"
        rows = self._connection.execute(
            "SELECT address, login, hash, source FROM entry WHERE address > ?"
            " AND substr(address, -length(?)) = ? ORDER BY address LIMIT ?"
            if ending
            else "SELECT address, login, hash, source FROM entry WHERE address > ? ORDER BY address LIMIT ?",
            (after or "", ending, ending, limit) if ending else (after or "", limit),
        )
        return [Listed(JID.parse(address), *rest) for address, *rest in rows]

    def alias(self, name: JID) -> Alias | None:
        """Whose other address this is."""
        if not self._has_aliases or name.domain not in self._domains:
            return None
        row = self._row("SELECT address, until FROM alias WHERE name = ?", name)
        if row is None or (row[1] is not None and row[1] <= self._now()):
            return None
        return Alias(JID.parse(row[0]), row[1])

    def resolve(self, name: JID) -> JID:
        """The account that somebody means who logs in: by its address, an alias, or the name in the files.

        What is nobody's stays as it is.
        """
        if not (self._has_aliases or self._has_logins) or name.domain not in self._domains:
            return name
        if self._row("SELECT 1 FROM entry WHERE address = ?", name) is not None:
            return name
        alias = self.alias(name)
        if alias is not None:
            return alias.address
        row = self._row("SELECT address FROM entry WHERE login = ?", name) if self._has_logins else None
        return name if row is None else JID.parse(row[0])

    def certified(self, name: JID) -> JID | None:
        """The account of an address in a certificate: no alias, which may have been somebody else's once.

        The former address of an account that was renamed is its own, while nobody else has it.
        """
        alias = self.alias(name)
        if alias is None or self.find(name) is not None:
            return name
        return None if alias.until is None else alias.address

    def stand_in(self, account: JID) -> str | None:
        """A hash that takes as long as that of an account might, always the same for one address.

        It is of each kind as often as the hashes in the files are.
        """
        if not self._shares:
            return None
        digest = hmac.digest(self._secret, f"stand-in\0{account}".encode(), "sha256")
        point = int.from_bytes(digest[:8], "big") * self._shares[-1] >> 64
        return self._samples[bisect(self._shares, point)]

    def _row(self, statement: str, name: str) -> tuple[Any, ...] | None:
        if self._connection is None:
            return None
        row: tuple[Any, ...] | None = self._connection.execute(statement, (str(name),)).fetchone()
        return row


def _any(connection: sqlite3.Connection, statement: str) -> bool:
    return connection.execute(statement).fetchone() is not None
