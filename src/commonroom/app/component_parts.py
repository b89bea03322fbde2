"""What components may do with accounts, put together: as the operator has written it (XEP-0355, XEP-0356)."""

from collections import defaultdict
from typing import NamedTuple

from commonroom.config import Settings
from commonroom.config.components import AllowedMessages, Component
from commonroom.core.components import Attendant, Components
from commonroom.core.delegations import Delegations
from commonroom.core.feature import Feature
from commonroom.core.questions import Questions
from commonroom.core.router import Router
from commonroom.core.surroundings import Surroundings
from commonroom.core.users import Users
from commonroom.features.delegation import NamespaceDelegation
from commonroom.features.privileged_entity import Accounts, PrivilegedEntities
from commonroom.features.privileged_presence import PrivilegedPresence
from commonroom.protocol.delegation import Delegation
from commonroom.protocol.jid import JID
from commonroom.protocol.privileges import Access, Grant, PresenceAccess


class ComponentParts(NamedTuple):
    """`delegations` is None where nothing is delegated."""

    entities: PrivilegedEntities
    presence: PrivilegedPresence
    delegations: Delegations | None
    features: tuple[Feature, ...]
    components: Components


def component_parts(
    settings: Settings, users: Users, router: Router, questions: Questions, around: Surroundings
) -> ComponentParts | None:
    """None where there are no components."""
    if not settings.components.domains:
        return None
    grants = tuple(_grant(name, each, settings) for name, each in settings.components.domains.items())
    accounts = Accounts(users.find, users.load, frozenset(settings.domains))
    entities = PrivilegedEntities(grants, accounts, router, questions, around.start)
    presence = PrivilegedPresence(grants, users, around.start, around.later)
    features: list[Feature] = [entities, presence]
    attendants: list[Attendant] = [entities, presence]
    delegations = None
    table = _table(settings)
    if table:
        delegations = Delegations(table, questions, router.tell)
        announcing = NamespaceDelegation(delegations)
        features.append(announcing)
        attendants.append(announcing)
    return ComponentParts(entities, presence, delegations, tuple(features), Components(attendants))


def _grant(name: str, component: Component, settings: Settings) -> Grant:
    allowed = component.privileges
    return Grant(
        JID.of(None, name),
        frozenset(component.managed(name, settings.domains)),
        Access(allowed.roster.value),
        allowed.pushes,
        allowed.message is AllowedMessages.OUTGOING,
        {namespace: Access(requests.allow.value) for namespace, requests in allowed.iq.items()},
        PresenceAccess(allowed.presence.value),
    )


def _table(settings: Settings) -> dict[str, dict[str, Delegation]]:
    table: dict[str, dict[str, Delegation]] = defaultdict(dict)
    for name, component in settings.components.domains.items():
        for domain in component.managed(name, settings.domains):
            for namespace, delegated in component.delegations.items():
                entity = JID.of(None, name)
                table[domain][namespace] = Delegation(namespace, delegated.attributes, entity)
    return dict(table)
