"""RFC 6120 §6.4, §6.5: the SASL elements of a stream."""

from collections.abc import Callable
from typing import Any

import pytest

from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import SaslCondition
from commonroom.protocol.sasl.negotiation import SaslNegotiation, announcement
from commonroom.protocol.sasl.scram_keys import ScramKeys
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_SASL, NS_SASL_CHANNEL_BINDING
from commonroom.xml.parser import parse_fragment
from tests.protocol.sasl.peer import keys_of, make_context
from tests.protocol.streams import auth, plain, response

JULIET = JID.parse("juliet@example.com")
ABORT = f"<abort xmlns='{NS_SASL}'/>"
SCRAM = "SCRAM-SHA-256"
FIRST = b"n,,n=juliet,r=abc"


class Login:
    """The host of a negotiation, and the client. Questions are kept until the test answers them."""

    def __init__(
        self, tries: int = 5, accept: Callable[[JID, str], None] | None = None, **context: Any
    ) -> None:
        self.said: list[Element] = []
        self.questions: list[tuple[Any, ...]] = []
        self.failed: list[tuple[Any, ...]] = []
        self.accepted: list[tuple[Any, ...]] = []
        self.negotiation = SaslNegotiation(
            self, make_context(**context), tries, lambda then: then, accept or self._accept
        )

    def _accept(self, account: JID, mechanism: str) -> None:
        assert not self.said or self.said[-1].name != "success"
        self.accepted.append((account, mechanism))

    def write(self, text: str) -> None:
        self.said.append(parse_fragment(text, NS_CLIENT))

    def find_keys(
        self, account: JID | None, hash_name: str, answer: Callable[[ScramKeys | SaslCondition | None], None]
    ) -> None:
        self.questions.append((account, hash_name, answer))

    def check_password(
        self, account: JID | None, password: str, answer: Callable[[bool | SaslCondition], None]
    ) -> None:
        self.questions.append((account, password, answer))

    def find_account(self, account: JID | None, answer: Callable[[bool | SaslCondition], None]) -> None:
        self.questions.append((account, None, answer))

    def login_failed(self, account: JID | None, condition: SaslCondition, mechanism: str) -> None:
        self.failed.append((account, condition.value, mechanism))

    def send(self, text: str) -> str | None:
        """Gives the condition of a failure, the name of any other element, None if nothing was said."""
        self.said.clear()
        self.negotiation.receive(parse_fragment(text, NS_CLIENT))
        return self.outcome()

    def outcome(self) -> str | None:
        if not self.said:
            return None
        (element,) = self.said
        return element.elements()[0].name if element.name == "failure" else element.name


def ended(action: Callable[[], object]) -> StreamCondition:
    with pytest.raises(StreamError) as caught:
        action()
    return caught.value.condition


# What ends the stream


@pytest.mark.parametrize("name", ["challenge", "success", "failure", "mechanisms", "Auth", "authenticate"])
def test_rfc6120_4_9_3_12_other_elements_of_the_namespace_are_refused(name):
    login = Login()
    assert ended(lambda: login.send(f"<{name} xmlns='{NS_SASL}'/>")) is StreamCondition.NOT_AUTHORIZED


def test_rfc6120_6_4_5_after_the_last_try_the_stream_ends_and_the_failure_is_told_first():
    login = Login(tries=3)
    assert login.send(auth("CRAM-MD5")) == "invalid-mechanism"
    assert login.send(auth("PLAIN", b"nothing")) == "malformed-request"
    assert ended(lambda: login.send(auth("PLAIN", b"nothing"))) is StreamCondition.POLICY_VIOLATION
    assert login.outcome() == "malformed-request"


def test_rfc5802_6_what_is_refused_for_its_binding_is_a_quarter_of_a_try():
    """Or clients that bind to what is not there would never come to a mechanism that they can do."""
    login = Login(tries=1)
    unbound = auth(SCRAM, b"p=tls-unique,,n=juliet,r=nonce")
    assert [login.send(unbound) for _ in range(3)] == ["malformed-request"] * 3
    assert ended(lambda: login.send(unbound)) is StreamCondition.POLICY_VIOLATION
    assert login.questions == []


def test_rfc6120_6_4_4_aborting_uses_a_try_up_as_well():
    login = Login(tries=2)
    assert login.send(ABORT) == "aborted"
    assert ended(lambda: login.send(ABORT)) is StreamCondition.POLICY_VIOLATION
    assert login.outcome() == "aborted"


