"""RFC 4422 and RFC 6120 §6: the server's side of SASL, as values in and values out.

A mechanism is a file that ends in a `Mechanism`, and an entry in `MECHANISMS`. Hosts import from here.
"""

from collections.abc import Sequence

from commonroom.protocol.sasl.external import EXTERNAL
from commonroom.protocol.sasl.mechanism import (
    Challenge,
    Exchange,
    Failure,
    Mechanism,
    Outcome,
    SaslCondition,
    SaslContext,
    Success,
    WantsAccount,
    WantsKeys,
    WantsPasswordCheck,
    WantsTokens,
)
from commonroom.protocol.sasl.plain import PLAIN
from commonroom.protocol.sasl.scram import SCRAM

__all__ = [
    "MECHANISMS",
    "Challenge",
    "Exchange",
    "Failure",
    "Mechanism",
    "Outcome",
    "SaslCondition",
    "SaslContext",
    "Success",
    "WantsAccount",
    "WantsKeys",
    "WantsPasswordCheck",
    "WantsTokens",
    "offered",
    "start",
]

MECHANISMS = {mechanism.name: mechanism for mechanism in (*SCRAM, PLAIN)}
"""All that can be configured, strongest first (RFC 6120 §6.3.3). EXTERNAL depends on the client alone."""


class _Refused(Exchange):
    """An exchange that cannot take place."""

    __slots__ = ("_condition",)

    def __init__(self, condition: SaslCondition) -> None:
        self._condition = condition

    def receive(self, data: bytes | None) -> Outcome:
        return Failure(self._condition)


def offered(
    encrypted: bool,
    channel_binding_types: Sequence[str],
    configured: Sequence[str],
    certified: bool = False,
) -> tuple[str, ...]:
    """List what to offer on a stream, strongest first (RFC 6120 §6.4.1).

    PLAIN only under encryption (RFC 6120 §13.8.3), -PLUS only where the channel can be bound to
    (RFC 5802 §6), EXTERNAL to those with a certificate (RFC 6120 §6.3.4). Configured names that are not in
    `MECHANISMS` are the configuration's to refuse.
    """
    names = tuple(
        name
        for name, mechanism in MECHANISMS.items()
        if name in configured
        and (encrypted or not mechanism.needs_encryption)
        and (channel_binding_types or not mechanism.needs_channel_binding)
    )
    return (EXTERNAL.name, *names) if certified and encrypted else names


def start(mechanism: str, context: SaslContext) -> Exchange:
    """Begin an exchange; one that is refused answers the first message with the reason (RFC 6120 §6.5)."""
    found = EXTERNAL if mechanism == EXTERNAL.name else MECHANISMS.get(mechanism)
    if found is not None and found.needs_encryption and not context.encrypted:
        return _Refused(SaslCondition.ENCRYPTION_REQUIRED)
    if found is None or mechanism not in context.offered:
        return _Refused(SaslCondition.INVALID_MECHANISM)
    return found.begin(context)
