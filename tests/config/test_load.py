"""Loading: every fault of a file is told, with its line and with what to write instead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonroom.config import ConfigError, ListenAddress, LogLevel, Settings, load, parse
from commonroom.config.option import options, walk

FILE = Path("commonroom.toml")
DOMAIN = 'domains = ["example.org"]\n'


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE)
    return str(caught.value).split("\n")


def fault(text: str) -> str:
    (only,) = faults(text)
    return only


def file_fault(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


@pytest.fixture
def unreadable(tmp_path: Path) -> Path:
    path = tmp_path / "commonroom.toml"
    path.write_text(DOMAIN)
    path.chmod(0)
    return path


@pytest.fixture
def somebody() -> Iterator[None]:
    """Root may read every file: be somebody else for the length of a test."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)


def test_a_missing_file_is_made_by_init(tmp_path: Path) -> None:
    path = tmp_path / "commonroom.toml"
    instead = "run `commonroom init` to write one, or name the one you have"
    assert file_fault(path) == f"there is no such file; {instead} ({path})"


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    assert file_fault(tmp_path) == f"it cannot be read: Is a directory; name a file ({tmp_path})"


def test_a_file_that_may_not_be_read(unreadable: Path, somebody: None) -> None:
    instead = "give the account that runs the server the right to read it"
    assert file_fault(unreadable) == f"it cannot be read: Permission denied; {instead} ({unreadable})"


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "commonroom.toml"
    path.write_bytes(b'# notes\ndomains = ["b\xfccher.example"]\n')
    assert file_fault(path) == f"the byte 0xfc is not UTF-8; save the file in the encoding UTF-8 ({path}:2)"


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "commonroom.toml"
    path.write_bytes(b"\xef\xbb\xbf" + DOMAIN.encode())
    assert load(path).domains == ("example.org",)


def test_an_empty_file_lacks_domains() -> None:
    expected = 'write a list, in [ ], not empty, each item a domain name, as "example.org"'
    assert fault("") == f"domains: it is missing; {expected} (commonroom.toml)"


def test_a_bad_value_is_told_with_key_and_line() -> None:
    words = fault(DOMAIN + "\n# a note\n[c2s]\nlinger = '1s'\nconnections = 0\n")
    assert (
        words
        == "c2s.connections: 0 is too small; write a whole number from 1 to 10000000 (commonroom.toml:6)"
    )


def test_a_bad_item_of_a_list_is_told_with_its_own_line() -> None:
    words = fault(DOMAIN + '[c2s]\nlisten = [\n  "*:5222",\n  "*:99999",\n]\n')
    assert words == "c2s.listen: 99999 is not a port; write a number from 1 to 65535 (commonroom.toml:5)"


def test_all_faults_are_told_in_the_order_of_the_file() -> None:
    text = (
        'domains = []\n[log]\nlevel = "loud"\nlvl = 1\n[c2s]\nlinger = 1\nlisten = ["x", "*:1", "y"]\n[xy]\n'
    )
    keys = [(line.partition(":")[0], line.rpartition(":")[2]) for line in faults(text)]
    assert keys == [
        ("domains", "1)"),
        ("log.level", "3)"),
        ("log.lvl", "4)"),
        ("c2s.linger", "6)"),
        ("c2s.listen", "7)"),
        ("c2s.listen", "7)"),
        ("xy", "8)"),
    ]


def test_an_unknown_option_is_told_with_the_nearest_one() -> None:
    words = fault(DOMAIN + "[roster]\nitem = 5\n")
    known = "[roster] has: items, groups_per_item, name_length, group_length"
    assert words == f"roster.item: there is no such option; did you mean items? {known} (commonroom.toml:3)"


def test_an_unknown_table_is_told_with_the_nearest_one() -> None:
    words = fault(DOMAIN + "[c2c]\nlisten = []\n")
    assert words.startswith(
        "c2c: there is no such option; did you mean c2s? The top of the file has: domains, "
    )


def test_an_option_in_the_wrong_table_is_told_where_it_belongs() -> None:
    assert "; it belongs in [offline]. [log] has: level, format " in fault(DOMAIN + "[log]\nmessages = 1\n")
    words = faults("[log]\n" + DOMAIN)
    assert "; it belongs at the top of the file, before the first table. [log] has" in words[1]


def test_an_option_like_no_other_is_to_be_removed() -> None:
    assert "zzz: there is no such option; remove it. [log] has" in fault(DOMAIN + "[log]\nzzz = 1\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("c2s = 5", "c2s: 5 is not a table; write [c2s] and its options below (commonroom.toml:2)"),
        ("[[c2s]]", "c2s: a list is not a table; write [c2s] and its options below (commonroom.toml:2)"),
        (
            "tls.domains.'example.org' = 'cert.pem'",
            'tls.domains."example.org": "cert.pem" is not a table; write [tls.domains."example.org"] and its '
            "options below (commonroom.toml:2)",
        ),
        (
            "[c2s.linger]",
            'c2s.linger: a table is not a duration; write a duration from "0s" to "1m": a number and ms, s, '
            "m, h or d, in quotes (commonroom.toml:2)",
        ),
    ],
)
def test_a_table_and_a_value_are_not_the_same(text: str, words: str) -> None:
    assert fault(DOMAIN + text) == words


