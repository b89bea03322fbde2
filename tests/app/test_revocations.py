"""Revocation lists while the service runs: broken ones change nothing, and old ones are told once."""

import asyncio
from pathlib import Path

import pytest

from commonroom.app.revocations import RevocationWatch
from commonroom.net.certificates import CertificateError
from commonroom.net.client_certificates import Authorities
from commonroom.net.revocations import Revocations
from tests.attack.people import Authority


async def at_once(work):
    return work()


@pytest.fixture
def office(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "people")


def watch(office: Authority, path: Path) -> tuple[RevocationWatch, Authorities]:
    authorities = Authorities(office.path, lambda jid: jid)
    return RevocationWatch([path], authorities, (), at_once), authorities


def look(it: RevocationWatch, times: int = 2) -> None:
    for _ in range(times):
        asyncio.run(it.look())


def test_a_service_does_not_start_without_knowing_what_was_revoked(office: Authority, tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="cannot be read"):
        asyncio.run(watch(office, tmp_path / "list.crl")[0].open())


def test_what_cannot_be_used_changes_nothing_and_is_told_once(
    office: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "list.crl"
    path.write_bytes(office.revoke(office.certify("alice@example.org")))
    it, authorities = watch(office, path)
    asyncio.run(it.open())
    path.write_bytes(b"")
    look(it, 6)
    assert authorities.revocations.count == 1
    assert caplog.text.count("a revocation list cannot be used") == 1
    path.write_bytes(office.revoke())
    look(it)
    assert authorities.revocations.count == 0


def test_a_list_that_grows_old_is_told_once(
    office: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list.crl"
    path.write_bytes(office.revoke())
    it, _ = watch(office, path)
    asyncio.run(it.open())
    look(it)
    assert "should have been replaced" not in caplog.text
    monkeypatch.setattr(Revocations, "stale", lambda _: True)
    look(it, 5)
    assert caplog.text.count("should have been replaced") == 1
