"""How many files, and so connections, the bench and what it starts may have open."""

import resource
import shutil
from pathlib import Path

# Of a server or a generator: its log, its database, its listeners.
OTHERS = 400
STEP = 500
# Linux has it; in a container it is often small.
MEMORY = Path("/dev/shm")


def raise_open_files() -> int:
    """Take what the system allows; what is started later has it too. Gives the number."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now != most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def connections(wanted: int, files: int) -> int:
    """As many as wanted, or the most that so many open files allow, in round numbers."""
    if files == resource.RLIM_INFINITY or files - OTHERS >= wanted:
        return wanted
    return (files - OTHERS) // STEP * STEP


def memory_disk(wanted: int) -> Path | None:
    """A folder of which the files are in memory, with so many bytes free; None if there is none."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= wanted else None
