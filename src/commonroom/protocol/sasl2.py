"""XEP-0388: Extensible SASL Profile: to log in with few round trips, version 1.0.4."""

import re
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import NamedTuple

from commonroom.protocol import bind2, fast
from commonroom.protocol.c2s_host import Bound, Host, LoginDesk
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.fast import FastUse, Issued, Visit, read_fast
from commonroom.protocol.inline import Entry, Wishes
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import Exchange, Failure, Outcome, SaslCondition, SaslContext, Success, start
from commonroom.protocol.sasl.hashed_token import HashedToken
from commonroom.protocol.sasl.mechanism import (
    Candidate,
    WantsAccount,
    WantsKeys,
    WantsPasswordCheck,
    WantsTokens,
)
from commonroom.protocol.sasl.negotiation import Asking, SaslNegotiation, from_base64, to_base64
from commonroom.protocol.stream_management import FEATURE as MANAGEMENT
from commonroom.protocol.upgrades import Tasks, read_upgrades
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND2, NS_CLIENT, NS_FAST, NS_SASL, NS_SASL2
from commonroom.xml.serializer import serialize

NS_SM = MANAGEMENT.namespace

# The id of a client's installation (§2.3): a UUID, whose letters may have either case.
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What an exchange asks that knows whom it is about.
_NAMING = (WantsKeys, WantsPasswordCheck, WantsAccount, WantsTokens)
# What is kept of a client's description of itself, in characters.
LONGEST_DESCRIPTION = 100


class UserAgent(NamedTuple):
    """The client, as it describes itself to the owner of the account and to nobody else (§2.3)."""

    id: str | None = None
    software: str = ""
    device: str = ""


class Authenticate(NamedTuple):
    """An <authenticate/> (§2.3); `initial` is base 64."""

    mechanism: str
    initial: str | None
    agent: UserAgent
    fast: FastUse | None
    wants_token_for: str | None
    resume: Element | None
    bind: Element | None
    upgrades: tuple[str, ...]


