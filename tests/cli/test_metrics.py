"""Metrics, health and readiness over HTTP, and the record of who asked for what."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from commonroom.federation.advice import ADVICE

from .commands import run, worked
from .operated import free_ports, online, operated

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


class Api:
    """The HTTP API of a running service."""

    def __init__(self, config: Path, port: int) -> None:
        self.config = config
        self.port = port

    def get(self, path: str, token: str | None = None) -> tuple[int, str]:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    port, servers, components, free = free_ports(4)
    more = f"""
[api]
listen = ['127.0.0.1:{port}']
[records]
messages = '1d'
[federation]
enabled = true
listen = ['127.0.0.1:{servers}']
listen_direct_tls = []
nameservers = ['127.0.0.1:{free}']
connect_timeout = '1s'
[components]
listen = ['127.0.0.1:{components}']
domains = {{ "irc.localhost" = {{ secret = "a long secret of ours" }} }}
[accounts.files.people]
passwords = ['passwd']
"""
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "passwd").write_text("dora:!\nedgar:!\n")
    with operated(folder, more) as (config, _):
        yield Api(config, port)


def token(api: Api, name: str, *scopes: str) -> str:
    options = [word for scope in scopes for word in ("--scope", scope)]
    made: str = json.loads(worked(run("token", "add", name, *options, "--json", "-c", api.config)))["token"]
    return made


def found_by(api: Api, tag: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        worked(run("audit", "find", "--tag", tag, "--json", "-c", api.config))
    )
    return found


def test_metrics_are_for_who_has_the_scope(api: Api) -> None:
    assert api.get("/metrics")[0] == 401
    assert api.get("/metrics", token(api, "other", "accounts:read"))[0] == 403


def test_metrics_are_what_prometheus_reads(api: Api) -> None:
    with online(api.config) as alice:
        alice.send("<message to='alice@localhost'><body>hello</body></message>")
        alice.expect("hello")
        status, text = api.get("/metrics", token(api, "metrics", "metrics:read"))
    assert status == 200
    found = {family.name: family for family in text_string_to_metric_families(text)}
    values = {sample.name: sample.value for family in found.values() for sample in family.samples}
    assert (
        values["commonroom_sessions"] == values["commonroom_connections"] == values["commonroom_ready"] == 1
    )
    kinds = {sample.labels["kind"]: sample.value for sample in found["commonroom_stanzas"].samples}
    assert kinds["message"] == 1
    assert values["commonroom_commit_seconds_count"] > 0
    assert values["commonroom_memory_bytes"] > 10_000_000
    (expiry,) = found["commonroom_certificate_expiry_seconds"].samples
    assert expiry.value > 1_700_000_000
    assert all(family.documentation for family in found.values())


def measured(api: Api, name: str) -> dict[tuple[str, ...], float]:
    """The values of a metric by those of its labels."""
    _, text = api.get("/metrics", token(api, f"m-{time.monotonic_ns()}", "metrics:read"))
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    return {tuple(each.labels.values()): each.value for each in samples if each.name == f"commonroom_{name}"}


def test_the_operators_page_names_every_metric_and_its_alarms_use_no_other(api: Api) -> None:
    _, text = api.get("/metrics", token(api, "page", "metrics:read"))
    there = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    page = PAGE.read_text().partition("## Monitoring")[2].partition("\n## ")[0]
    metrics, _, alarms = page.partition("```yaml")
    named = {f"commonroom_{each}" for each in re.findall(r"(?:`|, `)([a-z_]+)(?:\{[a-z,]+\})?`", metrics)}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in there}
    assert {each.removesuffix("_created") for each in shown} <= named
    used = {each.removesuffix("_bucket") for each in re.findall(r"commonroom_[a-z_]+", alarms)}
    assert len(used) > 10
    assert used <= named


def test_rooms_and_who_is_in_them_are_measured(api: Api) -> None:
    assert measured(api, "room_occupants") == {("group.localhost",): 0}
    with online(api.config) as alice:
        alice.send(
            "<presence to='chess@group.localhost/Alice'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        )
        alice.expect("code='201'")
        assert measured(api, "rooms") == measured(api, "room_occupants") == {("group.localhost",): 1}


def test_account_files_are_measured(api: Api) -> None:
    wanted = {("in force",): 1.0, ("held",): 0.0, ("unreadable",): 0.0}
    until(lambda: measured(api, "account_files") == wanted)
    assert measured(api, "account_files_accounts") == {(): 2}
    file = api.config.parent / "passwd"
    before = file.read_text()
    file.rename(file.with_suffix(".away"))
    until(lambda: measured(api, "account_files")[("unreadable",)] == 1)
    assert measured(api, "account_files_accounts") == {}
    file.with_suffix(".away").rename(file)
    assert file.read_text() == before
    until(lambda: measured(api, "account_files") == wanted)


def test_components_are_measured_those_that_are_not_here_as_well(api: Api) -> None:
    assert measured(api, "component_connections") == {("irc.localhost",): 0}


def test_what_fails_with_other_servers_is_counted_by_a_reason_of_a_fixed_list(api: Api) -> None:
    assert measured(api, "server_streams") == {("in",): 0, ("out",): 0}
    with online(api.config) as alice:
        for name in ("one", "two"):
            alice.send(f"<message to='a@{name}.example'><body>hello</body></message>")
        until(lambda: sum(measured(api, "server_failures_total").values()) == 2)
    kinds = {kind for kind, _, _ in ADVICE}
    assert all(reason in kinds for _, reason in measured(api, "server_failures_total"))
    assert measured(api, "server_queue_stanzas") == measured(api, "server_queue_largest_stanzas") == {(): 0}


def test_what_waits_is_measured(api: Api) -> None:
    assert measured(api, "queue_length").keys() == {("writes",), ("reads",), ("password checks",)}


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_who_watches_sees_whether_it_lives_and_lets_people_in(api: Api) -> None:
    assert api.get("/health") == (200, "alive\n")
    assert api.get("/ready") == (200, "ready\n")


def test_what_an_operator_reads_is_recorded_with_the_way(api: Api) -> None:
    worked(run("user", "show", "alice@localhost", "-c", api.config))
    found = json.loads(worked(run("audit", "find", "--who", "alice@localhost", "--json", "-c", api.config)))
    shown = next(each for each in found if each["tag"] == "operator:user:show")
    assert (shown["peer"], shown["facts"]["way"], shown["facts"]["outcome"]) == (
        "alice@localhost",
        "socket",
        "done",
    )
    again = found_by(api, "operator:audit:find")
    assert again[0]["facts"]["who"] == "alice@localhost"


def test_log_ins_and_messages_can_be_found(api: Api) -> None:
    def tags() -> set[str]:
        found = json.loads(worked(run("audit", "find", "--limit", "1000", "--json", "-c", api.config)))
        return {each["tag"] for each in found}

    with online(api.config) as alice:
        alice.send("<message to='alice@localhost' type='chat'><body>a secret</body></message>")
        alice.expect("a secret")
    for _ in range(50):
        if {"auth:login:succeeded", "session:client:ended", "message:chat:sent"} <= tags():
            break
        time.sleep(0.1)  # they are gathered for a second
    else:
        raise AssertionError(tags())
    assert b"a secret" not in run("audit", "find", "--json", "-c", api.config).stdout_bytes


def test_a_read_that_is_refused_is_recorded(api: Api) -> None:
    secret = token(api, "nosy", "accounts:read")
    request = urllib.request.Request(
        f"http://127.0.0.1:{api.port}/v1/audit/find",
        b"{}",
        {"authorization": f"Bearer {secret}", "content-type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    refused.value.close()
    found = found_by(api, "operator:audit:find")
    assert ("token nosy", "not-allowed") in {(each["who"], each["facts"]["outcome"]) for each in found}
