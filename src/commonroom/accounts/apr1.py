"""Apache's variant of the MD5 crypt hash, `$apr1$`, which the system's library does not know."""

from hashlib import md5

MAGIC = b"$apr1$"
ROUNDS = 1000
LETTERS = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Which octets of the digest make four letters each; the last one makes two.
TRIPLES = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
LAST = 11


def crypt_apr1(password: bytes, setting: bytes) -> bytes:
    """The hash of a password by a setting or a whole hash; about a millisecond of CPU."""
    salt = setting.removeprefix(MAGIC).partition(b"$")[0][:8]
    final = _stretched(password, salt, _first(password, salt))
    return MAGIC + salt + b"$" + _letters(final)


def _first(password: bytes, salt: bytes) -> bytes:
    alternate = md5(password + salt + password, usedforsecurity=False).digest()
    length = len(password)
    text = password + MAGIC + salt + (alternate * (length // 16 + 1))[:length]
    while length:
        text += b"\0" if length & 1 else password[:1]
        length >>= 1
    return md5(text, usedforsecurity=False).digest()


def _stretched(password: bytes, salt: bytes, digest: bytes) -> bytes:
    for number in range(ROUNDS):
        middle = (salt if number % 3 else b"") + (password if number % 7 else b"")
        text = password + middle + digest if number & 1 else digest + middle + password
        digest = md5(text, usedforsecurity=False).digest()
    return digest


def _letters(digest: bytes) -> bytes:
    parts = [_encoded(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in TRIPLES]
    return b"".join((*parts, _encoded(digest[LAST], 2)))


def _encoded(value: int, count: int) -> bytes:
    return bytes(LETTERS[value >> (6 * position) & 63] for position in range(count))
