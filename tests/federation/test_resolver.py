"""RFC 6120 §3.2, XEP-0368: where servers are, by what DNS says and does not say."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import dns.rdata
import pytest

from commonroom.config import ListenAddress
from commonroom.federation.lookup import MOST_RECORDS, REMEMBERED, Dns, Memory, Records, UnansweredError
from commonroom.federation.resolver import NoServerError, Plan, Record, Resolver, Target, dns_name, in_order
from tests.lab.nameserver import Nameserver

PLAIN, DIRECT = "_xmpp-server._tcp.", "_xmpps-server._tcp."


class Zone:
    """What DNS says; what is in `broken` gets no answer."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.broken: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.secure = False
        self.ttl = 300.0

    def put(self, name: str, kind: str, *values: str) -> "Zone":
        self.records[name, kind] = list(values)
        return self

    async def __call__(self, name: str, kind: str) -> Records:
        self.asked[name] += 1
        if name in self.broken:
            raise UnansweredError(f"DNS gave no answer about {name}")
        found = self.records.get((name, kind), [])
        return Records(tuple(dns.rdata.from_text("IN", kind, each) for each in found), self.ttl, self.secure)


def locate(zone: Zone, domain: str = "example.net", random: Callable[[], float] = lambda: 0.5) -> Plan:
    return asyncio.run(Resolver(zone, random).locate(domain))


def not_found(zone: Zone, domain: str = "example.net") -> NoServerError:
    with pytest.raises(NoServerError) as caught:
        locate(zone, domain)
    return caught.value


# SRV


def test_rfc6120_3_2_2_without_srv_records_it_is_the_domain_itself():
    assert locate(Zone()).targets == (Target("example.net", 5269, False),)


def test_rfc6120_3_2_1_a_target_of_the_root_is_no_service():
    error = not_found(Zone().put(f"{PLAIN}example.net", "SRV", "0 0 0 ."))
    assert error.lasts
    assert "no XMPP server" in str(error)


def test_xep0368_5_no_direct_tls_is_not_no_service():
    zone = Zone().put(f"{DIRECT}example.net", "SRV", "0 0 0 .")
    assert not_found(zone).lasts
    zone.put(f"{PLAIN}example.net", "SRV", "0 0 5269 xmpp.example.net.")
    assert locate(zone).targets == (Target("xmpp.example.net", 5269, False),)


def test_xep0368_5_no_direct_tls_and_no_answer_about_the_other_is_not_no_service():
    zone = Zone().put(f"{DIRECT}example.net", "SRV", "0 0 0 .")
    zone.broken = {f"{PLAIN}example.net"}
    error = not_found(zone)
    assert (str(error), error.lasts) == (f"DNS gave no answer about {PLAIN}example.net", False)


def test_xep0368_3_both_services_are_one_list_by_priority():
    zone = Zone()
    zone.put(f"{PLAIN}example.net", "SRV", "10 0 5269 b.example.net.", "30 0 5269 d.example.net.")
    zone.put(f"{DIRECT}example.net", "SRV", "5 0 5270 a.example.net.", "20 0 443 c.example.net.")
    assert locate(zone).targets == (
        Target("a.example.net", 5270, True),
        Target("b.example.net", 5269, False),
        Target("c.example.net", 443, True),
        Target("d.example.net", 5269, False),
    )


def test_rfc2782_weights_share_the_load():
    records = [Record(0, weight, Target(str(weight), 1, False)) for weight in (10, 30, 60)]
    first = Counter(in_order(records, (n / 1000).__abs__)[0].host for n in range(1, 1000))
    assert (first["10"], first["30"], first["60"]) == (100, 300, 599)


def test_rfc2782_every_record_is_tried_once():
    records = [Record(0, 0, Target(name, 1, False)) for name in "abc"] + [Record(0, 5, Target("d", 1, False))]
    for chance in (0.0, 0.3, 0.999):
        assert sorted(each.host for each in in_order(records, chance.__abs__)) == ["a", "b", "c", "d"]


