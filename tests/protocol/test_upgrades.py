"""XEP-0480: what a client may say between its login and its success, and what it may not."""

from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac

import pytest

from commonroom.protocol.sasl import SaslCondition
from commonroom.protocol.sasl.scram_keys import DIGESTS, ScramKeys, check_password
from commonroom.xml.element import Element
from commonroom.xml.names import NS_SASL, NS_SASL2
from tests.protocol import streams
from tests.protocol.sasl.peer import client_final
from tests.protocol.sasl2 import AGENT, authenticate, by_token, candidate, failure, plain, response
from tests.protocol.streams import JULIET, Peer, stream_error

NS_UPGRADE, NS_SCRAM_UPGRADE = "urn:xmpp:sasl:upgrade:0", "urn:xmpp:scram-upgrade:0"
SHA256, SHA512 = "UPGR-SCRAM-SHA-256", "UPGR-SCRAM-SHA-512"
ABORT = f"<abort xmlns='{NS_SASL2}'/>"
OLD = frozenset(["SHA-1"])


def wish(*tasks: str) -> str:
    return "".join(f"<upgrade xmlns='{NS_UPGRADE}'>{task}</upgrade>" for task in tasks)


def begins(task: str = SHA256) -> str:
    return f"<next xmlns='{NS_SASL2}' task='{task}'/>"


def data(inside: str) -> str:
    return f"<task-data xmlns='{NS_SASL2}'>{inside}</task-data>"


def hashed(value: bytes | str) -> str:
    text = value if isinstance(value, str) else b64encode(value).decode()
    return data(f"<hash xmlns='{NS_SCRAM_UPGRADE}'>{text}</hash>")


def salted(told: Element, hash_name: str = "SHA-256", password: bytes = b"pencil") -> bytes:
    """What a client makes of a salt."""
    salt = told.child(NS_SCRAM_UPGRADE, "salt")
    assert salt is not None, told
    return pbkdf2_hmac(DIGESTS[hash_name], password, b64decode(salt.text()), int(salt.get("iterations", "")))


def opened(hashes: frozenset[str] | SaslCondition = OLD, sender: str = JULIET, **changes: object) -> Peer:
    peer = Peer(**changes)  # type: ignore[arg-type]
    peer.hashes = hashes
    peer.open(sender=sender)
    return peer


def offered(*tasks: str) -> Peer:
    """A client that has logged in, and has been asked for the first task."""
    peer = opened()
    (told,) = peer.send(plain(AGENT + wish(*tasks or (SHA256,))))
    assert told.name == "continue"
    return peer


def added(peer: Peer) -> list[ScramKeys]:
    return [question[2] for question in peer.asked if question[0] == "add"]


def is_out(peer: Peer) -> bool:
    """Whether nobody is logged in, and nothing was kept."""
    asked = [question[0] for question in peer.asked]
    return not {"add", "settle", "bind"} & {*asked} and "succeeded" not in [e[0] for e in peer.events]


# What goes wrong before the tasks


@pytest.mark.parametrize(
    "tasks",
    [
        ("UPGR-SCRAM-SHA-1",),  # it has that
        ("UPGR-SCRAM-SHA-256-PLUS",),
        ("SCRAM-SHA-256",),
        ("",),
        (f" {SHA256}",),
        (SHA256, "UPGR-BLOOP2"),
        (SHA256, SHA256),
    ],
)
def test_xep0480_2_2_a_task_that_was_not_announced_is_refused(tasks):
    peer = opened()
    assert failure(peer.send(plain(wish(*tasks)))) == "malformed-request"
    assert [question[0] for question in peer.asked] == ["hashes"]  # the password was not looked at
    assert peer.send(plain(wish(SHA256)))[0].name == "continue"


def test_xep0480_2_1_without_a_from_there_is_no_task():
    peer = Peer()
    peer.hashes = OLD
    assert upgrades(peer.open()) == []
    assert failure(peer.send(plain(wish(SHA256)))) == "malformed-request"


