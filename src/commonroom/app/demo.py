"""A service to try: for this machine only, with three accounts, and nothing to set up."""

import os
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from commonroom.admin.accounts import made
from commonroom.admin.errors import AdminError
from commonroom.admin.imports import Entry, ImportRefused, read_entries
from commonroom.admin.places import SQLITE_FILE, shared_key_pair
from commonroom.admin.registry import Registry, open_registry
from commonroom.app.ports import free_port, loopback
from commonroom.config import Settings, load, render
from commonroom.net.certificates import create_self_signed
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import check_password
from commonroom.protocol.subscription import SubscriptionState
from commonroom.storage.records import Account, RosterItem

DOMAIN = "localhost"
NAMES = ("alice", "bob", "carol")
CONFIGURATION_FILE = "commonroom.toml"
# Lines `name:password`, as `commonroom user import` reads them.
PASSWORDS_FILE = "demo-passwords.txt"
CERTIFICATE_DAYS = 3650
CONSONANTS = "bdfghjklmnprstvz"
VOWELS = "aeiou"


@dataclass(frozen=True, slots=True)
class Demo:
    """A demonstration; what is in `changed` has another password than the one that was made."""

    folder: Path
    settings: Settings
    certificate: Path
    passwords: dict[JID, str] = field(repr=False)
    changed: set[JID] = field(default_factory=set)

    @property
    def configuration(self) -> Path:
        """The file that other commands can be given."""
        return self.folder / CONFIGURATION_FILE


def prepare(folder: Path, port: int, tls_port: int) -> Demo:
    """Make what is missing in the folder, and find free ports.

    Raises AdminError, ConfigError or CertificateError.
    """
    if not (folder / PASSWORDS_FILE).exists():
        _make_folder(folder)
        _write_secret(folder / PASSWORDS_FILE, "".join(f"{name}:{pronounceable()}\n" for name in NAMES))
    path = folder / CONFIGURATION_FILE
    if not path.exists():
        _write_secret(path, render(Settings(domains=(DOMAIN,), state=Path())))
    settings = load(path)
    pair = shared_key_pair(settings)
    if not pair.certificate.exists() and not pair.key.exists():
        create_self_signed(*pair, settings.domains, datetime.now(UTC), CERTIFICATE_DAYS)
    passwords = {entry.jid: entry.password for entry in _passwords(folder / PASSWORDS_FILE, settings)}
    return Demo(folder, _for_this_machine(settings, port, tls_port), pair.certificate, passwords)


def _for_this_machine(settings: Settings, port: int, tls_port: int) -> Settings:
    starttls = free_port(port, avoid=tls_port)
    direct = free_port(tls_port, avoid=starttls)
    c2s = replace(
        settings.c2s, listen=loopback(starttls), listen_direct_tls=loopback(direct), listen_plain=()
    )
    return replace(settings, c2s=c2s)


async def populate(demo: Demo) -> None:
    """Make the accounts that are missing, each with the others as contacts; raises StorageError."""
    async with open_registry(demo.settings) as registry:
        for jid, password in demo.passwords.items():
            account = await registry.stores.accounts.get(jid)
            if account is None:
                registry.stores.accounts.put(made(registry, jid, password))
                _befriend(registry, jid, demo)
            elif not _is_password(account, password):
                demo.changed.add(jid)
        await registry.stores.writes.flushed()


def _is_password(account: Account, password: str) -> bool:
    return any(check_password(keys, password) for keys in account.keys[:1])


def _befriend(registry: Registry, jid: JID, demo: Demo) -> None:
    others = [other for other in demo.passwords if other != jid]
    for version, other in enumerate(others, 1):
        name = (other.local or other).capitalize()
        item = RosterItem(other, name, (), SubscriptionState.BOTH, False, True, None, version)
        registry.stores.rosters.put(jid, item)


def _passwords(path: Path, settings: Settings) -> list[Entry]:
    """The accounts, as they were made when the folder was."""
    try:
        return read_entries(path.read_bytes(), settings.domains)
    except OSError as error:
        raise AdminError(f"{path}: it cannot be read ({error.strerror}); name another --folder") from None
    except ImportRefused as refusal:
        line, text = refusal.lines[0]
        raise AdminError(f"{path}:{line}: {text}; or remove the folder to begin anew") from None


def _make_folder(folder: Path) -> None:
    """Make it; refuse one where something else lives."""
    for name in (SQLITE_FILE, CONFIGURATION_FILE):
        if (folder / name).exists():
            raise AdminError(
                f"{folder / name}: this belongs to a service that is no demonstration; name another --folder"
            )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AdminError(f"{folder}: it cannot be made ({error.strerror}); name another --folder") from None


def _write_secret(path: Path, text: str) -> None:
    """For the owner's eyes; complete or not at all."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        unfinished.rename(path)
    except OSError as error:
        raise AdminError(f"{path}: it cannot be written ({error.strerror}); name another --folder") from None


def pronounceable() -> str:
    """A password that can be read out: nine syllables, 57 bits."""
    words = ("".join(secrets.choice(CONSONANTS) + secrets.choice(VOWELS) for _ in range(3)) for _ in range(3))
    return "-".join(words)
