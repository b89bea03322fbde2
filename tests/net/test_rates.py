"""RFC 6120 §13.12: what a domain may send is measured over all its streams together."""

from commonroom.config.federation import FederatedDomain, Federation
from commonroom.federation.policy import Policies
from commonroom.net.rates import REMEMBERED, Allowance, Allowances, Rate

RATE = Rate(stanzas=10, stanza_burst=20, size=1000, byte_burst=5000)


def test_nothing_is_read_until_what_was_too_much_has_grown_again() -> None:
    allowance = Allowance(RATE, 0.0)
    allowance.stanzas -= 25
    assert allowance.wait(0.0) == 0.5
    assert allowance.wait(0.4) == 0.1
    allowance.size -= 7000
    assert allowance.wait(0.5) == 1.9


def test_a_burst_does_not_grow_without_end() -> None:
    allowance = Allowance(RATE, 0.0)
    assert allowance.wait(1_000_000.0) == 0.0
    assert (allowance.stanzas, allowance.size) == (20, 5000)


def test_a_stream_that_comes_after_another_finds_what_that_one_left() -> None:
    allowances = Allowances(lambda _: RATE, lambda: 0.0)
    allowances.of("example.net").stanzas -= 30
    assert allowances.of("example.net").stanzas == -10
    assert allowances.of("example.com").stanzas == 20


def test_of_domains_that_come_and_go_the_oldest_are_forgotten() -> None:
    allowances = Allowances(lambda _: RATE, lambda: 0.0)
    allowances.of("first.example").stanzas = 0
    allowances.of("second.example").stanzas = 0
    for number in range(REMEMBERED - 2):
        allowances.of(f"d{number}.example")
    assert allowances.of("first.example").stanzas == 0
    allowances.of("one-more.example")
    assert allowances.of("second.example").stanzas == 20
    assert allowances.of("first.example").stanzas == 0


def test_a_domain_has_the_rate_of_its_table_and_a_burst_in_proportion() -> None:
    settings = Federation(
        stanzas_per_second=100,
        stanza_burst=500,
        bytes_per_second=1_000_000,
        byte_burst=4_000_000,
        domains={
            "slow.example": FederatedDomain(stanzas_per_second=10, bytes_per_second=1024),
            "fast.example": FederatedDomain(bytes_per_second=2_000_000),
        },
    )
    policies = Policies(settings)
    assert policies.of("example.com").rate == Rate(100, 500, 1_000_000, 4_000_000)
    assert policies.of("slow.example").rate == Rate(10, 50, 1024, 10_000)
    assert policies.of("rooms.fast.example").rate == Rate(100, 500, 2_000_000, 8_000_000)
