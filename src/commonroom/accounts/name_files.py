"""Files that name accounts, as those of roles do: few, and kept in memory."""

from collections.abc import Collection, Iterable
from pathlib import Path

from commonroom.accounts.entries import Faults
from commonroom.accounts.line_files import read_lines
from commonroom.protocol.jid import JID, InvalidJID


def read_names(paths: Iterable[Path], domains: Collection[str], faults: Faults) -> frozenset[JID]:
    """The accounts that these files name: a name is one of the first of the domains. Raises Unreadable."""
    first = next(iter(domains))
    found = set()
    for path in paths:
        for number, line in read_lines(path, lambda _: None):
            account = _account(line.partition(b":")[0], first)
            if account is not None and account.domain in domains:
                found.add(account)
            else:
                faults.add(f"{path}: line {number} is not an account of {', '.join(domains)}")
    return frozenset(found)


def _account(raw: bytes, domain: str) -> JID | None:
    try:
        name = raw.decode().strip()
        jid = JID.parse(name) if "@" in name else JID.of(name, domain)
    except (UnicodeDecodeError, InvalidJID):
        return None
    return jid if jid.local is not None and jid.is_bare else None
