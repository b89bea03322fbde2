"""Every feature, one line each, with what it is handed; within one stage of a message, in this order."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from commonroom import __version__
from commonroom.config import Settings
from commonroom.core.delivery import Delivery
from commonroom.core.feature import Feature
from commonroom.core.questions import Questions
from commonroom.core.rosters import Rosters
from commonroom.core.subscription import Subscriptions
from commonroom.features.contact import Contact
from commonroom.features.delay import Postmarks
from commonroom.features.disco import Disco
from commonroom.features.last_activity import LastActivity
from commonroom.features.offline import Offline, OfflineQuota
from commonroom.features.ping import Ping
from commonroom.features.private_storage import PrivateStorage
from commonroom.features.registration import ClosedRegistration
from commonroom.features.roster import RosterQueries
from commonroom.features.session_establishment import SessionEstablishment
from commonroom.features.time import EntityTime
from commonroom.features.version import Version
from commonroom.storage.interfaces import Stores

# Names this software in the capabilities of the service (XEP-0115 §4).
CAPS_NODE = "https://commonroom.example/caps"


@dataclass(frozen=True, slots=True)
class Parts:
    """What features are made of; each is given only what it uses. `now` gives an aware datetime."""

    settings: Settings
    stores: Stores
    questions: Questions
    rosters: Rosters
    subscriptions: Subscriptions
    now: Callable[[], datetime]


def features(parts: Parts) -> list[Feature]:
    """Make them all."""
    settings, stores = parts.settings, parts.stores
    registration = settings.registration
    quota = OfflineQuota(settings.offline.messages, settings.offline.bytes)
    return [
        parts.subscriptions,
        RosterQueries(parts.rosters, parts.subscriptions, settings.roster),
        Delivery(),
        Offline(stores.offline, stores.writes, parts.questions, quota, parts.now),
        Postmarks(frozenset(settings.domains)),
        Disco(CAPS_NODE),
        Contact(asdict(settings.contact)),
        Ping(),
        Version("Common Room", __version__),
        EntityTime(parts.now),
        LastActivity(stores.last_activity, stores.writes, parts.now),
        PrivateStorage(stores.private, stores.writes, settings.private_storage.bytes),
        ClosedRegistration(registration.instructions, registration.password_page or ""),
        SessionEstablishment(),
    ]
