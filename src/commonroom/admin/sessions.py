"""Operations on sessions: who is connected, and ending that."""

from dataclasses import dataclass
from typing import Annotated

from commonroom.admin.errors import BadAddress, NoSuchSession
from commonroom.admin.live import Live, SessionFacts
from commonroom.admin.operation import Arg, Form, operation
from commonroom.admin.registry import Registry, served
from commonroom.admin.scopes import Scope
from commonroom.core.session import Session
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID, InvalidJID

LARGEST_PAGE = 1000
FullOrBare = Annotated[
    str, Arg("The address of an account, or with its resource of one session.", Form.ADDRESS, "accountjids")
]


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Some of the sessions, by address; `next` is what to ask for those behind, None if there are none."""

    sessions: tuple[SessionFacts, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """How many sessions were ended."""

    sessions: int


@operation(
    "session list",
    Scope.SESSIONS_READ,
    "List who is connected, by address.",
    "--domain example.org",
)
async def list_sessions(
    live: Live,
    registry: Registry,
    domain: Annotated[str | None, Arg("Only the accounts of this domain.", Form.DOMAIN)] = None,
    after: Annotated[str | None, Arg("Those behind this address: the `next` of another page.")] = None,
    limit: Annotated[int, Arg(f"How many, {LARGEST_PAGE} at most.")] = LARGEST_PAGE,
) -> SessionPage:
    """Sorting all of them takes 10 ms for 10,000. Raises BadAddress for a domain that is not served."""
    if domain is not None:
        served(registry, domain)
    limit = max(1, min(limit, LARGEST_PAGE))
    wanted = sorted(
        (
            session
            for session in live.sessions()
            if (domain is None or session.jid.domain == domain) and (after is None or session.jid > after)
        ),
        key=lambda session: session.jid,
    )
    seen = live.connections()
    page = tuple(live.facts(session, seen.get(session)) for session in wanted[:limit])
    return SessionPage(page, str(page[-1].address) if len(wanted) > limit else None)


@operation(
    "session show", Scope.SESSIONS_READ, "Show the sessions of an account, or one.", "alice@example.org"
)
async def show_sessions(live: Live, address: FullOrBare) -> tuple[SessionFacts, ...]:
    """Raises BadAddress or NoSuchSession."""
    seen = live.connections()
    return tuple(live.facts(session, seen.get(session)) for session in _found(live, address))


@operation(
    "session kick",
    Scope.SESSIONS_WRITE,
    "End the sessions of an account, or one.",
    "alice@example.org/phone",
    "end-user-session",
)
async def kick(
    live: Live,
    address: FullOrBare,
    reason: Annotated[str, Arg("What the client is told.")] = "an operator has ended this session",
) -> Ended:
    """The client hears `policy-violation` (RFC 6120 §4.9.3.14). Raises BadAddress or NoSuchSession."""
    found = _found(live, address)
    for session in found:
        session.end(StreamError(StreamCondition.POLICY_VIOLATION, reason))
    return Ended(len(found))


def _found(live: Live, address: str) -> list[Session]:
    try:
        jid = JID.parse(address)
    except InvalidJID as error:
        raise BadAddress(f"{address}: this is not an address: {error}") from None
    found = live.sessions_of(jid)
    if not found:
        raise NoSuchSession(f"{jid}: nobody is connected there")
    return found
