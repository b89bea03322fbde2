"""How many files a service may have open: each connection is one."""

import resource

from commonroom.config import Settings

# Besides connections: the database, the log, listeners; and some air.
OTHERS = 200


def wanted(settings: Settings) -> int:
    """As many as the configuration allows connections, and some."""
    return settings.c2s.connections + OTHERS


def possible(count: int) -> int:
    """How many the system lets this process have, of so many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return count if most == resource.RLIM_INFINITY else min(count, most)


def allow(count: int) -> int:
    """Take what is possible: systems begin with 1024. Gives how many files can be open now."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now == resource.RLIM_INFINITY:
        return count
    if now < possible(count):
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible(count), most))
    return max(now, possible(count))
