"""All scenarios, in the order of docs/performance.md."""

from bench.scenarios.archived import ARCHIVED
from bench.scenarios.chat import CHAT
from bench.scenarios.churn import CHURN
from bench.scenarios.history import HISTORY
from bench.scenarios.idle import IDLE
from bench.scenarios.idle_domains import IDLE_DOMAINS
from bench.scenarios.large_roster import LARGE_ROSTER
from bench.scenarios.listed import LISTED
from bench.scenarios.login import LOGIN
from bench.scenarios.managed import MANAGED
from bench.scenarios.presence import PRESENCE_COPIES
from bench.scenarios.rate import RATE
from bench.scenarios.reconnect import RECONNECT
from bench.scenarios.rooms import DISCUSSION, ENTERING
from bench.scenarios.s2s import S2S
from bench.scenarios.scenario import Scenario
from bench.scenarios.startup import STARTUP
from bench.scenarios.token import BY_TOKEN
from bench.scenarios.waiting import WAITING

SCENARIOS: tuple[Scenario, ...] = (
    CHAT,
    RATE,
    S2S,
    MANAGED,
    ARCHIVED,
    HISTORY,
    PRESENCE_COPIES,
    DISCUSSION,
    ENTERING,
    LOGIN,
    BY_TOKEN,
    RECONNECT,
    LISTED,
    LARGE_ROSTER,
    IDLE,
    IDLE_DOMAINS,
    WAITING,
    CHURN,
    STARTUP,
)