def test_the_number_of_servers_is_bounded():
    values = [f"0 0 5269 h{number}.example.net." for number in range(50)]
    assert len(locate(Zone().put(f"{PLAIN}example.net", "SRV", *values)).targets) == 8


def test_rfc6120_3_2_1_without_an_answer_the_fallback_is_tried():
    zone = Zone()
    zone.broken = {f"{PLAIN}example.net", f"{DIRECT}example.net"}
    assert locate(zone).targets == (Target("example.net", 5269, False),)


# Names


def test_idna_names_are_asked_for_in_ascii():
    zone = Zone().put(f"{PLAIN}xn--bcher-kva.example", "SRV", "0 0 5269 x.example.")
    assert locate(zone, "bücher.example").targets == (Target("x.example", 5269, False),)


@pytest.mark.parametrize("domain", ["192.0.2.1", "[2001:db8::1]"])
def test_rfc6120_3_2_an_address_is_not_asked_for(domain: str):
    zone = Zone()
    assert locate(zone, domain).targets == (Target(domain.strip("[]"), 5269, False),)
    assert not zone.asked


@pytest.mark.parametrize("domain", ["a" * 64 + ".example", "a..b", ".".join(["abcdefgh"] * 40), ""])
def test_a_domain_that_dns_cannot_have_is_not_asked_for(domain: str):
    with pytest.raises(NoServerError):
        dns_name(domain)


def test_rfc6120_3_2_3_the_operator_knows_better():
    target = Target("xmpp.internal", 5270, True)
    zone = Zone()
    plan = asyncio.run(Resolver(zone, lambda: 0, {"example.net": target}).locate("example.net"))
    assert plan.targets == (target,)
    assert not zone.asked


# Addresses


def addresses(zone: Zone, host: str = "x.example") -> list[str]:
    return asyncio.run(Resolver(zone, lambda: 0).addresses(host))


def test_rfc8305_both_families_take_turns():
    zone = Zone().put("x.example", "A", "192.0.2.1", "192.0.2.2")
    zone.put("x.example", "AAAA", "2001:db8::1")
    assert addresses(zone) == ["2001:db8::1", "192.0.2.1", "192.0.2.2"]


def test_a_host_without_addresses_is_not_there():
    with pytest.raises(NoServerError) as caught:
        addresses(Zone())
    assert caught.value.lasts


def test_a_host_that_nobody_can_tell_of_may_be_there():
    zone = Zone()
    zone.broken = {"x.example"}
    with pytest.raises(NoServerError) as caught:
        addresses(zone)
    assert not caught.value.lasts


def test_rfc7673_dane_counts_only_where_dnssec_does():
    zone = Zone().put("_5269._tcp.x.example", "TLSA", "3 1 1 " + "ab" * 32)
    for zone.secure in (False, True):
        found = asyncio.run(Resolver(zone, lambda: 0).tlsa(Target("x.example", 5269, False)))
        assert len(found) == zone.secure


