"""Statistics by day: under pseudonyms that nobody can resolve afterwards."""

from commonroom.audit.statistics import DAY, FEWEST, OTHER, Statistics
from commonroom.storage.memory import Memory, memory_stores
from tests.admin.registries import done


class Days:
    """Statistics whose clock a test sets, over a disk that survives a restart."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.stores = memory_stores(self.memory)
        self.day = 100
        self.restart()

    def restart(self) -> None:
        self.statistics = Statistics(
            self.stores.statistics, self.stores.secrets, lambda: self.day * DAY + 7, self._random, 30
        )

    def _random(self, size: int) -> bytes:
        return bytes((self.day,)) * size

    def tick(self, messages: int = 0, sessions: int = 0) -> None:
        done(self.statistics.tick({"messages": messages}, {"sessions": sessions}))

    def numbers(self, day: int) -> dict[str, int]:
        return {e.name: e.value for e in done(self.stores.statistics.load(0)) if e.day == day}


def test_nobody_counts_before_there_is_a_key() -> None:
    it = Days()
    it.statistics.visit("a@b", "client.example")
    it.tick()
    it.day += 1
    it.tick()
    assert "users" not in it.numbers(100)


def test_who_comes_twice_counts_once_also_after_a_restart() -> None:
    it = Days()
    it.tick()
    it.statistics.visit("a@b", "client.example")
    it.statistics.visit("a@b", "other.example")
    it.restart()
    it.tick()
    it.statistics.visit("a@b", "client.example")
    it.statistics.visit("c@d", "client.example")
    it.day += 1
    it.tick()
    assert it.numbers(100)["users"] == 2


def test_when_the_day_is_over_nobody_can_tell_who_was_here() -> None:
    it = Days()
    it.tick()
    it.statistics.visit("a@b", "client.example")
    (key,) = it.memory.secrets
    it.day += 1
    it.tick()
    assert key not in it.memory.secrets
    assert done(it.stores.statistics.visits(100)) == {}


def test_a_client_that_few_use_is_not_named() -> None:
    it = Days()
    it.tick()
    for number in range(FEWEST):
        it.statistics.visit(f"{number}@b", "client.example")
    it.statistics.visit("x@b", "xs-own-client.example")
    it.statistics.visit("y@b", "")
    it.day += 1
    it.tick()
    named = {name: value for name, value in it.numbers(100).items() if name.startswith("client ")}
    assert named == {"client client.example": FEWEST, f"client {OTHER}": 2}


def test_counters_add_up_over_a_restart_and_peaks_stay() -> None:
    it = Days()
    it.tick(messages=5, sessions=3)
    it.tick(messages=7, sessions=9)
    it.restart()
    it.tick(messages=2, sessions=1)
    assert it.numbers(100) == {"messages": 9, "peak sessions": 9}
    it.day += 1
    it.tick(messages=3, sessions=1)
    assert it.numbers(101) == {"messages": 1, "peak sessions": 1}


def test_numbers_are_forgotten_when_their_time_is_over() -> None:
    it = Days()
    it.tick(messages=5)
    it.day += 31
    it.tick(messages=5)
    assert it.numbers(100) == {}