def test_the_options_of_a_named_table_are_checked() -> None:
    words = faults(DOMAIN + "[tls.domains.'example.org']\nkey = 1\n[tls.domains.'a b']\n")
    assert words == [
        'tls.domains."example.org".certificate: it is missing; write the path of a file (commonroom.toml:2)',
        'tls.domains."example.org".key: 1 is not a text; write the path of a file, in quotes '
        "(commonroom.toml:3)",
        'tls.domains."a b": "a b" is not a domain name; write a domain name, as "example.org" '
        "(commonroom.toml:4)",
    ]


def test_a_name_written_in_two_ways_is_a_repetition() -> None:
    pair = "{ certificate = 'c', key = 'k' }"
    words = fault(DOMAIN + f"[tls.domains]\n'example.org' = {pair}\n'Example.org' = {pair}\n")
    same = "it is the same name as another one here; keep one of the two tables"
    assert words == f'tls.domains."Example.org": {same} (commonroom.toml:4)'


def test_rfc6120_13_12_stanzas_of_10000_bytes_must_be_possible() -> None:
    expected = 'write a size from "10000 B" to "64 MiB"'
    text = DOMAIN + '[limits]\nstanza_bytes = "9999 B"\nstanza_bytes_before_login = "1 KiB"\n'
    assert faults(text) == [
        f'limits.stanza_bytes: "9999 B" is too small; {expected} (commonroom.toml:3)',
        f'limits.stanza_bytes_before_login: "1 KiB" is too small; {expected} (commonroom.toml:4)',
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '[c2s]\nlisten = ["*:5222"]\nlisten_direct_tls = ["*:1", "*:5222"]',
            'c2s.listen_direct_tls: "*:5222" is also in c2s.listen; give one of them another port '
            "(commonroom.toml:4)",
        ),
        (
            '[limits]\nstanza_bytes = "20 KiB"\nstanza_bytes_before_login = "21 KiB"',
            "limits.stanza_bytes_before_login: it is larger than limits.stanza_bytes; write a smaller size "
            "(commonroom.toml:4)",
        ),
        (
            '[sasl]\ndelay_first = "40s"',
            "sasl.delay_longest: it is shorter than sasl.delay_first; write a longer duration "
            "(commonroom.toml:2)",
        ),
        (
            "[archive]\npage = 20\nlargest_page = 10",
            "archive.page: it is larger than archive.largest_page; write a smaller number "
            "(commonroom.toml:3)",
        ),
        (
            '[tls.domains."example.net"]\ncertificate = "c"\nkey = "k"',
            'tls.domains."example.net": it is neither in domains nor below one of them; correct the name '
            "(commonroom.toml:2)",
        ),
        (
            '[accounts.files.people]\npasswords = ["passwd"]\ndomain = "example.net"',
            "accounts.files.people.domain: it is not in domains; correct one of them (commonroom.toml:4)",
        ),
        (
            '[sasl]\nmechanisms = ["SCRAM-SHA-1"]\n[accounts.files.people]\npasswords = ["passwd"]',
            'sasl.mechanisms: accounts in files cannot log in without "PLAIN"; add it (commonroom.toml:3)',
        ),
        (
            '[accounts]\norder = ["stored"]\n[accounts.files.people]\npasswords = ["passwd"]',
            'accounts.order: it leaves out "files", but there are [accounts.files] tables; add it '
            "(commonroom.toml:3)",
        ),
        (
            '[accounts]\norder = ["files"]',
            'accounts.order: nobody could log in: there are no [accounts.files] tables; add "stored" '
            "(commonroom.toml:3)",
        ),
        (
            "[accounts.files.people]\npasswords = []",
            "accounts.files.people.passwords: the list is empty; write a list, in [ ], not empty, each item "
            "the path of a file (commonroom.toml:3)",
        ),
        (
            "[accounts]\nhold_share = 1.5",
            "accounts.hold_share: 1.5 is too large; write a number from 0.0 to 1.0 (commonroom.toml:3)",
        ),
    ],
)
def test_options_that_do_not_fit_each_other(text: str, words: str) -> None:
    assert fault(DOMAIN + text) == words


def test_a_password_is_in_no_error_and_in_no_repr() -> None:
    words = faults("[database]\nurl = 'mysql://u:secret@h/d'\n")
    assert "secret" not in "".join(words)
    settings = parse(DOMAIN + "[database]\nurl = 'postgresql://u:secret@h/d'\n", FILE)
    assert "secret" not in repr(settings)
    assert settings.database.url == "postgresql://u:secret@h/d"


