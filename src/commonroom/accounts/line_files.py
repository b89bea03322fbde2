"""Files that have a line for each account: read in portions, and told when they are not whole."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

PORTION = 1 << 20
LONGEST_LINE = 1 << 16


class Unreadable(Exception):  # noqa: N818 - what was found
    """A file is not to be used now: it is missing, closed to us, or not written to its end."""


class Stamp(NamedTuple):
    """What changes when a file is written or replaced."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


def stamp(path: Path) -> Stamp | None:
    """The file as it is now; None if there is none, or it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def read_lines(path: Path, digest: Callable[[bytes], object]) -> Iterator[tuple[int, bytes]]:
    """All lines but empty ones and comments, with their numbers; `digest` sees each byte.

    Raises Unreadable, perhaps only at the end.
    """
    before = stamp(path)
    try:
        with path.open("rb") as file:
            yield from _lines(path, file, digest)
    except OSError as error:
        reason = f"it cannot be read ({error.strerror}); let the server's account read it"
        raise Unreadable(f"{path}: {reason}") from None
    if before is None or before != stamp(path):
        raise Unreadable(f"{path}: it is being written")


def _lines(path: Path, file: BinaryIO, digest: Callable[[bytes], object]) -> Iterator[tuple[int, bytes]]:
    rest, before = b"", 0
    while portion := file.read(PORTION):
        digest(portion)
        *lines, rest = (rest + portion).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise Unreadable(f"{path}: a line has more than {LONGEST_LINE} bytes; this is not such a file")
        for number, line in enumerate(lines, before + 1):
            if line and line[0] != 35:  # "#"
                yield number, line
        before += len(lines)
    if rest:
        raise Unreadable(f"{path}: its last line does not end; write the file to its end, with a newline")
