"""Looking over a configuration and what it refers to, without starting a service."""

import os
import socket
import stat
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from commonroom.accounts.entries import Faults
from commonroom.accounts.libcrypt import NoLibcrypt, available
from commonroom.accounts.line_files import Unreadable
from commonroom.accounts.name_files import read_names
from commonroom.admin import open_files
from commonroom.admin.account_files import hold_rule, planned
from commonroom.admin.errors import AdminError
from commonroom.admin.lock import is_running
from commonroom.admin.places import SQLITE_FILE, database_url, key_pairs
from commonroom.admin.roles import role_files
from commonroom.config import KeyPair, Settings
from commonroom.net.certificates import CertificateError, Severity, inspect
from commonroom.net.client_certificates import load_authorities
from commonroom.net.listener import Listener, ListenError
from commonroom.net.revocations import read_revocations
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.storage.database import inspect_database
from commonroom.storage.errors import CannotOpen
from commonroom.storage.migrations import REVISIONS


class Finding(NamedTuple):
    """Something that an operator should know: how bad it is, about what, and what to do."""

    severity: Severity
    about: str
    text: str


async def check(settings: Settings, now: datetime) -> list[Finding]:
    """Everything that is to be said of what a configuration refers to; `now` is aware."""
    return [
        *check_state(settings),
        *check_certificates(settings, now),
        *check_database(settings),
        *check_files(settings),
        *check_account_files(settings),
        *check_revocations(settings, now),
        *check_roles(settings),
        *await check_addresses(settings),
    ]


def check_state(settings: Settings) -> Iterator[Finding]:
    """The folder for data is there, writable for us and closed to others."""
    state = settings.state
    if not state.exists():
        yield _note("state", f"{state}: there is no such folder; the first start makes it")
    elif not state.is_dir():
        yield _error("state", f"{state}: this is not a folder; name another one as state")
    elif not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        yield _error("state", f"{state}: it cannot be written by this account; give it to the service's user")
    elif state.stat().st_mode & stat.S_IWOTH:
        yield _warning("state", f"{state}: every account of this machine may change it; chmod 700 it")


def check_certificates(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Each pair of files against the domains that use it."""
    pairs: dict[KeyPair, list[str]] = {}
    for domain, pair in key_pairs(settings).items():
        pairs.setdefault(pair, []).append(domain)
    for name, own in settings.tls.domains.items():
        domains = pairs.setdefault(KeyPair(own.certificate, own.key), [])
        if name not in domains:
            domains.append(name)
    for (certificate, key), domains in pairs.items():
        for problem in inspect(certificate, key, domains, now):
            yield Finding(problem.severity, "certificate", problem.text)


def check_database(settings: Settings) -> Iterator[Finding]:
    """It can be reached, and its tables are not from the future."""
    file = settings.state / SQLITE_FILE
    if settings.database.url == "sqlite" and not file.exists():
        yield _note("database", f"{file}: there is no such file; the first start makes it")
        return
    try:
        revision = inspect_database(database_url(settings), settings.state)
    except CannotOpen as error:
        yield _error("database", str(error))
        return
    if revision is None:
        yield _note("database", "it has no tables; the first start makes them")
    elif revision != REVISIONS[-1]:
        change = f"from {revision} to {REVISIONS[-1]}"
        trial = "`commonroom database upgrade --dry-run` tries it on a copy"
        yield _warning("database", f"the next start changes its tables {change}, after a backup; {trial}")


def check_files(settings: Settings) -> Iterator[Finding]:
    """The system lets a process open as many files as there may be connections."""
    wanted = open_files.wanted(settings)
    if (possible := open_files.possible(wanted)) < wanted:
        instead = f"allow {wanted} (LimitNOFILE= of systemd, or ulimit -n), or lower c2s.connections"
        yield _warning("open files", f"the system allows {possible} open files; {instead}")


def check_account_files(settings: Settings) -> Iterator[Finding]:
    """They can be read, and what they say is in force."""
    if not settings.accounts.files:
        return
    try:
        available()
        with planned(settings) as plan:
            reason = plan.hold(hold_rule(settings))
            count, faults = plan.fault_count, plan.faults
    except (AdminError, NoLibcrypt) as error:
        yield _error("account files", str(error))
        return
    if reason is not None:
        yield _warning(
            "account files", f"{reason}; see `commonroom user plan`, then `commonroom user confirm`"
        )
    if count:
        yield _warning("account files", f"{count} faults, the first: {faults[0]}")


def check_revocations(settings: Settings, now: datetime) -> Iterator[Finding]:
    """The lists can be used, and are not out of date."""
    accounts = settings.accounts
    if accounts.authorities is None:
        return
    told: list[str] = []
    try:
        authorities = load_authorities(accounts.authorities)
        found = read_revocations(accounts.revocations, authorities, told.append)
    except CertificateError as error:
        yield _error("revocations", str(error))
        return
    yield from (_warning("revocations", text) for text in told)
    if found.stale(now):
        yield _warning("revocations", "a list should have been replaced by now; what it says counts")


def check_roles(settings: Settings) -> Iterator[Finding]:
    """Who has a role is one of ours, and the files that say so can be read."""
    faults = Faults()
    for role, paths in role_files(settings).items():
        for text in getattr(settings.roles, role):
            try:
                domain = JID.parse(text).domain
            except InvalidJID as error:
                yield _error("roles", f"{text}: this is not an address: {error}")
                continue
            if domain not in settings.domains:
                yield _warning("roles", f"{text}: no account of this service has this address")
        try:
            read_names(paths, settings.domains, faults)
        except Unreadable as error:
            yield _error("roles", str(error))
    if faults.count:
        yield _warning("roles", f"{faults.count} faults in files, the first: {faults.texts[0]}")


class _Nobody:
    """Whoever comes while it is tried."""

    def accepted(self, sock: socket.socket, _: tuple[str, int]) -> None:
        sock.close()


async def check_addresses(settings: Settings) -> list[Finding]:
    """It is possible to listen there; not tried while a service runs, which does."""
    c2s = settings.c2s
    addresses = (*c2s.listen, *c2s.listen_direct_tls, *c2s.listen_plain)
    if not addresses:
        return [_error("addresses", "no client can connect; name an address in c2s.listen")]
    if is_running(settings.state):
        return []
    found = []
    for address in addresses:
        listener = Listener(address, _Nobody)
        try:
            await listener.start()
        except ListenError as error:
            found.append(_error("addresses", str(error)))
        finally:
            listener.stop()
    return found


def _error(about: str, text: str) -> Finding:
    return Finding(Severity.ERROR, about, text)


def _warning(about: str, text: str) -> Finding:
    return Finding(Severity.WARNING, about, text)


def _note(about: str, text: str) -> Finding:
    return Finding(Severity.NOTE, about, text)
