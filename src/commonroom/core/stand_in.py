"""XEP-0356: a session of an account, held for a component that does something in its name."""

from commonroom.core.session import Session, Spawn, Submit
from commonroom.core.user import User
from commonroom.protocol.errors import StreamError
from commonroom.protocol.jid import JID


class _NoStream:
    """There is no client."""

    closed = True

    def write(self, xml: str) -> None:
        """Nobody reads it."""

    def fail(self, error: StreamError) -> None:
        """It has ended already."""

    def give_up(self) -> None:
        """It has ended already."""

    def pause(self) -> None:
        """Nothing is read."""

    def resume(self) -> None:
        """Nothing is read."""


NO_STREAM = _NoStream()


class StandIn(Session):
    """It has the account's own address, is none of its resources, and is closed from the beginning: nothing
    is delivered to it, and whoever keeps sessions does not keep this one.

    `entity` is the component.
    """

    __slots__ = ("entity",)

    def __init__(self, user: User, entity: JID, submit: Submit, spawn: Spawn) -> None:
        super().__init__(user.jid, user, NO_STREAM, submit, spawn, _expect_nothing)
        self.closed = True
        self.entity = entity


def _expect_nothing(session: Session) -> None:
    """It is sent nothing."""
