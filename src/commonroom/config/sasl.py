"""The table [sasl]: logging in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from commonroom.config.kinds import Choice, ListOf, Whole, duration
from commonroom.config.option import Key, option


class Mechanism(StrEnum):
    """A SASL mechanism by the name that it has in the protocol."""

    SCRAM_SHA_512_PLUS = "SCRAM-SHA-512-PLUS"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    SCRAM_SHA_256_PLUS = "SCRAM-SHA-256-PLUS"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_1_PLUS = "SCRAM-SHA-1-PLUS"
    SCRAM_SHA_1 = "SCRAM-SHA-1"
    PLAIN = "PLAIN"


@dataclass(frozen=True, slots=True)
class Sasl:
    """Logging in."""

    mechanisms: tuple[Mechanism, ...] = option(
        ListOf(Choice(Mechanism), minimum=1),
        list(Mechanism),
        "The ways of logging in that are offered. SCRAM never shows the password to the server, and with "
        "-PLUS it notices somebody in between; PLAIN sends the password inside TLS. RFC 6120 §13.8.1 demands "
        "that servers support SCRAM-SHA-1: some clients know nothing newer.",
        example=["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"],
        live=True,
    )
    iterations: int = option(
        Whole(4096, 1_000_000),
        4096,
        "How often SCRAM hashes a password; RFC 5802 §5.1 allows no less than the default. More makes a "
        "stolen database harder to use, and each login slower, on phones above all. It counts for passwords "
        "that are set from now on.",
        example=10_000,
    )
    tries_per_stream: int = option(
        Whole(3, 6),
        5,
        "How often a client may try to log in before it is disconnected (RFC 6120 §6.4.5 asks for two to "
        "five tries after the first).",
        live=True,
    )
    delay_first: float = option(
        duration("0s", "1m"),
        "1s",
        "How long the answer to a failed login is delayed. Each further failure doubles it.",
        example="500ms",
    )
    delay_longest: float = option(
        duration("0s", "10m"), "30s", "The longest that this delay becomes.", example="1m"
    )

    def faults(self) -> Iterator[tuple[Key, str]]:
        """The delay grows."""
        if self.delay_longest < self.delay_first:
            yield ("delay_longest",), "it is shorter than sasl.delay_first; write a longer duration"
