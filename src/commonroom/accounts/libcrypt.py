"""crypt(3): the system's library that checks the password hashes of passwd, shadow and htpasswd.

Python's own module for it is gone since 3.13, and what wraps it elsewhere adds nothing that is needed here
(docs/decisions/0020-password-files.md). A call lets other threads run.
"""

import ctypes
from functools import lru_cache

# `struct crypt_data` of libxcrypt, and of the glibc before it with a margin.
DATA_BYTES = 32768
# The longest password that libxcrypt takes (CRYPT_MAX_PASSPHRASE_SIZE).
LONGEST_PASSWORD = 512
NAMES = ("libcrypt.so.1", "libcrypt.so.2", "libcrypt.so")


class NoLibcrypt(Exception):  # noqa: N818 - what was found
    """The system has no libcrypt that can be used; the text says what to install."""


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    for name in NAMES:
        try:
            library = ctypes.CDLL(name)
            function = library.crypt_rn
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_char_p
        function.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
        return library
    raise NoLibcrypt("libcrypt: the system has none with crypt_rn; install libxcrypt (Debian: libcrypt1)")


def available() -> None:
    """Raise NoLibcrypt if password hashes cannot be checked here."""
    _library()


def crypt(password: bytes, setting: bytes) -> bytes:
    """The hash of a password by a setting, which may be a whole hash; empty if it cannot be made.

    Microseconds to seconds of CPU, as the setting says. Raises NoLibcrypt.
    """
    if len(password) >= LONGEST_PASSWORD or b"\0" in password:
        return b""
    library = _library()
    found = library.crypt_rn(password, setting, ctypes.create_string_buffer(DATA_BYTES), DATA_BYTES)
    return b"" if found is None else bytes(found)
