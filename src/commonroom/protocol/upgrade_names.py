"""XEP-0480 §2.1: the tasks by which an account gets keys for the hashes that it lacks."""

from collections.abc import Collection, Iterable

from commonroom.protocol.sasl import MECHANISMS
from commonroom.xml.element import Element

NS_UPGRADE = "urn:xmpp:sasl:upgrade:0"

_PREFIX = "UPGR-SCRAM-"
_HASHES = {name: name.removeprefix("SCRAM-").removesuffix("-PLUS") for name in MECHANISMS if "SCRAM" in name}


def usable(configured: Iterable[str], hashes: Collection[str]) -> tuple[str, ...]:
    """The mechanisms with which an account can log in that has keys for these hashes (XEP-0388 §2.1)."""
    return tuple(name for name in configured if _HASHES.get(name) in (None, *hashes))


def upgrades(configured: Collection[str], hashes: Collection[str]) -> tuple[str, ...]:
    """The tasks for the hashes that it lacks, strongest first; never with -PLUS (XEP-0480 §3)."""
    lacking = [hash_name for name, hash_name in _HASHES.items() if name in configured]
    return tuple(dict.fromkeys(_PREFIX + name for name in lacking if name not in hashes))


def hash_of(task: str) -> str:
    """The hash for which a task wants keys."""
    return task.removeprefix(_PREFIX)


def announced(tasks: Iterable[str]) -> list[Element]:
    """What a stream says of them."""
    return [Element(NS_UPGRADE, "upgrade", None, task) for task in tasks]
