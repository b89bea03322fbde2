"""XEP-0480: SASL Upgrade Tasks: a client that has the password gives more keys, version 0.2.0."""

from collections.abc import Callable, Collection, Iterable
from enum import Enum, auto

from commonroom.protocol.c2s_host import LoginDesk
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import SaslCondition, SaslContext
from commonroom.protocol.sasl.negotiation import Asking, from_base64, to_base64
from commonroom.protocol.sasl.scram_keys import SALT_BYTES, keys_of_salted
from commonroom.protocol.upgrade_names import NS_UPGRADE, hash_of
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_SASL2
from commonroom.xml.serializer import serialize

NS_SCRAM_UPGRADE = "urn:xmpp:scram-upgrade:0"


class _Stage(Enum):
    OFFERED = auto()  # the client has <continue/>
    SALTED = auto()  # it has the salt
    OVER = auto()


class Tasks:
    """What a client chose to do between its login and <success/>, one task after another (XEP-0480 §2.2).

    Ends by calling `done`, or `failed` with the reason; then the stream takes no login any more. `data` is
    what the mechanism has to say at its end, and goes out with the first <continue/> (XEP-0388 §2.6.3).
    """

    __slots__ = (
        "_account",
        "_asking",
        "_context",
        "_desk",
        "_done",
        "_failed",
        "_left",
        "_salt",
        "_stage",
    )

    def __init__(
        self,
        desk: LoginDesk,
        asking: Asking,
        context: SaslContext,
        account: JID,
        chosen: Iterable[str],
        done: Callable[[], None],
        failed: Callable[[SaslCondition], None],
    ) -> None:
        self._desk = desk
        self._asking = asking
        self._context = context
        self._account = account
        self._left = list(chosen)
        self._done = done
        self._failed = failed
        self._salt = b""
        self._stage = _Stage.OVER

    def begin(self, data: bytes | None) -> None:
        """Ask for the first task."""
        task = Element(NS_SASL2, "task", None, self._left[0])
        children = [Element(NS_SASL2, "tasks", None, task)]
        if data is not None:
            children.insert(0, Element(NS_SASL2, "additional-data", None, to_base64(data)))
        self._stage = _Stage.OFFERED
        self._write(Element(NS_SASL2, "continue", None, *children))

    def receive(self, element: Element) -> None:
        """Take an element of XEP-0388. Raises StreamError for what has no place here (XEP-0388 §4.8)."""
        stage, self._stage = self._stage, _Stage.OVER
        if stage is _Stage.OVER or element.name not in ("abort", _EXPECTED[stage]):
            raise StreamError(StreamCondition.NOT_AUTHORIZED, f"<{element.name}/> is not expected now")
        if element.name == "abort":
            self._failed(SaslCondition.ABORTED)
        elif stage is _Stage.OFFERED:
            self._next(element.get("task", ""))
        else:
            self._take_hash(element)

    def _next(self, task: str) -> None:
        """The client begins; it has no choice but the one task that it was offered (XEP-0480 §2.2)."""
        if task != self._left[0]:
            self._failed(SaslCondition.INVALID_MECHANISM)
            return
        # Deviation: a hash that is sent blindly, with this element, is taken, because bytes do not tell what
        # their sender had seen (XEP-0388 §2.4). It fits no password, and harms its owner only.
        self._salt = self._context.random(SALT_BYTES)
        self._stage = _Stage.SALTED
        iterations = {"iterations": str(self._context.iterations)}
        salt = Element(NS_SCRAM_UPGRADE, "salt", iterations, to_base64(self._salt))
        self._write(Element(NS_SASL2, "task-data", None, salt))

    def _take_hash(self, data: Element) -> None:
        """The SaltedPassword of RFC 5802 §3, from which the keys are made (XEP-0480 §3)."""
        given = data.only_child()
        if given is None or (given.namespace, given.name) != (NS_SCRAM_UPGRADE, "hash"):
            self._failed(SaslCondition.MALFORMED_REQUEST)
            return
        try:
            salted = from_base64(given.text().strip())  # the schema's type is base64Binary (XEP-0480 §8)
        except ValueError:
            self._failed(SaslCondition.INCORRECT_ENCODING)
            return
        name = hash_of(self._left[0])
        try:
            keys = keys_of_salted(salted, name, self._salt, self._context.iterations)
        except ValueError:
            self._failed(SaslCondition.MALFORMED_REQUEST)
            return
        self._desk.add_keys(self._account, keys, self._asking(self._kept))

    def _kept(self, failure: SaslCondition | None) -> None:
        """It is on disk, or cannot be put there."""
        if failure is not None:
            self._failed(failure)
            return
        del self._left[0]
        if self._left:
            self.begin(None)
        else:
            self._done()

    def _write(self, element: Element) -> None:
        self._desk.write(serialize(element, NS_CLIENT))


_EXPECTED = {_Stage.OFFERED: "next", _Stage.SALTED: "task-data"}


def read_upgrades(element: Element, announced: Collection[str]) -> tuple[str, ...]:
    """The tasks that an <authenticate/> asks for, in its order (XEP-0480 §2.2).

    Raises ValueError for one that was not announced, or is asked for twice.
    """
    found = [child.text() for child in element.elements() if _is_upgrade(child)]
    if len(set(found)) != len(found) or not set(found) <= set(announced):
        raise ValueError("a task that was not announced, or one twice")
    return tuple(found)


def _is_upgrade(element: Element) -> bool:
    return (element.namespace, element.name) == (NS_UPGRADE, "upgrade")
