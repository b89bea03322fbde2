"""What users are told of what is kept about them, made of the configuration."""

from collections.abc import Callable, Iterator, Sequence
from textwrap import fill

from commonroom.audit.tags import OPTIONS
from commonroom.config import Settings
from commonroom.config.archive import ArchiveDefault
from commonroom.features.ad_hoc import Answers, Command, Outcome
from commonroom.protocol.jid import JID
from commonroom.xml.element import Element

WIDTH = 100
WHAT = {
    "accounts": "what became of accounts: when one appeared in the institution's lists, left them, came "
    "back, was locked, got another address or password, and was erased",
    "logins": "log-ins and failed ones: account, time, IP address, and the way of logging in",
    "sessions": "when clients were connected: address, begin and end, IP address",
    "messages": "who wrote to whom: both addresses, time, kind and length of the message, never what it says",
    "operators": "what the staff did and read: who, when, and about whom",
}
DEVICES = "so that all your devices can read them"
DEFAULTS = {
    ArchiveDefault.ALWAYS: f"All messages that you send and get are archived, {DEVICES}",
    ArchiveDefault.ROSTER: f"Messages from and to your contacts are archived, {DEVICES}",
    ArchiveDefault.NEVER: "Messages are archived only if you turn that on in your client",
}
ACCOUNT = """\
Your address, a key that your password is checked with (not the password itself), your contacts and their
groups, what your clients store here (bookmarks, settings), which clients you use, and when you were last
online. Messages wait here while you are not connected, {messages} at most. All of this is kept for as
long as the account exists."""
READERS = """\
Those who run the machine, and {readers}. Each time somebody of the staff reads a record, that is itself
recorded."""
STATISTICS = """\
For {span}: how many people were here each day, how many messages there were, and which programs were
used. People are counted under a pseudonym whose key is thrown away when the day is over. {purpose}"""


class PrivacyCommand:
    """The same in a chat client: a command (XEP-0050) that every account of ours may run."""

    node = "commonroom#privacy"
    name = "What is kept about you"
    is_for_all = True

    def __init__(self, text: str) -> None:
        self._text = text

    def form(self) -> Element | None:
        """Nothing is asked."""
        return None

    async def run(self, requester: JID, answers: Answers) -> Outcome:
        """The text as it is now."""
        return Outcome(self._text)


def for_accounts(settings: Callable[[], Settings]) -> Callable[[JID], Sequence[Command]]:
    """Gives the command to accounts of the domains that are served, and to nobody else."""

    def of(requester: JID) -> Sequence[Command]:
        known = settings()
        return (PrivacyCommand(privacy_text(known)),) if requester.domain in known.domains else ()

    return of


def privacy_text(settings: Settings) -> str:
    """Markdown; the names of people and the legal basis are the institution's to add."""
    return "\n\n".join(_parts(settings)) + "\n"


def _parts(settings: Settings) -> Iterator[str]:
    yield f"# What {', '.join(settings.domains)} keeps about you"
    yield "## Your account"
    yield _wrapped(ACCOUNT.format(messages=settings.offline.messages))
    yield "## What you write"
    yield _wrapped(_archive(settings))
    yield "## What is recorded"
    yield "Never what a message says. Of other things:"
    yield "\n".join(fill(line, WIDTH, subsequent_indent="  ") for line in _records(settings))
    yield "## Who may read the records"
    readers = ", ".join(f"the role {role.value}" for role in settings.records.readers) or "nobody by a role"
    yield _wrapped(READERS.format(readers=readers))
    yield "## Statistics"
    yield _wrapped(_statistics(settings))
    if settings.contact.support or settings.contact.admin:
        yield "## Whom to ask"
        yield ", ".join((*settings.contact.support, *settings.contact.admin))


def _wrapped(text: str) -> str:
    return fill(" ".join(text.split()), WIDTH)


def _archive(settings: Settings) -> str:
    archive = settings.archive
    kept = "for as long as the account exists" if archive.keep is None else f"for {_span(archive.keep)}"
    text = f"{DEFAULTS[archive.default]}; you can change that in your client. They are kept {kept}"
    for policy in archive.policies.values():
        span = "without limit" if policy.keep is None else f"for {_span(policy.keep)}"
        text += f"; those of {', '.join(policy.accounts)} {span}"
    return f"{text}. What is not encrypted from end to end could be read by those who run the machine."


def _records(settings: Settings) -> Iterator[str]:
    for option in OPTIONS.values():
        kept = getattr(settings.records, option)
        purpose = getattr(settings.records, f"{option}_purpose")
        if kept:
            yield f"- For {_span(kept)}: {WHAT[option]}. {purpose}"
        else:
            yield f"- Not recorded: {WHAT[option]}."


def _statistics(settings: Settings) -> str:
    records = settings.records
    if not records.statistics:
        return "None are kept."
    return STATISTICS.format(span=_span(records.statistics), purpose=records.statistics_purpose)


def _span(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86_400)
    if days:
        return "1 day" if days == 1 else f"{days} days"
    hours = max(1, round(rest / 3600))
    return "1 hour" if hours == 1 else f"{hours} hours"