# What is remembered


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def start(work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    return asyncio.ensure_future(work)


def test_answers_are_kept_for_their_time():
    zone, clock = Zone().put("x.example", "A", "192.0.2.1"), Clock()

    async def run() -> list[int]:
        memory, counts = Memory(zone, clock, start), []
        for clock.now in (0, 299, 301):
            await memory("x.example", "A")
            counts.append(zone.asked["x.example"])
        return counts

    assert asyncio.run(run()) == [1, 1, 2]


def test_that_there_is_nothing_is_kept_for_less_and_failures_for_the_least():
    zone, clock = Zone(), Clock()
    zone.ttl = 60
    zone.broken = {"broken.example"}

    async def run() -> None:
        memory = Memory(zone, clock, start)
        for clock.now in (0, 19, 21, 59, 61):
            await memory("x.example", "A")
            with pytest.raises(UnansweredError):
                await memory("broken.example", "A")

    asyncio.run(run())
    assert (zone.asked["x.example"], zone.asked["broken.example"]) == (2, 3)


def test_what_many_want_is_asked_once():
    zone = Zone().put("x.example", "A", "192.0.2.1")

    async def run() -> None:
        memory = Memory(zone, Clock(), start)
        await asyncio.gather(*(memory("X.example", "A") for _ in range(100)))

    asyncio.run(run())
    assert zone.asked["x.example"] == 1


def test_what_is_too_old_is_forgotten_with_what_comes_next():
    zone, clock = Zone(), Clock()
    zone.ttl = 60

    async def run() -> list[int]:
        memory, sizes = Memory(zone, clock, start), []
        for clock.now in (0, 30, 61, 200):
            for number in range(10):
                await memory(f"d{number}-{clock.now}.example", "A")
            sizes.append(len(memory))
        return sizes

    assert asyncio.run(run()) == [10, 20, 20, 10]


def test_of_too_many_answers_the_oldest_are_forgotten():
    zone = Zone()

    async def run() -> int:
        memory = Memory(zone, Clock(), start)
        for number in range(REMEMBERED + 1):
            await memory(f"d{number}.example", "A")
        await memory("d1.example", "A")
        await memory("d0.example", "A")
        return len(memory)

    assert asyncio.run(run()) == REMEMBERED
    assert (zone.asked["d0.example"], zone.asked["d1.example"]) == (2, 1)


def test_a_failure_that_is_kept_is_raised_anew_each_time():
    zone = Zone()
    zone.broken = {"broken.example"}

    async def run() -> None:
        memory, raised = Memory(zone, Clock(), start), []
        for _ in range(3):
            with pytest.raises(UnansweredError, match=r"broken\.example") as caught:
                await memory("broken.example", "A")
            raised.append(caught.value)
        assert len({id(each) for each in raised}) == 3

    asyncio.run(run())


def test_who_waits_no_longer_takes_the_answer_from_nobody_else():
    zone = Zone().put("x.example", "A", "192.0.2.1")

    async def run() -> int:
        memory = Memory(zone, Clock(), start)
        impatient, patient = (asyncio.ensure_future(memory("x.example", "A")) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        return len((await patient).found)

    assert asyncio.run(run()) == 1


# dnspython


def ask(nameserver: Nameserver, name: str, kind: str, validates: bool = False) -> Records:
    async def run() -> Records:
        return await Dns([ListenAddress(*nameserver.address)], validates)(name, kind)

    return asyncio.run(run())


def test_dns_is_asked_at_the_address_that_is_configured():
    nameserver = Nameserver().start()
    try:
        nameserver.service("example.net", 5270, host="xmpp.example.net")
        (record,) = ask(nameserver, f"{PLAIN}example.net", "SRV").found
        assert record.to_text() == "10 0 5270 xmpp.example.net."
        assert ask(nameserver, "nothing.example.net", "A").found == ()
        assert ask(nameserver, "nowhere.example", "A").found == ()
        nameserver.broken.add("broken.example")
        with pytest.raises(UnansweredError, match="SERVFAIL"):
            ask(nameserver, "broken.example", "A")
    finally:
        nameserver.close()


def test_of_very_many_records_only_the_first_are_kept():
    nameserver = Nameserver().start()
    try:
        nameserver.put("many.example", "A", *(f"192.0.2.{number}" for number in range(200)))
        assert len(ask(nameserver, "many.example", "A").found) == MOST_RECORDS
    finally:
        nameserver.close()


def test_that_an_answer_was_validated_counts_only_if_the_operator_says_so():
    nameserver = Nameserver().start()
    try:
        nameserver.validated = True
        assert not ask(nameserver, "localhost", "A").secure
        assert ask(nameserver, "localhost", "A", validates=True).secure
        nameserver.validated = False
        assert not ask(nameserver, "localhost", "A", validates=True).secure
    finally:
        nameserver.close()
