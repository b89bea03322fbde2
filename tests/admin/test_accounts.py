"""Operations on accounts: what is refused, then what is done."""

from dataclasses import replace

import pytest

from commonroom.accounts.interfaces import Listed, NoListing
from commonroom.admin.accounts import (
    PAGE,
    AccountLine,
    add_account,
    disable_account,
    list_accounts,
    local_address,
    page_of_accounts,
    remove_account,
    set_password,
    show_account,
)
from commonroom.admin.errors import AccountExists, BadAddress, BadPassword, NoSuchAccount
from commonroom.admin.registry import Registry, hash_names
from commonroom.config import Mechanism
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl.scram_keys import check_password
from commonroom.protocol.subscription import SubscriptionState
from commonroom.storage.records import Account, LastActivity, OfflineUsage, RosterItem

from .registries import DOMAINS, LATER, NOW, done, registry

ALICE = JID.parse("alice@example.org")


async def everybody(registry: Registry, domain: str | None = None) -> list[Account]:
    return [account async for account in list_accounts(registry, domain)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("alice", r"an account has an @ in its address; write alice@example\.org"),
        ("alice@example.org/phone", r"this is more than needed; write alice@example\.org"),
        (
            "alice@example.net",
            r"example\.net is not served here; configured: example\.org, chat\.example\.org",
        ),
        ("al ice@example.org", "this is not an address: localpart"),
        ("@example.org", "this is not an address"),
        ("", "this is not an address"),
    ],
)
def test_what_is_no_account_s_address_here_is_refused_with_what_to_do(text: str, reason: str) -> None:
    with pytest.raises(BadAddress, match=reason):
        local_address(("example.org", "chat.example.org"), text)


@pytest.mark.parametrize("text", ["alice@example.org", "example.org/x", "example.net"])
def test_what_is_no_domain_of_ours_is_refused_where_one_is_asked_for(text: str) -> None:
    with pytest.raises(BadAddress):
        local_address(("example.org",), text, is_account=False)


def test_an_address_is_normalised() -> None:
    assert local_address(("example.org",), "ALICE@Example.org") == "alice@example.org"


@pytest.mark.parametrize("password", ["", "pen\0cil", "two\nlines"])
def test_a_password_that_is_none_is_refused_and_not_repeated(password: str) -> None:
    office = registry()
    with pytest.raises(BadPassword) as caught:
        done(add_account(office, ALICE, password))
    assert str(caught.value).startswith("alice@example.org: this is not a password (RFC 8265 §4.2): ")
    assert "pen" not in str(caught.value)
    assert caught.value.__context__ is None
    assert not done(office.stores.accounts.exists(ALICE))


def test_an_account_that_exists_is_not_made_again() -> None:
    office = registry()
    done(add_account(office, ALICE, "secret"))
    with pytest.raises(AccountExists, match=r"alice@example\.org: there is such an account"):
        done(add_account(office, ALICE, "other"))
    account = done(office.stores.accounts.get(ALICE))
    assert account is not None
    assert check_password(account.keys[0], "secret")


def test_what_does_not_exist_cannot_be_changed() -> None:
    office = registry()
    for work in (
        show_account(office, ALICE),
        set_password(office, ALICE, "secret"),
        disable_account(office, ALICE, True),
        remove_account(office, ALICE),
    ):
        with pytest.raises(NoSuchAccount, match=r"alice@example\.org: there is no such account"):
            done(work)


def test_what_waits_for_other_servers_goes_with_who_wrote_it() -> None:
    office = registry()
    done(add_account(office, ALICE, "secret"))
    outbound = office.stores.outbound
    stanza = "<{} from='{}/phone' to='carol@example.net'/>"
    for id, name, sender in (
        (1, "message", ALICE),
        (2, "presence", ALICE),
        (3, "message", "bob@example.org"),
    ):
        outbound.add(id, stanza.format(name, sender))
    outbound.add(4, "<message from='")
    done(remove_account(office, ALICE))
    assert [row.id for row in done(outbound.load(10))] == [2, 3, 4]


def test_a_new_account_has_keys_for_each_hash_and_no_password() -> None:
    office = replace(registry(), hash_names=("SHA-1", "SHA-512"))
    assert done(add_account(office, "Alice@example.org", "secret")) == ALICE
    account = done(office.stores.accounts.get(ALICE))
    assert account is not None
    assert [keys.hash_name for keys in account.keys] == ["SHA-1", "SHA-512"]
    assert all(check_password(keys, "secret") for keys in account.keys)
    assert (account.created, account.disabled) == (NOW, False)


def test_another_password_changes_nothing_else() -> None:
    office = registry()
    done(add_account(office, ALICE, "secret"))
    done(disable_account(office, ALICE, True))
    done(set_password(replace(office, now=lambda: LATER), ALICE, "other"))
    account = done(office.stores.accounts.get(ALICE))
    assert account is not None
    assert (account.created, account.disabled) == (NOW, True)
    assert not check_password(account.keys[0], "secret")
    assert check_password(account.keys[0], "other")


