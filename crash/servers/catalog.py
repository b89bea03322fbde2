"""Which servers there are, by the names that the command line takes."""

from collections.abc import Mapping
from glob import glob

from crash.servers.commonroom import CommonRoom, CommonRoomOnPostgres
from crash.servers.federated import Federated
from crash.servers.peers import Ejabberd, EjabberdOnSqlite, Prosody, ProsodyOnSqlite
from crash.servers.server import Server

# Each on each database that it can be run with here; the first one is for whom it does not matter.
SERVERS: Mapping[str, Mapping[str, type[Server]]] = {
    "commonroom": {"sqlite": CommonRoom, "postgresql": CommonRoomOnPostgres},
    "federated": {"sqlite": Federated},
    "prosody": {"sqlite": ProsodyOnSqlite, "files": Prosody},
    "ejabberd": {"sqlite": EjabberdOnSqlite, "mnesia": Ejabberd},
}
# Debian's packages, and what proves that they are there.
PACKAGES = {
    "prosody": "/usr/bin/prosody",
    "ejabberd": "/usr/sbin/ejabberdctl",
    "lua-dbi-sqlite3": "/usr/lib/*/lua/*/dbd/sqlite3.so",
    "erlang-p1-sqlite3": "/usr/lib/erlang/lib/p1_sqlite3-*",
}
NEEDED: Mapping[type[Server], tuple[str, ...]] = {
    Prosody: ("prosody",),
    ProsodyOnSqlite: ("prosody", "lua-dbi-sqlite3"),
    Ejabberd: ("ejabberd",),
    EjabberdOnSqlite: ("ejabberd", "erlang-p1-sqlite3"),
}


def chosen(name: str, database: str | None) -> type[Server]:
    """Raises ValueError for what there is not, or what is not installed."""
    kinds = SERVERS[name]
    kind = kinds.get(database or next(iter(kinds)))
    if kind is None:
        raise ValueError(f"{name} is run on {' or '.join(kinds)} here, not on {database}")
    if missing := [package for package in NEEDED.get(kind, ()) if not glob(PACKAGES[package])]:
        raise ValueError(f"{name} needs more: apt-get install --no-install-recommends {' '.join(missing)}")
    return kind
