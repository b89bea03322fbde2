"""The tables [devices], [client_state] and [push]: clients, and phones that nobody looks at all the time."""

# ruff: noqa: RUF009 (see schema.py)
from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from commonroom.config.kinds import Choice, Whole, duration
from commonroom.config.option import option


@dataclass(frozen=True, slots=True)
class Devices:
    """Clients that say which installation they are: what is kept of them, and the tokens with which they come
    back without a password (XEP-0388, XEP-0484). `commonroom session list` shows them."""

    known: int = option(
        Whole(1, 1000),
        50,
        "How many clients of an account are known. If there is one more, the one that was not seen for "
        "longest is forgotten, and needs the password again.",
    )
    token_lifetime: float = option(
        duration("0s", "365d"),
        "21d",
        "How long a client may stay away before it needs the password again. 0 gives no tokens.",
        example="90d",
    )
    token_rotation: float = option(
        duration("0s", "365d"),
        "1d",
        "How old a token becomes before a client that uses it is given a new one.",
        example="12h",
    )


@dataclass(frozen=True, slots=True)
class ClientState:
    """What is held back from clients that say that nobody looks at them, as phones do (XEP-0352)."""

    stanzas: int = option(
        Whole(0, 10_000),
        200,
        "How many changes of presence, chat states and the like are held for one client until something "
        "important comes, or somebody looks again; of each contact only the last is kept. One more, and all "
        "go out. 0 holds nothing.",
    )


class PushInclude(StrEnum):
    """What notifications tell of the last message."""

    NOTHING = "nothing"
    SENDER = "sender"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Push:
    """Notifications for phones whose client is not connected (XEP-0357). They pass through the maker of the
    client and of the phone, who can read them."""

    include: PushInclude = option(
        Choice(PushInclude),
        "nothing",
        "What a notification tells beside how many messages wait: `nothing`, the `sender` of the last one, "
        "or that and its `body`.",
        example="sender",
    )
    services: int = option(
        Whole(0, 100), 10, "How many clients of an account may have notifications sent. 0 sends none."
    )