def test_an_account_is_disabled_enabled_and_removed() -> None:
    office = registry()
    done(add_account(office, ALICE, "secret"))
    done(disable_account(office, ALICE, True))
    assert done(show_account(office, ALICE)).disabled
    done(disable_account(office, ALICE, False))
    assert not done(show_account(office, ALICE)).disabled
    done(remove_account(office, ALICE))
    assert not done(office.stores.accounts.exists(ALICE))


def test_what_is_shown_of_an_account() -> None:
    office = registry()
    done(add_account(office, ALICE, "secret"))
    for name, listed in (("bob", True), ("stranger", False)):
        item = RosterItem(JID.of(name, "example.org"), "", (), SubscriptionState.NONE, False, listed, None, 1)
        office.stores.rosters.put(ALICE, item)
    office.stores.offline.add(ALICE, 1, NOW, "<message/>")
    office.stores.last_activity.put(ALICE, LastActivity(LATER, ""))
    facts = done(show_account(office, ALICE))
    assert (facts.jid, facts.created, facts.disabled) == (ALICE, NOW, False)
    assert facts.hashes == {"SHA-256": 4096}
    assert (facts.contacts, facts.offline, facts.last_online) == (1, OfflineUsage(1, 10), LATER)


def test_accounts_are_listed_by_address_page_by_page() -> None:
    office = registry()
    names = [f"user{number:04}@example.org" for number in range(PAGE * 2)]
    for name in ("zoe@chat.example.org", *reversed(names)):
        office.stores.accounts.put(Account(JID.parse(name), (), NOW))
    assert [account.jid for account in done(everybody(office))] == [*names, "zoe@chat.example.org"]
    assert [account.jid for account in done(everybody(office, "chat.example.org"))] == [
        "zoe@chat.example.org"
    ]
    with pytest.raises(BadAddress, match="configured"):
        done(everybody(office, "example.net"))


@pytest.mark.parametrize(
    ("mechanisms", "hashes"),
    [
        ((Mechanism.PLAIN,), ("SHA-1", "SHA-256", "SHA-512")),
        ((Mechanism.PLAIN, Mechanism.SCRAM_SHA_1), ("SHA-1",)),
        ((Mechanism.SCRAM_SHA_256_PLUS, Mechanism.SCRAM_SHA_256), ("SHA-256",)),
        ((Mechanism.SCRAM_SHA_512_PLUS, Mechanism.SCRAM_SHA_1), ("SHA-1", "SHA-512")),
        (tuple(Mechanism), ("SHA-1", "SHA-256", "SHA-512")),
    ],
)
def test_keys_are_made_for_the_hashes_that_are_offered(
    mechanisms: tuple[Mechanism, ...], hashes: tuple[str, ...]
) -> None:
    assert hash_names(mechanisms) == hashes


class Listing(NoListing):
    """Forty accounts of a file; every fourth is locked."""

    def __init__(self) -> None:
        self.all = [
            Listed(JID.parse(f"u{number:02}@{domain}"), f"u{number:02}", "hash" * (number % 4 > 0), "people")
            for domain in DOMAINS
            for number in range(20)
        ]

    def find(self, account: JID) -> Listed | None:
        return next((each for each in self.all if each.address == account), None)

    def page(self, domain: str | None, after: JID | None, limit: int) -> list[Listed]:
        found = sorted(self.all, key=lambda each: each.address)
        wanted = (each for each in found if domain in (None, each.address.domain))
        return [each for each in wanted if after is None or each.address > after][:limit]


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
@pytest.mark.parametrize("domain", [None, "example.org"])
def test_pages_of_accounts_here_and_in_files_leave_none_out_and_name_none_twice(
    limit: int, domain: str | None
) -> None:
    office = replace(registry(), files=Listing())
    for name in ("a@example.org", "u05x@example.org", "u07@example.org", "z@chat.example.org"):
        jid = JID.parse(name)
        listed = office.listed(jid)
        office.stores.accounts.put(
            Account(jid, (), NOW, origin="" if listed is None else "people", login=jid.local or "")
        )
    found: list[AccountLine] = []
    after = None
    while True:
        page = done(page_of_accounts(office, domain, after, limit))
        found += page.accounts
        assert len(page.accounts) <= limit
        if (after := page.next) is None:
            break
    addresses = [line.address for line in found]
    assert addresses == sorted(set(addresses))
    assert len(addresses) == (43 if domain is None else 22)
    states = {str(line.address): line.standing.value for line in found}
    assert states["u04@example.org"] == "locked"
    assert states["u05@example.org"] == "unused"
    assert states["u07@example.org"] == states["a@example.org"] == "active"
