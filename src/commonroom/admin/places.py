"""Where the configuration says that things are."""

from pathlib import Path

from commonroom.config import KeyPair, Settings

SQLITE_FILE = "commonroom.sqlite3"
SOCKET_FILE = "commonroom.socket"


def database_url(settings: Settings) -> str:
    """The database's address as storage wants it."""
    url = settings.database.url
    return f"sqlite:///{SQLITE_FILE}" if url == "sqlite" else url


def accounts_folder(settings: Settings) -> Path:
    """Where the state of the account files is kept."""
    return settings.state / "accounts"


def snapshot_in_force(settings: Settings) -> Path:
    """What the account files said when that was put in force."""
    return accounts_folder(settings) / "current.sqlite3"


def shared_key_pair(settings: Settings) -> KeyPair:
    """The certificate and key of every domain that has none of its own."""
    tls = settings.tls
    return KeyPair(
        tls.certificate or settings.state / "certificate.pem", tls.key or settings.state / "key.pem"
    )


def key_pairs(settings: Settings) -> dict[str, KeyPair]:
    """The certificate and key of each domain; the default domain comes first."""
    own = {name: KeyPair(pair.certificate, pair.key) for name, pair in settings.tls.domains.items()}
    return {name: own.get(name, shared_key_pair(settings)) for name in settings.domains}


def server_key_pairs(settings: Settings) -> dict[str, KeyPair]:
    """The same for other servers, which also connect to the domains of rooms and components."""
    pairs = key_pairs(settings)
    pairs |= {name: KeyPair(own.certificate, own.key) for name, own in settings.tls.domains.items()}
    rooms = settings.rooms
    others = [f"{rooms.prefix}.{domain}" for domain in settings.domains] if rooms.enabled else []
    for name in (*others, *settings.components.domains):
        pairs.setdefault(name, _nearest(name, pairs) or shared_key_pair(settings))
    return pairs


def _nearest(name: str, pairs: dict[str, KeyPair]) -> KeyPair | None:
    """That of the nearest domain above."""
    while name and name not in pairs:
        name = name.partition(".")[2]
    return pairs.get(name)