def test_rfc6120_6_4_2_giving_an_attempt_up_for_another_uses_a_try_up_as_well():
    login = Login(tries=2)
    login.send(auth(SCRAM, FIRST))
    login.send(auth(SCRAM, FIRST))
    assert ended(lambda: login.send(auth(SCRAM, FIRST))) is StreamCondition.POLICY_VIOLATION
    assert len(login.questions) == 2


def test_rfc6120_6_4_6_an_account_that_is_not_accepted_is_not_told_of_success():
    def accept(account: JID, mechanism: str) -> None:
        raise StreamError(StreamCondition.INVALID_FROM)

    login = Login(accept=accept)
    login.send(plain())
    assert ended(lambda: login.questions[0][2](True)) is StreamCondition.INVALID_FROM
    assert login.said == []


# What ends the attempt


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AAA",
        "A===",
        "AA==AA==",
        "=AAA",
        "==",
        " AGp1bGlldABwZW5jaWw=",
        "AGp1bGll\ndABwZW5jaWw=",
        "AGp1bGlldABwZW5jaWw",  # no padding
        "AGp1bGlldABwZW5jaWx=",  # padding bits that are not zero
        "AGp1bGlldABwZW5ja_-=",
        "ΑΒΓΔ",
    ],
)
def test_rfc6120_6_5_5_what_is_not_base_64_is_incorrect_encoding(text):
    login = Login()
    assert login.send(f"<auth xmlns='{NS_SASL}' mechanism='PLAIN'>{text}</auth>") == "incorrect-encoding"
    assert login.questions == []


@pytest.mark.parametrize(
    "mechanism", ["", "plain", "PLAIN ", "CRAM-MD5", "DIGEST-MD5", "EXTERNAL", "ANONYMOUS"]
)
def test_rfc6120_6_5_7_a_mechanism_that_is_not_offered_is_invalid(mechanism):
    assert Login().send(auth(mechanism, b"data")) == "invalid-mechanism"


def test_rfc6120_6_5_7_no_mechanism_is_invalid_too():
    assert Login().send(f"<auth xmlns='{NS_SASL}'/>") == "invalid-mechanism"


def test_rfc6120_6_5_7_what_we_speak_but_did_not_offer_is_invalid():
    assert Login(offered=("SCRAM-SHA-1",)).send(plain()) == "invalid-mechanism"


def test_rfc6120_6_5_4_plain_in_the_clear_requires_encryption():
    assert Login(encrypted=False).send(plain()) == "encryption-required"


@pytest.mark.parametrize("data", [b"", b"nothing", b"\0juliet", b"a\0b\0c\0d"])
def test_rfc6120_6_5_8_a_message_against_the_grammar_is_malformed(data):
    assert Login().send(auth("PLAIN", data)) == "malformed-request"
    assert Login().send(auth(SCRAM, data)) == "malformed-request"


def test_rfc6120_6_5_8_a_response_to_nothing_is_malformed():
    login = Login()
    assert login.send(response(b"data")) == "malformed-request"
    login.send(auth(SCRAM, FIRST))
    login.questions[0][2](keys_of())
    assert login.send(ABORT) == "aborted"
    assert login.send(response(b"data")) == "malformed-request"


def test_rfc6120_6_5_6_to_act_as_somebody_else_is_refused_before_the_password_is_looked_at():
    login = Login()
    assert login.send(plain(authzid="romeo@example.com")) == "invalid-authzid"
    assert login.questions == []


@pytest.mark.parametrize("attempt", [plain(), auth(SCRAM, FIRST)])
@pytest.mark.parametrize("condition", [SaslCondition.TEMPORARY_AUTH_FAILURE, SaslCondition.ACCOUNT_DISABLED])
def test_rfc6120_6_5_11_where_the_host_has_no_answer_its_reason_is_told(attempt, condition):
    login = Login()
    login.send(attempt)
    login.questions[0][2](condition)
    assert login.outcome() == condition.value
    assert login.send(plain()) is None  # and another try begins


def test_rfc6120_6_5_10_a_wrong_password_and_a_name_without_account_look_the_same():
    answers = []
    for user in ("juliet", "nobody", "no such/name"):
        login = Login()
        login.send(plain(user, "wrong"))
        login.questions[0][2](False)
        answers.append(login.said[0])
    assert answers[0] == answers[1] == answers[2]


# The host hears of it


def test_a_failed_attempt_is_reported_with_its_account_and_mechanism():
    login = Login()
    login.send(plain("JULIET", "wrong"))
    login.questions[0][2](False)
    login.send(plain("a/b", "wrong"))
    login.questions[1][2](False)
    login.send(plain(authzid="romeo@example.com"))
    assert login.failed == [
        (JULIET, "not-authorized", "PLAIN"),
        (None, "not-authorized", "PLAIN"),
        (JULIET, "invalid-authzid", "PLAIN"),
    ]