@pytest.mark.parametrize(
    "hashes", [frozenset(), frozenset(DIGESTS), SaslCondition.TEMPORARY_AUTH_FAILURE, frozenset(["SHA-3"])]
)
def test_xep0388_3_an_account_that_has_all_or_does_not_exist_looks_like_any(hashes):
    peer = Peer(mechanisms=("SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"))
    peer.hashes = hashes
    announced = peer.open(sender=JULIET)
    assert announced == Peer(mechanisms=("SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1")).open()


def test_a_wrong_password_has_no_task():
    peer = opened()
    assert failure(peer.send(plain(wish(SHA256), password="wrong"))) == "not-authorized"
    assert is_out(peer)


def test_xep0388_2_3_nobody_upgrades_another_account():
    peer = opened(sender="romeo@example.com")
    assert failure(peer.send(plain(wish(SHA256)))) == "invalid-authzid"
    assert is_out(peer)


def test_a_token_proves_no_password_and_has_no_task():
    peer = opened()
    peer.tokens[JULIET, "d4565fa7-4d72-4749-b3d3-740edbf87770"] = (candidate(),)
    success, _ = peer.send(by_token("<fast xmlns='urn:xmpp:fast:0'/>" + wish(SHA256)))
    assert success.name == "success"
    assert added(peer) == []


@pytest.mark.parametrize("element", [begins(), hashed(b"x" * 32)])
def test_xep0388_2_6_3_there_is_no_task_that_was_not_asked_for(element):
    assert stream_error(opened().send(element)) == "not-authorized"
    peer = opened()
    peer.send(authenticate("SCRAM-SHA-1", b"n,,n=juliet,r=abc", wish(SHA256)))
    assert stream_error(peer.send(element)) == "not-authorized"
    assert is_out(peer)


# What goes wrong in a task


@pytest.mark.parametrize("task", ["", SHA512, "UPGR-SCRAM-SHA-1", "SCRAM-SHA-256", SHA256.lower()])
def test_xep0480_2_2_only_the_task_that_was_offered_can_begin(task):
    peer = offered(SHA256, SHA512)
    assert failure(peer.send(begins(task))) == "invalid-mechanism"
    assert is_out(peer)


@pytest.mark.parametrize("text", ["=", "AAAA*", "AA==A", "AAAB=", "é", "AAAA AAAA"])
def test_xep0480_3_what_is_not_base_64_is_refused(text):
    peer = offered()
    peer.send(begins())
    assert failure(peer.send(hashed(text))) == "incorrect-encoding"
    assert is_out(peer)


@pytest.mark.parametrize(
    "wrong",
    [
        data(""),
        data("words"),
        hashed(""),
        hashed(b"x" * 20),
        hashed(b"x" * 33),
        hashed(b"x" * 64),
        data(f"<salt xmlns='{NS_SCRAM_UPGRADE}'>{b64encode(b'x' * 32).decode()}</salt>"),
        data(f"<hash>{b64encode(b'x' * 32).decode()}</hash>"),
        data(f"<hash xmlns='{NS_SCRAM_UPGRADE}'/>" * 2),
    ],
)
def test_xep0480_3_what_is_not_a_salted_password_is_refused(wrong):
    peer = offered()
    peer.send(begins())
    assert failure(peer.send(wrong)) == "malformed-request"
    assert is_out(peer)


OTHERS = [
    "<presence/>",
    plain(),
    plain(wish(SHA256)),
    streams.plain(),
    response(b"x"),
    streams.bind("balcony"),
    f"<upgrade xmlns='{NS_UPGRADE}'>{SHA256}</upgrade>",
    f"<continue xmlns='{NS_SASL2}'/>",
    f"<success xmlns='{NS_SASL2}'/>",
    f"<next xmlns='{NS_SASL}' task='{SHA256}'/>",
]


@pytest.mark.parametrize("other", [*OTHERS, hashed(b"x" * 32)])
def test_xep0388_4_8_nothing_else_comes_before_the_task_begins(other):
    peer = offered()
    assert stream_error(peer.send(other)) == "not-authorized"
    assert peer.closed
    assert is_out(peer)


@pytest.mark.parametrize("other", [*OTHERS, begins(), begins(SHA512)])
def test_xep0388_4_8_nothing_else_comes_amid_a_task(other):
    peer = offered(SHA256, SHA512)
    peer.send(begins())
    assert stream_error(peer.send(other)) == "not-authorized"
    assert is_out(peer)


