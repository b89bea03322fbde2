"""All scenarios, in the order of docs/performance.md."""

from bench.scenarios.chat import CHAT
from bench.scenarios.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (CHAT,)
