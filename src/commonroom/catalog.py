"""Every feature, one line each, with what it is handed; within one stage of a message, in this order."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from commonroom import __version__
from commonroom.accounts.devices import Devices
from commonroom.audit.log import AuditLog
from commonroom.audit.statistics import Statistics
from commonroom.config import Settings
from commonroom.core.archive_pages import ArchivePages, PageLengths
from commonroom.core.clients import Clients
from commonroom.core.delegations import Delegations
from commonroom.core.delivery import Delivery
from commonroom.core.feature import Feature
from commonroom.core.holding import OfflineQuota, Outlet
from commonroom.core.iq import Route
from commonroom.core.questions import Questions
from commonroom.core.resumption import Resumption
from commonroom.core.rosters import Rosters
from commonroom.core.signs import SignsOfLife
from commonroom.core.subscription import Subscriptions
from commonroom.core.surroundings import Surroundings
from commonroom.core.user import User
from commonroom.features.ad_hoc import AdHoc, Commands
from commonroom.features.archive import Archive
from commonroom.features.archive_preferences import ArchivingPreferences
from commonroom.features.archive_queries import ArchiveQueries
from commonroom.features.carbons import Carbons
from commonroom.features.client_access import ClientAccess
from commonroom.features.client_state import ClientState
from commonroom.features.contact import Contact
from commonroom.features.delay import Postmarks
from commonroom.features.disco import Disco
from commonroom.features.duplicates import Duplicates, Keepers
from commonroom.features.last_activity import LastActivity
from commonroom.features.muc.service import RoomService
from commonroom.features.muc.sessions import RoomSessions
from commonroom.features.offline import Offline, is_worth_keeping
from commonroom.features.ping import Ping
from commonroom.features.private_storage import PrivateStorage
from commonroom.features.push import Include, Outside, Push, PushPolicy
from commonroom.features.records import MessageRecords, SessionRecords, Visits
from commonroom.features.registration import ClosedRegistration
from commonroom.features.repetitions import Repetitions
from commonroom.features.retraction import Retraction
from commonroom.features.roster import RosterQueries
from commonroom.features.session_establishment import SessionEstablishment
from commonroom.features.stanza_ids import StanzaIds
from commonroom.features.stream_management import StreamManagement, Terms
from commonroom.features.time import EntityTime
from commonroom.features.version import Version
from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import Stores
from commonroom.storage.records import ArchiveDefault

# Names this software in the capabilities of the service (XEP-0115 §4).
CAPS_NODE = "https://commonroom.example/caps"


@dataclass(frozen=True, slots=True)
class Parts:
    """What features are made of; each is given only what it uses. `next_id` gives the ids of messages.

    `of_components` are those that are for programs beside the service, if there are any.
    """

    settings: Settings
    stores: Stores
    questions: Questions
    rosters: Rosters
    subscriptions: Subscriptions
    signs: SignsOfLife
    resumption: Resumption
    mail_comes: Callable[[JID], None]
    around: Surroundings
    next_id: Callable[[], int]
    find: Callable[[JID], User | None]
    route: Route
    devices: Devices
    clients: Clients
    commands: Commands
    audit: AuditLog
    statistics: Statistics
    rooms: tuple[RoomService, ...]
    of_components: tuple[Feature, ...]
    delegations: Delegations | None


def features(parts: Parts) -> list[Feature]:
    """Make them all."""
    settings, stores = parts.settings, parts.stores
    registration = settings.registration
    offline = _offline(parts)
    archive = _archive(parts, offline)
    duplicates = _duplicates(parts, offline, archive)
    ad_hoc = AdHoc(parts.commands, parts.around.now, parts.around.random)
    return [
        parts.subscriptions,
        RosterQueries(parts.rosters, parts.subscriptions, settings.roster),
        Delivery(),
        _stream_management(parts, duplicates),
        duplicates,
        offline,
        Postmarks(frozenset(settings.domains)),
        *_archiving(parts, offline, archive),
        _repetitions(parts, offline),
        Carbons(),
        ClientState(settings.client_state.stanzas),
        ClientAccess(parts.devices, parts.clients),
        _push(parts),
        SessionRecords(parts.audit),
        MessageRecords(parts.audit),
        *([Visits(parts.statistics)] if settings.records.statistics else []),
        ad_hoc,
        *parts.of_components,
        Disco(CAPS_NODE, _services(parts), ad_hoc, delegations=parts.delegations),
        RoomSessions(parts.rooms),
        Contact(asdict(settings.contact)),
        Ping(),
        Version("Common Room", __version__),
        EntityTime(parts.around.now),
        LastActivity(stores.last_activity, stores.writes, parts.around.now),
        PrivateStorage(stores.private, stores.writes, settings.private_storage.bytes),
        ClosedRegistration(registration.instructions, registration.password_page or ""),
        SessionEstablishment(),
    ]


def _services(parts: Parts) -> dict[str, list[JID]]:
    """What each domain names beside itself: the rooms that are below it."""
    services = [service.domain for service in parts.rooms]
    return {
        name: [service for service in services if service.domain.endswith(f".{name}")]
        for name in parts.settings.domains
    }


def _offline(parts: Parts) -> Offline:
    stores, settings = parts.stores, parts.settings.offline
    quota = OfflineQuota(settings.messages, settings.bytes)
    outlet = Outlet(parts.route, parts.around.start, parts.around.later)
    return Offline(
        stores.offline,
        stores.writes,
        parts.signs,
        quota,
        parts.mail_comes,
        parts.next_id,
        parts.resumption.waits_for,
        outlet,
    )


def _stream_management(parts: Parts, duplicates: Duplicates) -> Feature:
    settings, resumption = parts.settings.stream_management, parts.resumption
    terms = Terms(int(settings.resume_within), settings.stanzas, settings.bytes)
    return StreamManagement(
        terms,
        parts.stores.writes,
        lambda: parts.around.random(18).hex(),
        duplicates.watch,
        resumption.keep,
        resumption.closed,
        parts.around.later,
    )


def _push(parts: Parts) -> Push:
    stores, settings = parts.stores, parts.settings.push
    policy = PushPolicy(Include(settings.include.value), settings.services)
    around = parts.around
    outside = Outside(around.start, around.later, parts.find, parts.route)
    return Push(stores.pushes, stores.offline, stores.writes, parts.questions, policy, outside)


def _duplicates(parts: Parts, offline: Offline, archive: Archive) -> Duplicates:
    stores, around = parts.stores, parts.around
    keepers = Keepers(archive.keeps_sent, is_worth_keeping)
    domains = frozenset(parts.settings.domains)
    return Duplicates(stores.archive, stores.writes, offline, keepers, domains, around.now, around.later)


def _repetitions(parts: Parts, offline: Offline) -> Repetitions:
    stores = parts.stores
    return Repetitions(stores.archive, stores.writes, offline, parts.next_id(), parts.around.now)


def _archive(parts: Parts, offline: Offline) -> Archive:
    default = ArchiveDefault(parts.settings.archive.default.value)
    return Archive(parts.stores.archive, parts.next_id, default, offline.check_room)


def _archiving(parts: Parts, offline: Offline, archive: Archive) -> list[Feature]:
    """What is retracted is looked for before the retraction itself is archived."""
    settings, stores = parts.settings.archive, parts.stores
    default = ArchiveDefault(settings.default.value)
    lengths = PageLengths(settings.page, settings.largest_page)
    return [
        StanzaIds(frozenset(parts.settings.domains)),
        Retraction(stores.archive, stores.writes, parts.around.now),
        archive,
        ArchiveQueries(
            ArchivePages(stores.archive, stores.writes, lengths), parts.around.start, offline.read
        ),
        ArchivingPreferences(stores.preferences, stores.writes, default, settings.rules),
    ]