def test_lists_nested_too_deep_are_refused() -> None:
    assert "nested too deep" in fault("a = " + "[" * 100_000)


def test_relative_paths_start_at_the_folder_of_the_file() -> None:
    settings = parse(
        DOMAIN + "[tls]\ncertificate = 'tls/cert.pem'\nkey = '/etc/key.pem'\n", Path("/srv/chat/x.toml")
    )
    assert settings.state == Path("/srv/chat/var")
    assert settings.tls.certificate == Path("/srv/chat/tls/cert.pem")
    assert settings.tls.key == Path("/etc/key.pem")
    assert parse(DOMAIN, FILE).state == Path.cwd() / "var"


def test_a_file_with_only_domains_gives_the_defaults() -> None:
    settings = parse(DOMAIN, Path("/srv/commonroom.toml"))
    assert settings == Settings(domains=("example.org",), state=Path("/srv/var"))


def test_a_file_of_several_tables(tmp_path: Path) -> None:
    path = tmp_path / "commonroom.toml"
    path.write_text(
        'domains = ["Example.ORG", "example.net"]\n[c2s]\nlinger = "500ms"\n[log]\nlevel = "error"\n'
    )
    settings = load(path)
    assert settings.domains == ("example.org", "example.net")
    assert settings.c2s.linger == 0.5
    assert settings.log.level is LogLevel.ERROR
    assert settings.c2s.listen == (ListenAddress("::", 5222),)


LINES = """\
[c2s]
[tls.domains.x]
[[log]]
listen = ['*:1',
]
linger = '1s'
domains = ['a', 'b']
= 3
"\""
"''
x = {a = 1, a = 2}
a.b.c = 1
level = info
a = "\\
"\\ud800" = 1
a = 1e999
tls = {}
a = 2026-13-45
domains = [1, [2, {}], nan]
# note"""
LINE = st.sampled_from([*LINES.split("\n"), '"""', "'''", "\r", "\0", "9" * 5000, "a = " + "9" * 5000])


@given(st.lists(LINE | st.text(max_size=20), max_size=12).map("\n".join) | st.text())
def test_any_text_gives_settings_or_a_config_error(text: str) -> None:
    try:
        settings = parse(text, FILE)
    except ConfigError as error:
        lines = str(error).split("\n")
        good = all(line.endswith(")") and "(commonroom.toml" in line for line in lines)
    else:
        good = bool(settings.domains)
    assert good


@given(st.binary())
def test_any_bytes_give_settings_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError):
        load(path)


# Tables that operators name: what they require may be missing as well.
NAMED = (
    ("tls", "domains"),
    ("archive", "policies"),
    ("accounts", "files"),
    ("rooms", "groups"),
    ("rooms", "classes"),
    ("rooms", "declared"),
    ("federation", "domains"),
    ("components", "domains"),
)
ALL = [(key, name) for key, settings in walk(Settings) if key[:2] not in NAMED for name in options(settings)]
NOISE = st.lists(st.sampled_from(["", "# c2s.linger = 1", "   # [log]", "\t"]), max_size=3)
STYLES = ("table", "dotted", "inline", "quoted")


def written(key: tuple[str, ...], name: str, style: str, noise: list[str]) -> list[str]:
    """Lines of which the last sets an option to a list of an empty table, which no option can be."""
    path = ".".join((*key, name))
    if style == "inline" and key:
        inside = f"'{name}' = [ {{}} ]"
        for table in reversed(key):
            inside = f"{table} = {{ {inside} }}"
        return [*noise, inside]
    if style == "table" and key:
        return [f"[ {'.'.join(key)} ] # table", *noise, f"{name} = [{{}}]"]
    if style == "quoted":
        return [*noise, ".".join(f'"{each}"' for each in path.split(".")) + " = [{}]"]
    return [*noise, f"{path} = [{{}}]"]


@given(st.sampled_from(ALL), st.sampled_from(STYLES), NOISE, NOISE, st.booleans())
def test_the_line_of_a_bad_value_is_told(
    option: tuple[tuple[str, ...], str], style: str, before: list[str], after: list[str], long_list: bool
) -> None:
    key, name = option
    start = (
        []
        if (key, name) == ((), "domains")
        else ["domains = [ # ]", "'example.org',", "]"]
        if long_list
        else [DOMAIN[:-1]]
    )
    lines = [*before, *start, *written(key, name, style, before)]
    line = len(lines)
    words = fault("\n".join([*lines, *after]))
    assert words.startswith(f"{'.'.join((*key, name))}: ")
    assert words.endswith(f"(commonroom.toml:{line})")


def test_rfc6120_3_2_3_the_server_of_a_domain_is_one_address_with_its_parts() -> None:
    settings = parse(DOMAIN + '[federation.domains."example.net"]\nserver = "[2001:db8::1]:5269"', FILE)
    server = settings.federation.domains["example.net"].server
    assert server is not None
    assert (server.host, server.port) == ("2001:db8::1", 5269)
