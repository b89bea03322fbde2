"""What a scenario turns on is on with every server, and off with all where no scenario wants it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import limits
from bench.scenarios.archived import ARCHIVED, CASES
from bench.scenarios.history import HISTORY
from bench.scenarios.managed import MANAGED
from bench.scenarios.waiting import WAITING
from bench.servers import commonroom, ejabberd
from bench.servers.catalog import COMPARED, LIBRARIES, PROGRAMS, SQLITE_ARCHIVES, is_installed, label
from bench.servers.commonroom import CommonRoom, Installation, usual_python
from bench.servers.ejabberd import Ejabberd
from bench.servers.prosody import Prosody
from bench.servers.server import Server
from bench.site import NO_EXTRAS, Extras, Population, Site, make_site
from bench.stanzas import page_after, page_from, page_last
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT
from commonroom.xml.parser import Limits, StreamParser

ALL = Extras(managed=True, archived=True)


def site(folder: Path, extras: Extras) -> Site:
    return make_site(folder, Population(1), extras)


class UnfilledEjabberd(Ejabberd):
    """Writes its files only: filling it starts it."""

    def _load(self, terms: Path) -> None:
        assert terms.exists()


def configuration(server: Server) -> str:
    server.prepare()
    [path] = [*server.folder.glob("*.lua"), *server.folder.glob("*.yml"), *server.folder.glob("*.toml")]
    return path.read_text()


def ours(folder: Path, extras: Extras) -> str:
    installation = Installation(commonroom.CHECKOUT / "src", usual_python())
    return configuration(CommonRoom("commonroom", folder, site(folder, extras), 0, installation))


def prosody(folder: Path, extras: Extras, sqlite: bool = False) -> str:
    return configuration(Prosody("prosody", folder, site(folder, extras), 0, sqlite=sqlite))


def ejabberds(folder: Path, extras: Extras, sqlite: bool = False) -> str:
    return configuration(UnfilledEjabberd("ejabberd", folder, site(folder, extras), 0, sqlite=sqlite))


def test_nothing_is_archived_unless_a_scenario_is_about_it(tmp_path):
    assert 'default = "never"' in ours(tmp_path, NO_EXTRAS)


def test_prosody_has_neither_unless_a_scenario_is_about_it(tmp_path):
    text = prosody(tmp_path, NO_EXTRAS, sqlite=True)
    assert not [word for word in ("smacks", "mam", "sql", "archive") if word in text]


def test_ejabberd_has_neither_unless_a_scenario_is_about_it(tmp_path):
    text = ejabberds(tmp_path, NO_EXTRAS, sqlite=True)
    assert not [word for word in ("mod_stream_mgmt", "mod_mam", "sql_") if word in text]
    assert not (tmp_path / "archive.sqlite").exists()


def test_all_messages_are_archived(tmp_path):
    assert 'default = "always"' in ours(tmp_path, ALL)


@pytest.mark.parametrize("sqlite", [False, True])
def test_prosody_archives_where_it_is_told_to(tmp_path, sqlite):
    text = prosody(tmp_path, ALL, sqlite)
    assert '"uptime", "smacks", "mam",' in text
    assert "default_archive_policy = true" in text
    assert ('archive = "sql"' in text) == sqlite
    assert text.rstrip().endswith('VirtualHost "bench.example"')


@pytest.mark.parametrize("sqlite", [False, True])
def test_ejabberd_archives_where_it_is_told_to(tmp_path, sqlite, monkeypatch):
    tables = tmp_path / "tables.sql"  # those of the package, where it is installed
    tables.write_text("CREATE TABLE archive (username text);")
    monkeypatch.setattr(ejabberd, "TABLES", tables)
    text = ejabberds(tmp_path, ALL, sqlite)
    assert "mod_stream_mgmt:" in text
    assert "mod_mam:\n    default: always" in text
    assert ("sql_type: sqlite" in text) == sqlite
    if sqlite:
        with closing(sqlite3.connect(tmp_path / "archive.sqlite")) as database:
            assert database.execute("SELECT count(*) FROM archive").fetchone() == (0,)


def test_a_peer_that_cannot_use_sqlite_here_is_left_out(monkeypatch):
    monkeypatch.setitem(PROGRAMS, "prosody", __file__)
    monkeypatch.setitem(LIBRARIES, "prosody-sqlite", "/nowhere/*.so")
    assert is_installed("prosody-files")
    assert not is_installed("prosody-sqlite")


def test_peers_are_compared_on_each_storage_and_named_by_it():
    for scenario in (MANAGED, ARCHIVED, HISTORY, WAITING):
        names = [name for name in scenario.servers if name != "commonroom"]
        assert set(names) <= set(COMPARED)
        assert all(label(name) != name or name == "ejabberd" for name in names)
    assert label("prosody-files") == "Prosody with files"


def test_archives_that_wait_for_the_disk_are_left_out_where_they_cannot_keep_up():
    left_out = {case.words: case.without for case in CASES}
    assert left_out["TLS, 1 in flight"] == ()
    assert left_out["500 messages/s"] == SQLITE_ARCHIVES
    assert "commonroom" not in left_out["2,000 messages/s, ours alone"]


def test_room_in_memory_is_used_only_if_there_is_enough(monkeypatch, tmp_path):
    monkeypatch.setattr(limits, "MEMORY", tmp_path)
    assert limits.memory_disk(1) == tmp_path
    assert limits.memory_disk(1 << 60) is None
    monkeypatch.setattr(limits, "MEMORY", tmp_path / "none")
    assert limits.memory_disk(1) is None


def test_queries_are_what_an_archive_answers():
    for query in (page_last(50), page_after("a1", 50), page_from(datetime(2026, 1, 2, tzinfo=UTC), 1)):
        parser = StreamParser(Limits(1 << 20, 100, 1000, 100, 1000))
        parser.feed(f"<stream xmlns='{NS_CLIENT}'>".encode())
        [iq] = parser.feed(query.encode())
        assert isinstance(iq, Element)
        [asked] = iq.elements()
        assert (asked.namespace, asked.name) == ("urn:xmpp:mam:2", "query")
    assert "<before/>" in page_last(50)
    assert "<after>a1</after>" in page_after("a1", 50)
    assert "<value>2026-01-02T00:00:00Z</value>" in page_from(datetime(2026, 1, 2, tzinfo=UTC), 1)
