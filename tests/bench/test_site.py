"""The same accounts for every server, each in its own form."""

from bench.servers.ejabberd import population_terms
from bench.servers.jabberd2 import Jabberd2
from bench.servers.prosody import Prosody
from bench.site import ITERATIONS, PASSWORD, SALT, Population, keys, make_site
from commonroom.protocol.sasl.scram_keys import DIGESTS, derive_keys


def test_the_keys_are_those_of_the_password():
    for name, digest in DIGESTS.items():
        derived = derive_keys(PASSWORD, name, SALT, ITERATIONS)
        assert (derived.stored_key, derived.server_key) == tuple(keys(digest)), name


def test_contacts_are_contacts_on_both_sides():
    population = Population.around(0, 3)
    assert population == Population(4, {0: (1, 2, 3), 1: (0,), 2: (0,), 3: (0,)})
    assert population.address(2) == "u2@bench.example"


def test_prosody_gets_a_file_for_each_account_and_roster(tmp_path):
    server = Prosody("prosody", tmp_path, make_site(tmp_path, Population.around(0, 2)), core=0)
    server.prepare()
    data = tmp_path / "data/bench%2eexample"
    assert sorted(path.name for path in (data / "accounts").iterdir()) == ["u0.dat", "u1.dat", "u2.dat"]
    assert f'["stored_key"] = "{keys().stored.hex()}"' in (data / "accounts/u1.dat").read_text()
    assert (data / "roster/u0.dat").read_text().count('["subscription"] = "both"') == 2
    assert "generational" in (tmp_path / "prosody.cfg.lua").read_text()


def test_prosody_untuned_is_as_its_package_comes(tmp_path):
    Prosody("prosody-default", tmp_path, make_site(tmp_path, Population(1)), core=0, tuned=False).prepare()
    assert "generational" not in (tmp_path / "prosody.cfg.lua").read_text()


def test_ejabberd_gets_a_term_for_each_account_and_contact():
    terms = list(population_terms(Population.around(0, 1)))
    accounts = [term for term in terms if term.startswith("{passwd,")]
    assert accounts[1].startswith('{passwd,{<<"u1">>,<<"bench.example">>},{scram,<<"')
    assert [term for term in terms if term.startswith("{roster,")] == [
        '{roster,{<<"u0">>,<<"bench.example">>,{<<"u1">>,<<"bench.example">>,<<>>}},'
        '{<<"u0">>,<<"bench.example">>},{<<"u1">>,<<"bench.example">>,<<>>},'
        '<<"Contact 1">>,both,none,[<<"Friends">>],<<>>,[]}.',
        '{roster,{<<"u1">>,<<"bench.example">>,{<<"u0">>,<<"bench.example">>,<<>>}},'
        '{<<"u1">>,<<"bench.example">>},{<<"u0">>,<<"bench.example">>,<<>>},'
        '<<"Contact 0">>,both,none,[<<"Friends">>],<<>>,[]}.',
    ]


def test_jabberd2_is_not_asked_for_scram():
    assert Jabberd2.mechanisms == ("PLAIN",)
