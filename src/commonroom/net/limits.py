"""RFC 6120 §13.12: who may connect, what one connection may use, and why it is not read at the moment."""

from dataclasses import dataclass
from enum import Flag
from math import inf
from typing import Protocol

# Bytes that are read at once from a client, so that others have their turn; from a server or a component,
# which speaks for many, a whole record of TLS (RFC 8446 §5.1): what is read together goes out together.
PORTION = 4096
LARGE_PORTION = 16 * 1024
# Seconds: to a server is written at most so often, while there is more and more to write. What comes alone
# goes out at once.
BEAT = 0.001


class Gate(Protocol):
    """Who may connect (RFC 6120 §13.12)."""

    def enter(self, host: str) -> bool:
        """Count a connection from the IP address; False if there is no room for it."""

    def leave(self, host: str) -> None:
        """Forget one that entered."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may use; times in seconds. See `[c2s]` in docs/configuration.md.

    `portion`: how much of it is read in one turn of the loop. `beat`: how long a turn's output waits for that
    of others, if there was some just now.
    """

    linger: float = 2.0
    handshake_timeout: float = 30.0
    bytes_per_second: float = inf
    byte_burst: float = inf
    pending_bytes: int = 4 * 1024 * 1024
    portion: int = PORTION
    beat: float = 0.0


class Pause(Flag):
    """Why nothing is read at the moment; reading goes on when no reason is left."""

    NONE = 0
    RATE = 1  # bytes
    STANZAS = 2  # the handler's own rate
    PARKED = 4  # the handler is busy with what it has
    UNSENT = 8  # the peer does not take what it is sent
