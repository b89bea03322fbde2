"""Operations on the tokens of the HTTP API; what is kept is a digest, so nobody can read one again."""

import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated

from commonroom.admin.desk import Caller
from commonroom.admin.errors import BadArgument, NoSuchToken, NotAllowed, TokenExists
from commonroom.admin.operation import Arg, operation
from commonroom.admin.registry import Registry
from commonroom.admin.scopes import Scope
from commonroom.storage.records import ApiToken

PREFIX = "crt_"  # so that tools that look for secrets in files know it
TOKEN_BYTES = 32
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
LONGEST_DAYS = 3650

Name = Annotated[str, Arg("What the token is called: letters, digits, and . _ -")]


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token, which is told once."""

    name: str
    token: str
    scopes: tuple[Scope, ...]
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What is known of a token."""

    name: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None


@operation(
    "token add",
    Scope.TOKENS_WRITE,
    "Make a token for the HTTP API; it is told once.",
    "monitoring --scope metrics:read",
)
async def add_token(
    registry: Registry,
    caller: Caller,
    name: Name,
    scopes: Annotated[tuple[Scope, ...], Arg("What its holder may do.")],
    days: Annotated[int | None, Arg("How long it lives; if not given, until it is removed.")] = None,
) -> NewToken:
    """Nobody gives more than they have. Raises BadArgument, NotAllowed or TokenExists."""
    if not NAME.fullmatch(name):
        raise BadArgument("name: write 1 to 64 letters, digits, and . _ -")
    if not scopes:
        raise BadArgument(f"scopes: name at least one of: {', '.join(Scope)}")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise BadArgument(f"days: write a number from 1 to {LONGEST_DAYS}")
    if beyond := [scope for scope in scopes if scope not in caller.scopes]:
        raise NotAllowed(f"{caller.name} lacks {', '.join(beyond)}, and cannot give what it lacks")
    if any(token.name == name for token in await registry.stores.tokens.load()):
        raise TokenExists(f"{name}: there is such a token; remove it first, or choose another name")
    secret = PREFIX + urlsafe_b64encode(registry.random(TOKEN_BYTES)).decode().rstrip("=")
    now = registry.now()
    expires = None if days is None else now + timedelta(days=days)
    before = registry.stores.writes.appended
    registry.stores.tokens.put(ApiToken(name, digest(secret), tuple(scopes), now, expires))
    await registry.stores.writes.flushed(before)
    return NewToken(name, secret, scopes, expires)


@operation("token list", Scope.TOKENS_WRITE, "List the tokens of the HTTP API.")
async def list_tokens(registry: Registry) -> tuple[TokenFacts, ...]:
    """By name."""
    known = await registry.stores.tokens.load()
    return tuple(TokenFacts(each.name, each.scopes, each.created, each.expires) for each in known)


@operation(
    "token remove", Scope.TOKENS_WRITE, "Forget a token of the HTTP API: it counts no more.", "monitoring"
)
async def remove_token(registry: Registry, name: Name) -> None:
    """Raises NoSuchToken."""
    if not any(token.name == name for token in await registry.stores.tokens.load()):
        raise NoSuchToken(f"{name}: there is no such token; `commonroom token list` names them")
    before = registry.stores.writes.appended
    registry.stores.tokens.remove(name)
    await registry.stores.writes.flushed(before)


def digest(secret: str) -> bytes:
    """What is kept of a token. It has 256 random bits: to hash it slowly would protect nothing more."""
    return sha256(secret.encode()).digest()


async def caller_of(registry: Registry, secret: str) -> ApiToken | None:
    """The token, if it counts now."""
    found = await registry.stores.tokens.find(digest(secret))
    if found is None or (found.expires is not None and found.expires <= registry.now()):
        return None
    return found
