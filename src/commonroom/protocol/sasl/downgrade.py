"""XEP-0474: SASL SCRAM Downgrade Protection: a digest of what was offered, version 0.5.0."""

import hashlib
from collections.abc import Collection, Mapping

from commonroom.protocol.sasl.scram_keys import DIGESTS, to_base64

# Neither can occur in XML (XEP-0474 §8).
BETWEEN_NAMES = "\x1e"
BETWEEN_LISTS = "\x1f"


def protection(mechanisms: Collection[str], channel_bindings: Collection[str]) -> Mapping[str, str]:
    """The attribute `h` of the server-first-message, for each hash of a mechanism (XEP-0474 §6.1).

    `channel_bindings` are those that were announced (XEP-0440).
    """
    text = BETWEEN_NAMES.join(sorted(mechanisms))
    if channel_bindings:
        text += BETWEEN_LISTS + BETWEEN_NAMES.join(sorted(channel_bindings))
    offered = text.encode()
    return {name: to_base64(hashlib.new(digest, offered).digest()) for name, digest in DIGESTS.items()}
