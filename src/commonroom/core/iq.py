"""RFC 6120 §8.2.3 and §10.3.3: who answers an IQ that is for the server or for an account."""

from collections.abc import Awaitable, Callable
from typing import Any

from commonroom.core.feature import ANSWERED, IqHandler, IqKey, Reply, Scope
from commonroom.protocol.errors import StanzaError, feature_not_implemented, service_unavailable
from commonroom.protocol.stanza import Iq, Stanza
from commonroom.xml.element import Element

Route = Callable[[Stanza], Awaitable[None] | None]


class IqHandlers:
    """Finds the one handler, calls it, and sends its answer."""

    def __init__(self, table: dict[IqKey, IqHandler], route: Route) -> None:
        self._table = table
        self._route = route
        self._namespaces = {(scope, namespace) for scope, _, namespace, _ in table}

    def handle(self, iq: Iq, scope: Scope, at: Any) -> Awaitable[None] | None:
        """Answer a request (`at` is what the scope's handlers are given); results and errors end here.

        Raises service-unavailable for a namespace that nobody here knows, feature-not-implemented for a
        request that its namespace does not have (RFC 6120 §8.3.3.3, §8.3.3.19).
        """
        if not iq.is_request:
            return None
        request = iq.request()
        handler = self._table.get((scope, iq.type, request.namespace, request.name))
        if handler is None:
            raise self._unknown(scope, request.namespace)
        reply = handler(iq, at)
        if reply is None or reply is ANSWERED or isinstance(reply, Element):
            return self._answer(iq, reply)
        return self._answer_later(iq, reply)

    def _unknown(self, scope: Scope, namespace: str) -> StanzaError:
        """At other accounts always the same, as if there were none (RFC 6121 §8.5.1)."""
        known = scope is not Scope.ACCOUNT and (scope, namespace) in self._namespaces
        return feature_not_implemented() if known else service_unavailable()

    def _answer(self, iq: Iq, reply: Reply) -> Awaitable[None] | None:
        return None if reply is ANSWERED else self._route(iq.result(reply))

    async def _answer_later(self, iq: Iq, reply: Awaitable[Reply]) -> None:
        waiting = self._answer(iq, await reply)
        if waiting is not None:
            await waiting
