"""Components put together: the domains that they own, and what their connections share."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from commonroom.app.composition import Core, parser_limits
from commonroom.config import Settings
from commonroom.net.component import ComponentDomain, ComponentService
from commonroom.net.limits import LARGE_PORTION, ConnectionLimits


def build_components(
    settings: Settings, core: Core, start: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]
) -> ComponentService:
    """Give each component's domain its place in the router."""
    domains = {name: ComponentDomain(name, each.secret) for name, each in settings.components.domains.items()}
    core.router.domains.update(domains)
    after = parser_limits(settings)
    before = replace(after, stanza_bytes=settings.limits.stanza_bytes_before_login)
    later = asyncio.get_running_loop().call_later
    router = core.router
    return ComponentService(
        domains, before, after, router.enter, router.route, start, later, secrets.token_bytes
    )


def component_limits(settings: Settings) -> ConnectionLimits:
    """They are trusted, and are read as fast as they write."""
    return ConnectionLimits(
        linger=settings.c2s.linger, pending_bytes=settings.c2s.pending_bytes, portion=LARGE_PORTION
    )
