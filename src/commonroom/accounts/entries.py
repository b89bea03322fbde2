"""What the lines of password files, name lists and mapping files say."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from commonroom.accounts.crypt_hash import Made, recognise
from commonroom.accounts.line_files import read_lines
from commonroom.protocol.jid import JID, InvalidJID

# Names for which there is nothing to normalise; most are, and JIDs take ten times as long to make.
_PLAIN = re.compile("[a-z0-9._-]{1,100}")
# Instead of a hash: nobody can log in with a password (shadow(5)).
LOCKED = ""
FAULTS_KEPT = 200


class Timing(NamedTuple):
    """How many hashes are made in one way, and one of them."""

    made: Made
    hashes: int
    sample: str


class Faults:
    """What is wrong in the files, for people: the first ones in words, all of them counted."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.count = 0

    def add(self, text: str) -> None:
        """One more."""
        self.count += 1
        if self.count <= FAULTS_KEPT:
            self.texts.append(text)


class LineReader:
    """Reads the files of one source. Names become addresses of `domain`; `digest` sees all that is read."""

    def __init__(self, domain: str, faults: Faults, digest: Callable[[bytes], object]) -> None:
        self._domain = domain
        self._faults = faults
        self._digest = digest
        self._counts: dict[tuple[str, str], int] = {}
        self._samples: dict[tuple[str, str], tuple[Made, str]] = {}

    def timings(self) -> Iterator[Timing]:
        """The ways in which the hashes were made that were read so far."""
        for key, (made, sample) in self._samples.items():
            yield Timing(made, self._counts[key], sample)

    def passwords(self, path: Path) -> Iterator[tuple[str, str]]:
        """Each name, as an address, and its hash or LOCKED. Raises Unreadable."""
        for number, line in read_lines(path, self._digest):
            name, _, rest = line.partition(b":")
            login = self._address(name, path, number)
            if login is not None:
                yield login, self._hash(rest.partition(b":")[0], path, number)

    def names(self, paths: Iterable[Path]) -> Iterator[tuple[str]]:
        """Each name, as an address. Raises Unreadable."""
        for path in paths:
            for number, line in read_lines(path, self._digest):
                login = self._address(line.partition(b":")[0], path, number)
                if login is not None:
                    yield (login,)

    def mapping(self, path: Path) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Each name, its address and its aliases. Raises Unreadable."""
        for number, line in read_lines(path, self._digest):
            name, _, rest = line.partition(b":")
            address, _, rest = rest.partition(b":")
            aliases = filter(None, map(bytes.strip, rest.partition(b":")[0].split(b",")))
            login, own = self._address(name, path, number), self._address(address, path, number)
            if login is not None and own is not None:
                found = [self._address(alias, path, number) for alias in aliases]
                yield login, own, tuple(alias for alias in found if alias is not None)

    def _address(self, raw: bytes, path: Path, number: int) -> str | None:
        try:
            name = raw.decode().strip()
            if _PLAIN.fullmatch(name):
                return f"{name}@{self._domain}"
            jid = JID.parse(name) if "@" in name else JID.of(name, self._domain)
        except (UnicodeDecodeError, InvalidJID):
            jid = None
        if jid is None or jid.local is None or jid.resource is not None or jid.domain != self._domain:
            self._faults.add(
                f"{path}: line {number} has no name that could be in an address of {self._domain}"
            )
            return None
        return jid

    def _hash(self, raw: bytes, path: Path, number: int) -> str:
        text = raw.decode("ascii", "replace")
        made = recognise(text)
        if made is not None:
            key = text[:2], made.cost  # quicker to look up than the scheme
            if key not in self._counts:
                self._samples[key] = made, text
            self._counts[key] = self._counts.get(key, 0) + 1
            return text
        if text[:1] not in ("*", "!", "x") or text[1:2] not in ("", "!", "*", "$"):
            self._faults.add(f"{path}: line {number} has no hash that can be checked; nobody logs in with it")
        return LOCKED