class Sasl2Negotiation(SaslNegotiation):
    """Takes the client's elements until it is logged in, or the tries are used up.

    `claimed` is who the stream header says that it is. `fast` are the mechanisms for tokens, `upgrades` the
    tasks that were announced. `accept` hears
    of a success before the client does, `enter` is told how it went on: with which session, if any, and
    whether that is a former one.

    Deviation: what a client sends while the server looks something up is held, not a reason to disconnect it
    (§2.4): the server cannot know whether it was sent before or after what the client waits for. Whitespace
    between elements is not seen at all.
    """

    __slots__ = ("_claimed", "_enter", "_fast", "_request", "_sessions", "_tasks", "_upgrades")
    _request: Authenticate
    _host: LoginDesk

    namespace = NS_SASL2
    of_conditions = f" xmlns='{NS_SASL}'"

    def __init__(
        self,
        host: LoginDesk,
        context: SaslContext,
        tries: float,
        asking: Asking,
        accept: Callable[[JID, str], None],
        claimed: JID | None,
        fast: Collection[str],
        upgrades: Collection[str],
        sessions: Host,
        enter: Callable[[Bound | None, bool], None],
    ) -> None:
        super().__init__(host, context, tries, asking, accept)
        self._claimed = claimed
        self._fast = fast
        self._upgrades = upgrades
        self._sessions = sessions
        self._enter = enter
        self._tasks: Tasks | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether an exchange has begun and is not over; after <continue/> there is no other (§4.8)."""
        return self._exchange is not None or self._tasks is not None

    def receive(self, element: Element) -> None:
        """Take an element of this namespace. Raises StreamError: out of place, or no tries left."""
        if self._tasks is not None:
            self._tasks.receive(element)
        elif element.name == "authenticate" and self._exchange is None:
            self._authenticate(element)
        elif element.name == "response" and self._exchange is not None:
            self._hand_on(self._exchange, element.text())
        elif element.name == "abort" and self._exchange is not None:
            self._refuse(Failure(SaslCondition.ABORTED))
        else:
            raise StreamError(StreamCondition.NOT_AUTHORIZED, f"<{element.name}/> is not expected now")

    def _authenticate(self, element: Element) -> None:
        self._mechanism = "unknown"
        try:
            self._request = request = read_authenticate(element, self._upgrades)
        except ValueError:
            self._refuse(Failure(SaslCondition.MALFORMED_REQUEST))
            return
        name = request.mechanism
        is_by_token = name in self._fast and request.fast is not None
        if is_by_token or name in self._context.offered:
            self._mechanism = name
        self._exchange = HashedToken(name, self._context) if is_by_token else start(name, self._context)
        self._hand_on(self._exchange, request.initial)

    def _hand_on(self, exchange: Exchange, text: str | None) -> None:
        """An empty element is data of length zero, none is none (§2.2)."""
        try:
            data = None if text is None else from_base64(text)
        except ValueError:
            self._refuse(Failure(SaslCondition.INCORRECT_ENCODING))
            return
        self._conclude(exchange, exchange.receive(data))

    def _conclude(self, exchange: Exchange, outcome: Outcome) -> None:
        if isinstance(outcome, _NAMING) and self._is_another(outcome.username):
            self._refuse(Failure(SaslCondition.INVALID_AUTHZID, outcome.username))
        elif isinstance(outcome, WantsTokens):
            self._find_tokens(exchange, outcome)
        elif isinstance(outcome, Success):
            self._exchange = None
            self._upgrade(outcome)
        else:
            super()._conclude(exchange, outcome)

    def _is_another(self, username: str) -> bool:
        """Whether the stream's `from` is somebody else (§2.3, §4.4)."""
        return self._claimed not in (None, self._account(username))

    def _find_tokens(self, exchange: Exchange, outcome: WantsTokens) -> None:
        client = self._request.agent.id
        if client is None:  # tokens are a client's (XEP-0484 §4.1)
            self._refuse(Failure(SaslCondition.MALFORMED_REQUEST, outcome.username))
            return
        then = self._asking(partial(self._tokens_found, exchange))
        self._host.find_tokens(self._account(outcome.username), client, then)

    def _tokens_found(self, exchange: Exchange, found: tuple[Candidate, ...] | SaslCondition) -> None:
        if exchange is self._exchange:
            outcome = Failure(found) if isinstance(found, SaslCondition) else exchange.tokens(found)
            self._conclude(exchange, outcome)

    # §2.6.3: tasks

    def _upgrade(self, success: Success) -> None:
        """Before all else that follows a login (XEP-0480 §2.2); who has only a token proved no password."""
        chosen = self._request.upgrades
        account = self._account(success.username)
        assert account is not None  # whoever has keys, a password or a token has an address
        if not chosen or success.token is not None:
            self._settle(success)
            return
        done = partial(self._settle, success._replace(data=None))
        failed = partial(self._task_failed, account)
        self._tasks = Tasks(self._host, self._asking, self._context, account, chosen, done, failed)
        self._tasks.begin(success.data)

    def _task_failed(self, account: JID, condition: SaslCondition) -> None:
        """Nobody is logged in; that somebody had the right password is noted, whatever the reason."""
        if condition is SaslCondition.ABORTED:
            self._host.login_failed(account, condition, self._mechanism)
        self._refuse(Failure(condition, account.local))

    # §2.6.1: success

    def _settle(self, success: Success) -> None:
        """Note that the client was here, and give it a token: before anything is said, so that it is kept."""
        agent = self._request.agent
        account = self._account(success.username)
        assert account is not None  # whoever has keys, a password or a token has an address
        if agent.id is None:
            self._admit(success, None)
            return
        wants = self._request.wants_token_for
        use = self._request.fast or FastUse(None, False)
        visit = Visit(
            agent.id,
            agent.software,
            agent.device,
            success.token,
            use.counter,
            use.invalidate,
            wants if wants in self._fast else None,
        )
        self._host.settle_login(account, visit, self._asking(partial(self._settled, success)))

    def _settled(self, success: Success, issued: Issued | SaslCondition | None) -> None:
        if isinstance(issued, SaslCondition):
            self._refuse(Failure(issued, success.username))
        else:
            self._admit(success, issued)

    def _admit(self, success: Success, issued: Issued | None) -> None:
        account = self._account(success.username)
        assert account is not None
        self._accept(account, self._mechanism)
        request, context = self._request, self._context
        wish = None
        if request.bind is not None:
            wish = bind2.read_bind(
                request.bind, account, request.agent.id, context.fake_secret, context.random
            )
        wishes = Wishes(account, request.resume, wish)
        Entry(self._sessions, self._asking, wishes, partial(self._tell, success, issued)).begin()

    def _tell(
        self, success: Success, issued: Issued | None, session: Bound | None, results: Iterable[Element]
    ) -> None:
        """What became of the login and of what was asked for with it (§2.6.1)."""
        account = self._account(success.username)
        assert account is not None
        children = [
            Element(NS_SASL2, "authorization-identifier", None, account if session is None else session.jid),
            *results,
        ]
        if success.data is not None:
            children.insert(0, Element(NS_SASL2, "additional-data", None, to_base64(success.data)))
        if issued is not None:
            children.append(fast.token_element(issued))
        self._host.write(serialize(Element(NS_SASL2, "success", None, *children), NS_CLIENT))
        is_former = any(result.name == "resumed" for result in results)
        self._enter(session, is_former)


def read_authenticate(element: Element, upgrades: Collection[str]) -> Authenticate:
    """Raises ValueError for what cannot be understood, and for tasks that are not among the `upgrades`."""
    used = element.child(NS_FAST, "fast")
    wants = element.child(NS_FAST, "request-token")
    return Authenticate(
        element.get("mechanism", ""),
        element.child_text(NS_SASL2, "initial-response"),
        _read_agent(element.child(NS_SASL2, "user-agent")),
        None if used is None else read_fast(used),
        None if wants is None else wants.get("mechanism", ""),
        element.child(NS_SM, "resume"),
        element.child(NS_BIND2, "bind"),
        read_upgrades(element, upgrades),
    )


def _read_agent(element: Element | None) -> UserAgent:
    if element is None:
        return UserAgent()
    id = element.get("id")
    if id is not None and _UUID.fullmatch(id := id.lower()) is None:
        raise ValueError("a client's id is a UUID")
    software, device = (element.child_text(NS_SASL2, name) or "" for name in ("software", "device"))
    return UserAgent(id, software[:LONGEST_DESCRIPTION], device[:LONGEST_DESCRIPTION])
