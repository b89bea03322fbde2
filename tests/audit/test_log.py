"""The log of records: what is not kept costs nothing, what cannot be kept is told."""

import json

import pytest

from commonroom.audit import log as audit_log
from commonroom.audit.log import AuditLog
from commonroom.audit.tags import OPTIONS, Source, Tag, operator_tag
from commonroom.config.option import options
from commonroom.config.records import Records
from commonroom.storage.errors import StorageError
from commonroom.storage.records import AuditFilter, AuditRecord
from tests.admin.registries import done, registry


class Full:
    """A store on a full disk."""

    def add(self, records: list[AuditRecord]) -> None:
        raise StorageError("the disk is full")


def test_what_is_not_kept_is_not_gathered() -> None:
    stores = registry().stores
    log = AuditLog(stores.audit, [Source.SESSION], lambda: 1)
    log.record(Tag.LOGIN_SUCCEEDED, "a@b")
    log.flush()
    assert done(stores.audit.find(AuditFilter(), 9)) == ()


def test_records_are_written_together_when_flushed() -> None:
    stores = registry().stores
    log = AuditLog(stores.audit, Source, iter(range(9)).__next__)
    log.record(Tag.LOGIN_FAILED, None, None, "192.0.2.1", {"reason": "ü"})
    log.record(Tag.SESSION_BEGAN, "a@b/c")
    assert done(stores.audit.find(AuditFilter(), 9)) == ()
    before = stores.writes.appended
    log.flush()
    log.flush()
    assert stores.writes.appended == before + 1
    second, first = done(stores.audit.find(AuditFilter(), 9))
    assert (first.at, first.tag, first.address) == (0, Tag.LOGIN_FAILED, "192.0.2.1")
    assert json.loads(first.facts) == {"reason": "ü"}
    assert (second.who, second.facts) == ("a@b/c", "{}")


def test_what_cannot_be_kept_is_told_and_bounded(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "LARGEST", 3)
    log = AuditLog(Full(), Source, lambda: 1)  # type: ignore[arg-type]
    for _ in range(5):
        log.record(Tag.SESSION_BEGAN, "a@b/c")
    log.flush()
    assert "records cannot be kept" in caplog.text
    assert caplog.records[0].__dict__["lost"] == 5


def test_what_was_too_much_at_once_is_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "LARGEST", 3)
    stores = registry().stores
    log = AuditLog(stores.audit, Source, iter(range(9)).__next__)
    for _ in range(5):
        log.record(Tag.SESSION_BEGAN, "a@b/c")
    log.flush()
    log.record(Tag.SESSION_ENDED, "a@b/c")
    log.flush()
    assert len(done(stores.audit.find(AuditFilter(), 9))) == 4
    (told,) = caplog.records
    assert told.__dict__["lost"] == 2


def test_every_source_has_its_option_and_every_tag_its_source() -> None:
    assert set(OPTIONS) == set(Source)
    for option in OPTIONS.values():
        assert {option, f"{option}_purpose"} <= options(Records).keys()
    assert {tag.partition(":")[0] for tag in Tag} <= set(Source)
    assert operator_tag("user add") == "operator:user:add"
    assert operator_tag("drain") == "operator:service:drain"
