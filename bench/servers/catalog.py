"""Which servers there are, by the names that the command line takes."""

from collections.abc import Callable
from functools import partial
from glob import glob
from pathlib import Path

from bench.native import Programs
from bench.servers.anybody import Anybody
from bench.servers.commonroom import CommonRoom, Installation
from bench.servers.ejabberd import Ejabberd
from bench.servers.jabberd2 import Jabberd2
from bench.servers.prosody import Prosody
from bench.servers.relay import Relay
from bench.servers.server import Server
from bench.site import Site

OURS = "commonroom"
PEERS = ("jabberd2", "prosody", "ejabberd")
FLOOR = "relay"
ANYBODY = "anybody"  # the other side of many
ALL = (OURS, *PEERS, FLOOR)
# As their packages come, not tuned.
UNTUNED = ("prosody-default", "ejabberd-default")
# Where they keep archives: the cheapest that each has, and a database like ours.
CHEAPEST_ARCHIVES = ("prosody-files", "ejabberd-mnesia")
SQLITE_ARCHIVES = ("prosody-sqlite", "ejabberd-sqlite")
COMPARED = (*PEERS, *CHEAPEST_ARCHIVES, *SQLITE_ARCHIVES)

LABELS = {
    "commonroom": "Common Room",
    "jabberd2": "jabberd2",
    "prosody": "Prosody",
    "ejabberd": "ejabberd",
    "relay": "relay in C",
    "prosody-default": "Prosody, not tuned",
    "ejabberd-default": "ejabberd, not tuned",
    "prosody-files": "Prosody with files",
    "ejabberd-mnesia": "ejabberd with Mnesia",
    "prosody-sqlite": "Prosody on SQLite",
    "ejabberd-sqlite": "ejabberd on SQLite",
}

# What tells that a peer is installed here.
PROGRAMS = {
    "jabberd2": "/usr/sbin/jabberd2-c2s",
    "prosody": "/usr/bin/prosody",
    "ejabberd": "/usr/sbin/ejabberdctl",
}
# And that it can use SQLite.
LIBRARIES = {
    "prosody-sqlite": "/usr/lib/*/lua/*/dbd/sqlite3.so",
    "ejabberd-sqlite": "/usr/lib/erlang/lib/p1_sqlite3-*",
}

Make = Callable[[str, Path, Site, int], Server]


def maker(name: str, programs: Programs, ours: Installation) -> Make:
    """What makes the server; raises ValueError.

    `commonroom@FOLDER` is ours from another checkout's src, `commonroom@FOLDER@PYTHON` on another Python.
    """
    kind, *others = name.split("@")
    if kind == OURS and others:
        return partial(CommonRoom, installation=_other(ours, *others))
    makers: dict[str, Make] = {
        "commonroom": partial(CommonRoom, installation=ours),
        "jabberd2": Jabberd2,
        "prosody": Prosody,
        "ejabberd": Ejabberd,
        "relay": partial(Relay, program=programs.relay),
        ANYBODY: partial(Anybody, installation=ours),
        "prosody-default": partial(Prosody, tuned=False),
        "ejabberd-default": partial(Ejabberd, tuned=False),
        "prosody-files": Prosody,
        "ejabberd-mnesia": Ejabberd,
        "prosody-sqlite": partial(Prosody, sqlite=True),
        "ejabberd-sqlite": partial(Ejabberd, sqlite=True),
    }
    if name not in makers:
        raise ValueError(f"{name}: no such server; there are {', '.join(makers)}, and commonroom@FOLDER")
    return makers[name]


def _other(ours: Installation, folder: str, python: str = "") -> Installation:
    source = Path(folder).resolve() if folder else ours.source
    return Installation(source, Path(python).absolute() if python else ours.python)


def is_installed(name: str) -> bool:
    """Whether it can be started here; ours and the floor always can."""
    program, library = PROGRAMS.get(name.partition("-")[0]), LIBRARIES.get(name)
    return (program is None or Path(program).exists()) and (library is None or bool(glob(library)))


def label(name: str) -> str:
    """What tables call it."""
    return LABELS.get(name, name)