@pytest.mark.parametrize("before", [[], [begins()]])
def test_xep0388_4_5_a_client_may_give_up(before):
    peer = offered()
    peer.send(*before)
    assert failure(peer.send(ABORT)) == "aborted"
    assert peer.events == [("failed", JULIET, "aborted", "PLAIN")]  # somebody had the password
    assert is_out(peer)


@pytest.mark.parametrize("later", [plain(), streams.plain(), begins(), ABORT, hashed(b"x" * 32)])
def test_xep0388_4_8_after_continue_there_is_no_other_authentication(later):
    peer = offered()
    assert failure(peer.send(ABORT)) == "aborted"
    assert stream_error(peer.send(later)) == "not-authorized"
    assert is_out(peer)


def test_a_second_task_that_fails_leaves_the_first_ones_keys_and_nobody_in():
    peer = offered(SHA256, SHA512)
    (told,) = peer.send(hashed(salted(peer.send(begins())[0])))
    assert told.name == "continue"
    assert failure(peer.send(begins(SHA256))) == "invalid-mechanism"
    assert [keys.hash_name for keys in added(peer)] == ["SHA-256"]
    assert [question[0] for question in peer.asked] == ["hashes", "password", "add"]


def test_keys_that_cannot_be_kept_are_a_reason_to_try_later():
    peer = offered()
    peer.refusal = SaslCondition.TEMPORARY_AUTH_FAILURE
    assert failure(peer.send(hashed(salted(peer.send(begins())[0])))) == "temporary-auth-failure"
    assert "succeeded" not in [event[0] for event in peer.events]


def test_who_leaves_while_the_keys_are_written_gets_nothing():
    peer = opened(patient=False)
    peer.send(plain(wish(SHA256)))
    (told,) = peer.send(begins())
    peer.patient = True
    peer.send(hashed(salted(told)))
    peer.stream.lost()
    peer.answer()
    assert peer.received() == []
    assert peer.events == []


def test_what_comes_with_a_request_that_has_tasks_is_too_early():
    """Nothing may be sent blindly behind it: what follows belongs into the task."""
    peer = opened()
    elements = peer.send(plain(wish(SHA256)) + "<presence/>")
    assert [element.name for element in elements] == ["continue", "error"]
    assert stream_error(elements) == "not-authorized"


def test_a_salted_password_that_was_sent_before_the_salt_is_too_early():
    peer = opened()
    assert stream_error(peer.send(plain(wish(SHA256)) + hashed(b"x" * 32))) == "not-authorized"
    assert is_out(peer)


# What is announced


def upgrades(features: Element) -> list[str]:
    authentication = features.child(NS_SASL2, "authentication")
    assert authentication is not None
    return [e.text() for e in authentication.elements() if e.namespace == NS_UPGRADE]


def names(features: Element, namespace: str, parent: str) -> list[str]:
    found = features.child(namespace, parent)
    assert found is not None
    return [element.text() for element in found.elements() if element.name == "mechanism"]


def test_xep0480_2_1_an_account_is_offered_what_it_can_do_and_the_hashes_that_it_lacks():
    peer = Peer()
    peer.hashes = OLD
    features = peer.open(sender=JULIET)
    assert upgrades(features) == [SHA512, SHA256]
    able = ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN"]
    assert names(features, NS_SASL2, "authentication") == able
    assert names(features, NS_SASL, "mechanisms") == able
    authentication = features.child(NS_SASL2, "authentication")
    assert authentication is not None
    assert [e.name for e in authentication.elements()][-3:] == ["inline", "upgrade", "upgrade"]


