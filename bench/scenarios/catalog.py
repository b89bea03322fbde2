"""All scenarios, in the order of docs/performance.md."""

from bench.scenarios.chat import CHAT
from bench.scenarios.churn import CHURN
from bench.scenarios.idle import IDLE
from bench.scenarios.large_roster import LARGE_ROSTER
from bench.scenarios.login import LOGIN
from bench.scenarios.presence import PRESENCE_COPIES
from bench.scenarios.rate import RATE
from bench.scenarios.reconnect import RECONNECT
from bench.scenarios.scenario import Scenario
from bench.scenarios.startup import STARTUP

SCENARIOS: tuple[Scenario, ...] = (
    CHAT,
    RATE,
    PRESENCE_COPIES,
    LOGIN,
    RECONNECT,
    LARGE_ROSTER,
    IDLE,
    CHURN,
    STARTUP,
)