def test_a_mechanism_that_we_do_not_know_is_not_repeated_to_the_log():
    login = Login()
    login.send(auth("X\n2026-03-01 logged in jid=admin"))
    assert login.failed == [(None, "invalid-mechanism", "unknown")]


def test_rfc6120_6_4_4_giving_up_is_not_reported_as_a_failure():
    login = Login()
    login.send(ABORT)
    assert login.failed == []


# An answer reaches the exchange that asked, and no other


@pytest.mark.parametrize("late", [keys_of(), None, SaslCondition.TEMPORARY_AUTH_FAILURE])
def test_rfc6120_6_4_2_the_answer_to_an_attempt_that_was_given_up_for_another_is_dropped(late):
    login = Login()
    login.send(auth(SCRAM, FIRST))
    login.send(plain())
    login.said.clear()
    login.questions[0][2](late)
    assert login.said == []
    login.questions[1][2](True)
    assert login.outcome() == "success"


def test_rfc6120_6_4_4_the_answer_to_an_attempt_that_was_aborted_is_dropped():
    login = Login()
    login.send(plain())
    assert login.send(ABORT) == "aborted"
    login.said.clear()
    login.questions[0][2](True)
    assert (login.said, login.accepted) == ([], [])


def test_rfc6120_6_4_2_each_attempt_of_the_same_kind_gets_its_own_answer():
    login = Login()
    login.send(plain("romeo", "right"))
    login.send(plain("juliet", "wrong"))
    login.questions[0][2](True)  # Romeo's password was right, but that is no longer the question
    assert login.accepted == []
    login.questions[1][2](False)
    assert (login.outcome(), login.accepted) == ("not-authorized", [])


# What succeeds


def test_rfc6120_6_3_7_the_user_name_is_the_localpart_normalised():
    login = Login()
    login.send(plain("Juliet"))
    assert login.questions[0][:2] == (JULIET, "pencil")
    login.questions[0][2](True)
    assert login.outcome() == "success"
    assert login.accepted == [(JULIET, "PLAIN")]


@pytest.mark.parametrize("authzid", ["", "juliet@example.com", "JULIET@Example.Com"])
def test_rfc6120_6_3_8_the_own_bare_address_is_the_one_authorization_identity(authzid):
    login = Login()
    login.send(plain(authzid=authzid))
    login.questions[0][2](True)
    assert login.outcome() == "success"


def test_rfc6120_6_4_2_an_equals_sign_is_data_of_length_zero_and_nothing_is_no_data():
    login = Login()
    assert login.send(auth("PLAIN")) == "challenge"
    assert login.said[0].text() == ""
    assert login.send(auth("PLAIN", b"")) == "malformed-request"


def test_rfc6120_6_3_10_an_initial_response_can_come_later():
    login = Login()
    assert login.send(auth("PLAIN")) == "challenge"
    login.send(plain().replace("auth", "response").replace(" mechanism='PLAIN'", ""))
    login.questions[0][2](True)
    assert login.outcome() == "success"


def test_rfc6120_6_4_5_a_failed_attempt_may_be_followed_by_one_of_another_kind():
    login = Login()
    login.send(auth(SCRAM, FIRST))
    login.questions[0][2](None)
    assert login.send(response(b"c=biws,r=abc,p=AAAA")) == "not-authorized"
    login.send(plain())
    login.questions[1][2](True)
    assert login.outcome() == "success"


# What is announced


def features(**context: Any) -> list[Element]:
    given = make_context(**context)
    text = announcement(given.offered, given.channel_bindings)
    return parse_fragment(f"<x>{text}</x>", NS_CLIENT).elements()


def test_xep0440_3_types_are_not_announced_without_a_mechanism_that_binds():
    (mechanisms,) = features(offered=("SCRAM-SHA-1", "PLAIN"))
    assert mechanisms.namespace == NS_SASL
    assert [element.text() for element in mechanisms.elements()] == ["SCRAM-SHA-1", "PLAIN"]


def test_rfc6120_6_4_1_xep0440_2_mechanisms_and_binding_types_are_announced():
    mechanisms, bindings = features(offered=("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"))
    assert {element.name for element in mechanisms.elements()} == {"mechanism"}
    assert [element.text() for element in mechanisms.elements()] == ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"]
    assert (bindings.namespace, bindings.name) == (NS_SASL_CHANNEL_BINDING, "sasl-channel-binding")
    assert [(element.name, element.get("type")) for element in bindings.elements()] == [
        ("channel-binding", "tls-exporter"),
        ("channel-binding", "tls-server-end-point"),
    ]