def test_xep0480_2_1_only_what_is_configured_is_offered():
    peer = Peer(mechanisms=("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "PLAIN"))
    peer.hashes = OLD
    features = peer.open(sender=JULIET)
    assert upgrades(features) == [SHA256]
    assert names(features, NS_SASL2, "authentication") == ["SCRAM-SHA-1", "PLAIN"]


def test_xep0388_2_1_there_is_always_a_mechanism():
    peer = Peer(mechanisms=("SCRAM-SHA-256",))
    peer.hashes = OLD
    features = peer.open(sender=JULIET)
    assert names(features, NS_SASL2, "authentication") == ["SCRAM-SHA-256"]
    assert upgrades(features) == []


def test_xep0474_6_1_what_is_signed_is_what_this_account_was_offered():
    peer = opened(bindings={})
    (challenge,) = peer.send(authenticate("SCRAM-SHA-1", b"n,,n=juliet,r=abc"))
    signed = b64decode(challenge.text()).decode().rpartition(",h=")[2]
    assert signed == peer.stream._settings.login_offer((), OLD).protection["SHA-1"]
    assert signed != peer.stream._settings.login_offer((), frozenset()).protection["SHA-1"]


def test_a_mechanism_for_which_there_are_no_keys_was_not_announced():
    assert failure(opened().send(authenticate("SCRAM-SHA-256", b"n,,n=juliet,r=a"))) == "invalid-mechanism"


def test_what_comes_while_the_account_is_looked_at_waits():
    peer = Peer(patient=True)
    peer.hashes = OLD
    assert peer.send(streams.header(sender=JULIET) + plain(wish(SHA256))) == []
    assert peer.paused
    peer.answer()
    assert not peer.paused
    peer.answer()
    assert [element.name for element in peer.received()] == ["features", "continue"]


# §3: the tasks


def test_xep0480_3_scram_says_its_last_word_with_the_first_task():
    peer = opened()
    first = b"n,,n=juliet,r=abcdef"
    (challenge,) = peer.send(authenticate("SCRAM-SHA-1", first, wish(SHA256)))
    final = client_final(first, b64decode(challenge.text()).decode(), hash_name="SHA-1")
    (told,) = peer.send(response(final))
    assert told.name == "continue"
    said, tasks = told.elements()
    assert b64decode(said.text()).startswith(b"v=")
    assert tasks == Element(NS_SASL2, "tasks", None, Element(NS_SASL2, "task", None, SHA256))
    success, features = peer.send(hashed(salted(peer.send(begins())[0])))
    identifier = Element(NS_SASL2, "authorization-identifier", None, JULIET)
    assert success == Element(NS_SASL2, "success", None, identifier)
    assert features.name == "features"
    (keys,) = added(peer)
    assert (keys.hash_name, check_password(keys, "pencil")) == ("SHA-256", True)


def test_xep0480_2_2_one_task_follows_another_in_the_order_of_the_client():
    peer = offered(SHA512, SHA256)
    (told,) = peer.send(hashed(salted(peer.send(begins(SHA512))[0], "SHA-512")))
    assert told == Element(
        NS_SASL2,
        "continue",
        None,
        Element(NS_SASL2, "tasks", None, Element(NS_SASL2, "task", None, SHA256)),
    )
    success, _ = peer.send(hashed(salted(peer.send(begins())[0])))
    assert success.name == "success"
    first, second = added(peer)
    assert (first.hash_name, second.hash_name) == ("SHA-512", "SHA-256")
    assert first.salt != second.salt
    assert all(check_password(keys, "pencil") for keys in (first, second))
    assert [q[0] for q in peer.asked] == ["hashes", "password", "add", "add", "settle"]


def test_xep0480_2_2_who_asks_for_nothing_is_let_in_at_once():
    peer = opened()
    success, _ = peer.send(plain())
    assert success.name == "success"
    assert added(peer) == []


def test_white_space_around_base_64_does_not_matter():
    """The examples have it (XEP-0480 §3)."""
    peer = offered()
    value = b64encode(salted(peer.send(begins())[0])).decode()
    assert peer.send(hashed(f"\n    {value}\n  "))[0].name == "success"


def test_xep0388_2_6_1_what_was_asked_for_with_the_login_comes_with_success():
    peer = opened()
    peer.send(plain(wish(SHA256) + "<bind xmlns='urn:xmpp:bind:0'><tag>t</tag></bind>"))
    success, features = peer.send(hashed(salted(peer.send(begins())[0])))
    assert success.child("urn:xmpp:bind:0", "bound") is not None
    assert features.name == "features"
    assert peer.session is not None
