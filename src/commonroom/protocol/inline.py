"""XEP-0388 §2.6.1, XEP-0198 §9: what a client asks for with its login, done in order once it is logged in."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from commonroom.protocol.bind2 import BindRequest, bound
from commonroom.protocol.c2s_host import Bound, Host
from commonroom.protocol.errors import StanzaError, StreamError
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.negotiation import Asking
from commonroom.protocol.stream_management import Resume, failed, read_resume, resumed
from commonroom.xml.element import Element


class Wishes(NamedTuple):
    """What was asked for; <resume/> as it came."""

    account: JID
    resume: Element | None
    bind: BindRequest | None


class Entry:
    """A former session, or else a new one. Ends by calling `done` with it, if there is one, and the results.

    If no resource can be bound, the client is logged in all the same: it may bind as RFC 6120 §7 has it, and
    will be told then what is wrong.
    """

    __slots__ = ("_asking", "_done", "_host", "_results", "_wishes")

    def __init__(
        self,
        host: Host,
        asking: Asking,
        wishes: Wishes,
        done: Callable[[Bound | None, list[Element]], None],
    ) -> None:
        self._host = host
        self._asking = asking
        self._wishes = wishes
        self._done = done
        self._results: list[Element] = []

    def begin(self) -> None:
        """To resume comes first (XEP-0198 §9.2)."""
        if self._wishes.resume is None:
            self._bind()
            return
        try:
            wish = read_resume(self._wishes.resume)
        except StanzaError as error:
            self._not_resumed(error, None)
            return
        then = self._asking(partial(self._resumed, wish))
        self._host.resume_session(self._wishes.account, wish, lambda *answer: then(answer))

    def _resumed(self, wish: Resume, reply: tuple[Bound | StanzaError | StreamError, int | None]) -> None:
        answer, handled = reply
        if isinstance(answer, StreamError):
            raise answer
        if isinstance(answer, StanzaError):
            self._not_resumed(answer, handled)
            return
        self._results.append(resumed(wish.previous, handled or 0))
        self._done(answer, self._results)

    def _not_resumed(self, error: StanzaError, handled: int | None) -> None:
        """The client is told, and gets a new session if it asked for one (XEP-0198 §9.2.1)."""
        self._results.append(failed(error, handled))
        self._bind()

    def _bind(self) -> None:
        if self._wishes.bind is None:
            self._done(None, self._results)
            return
        then = self._asking(self._bound)
        self._host.bind_inline(self._wishes.account, self._wishes.bind, lambda *answer: then(answer))

    def _bound(self, reply: tuple[Bound | StanzaError, tuple[Element, ...]]) -> None:
        session, answers = reply
        if isinstance(session, StanzaError):
            self._done(None, self._results)
            return
        self._results.append(bound(answers))
        self._done(session, self._results)
