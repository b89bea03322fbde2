"""`commonroom init`."""

from pathlib import Path

import pytest

from commonroom.config import load

from .commands import failed, run, terminal, worked


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "there is no domain; name it with --domain"),
        (("--domain", "no domain"), 'Invalid value for --domain: "no domain" is not a domain name'),
        (("--domain", "a.org", "--domain", "A.org"), "is in the list twice"),
        (("--domain", "a.org", "--host", "localhost"), 'Invalid value for --port: "localhost" is not an IP'),
        (("--domain", "a.org", "--port", "70000"), "70000 is not a port"),
        (
            ("--domain", "a.org", "--database", "mysql://x:hunter2@y/z"),
            "Invalid value for --database: this is not",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(options: tuple[str, ...], reason: str) -> None:
    said = failed(run("init", *options), 2)
    assert reason in said
    assert "hunter2" not in said
    assert list(Path().iterdir()) == []


def test_one_port_for_two_things_is_refused() -> None:
    said = failed(run("init", "--domain", "a.org", "--port", "5222", "--tls-port", "5222"))
    assert "give one of them another port" in said
    assert list(Path().iterdir()) == []


def test_what_exists_is_not_overwritten() -> None:
    Path("commonroom.toml").write_text("mine")
    assert "Error: commonroom.toml: it exists already; remove it" in failed(run("init", "--domain", "a.org"))
    assert Path("commonroom.toml").read_text() == "mine"
    Path("commonroom.toml").unlink()
    Path("var").mkdir()
    Path("var/key.pem").write_text("mine")
    assert "var/key.pem: it exists already" in failed(run("init", "--domain", "a.org"))
    assert [path.name for path in Path().rglob("*")] == ["var", "key.pem"]


def test_what_is_given_stands_in_the_configuration() -> None:
    options = (
        "--domain",
        "b.org",
        "--domain",
        "A.org",
        "--host",
        "127.0.0.1",
        "--host",
        "::1",
        "--port",
        "15222",
    )
    said = worked(run("init", *options, "--tls-port", "15223", "--state", "etc/../data"))
    settings = load(Path("commonroom.toml"))
    assert settings.domains == ("b.org", "a.org")
    assert [str(address) for address in settings.c2s.listen] == ["127.0.0.1:15222", "[::1]:15222"]
    assert [str(address) for address in settings.c2s.listen_direct_tls] == ["127.0.0.1:15223", "[::1]:15223"]
    assert settings.state == Path.cwd() / "data"
    assert settings.database.url == "sqlite"
    for following in ("user add you@b.org", "check", "serve", "_xmpp-client._tcp.b.org.   SRV  5 0 15222"):
        assert following in said


def test_the_next_commands_name_a_configuration_elsewhere() -> None:
    said = worked(run("init", "--domain", "a.org", "--config", "etc/room.toml", "--state", "data"))
    assert "serve --config etc/room.toml" in said
    assert load(Path("etc/room.toml")).state == Path.cwd() / "data"


def test_at_a_terminal_it_asks(tmp_path: Path) -> None:
    with terminal("init", cwd=tmp_path) as init:
        init.answer("The domain:", "not a_domain")
        init.answer("is not a domain name", "")
        init.answer("The domain:", "example.org chat.example.org")
        init.answer("The folder for all data [var]:", "data")
        init.answer("The database [sqlite]:", "")
        init.answer("Write commonroom.toml, and the data to data? [Y/n]:", "y")
        assert "What is next:" in init.rest()
    settings = load(tmp_path / "commonroom.toml")
    assert settings.domains == ("example.org", "chat.example.org")
    assert settings.state == tmp_path / "data"


def test_at_a_terminal_it_does_not_go_on_without_leave(tmp_path: Path) -> None:
    with terminal("init", "--domain", "example.org", "--state", "data", cwd=tmp_path) as init:
        init.answer("The database [sqlite]:", "sqlite")
        init.answer("[Y/n]:", "n")
        assert "Aborted" in init.rest()
        assert init.process.returncode == 1
    assert list(tmp_path.iterdir()) == []
