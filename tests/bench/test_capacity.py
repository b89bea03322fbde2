"""How many users a machine carries: the arithmetic."""

import pytest

from bench.capacity import (
    Carried,
    Costs,
    Habits,
    Machine,
    carried,
    costs,
    cpu_of_a_user,
    memory_of_a_user,
    section,
)

COST = Costs(
    message_us=100, copy_us=10, login_ms=2, reconnect_ms=1.5, connection_kib=50, base_mib=112, slowness=0.8
)
HABITS = Habits(devices=2, messages=10, stanzas=4, contacts=30, presences=5, logins=5)


def measured(**figures: float) -> dict[str, object]:
    """A scenario of the summary, with ours only."""
    return {"cases": {"a case": {"commonroom": {key: [value] * 3 for key, value in figures.items()}}}}


SUMMARY = {
    "rate": measured(cpu_us=100.0, slowness=0.8),
    "presence": measured(cpu_us=10.0),
    "large-roster": measured(cpu_ms=2.0),
    "reconnect": measured(cpu_ms=1.5),
    "idle": measured(kib=50.0),
    "startup": measured(mib=112.0),
}


def test_what_was_not_measured_is_not_estimated():
    assert costs({**SUMMARY, "idle": {"cases": {"a case": {"prosody": {"kib": [70, 70, 70]}}}}}) is None
    assert costs({}) is None
    assert list(section({})) == []


def test_a_service_that_does_not_fit_carries_nobody():
    assert carried(Machine(1, 0), COST, HABITS).users == 0


def test_the_dearest_case_counts():
    idle = measured(kib=40.0)
    idle["cases"] = {**measured(kib=40.0)["cases"], "later": measured(kib=45.0)["cases"]["a case"]}  # type: ignore[dict-item,index]
    found = costs({**SUMMARY, "idle": idle})
    assert found == COST._replace(connection_kib=45)


def test_a_message_goes_to_every_device_of_both():
    assert HABITS.deliveries == 10 * 4 * 3
    assert Habits(devices=1, messages=10, stanzas=1).deliveries == 10


def test_a_login_is_seen_by_every_device_of_every_contact():
    assert HABITS.copies == (5 + 3 * 5) * 30 * 2


def test_one_user_costs_messages_copies_and_logins():
    milliseconds = 120 * 0.1 + 1200 * 0.01 + 5 * 2
    assert cpu_of_a_user(COST, HABITS) == pytest.approx(milliseconds / 1000 / 3600)
    assert memory_of_a_user(COST, HABITS) == 100


def test_half_of_one_core_and_half_of_the_memory_are_used_and_the_rest_is_not():
    by_cpu, by_memory = 0.5 * 3600 / 0.034, (512 - 112) * 1024 / 100
    found = carried(Machine(1, 1), COST, HABITS)
    assert found == Carried(52_000, 4_000)
    assert found.by_cpu <= by_cpu < found.by_cpu + 1000
    assert found.by_memory <= by_memory < found.by_memory + 100
    assert (found.users, found.first) == (4_000, "memory")


def test_more_cores_carry_no_more():
    assert carried(Machine(16, 64), COST, HABITS).by_cpu == carried(Machine(1, 1), COST, HABITS).by_cpu
    assert carried(Machine(16, 64), COST, HABITS).first == "CPU"


def test_the_page_shows_the_arithmetic():
    text = "\n".join(section(SUMMARY, HABITS))
    assert "| 120 deliveries of a message, at the fixed rate, 0.1 ms each | 12.0 |" in text
    assert "| 1,200 copies of a presence, 0.01 ms each | 12.0 |" in text
    assert "| **one user** | **34.0** |" in text
    assert "0.9 % of a core for 1,000 users" in text
    assert "takes 1 ms; here it took 0.80 ms" in text
    assert "2 × 50.0 KiB = 100 KiB" in text
    assert "| 1 core, 1 GiB | 52,000 | 4,000 | **4,000** | memory | 12 s |" in text
    assert "| 4 cores, 8 GiB | 52,000 | 40,000 | **40,000** | memory | 120 s |" in text
