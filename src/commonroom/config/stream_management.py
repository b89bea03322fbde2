"""The table [stream_management]: clients that acknowledge, and that come back to their session (XEP-0198)."""

from __future__ import annotations

from dataclasses import dataclass

from commonroom.config.kinds import Whole, duration, size
from commonroom.config.option import option


@dataclass(frozen=True, slots=True)
class StreamManagement:
    """Clients that acknowledge what they got, and can go on with their session after a lost connection."""

    resume_within: float = option(
        duration("0s", "1d"),
        "10m",
        "How long a session waits for a client that lost its connection; so long others see it online, and "
        "what comes for it waits in memory. 0 keeps none: clients log in anew.",
        example="1h",
    )
    stanzas: int = option(
        Whole(100, 100_000),
        2000,
        "How many stanzas may wait for one client's acknowledgement; one more, and its session ends. Its "
        "messages then go to the user's other clients, or wait.",
    )
    bytes: int = option(size("1 MiB", "1 GiB"), "4 MiB", "How large they may be together.", example="16 MiB")
