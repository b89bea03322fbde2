"""go-sendxmpp sends and listens, and says why when it cannot."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from .go_sendxmpp import GoSendxmpp
from .people import Person
from .server import ServerUnderTest

CLOCK_TOLERANCE = timedelta(seconds=60)

direct_and_starttls = pytest.mark.parametrize("direct_tls", [False, True], ids=["starttls", "direct-tls"])


@pytest.fixture
def program(tmp_path: Path, server: ServerUnderTest) -> Iterator[GoSendxmpp]:
    program = GoSendxmpp(tmp_path, server)
    yield program
    program.close()


@direct_and_starttls
def test_go_sendxmpp_fails_with_a_wrong_password(
    direct_tls: bool, program: GoSendxmpp, romeo: Person, juliet: Person
) -> None:
    done = program.send(romeo, juliet.jid, "unheard", direct_tls=direct_tls, password="arise-fair-sun")
    assert done.returncode == 1
    assert "auth failure" in done.stderr


@direct_and_starttls
def test_go_sendxmpp_refuses_a_certificate_it_was_not_given(
    direct_tls: bool, program: GoSendxmpp, romeo: Person, juliet: Person
) -> None:
    """The other tests verify the certificate, or this would not fail."""
    done = program.send(romeo, juliet.jid, "unheard", direct_tls=direct_tls, trusts_server=False)
    assert done.returncode == 1
    assert "certificate signed by unknown authority" in done.stderr


@direct_and_starttls
def test_go_sendxmpp_sends_to_somebody_online(
    direct_tls: bool, program: GoSendxmpp, romeo: Person, juliet: Person
) -> None:
    balcony = juliet.come_online("balcony")
    done = program.send(romeo, juliet.jid, "But soft!", direct_tls=direct_tls)
    assert (done.returncode, done.stderr) == (0, "")
    heard = balcony.receive_message("But soft!")
    assert (heard["from"].bare, heard["type"]) == (romeo.jid, "chat")


def test_go_sendxmpp_sends_to_somebody_away(program: GoSendxmpp, romeo: Person, juliet: Person) -> None:
    sent = datetime.now(UTC)
    assert program.send(romeo, juliet.jid, "What light\nthrough yonder window").returncode == 0
    heard = juliet.come_online().receive_message("What light\nthrough yonder window")
    assert heard["from"].bare == romeo.jid
    assert abs(heard["delay"]["stamp"] - sent) < CLOCK_TOLERANCE


def test_go_sendxmpp_listens(program: GoSendxmpp, romeo: Person, juliet: Person) -> None:
    program.listen(romeo)
    balcony = juliet.come_online("balcony")
    balcony.chat(romeo.jid, "O Romeo, Romeo!")
    assert juliet.jid in program.hear("O Romeo, Romeo!")
    balcony.chat(romeo.jid, "Deny thy father & refuse thy name")
    program.hear("Deny thy father & refuse thy name")


def test_go_sendxmpp_reads_what_came_while_it_was_away(
    program: GoSendxmpp, romeo: Person, juliet: Person
) -> None:
    sender = juliet.login()
    sender.chat(romeo.jid, "Wherefore art thou?")
    sender.sync()
    program.listen(romeo)
    assert juliet.jid in program.hear("Wherefore art thou?")
