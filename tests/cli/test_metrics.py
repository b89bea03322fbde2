"""Metrics, health and readiness over HTTP, and the record of who asked for what."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from .commands import run, worked
from .operated import free_ports, online, operated


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
    (port,) = free_ports(1)
    more = f"[api]\nlisten = ['127.0.0.1:{port}']\n[records]\nmessages = '1d'\n"
    with operated(tmp_path_factory.mktemp("metrics"), more) as (config, _):
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
