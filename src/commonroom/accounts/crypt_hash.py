"""Password hashes as passwd, shadow and htpasswd files have them: recognised, and checked."""

import hmac
import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from commonroom.accounts.apr1 import crypt_apr1
from commonroom.accounts.libcrypt import crypt
from commonroom.protocol.sasl.scram_keys import prepare_password

# A check of more would take minutes: such a line is a fault, not an account.
MOST_ROUNDS = 10_000_000
LEAST_BCRYPT, MOST_BCRYPT = 4, 16
DEFAULT_ROUNDS = 5000  # of the SHA-2 hashes


class Scheme(Enum):
    """How a hash was made, by the name that manuals give it."""

    DES = "DES"
    MD5 = "MD5"
    APR1 = "apr1"
    BCRYPT = "bcrypt"
    SHA256 = "SHA-256"
    SHA512 = "SHA-512"
    YESCRYPT = "yescrypt"


class Made(NamedTuple):
    """The scheme of a hash and what it costs: hashes with the same take the same time to check."""

    scheme: Scheme
    cost: str


_made = lru_cache(Made)
_LETTER = "[./0-9A-Za-z]"
_SALTED = "[^$:\\s]{0,16}"
# By the first two signs of a hash, which are quicker to look up than a long expression is to try.
_FORMS = {
    "$1": (Scheme.MD5, re.compile(rf"\$1\$(){_SALTED}\${_LETTER}{{22}}")),
    "$a": (Scheme.APR1, re.compile(rf"\$apr1\$(){_SALTED}\${_LETTER}{{22}}")),
    "$2": (Scheme.BCRYPT, re.compile(rf"\$2[aby]\$([0-9]{{2}})\${_LETTER}{{53}}")),
    "$5": (Scheme.SHA256, re.compile(rf"\$5\$(?:rounds=([0-9]{{1,9}})\$)?{_SALTED}\${_LETTER}{{43}}")),
    "$6": (Scheme.SHA512, re.compile(rf"\$6\$(?:rounds=([0-9]{{1,9}})\$)?{_SALTED}\${_LETTER}{{86}}")),
    "$y": (Scheme.YESCRYPT, re.compile(rf"\$y\$({_LETTER}{{2,16}})\${_LETTER}{{1,86}}\${_LETTER}{{43}}")),
}
_DES = (Scheme.DES, re.compile(rf"(){_LETTER}{{13}}"))


def recognise(hash: str) -> Made | None:
    """How a hash was made; None if it is none, or one that would take minutes to check."""
    scheme, form = _FORMS.get(hash[:2], _DES)
    match = form.fullmatch(hash)
    if match is None:
        return None
    cost = match[1] or ""
    if scheme in (Scheme.SHA256, Scheme.SHA512) and int(cost or DEFAULT_ROUNDS) > MOST_ROUNDS:
        return None
    if scheme is Scheme.BCRYPT and not LEAST_BCRYPT <= int(cost) <= MOST_BCRYPT:
        return None
    return _made(scheme, cost)


def is_password(hash: str, password: str) -> bool:
    """Whether this is the hash of the password; microseconds to a second of CPU.

    The password is compared as RFC 8265 §4.2 prepares it, and as it was typed, if that differs: who made the
    file knew nothing of that.
    """
    try:
        prepared = prepare_password(password)
    except ValueError:
        prepared = password
    found = _matches(hash, prepared)
    return _matches(hash, password) or found if prepared != password else found


def _matches(hash: str, password: str) -> bool:
    expected = hash.encode()
    made = crypt_apr1 if hash.startswith("$apr1$") else crypt
    found = made(password.encode("utf-8", "surrogatepass"), expected)
    return hmac.compare_digest(found, expected)
