"""A service to try: for this machine only, with three accounts, and nothing to set up."""

import errno
import os
import secrets
import socket
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from commonroom.admin.accounts import made
from commonroom.admin.errors import AdminError
from commonroom.admin.places import SQLITE_FILE, shared_key_pair
from commonroom.admin.registry import Registry, open_registry
from commonroom.config import ListenAddress, Settings, load, render
from commonroom.net.certificates import create_self_signed
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import check_password
from commonroom.protocol.subscription import SubscriptionState
from commonroom.storage.records import RosterItem

DOMAIN = "localhost"
NAMES = ("alice", "bob", "carol")
CONFIGURATION_FILE = "commonroom.toml"
# Lines `name:password`, as `commonroom user import` reads them.
PASSWORDS_FILE = "demo-passwords.txt"
# How many ports are tried, from the one that is wanted.
PORTS_TRIED = 100
CONSONANTS = "bdfghjklmnprstvz"
VOWELS = "aeiou"


@dataclass(frozen=True, slots=True)
class Demo:
    """A demonstration, ready to be started; a password is None if it is no longer the one that was made."""

    folder: Path
    settings: Settings
    passwords: dict[JID, str | None]
    certificate: Path

    @property
    def configuration(self) -> Path:
        """The file that other commands can be given."""
        return self.folder / CONFIGURATION_FILE


def prepare(folder: Path, port: int, tls_port: int) -> Demo:
    """Make what is missing in the folder, and find free ports.

    Raises AdminError, ConfigError or CertificateError.
    """
    passwords = _passwords(folder)
    path = folder / CONFIGURATION_FILE
    if not path.exists():
        _write_secret(path, render(Settings(domains=(DOMAIN,), state=Path())))
    settings = load(path)
    pair = shared_key_pair(settings)
    if not pair.certificate.exists() and not pair.key.exists():
        create_self_signed(pair.certificate, pair.key, settings.domains, datetime.now(UTC), days=3650)
    starttls = free_port(port, taken=None)
    direct = free_port(tls_port, taken=starttls)
    listening = replace(
        settings.c2s, listen=_loopback(starttls), listen_direct_tls=_loopback(direct), listen_plain=()
    )
    return Demo(folder, replace(settings, c2s=listening), {**passwords}, pair.certificate)


async def populate(demo: Demo) -> None:
    """Make the accounts that are missing, each with the others in its contact list; raises StorageError."""
    async with open_registry(demo.settings) as registry:
        for jid, password in demo.passwords.items():
            if password is not None and not await _is_there(registry, jid, demo):
                registry.stores.accounts.put(made(registry, jid, password))
                _befriend(registry, jid, demo)
        await registry.stores.writes.flushed()


async def _is_there(registry: Registry, jid: JID, demo: Demo) -> bool:
    """Whether the account was made before; notes if its password has been changed since."""
    account = await registry.stores.accounts.get(jid)
    if account is None:
        return False
    password = demo.passwords[jid]
    if password is None or not any(check_password(keys, password) for keys in account.keys[:1]):
        demo.passwords[jid] = None
    return True


def _befriend(registry: Registry, jid: JID, demo: Demo) -> None:
    others = [other for other in demo.passwords if other != jid]
    for version, other in enumerate(others, 1):
        name = (other.local or other).capitalize()
        item = RosterItem(other, name, (), SubscriptionState.BOTH, False, True, None, version)
        registry.stores.rosters.put(jid, item)


def free_port(wanted: int, taken: int | None) -> int:
    """The first port from the wanted one that nothing on this machine listens on; raises AdminError."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65536)):
        if port != taken and all(_is_free(host, port) for host in loopback_hosts()):
            return port
    raise AdminError(f"no port from {wanted} on is free; choose another with --port or --tls-port")


def loopback_hosts() -> tuple[str, ...]:
    """The addresses that this machine has for itself; clients that resolve `localhost` may try either."""
    return ("127.0.0.1", "::1") if _is_free("::1", 0) else ("127.0.0.1",)


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
    except OSError as error:
        if error.errno == errno.EACCES:
            raise AdminError(f"{port}: ports below 1024 are the system's; choose another") from None
        return False
    return True


def _loopback(port: int) -> tuple[ListenAddress, ...]:
    return tuple(ListenAddress(host, port) for host in loopback_hosts())


def _passwords(folder: Path) -> dict[JID, str]:
    """The passwords by account, as they were made when the folder was."""
    path = folder / PASSWORDS_FILE
    if not path.exists():
        _make_folder(folder)
        _write_secret(path, "".join(f"{name}:{pronounceable()}\n" for name in NAMES))
    lines = [line.partition(":") for line in path.read_text().splitlines()]
    return {JID.of(name, DOMAIN): password for name, _, password in lines}


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
        raise AdminError(
            f"{folder}: the folder cannot be made ({error.strerror}); name another --folder"
        ) from None


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
    """A password that can be read out: 3 × 3 syllables, 56 bits."""
    words = ("".join(secrets.choice(CONSONANTS) + secrets.choice(VOWELS) for _ in range(3)) for _ in range(3))
    return "-".join(words)
