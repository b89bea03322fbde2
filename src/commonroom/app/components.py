"""Components put together: the domains that they own, and what their connections share."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from commonroom.app.composition import Core, parser_limits
from commonroom.config import Settings
from commonroom.core.components import Components
from commonroom.core.questions import Timer
from commonroom.net.component import ComponentDomain, ComponentService
from commonroom.net.limits import LARGE_PORTION, ConnectionLimits


def build_components(
    settings: Settings,
    core: Core,
    start: Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]],
    later: Callable[[float, Callable[[], None]], Timer],
    random: Callable[[int], bytes],
) -> ComponentService:
    """Give each component's domain its place in the router."""
    beside, router = core.components, core.router
    components = Components() if beside is None else beside.components
    domains = {
        name: ComponentDomain(name, each.secret, components)
        for name, each in settings.components.domains.items()
    }
    router.domains.update(domains)
    after = parser_limits(settings)
    before = replace(after, stanza_bytes=settings.limits.stanza_bytes_before_login)
    enter = router.enter if beside is None else beside.entities.enter
    return ComponentService(domains, before, after, enter, router.route, start, later, random)


def component_limits(settings: Settings) -> ConnectionLimits:
    """They are trusted, and are read as fast as they write."""
    return ConnectionLimits(
        linger=settings.c2s.linger, pending_bytes=settings.c2s.pending_bytes, portion=LARGE_PORTION
    )
