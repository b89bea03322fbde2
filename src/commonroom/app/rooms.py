"""Puts the services of rooms together: one for each domain that is served."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

from commonroom.admin.rooms import RoomAdmin
from commonroom.config import Settings
from commonroom.core.archive_pages import ArchivePages, PageLengths
from commonroom.core.nowhere import Nowhere
from commonroom.core.questions import Questions
from commonroom.core.router import Router
from commonroom.core.spread import Spread
from commonroom.core.surroundings import Surroundings
from commonroom.core.user import User
from commonroom.features.contact import contact_form
from commonroom.features.muc.avatar import RoomAvatars
from commonroom.features.muc.desk import RoomDesk
from commonroom.features.muc.directory import Directory
from commonroom.features.muc.limits import RoomGate
from commonroom.features.muc.making import Making, Terms
from commonroom.features.muc.opening import RoomStores
from commonroom.features.muc.policy import Groups, NamePolicy
from commonroom.features.muc.room_archive import RoomArchive
from commonroom.features.muc.search import Search
from commonroom.features.muc.service import Patience, RoomService
from commonroom.features.muc.tidying import Tidying
from commonroom.protocol.jid import JID
from commonroom.storage.ids import Ids
from commonroom.storage.interfaces import Stores

NAME = "Rooms"


def room_services(
    settings: Settings,
    stores: Stores,
    around: Surroundings,
    router: Router,
    questions: Questions,
    next_id: Callable[[], int],
    find: Callable[[JID], User | None],
    spread: Spread,
) -> tuple[RoomService, ...]:
    """Make them, and let the router know; none, where there are to be no rooms."""
    if not settings.rooms.enabled:
        return ()
    policy = name_policy(settings)
    is_online = partial(_is_online, find, frozenset(settings.domains))
    services = []
    for domain in settings.domains:
        address = room_domain(settings, domain)
        service = _service(
            address, settings, stores, around, router, questions, next_id, is_online, spread, policy
        )
        router.domains[address.domain] = service
        services.append(service)
    return tuple(services)


def make_declared(settings: Settings, services: Sequence[RoomService], around: Surroundings) -> None:
    """Make the rooms of the configuration that are not there yet, while the service starts."""
    for service in services if settings.rooms.declared else ():
        always = tuple(JID.of(name, service.domain.domain) for name in settings.rooms.declared)
        around.start(service.begin(always))


def room_domain(settings: Settings, domain: str) -> JID:
    """Where the rooms of a domain are."""
    return JID.of(None, f"{settings.rooms.prefix}.{domain}")


def members(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The members of each group, those in files as well; raises OSError."""
    found = {}
    for name, group in settings.rooms.groups.items():
        listed = [] if group.file is None else group.file.read_text(encoding="utf-8").splitlines()
        lines = (line.partition("#")[0].strip() for line in listed)
        found[name] = (*group.members, *(line for line in lines if line))
    return found


def tidying(
    settings: Settings, stores: Stores, around: Surroundings, services: Sequence[RoomService]
) -> list[Tidying]:
    """Who looks after the rooms that nobody uses."""
    rooms, policy = settings.rooms, name_policy(settings)
    return [
        Tidying(each, stores.rooms, policy, rooms.unused_notice, rooms.tombstone, around.now)
        for each in services
    ]


def name_policy(settings: Settings) -> NamePolicy:
    """The name space as it is configured; raises OSError for a group's file."""
    return NamePolicy(settings.rooms, Groups(members(settings)), frozenset(settings.domains))


def _service(
    address: JID,
    settings: Settings,
    stores: Stores,
    around: Surroundings,
    router: Router,
    questions: Questions,
    next_id: Callable[[], int],
    is_online: Callable[[JID], bool | None],
    spread: Spread,
    policy: NamePolicy,
) -> RoomService:
    rooms = settings.rooms
    making = Making(
        address,
        stores.rooms,
        policy,
        Terms(rooms.limits.owned, rooms.requests, tuple(rooms.declared)),
        around.random,
        next_id,
        around.now,
    )
    service = RoomService(
        address,
        RoomStores(stores.rooms, stores.archive, stores.writes),
        making,
        partial(RoomGate, rooms.limits),
        Patience(rooms.idle_ping_after, rooms.idle_ping_timeout, rooms.tombstone),
        around,
        router.tell,
        spread,
        questions,
        next_id,
        is_online,
    )
    service.connect(_desk(address, settings, stores, around, router, service))
    return service


def _desk(
    address: JID,
    settings: Settings,
    stores: Stores,
    around: Surroundings,
    router: Router,
    service: RoomService,
) -> RoomDesk:
    lengths = PageLengths(settings.archive.page, settings.archive.largest_page)
    directory = Directory(address.domain, stores.rooms, stores.writes, service.temporary)
    return RoomDesk(
        NAME,
        directory,
        Search(directory, service.occupants),
        RoomArchive(
            ArchivePages(stores.archive, stores.writes, lengths), router.tell, around.start, service.load
        ),
        RoomAvatars(stores.rooms, service.show, settings.rooms.limits.avatar_bytes),
        service.facts,
        router.route,
        service.tell,
        around.now,
        contact_form(asdict(settings.contact)),
    )


def _is_online(find: Callable[[JID], User | None], domains: frozenset[str], session: JID) -> bool | None:
    """Whether a client of ours is there, or may come back (XEP-0198 §5); None for one elsewhere."""
    if session.domain not in domains:
        return None
    user = find(session.bare)
    return user is not None and session.resource in user.sessions


def _nobody(account: JID) -> User | None:
    return None


async def rooms_at_rest(settings: Settings, stores: Stores, around: Surroundings) -> RoomAdmin:
    """The rooms of a service that is not running: nobody is there to be told anything."""
    router = Router(Nowhere(), stores.writes, around.start)
    ids = Ids(around.microseconds, await stores.archive.last_id())
    spread = Spread(_nobody, router.tell)
    services = room_services(
        settings, stores, around, router, Questions(around.later), ids.next, _nobody, spread
    )
    return RoomAdmin({service.domain.domain: service for service in services}, stores)
