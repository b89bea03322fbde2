"""A PostgreSQL server of the tests' own: a private folder, a Unix socket, nothing on the network."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USER = "commonroom"

_SERVERS = Path("/usr/lib/postgresql")
_MISSING = (
    "These tests need PostgreSQL's server programs (initdb, pg_ctl), and there are none on the PATH or below"
    " /usr/lib/postgresql. On Debian: apt install postgresql"
)
_SETTINGS = (
    "listen_addresses = ''",
    "shared_buffers = 16MB",
)
# The machine does not lose its power in most tests, and only the server is killed.
_FASTER = "fsync = off"


class Cluster:
    """A server that can be stopped and started."""

    def __init__(self, folder: Path, programs: Path, syncs: bool = False) -> None:
        self.folder = folder
        self._syncs = syncs
        self._programs = programs
        self._data = folder / "data"

    def url(self, database: str = "postgres") -> str:
        """The address of a database, as an operator would write it."""
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def initialise(self) -> None:
        """Make the folder's content."""
        self._run("initdb", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        faster = () if self._syncs else (_FASTER,)
        settings = (*_SETTINGS, *faster, f"unix_socket_directories = '{self.folder}'")
        with (self._data / "postgresql.conf").open("a") as file:
            file.write("\n".join(settings) + "\n")

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._run("pg_ctl", "-w", "-s", "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop; `immediate` is a crash."""
        self._run("pg_ctl", "-w", "-s", "-m", mode, "stop")

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run SQL as an administrator would."""
        return self._run("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text, self.url(database)).strip()

    def _run(self, program: str, *arguments: str) -> str:
        data = () if program == "psql" else ("-D", str(self._data))
        # The server's child processes inherit the output: a pipe would never end.
        with tempfile.TemporaryFile("w+") as output:
            status = subprocess.call(
                [str(self._programs / program), *data, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                **_as_owner(),
                cwd=self.folder,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )
            output.seek(0)
            said = output.read()
        assert status == 0, f"{program} failed:\n{said}"
        return said


@contextmanager
def running_cluster(syncs: bool = False) -> Iterator[Cluster]:
    """Make a server, and remove it afterwards. Raises AssertionError if PostgreSQL is not installed.

    `syncs`: what it commits is on the disk, as it is for operators.
    """
    programs = find_programs()
    folder = Path(tempfile.mkdtemp(prefix="commonroom-pg-"))
    try:
        if os.getuid() == 0:
            shutil.chown(folder, _owner().pw_uid)
        cluster = Cluster(folder, programs, syncs)
        cluster.initialise()
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop("immediate")
    finally:
        shutil.rmtree(folder)


def find_programs() -> Path:
    """The folder of the newest server that is installed."""
    if on_path := shutil.which("initdb"):
        folder = Path(on_path).resolve().parent
        if all((folder / program).exists() for program in ("pg_ctl", "psql")):
            return folder
    folders = [path.parent for path in _SERVERS.glob("*/bin/initdb")]
    assert folders, _MISSING
    return max(folders, key=lambda folder: float(folder.parent.name))


def _owner() -> pwd.struct_passwd:
    """Whom root lets the server run as, because it refuses to run as root."""
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _as_owner() -> dict[str, Any]:
    if os.getuid() != 0:
        return {}
    return {"user": _owner().pw_uid, "group": _owner().pw_gid, "extra_groups": []}
