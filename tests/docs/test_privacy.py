"""docs/privacy.md says what is recorded, and shows the text that the defaults make."""

import re
from pathlib import Path

from commonroom.admin.privacy import privacy_text
from commonroom.audit.tags import Tag
from commonroom.config import Settings, parse

PAGE = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text()


def text(toml: str) -> str:
    return privacy_text(parse(f"domains = ['example.org']\n{toml}", Path("commonroom.toml")))


def test_every_tag_is_explained_and_no_other() -> None:
    named = set(re.findall(r"^\| `([a-z:]+)` \|", PAGE, re.MULTILINE))
    assert named == {tag.value for tag in Tag}


def test_the_text_is_that_of_the_defaults() -> None:
    quoted = [line.removeprefix(">").removeprefix(" ") for line in PAGE.splitlines() if line.startswith(">")]
    assert "\n".join(quoted) + "\n" == privacy_text(Settings(domains=("example.org",)))


def test_what_is_configured_is_told() -> None:
    told = " ".join(
        text(
            "[records]\nlogins = '1d'\nmessages = '2h'\nmessages_purpose = 'To bill you.'\n"
            "statistics = '0s'\n"
            "readers = ['auditor']\n[archive]\ndefault = 'never'\nkeep = '30d'\n"
            "[archive.policies.students]\naccounts = ['*@students.example.org']\nkeep = '90d'\n"
            "[contact]\nsupport = ['mailto:help@example.org']\n"
        ).split()
    )
    assert "For 1 day: log-ins" in told
    assert "For 2 hours: who wrote to whom" in told
    assert "To bill you." in told
    assert "## Statistics None are kept." in told
    assert "the role auditor." in told
    assert "only if you turn that on" in told
    assert "for 30 days; those of *@students.example.org for 90 days" in told
    assert "mailto:help@example.org" in told


def test_what_is_off_is_said_to_be_off() -> None:
    told = text("[records]\nlogins = '0s'\nsessions = '0s'\nreaders = []\n")
    assert told.count("- Not recorded: ") == 3
    assert "nobody by a role" in told
