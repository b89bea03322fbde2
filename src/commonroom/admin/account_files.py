"""Operations on the files that accounts come from: what they would change, and the word that they may."""

import json
import os
import pwd
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from commonroom.accounts.build import Builder
from commonroom.accounts.line_files import Unreadable
from commonroom.accounts.plan import HoldRule, Plan, is_snapshot, read_plan
from commonroom.admin.encoding import plain, read
from commonroom.admin.errors import AdminError
from commonroom.admin.places import accounts_folder, snapshot_in_force
from commonroom.config import Settings
from commonroom.config.accounts import AccountFiles

NEXT = "next.sqlite3"
STATUS = "status.json"
CONFIRMED = "confirmed"


class FilesState(Enum):
    """How things are with the account files."""

    IN_FORCE = "in force"
    HELD = "held"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class FilesStatus:
    """What a service says of its account files; `reason` why they are not in force as they are now."""

    state: FilesState
    accounts: int
    since: int
    reason: str = ""
    digest: str = ""
    faults: tuple[str, ...] = ()


def hold_rule(settings: Settings) -> HoldRule:
    """When an operator has to confirm a change."""
    return HoldRule(settings.accounts.hold_share, settings.accounts.hold_least)


def builder(settings: Settings, previous: Path | None, now: float) -> Builder:
    """For the files of a configuration."""
    accounts = settings.accounts
    return Builder(dict(accounts.files), settings.domains, previous, int(now), int(accounts.keep_former))


def files_of(settings: Settings) -> list[Path]:
    """All that are read."""
    found: dict[Path, None] = {}
    for source in settings.accounts.files.values():
        mapping = () if source.mapping is None else (source.mapping,)
        found.update(dict.fromkeys((*source.passwords, *source.only, *source.without, *mapping)))
    return list(found)


@contextmanager
def planned(settings: Settings, instead: Mapping[Path, Path] | None = None) -> Iterator[Plan]:
    """What the files would change now, or if some were replaced by others; raises AdminError.

    It reads as the service does, beside it, and changes nothing.
    """
    if not settings.accounts.files:
        raise AdminError("accounts: no files are configured; add a table [accounts.files.people]")
    current = snapshot_in_force(settings)
    previous = current if is_snapshot(current) else None
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / NEXT
        try:
            builder(_replaced(settings, instead or {}), previous, time.time()).build(path)
        except Unreadable as error:
            raise AdminError(str(error)) from None
        yield read_plan(path)


def confirm(settings: Settings, plan: Plan) -> None:
    """Let the service, now or when it starts, do what this plan says, and nothing else."""
    place = accounts_folder(settings)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        (place / CONFIRMED).write_text(f"{plan.digest}\n{_this_user()}\n", encoding="utf-8")
    except OSError as error:
        raise AdminError(
            f"{place}: it cannot be written ({error.strerror}); use the service's user"
        ) from None


def confirmed_by(settings: Settings, plan: Plan) -> str | None:
    """Who wants exactly this: a user of the machine; None if nobody said so."""
    try:
        text = (accounts_folder(settings) / CONFIRMED).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    digest, _, who = text.partition("\n")
    return (who.strip() or "somebody") if digest.strip() == plan.digest else None


def _this_user() -> str:
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = "unknown"
    return f"uid {uid} ({name})"


def write_status(settings: Settings, status: FilesStatus) -> None:
    """As the service does."""
    path = accounts_folder(settings) / STATUS
    new = path.with_suffix(".new")
    new.write_text(json.dumps(plain(status)), encoding="utf-8")
    os.replace(new, path)


def read_status(settings: Settings) -> FilesStatus | None:
    """What the service said last; None if none has run with account files."""
    try:
        text = (accounts_folder(settings) / STATUS).read_text(encoding="utf-8")
        status: FilesStatus = read(FilesStatus, json.loads(text))
    except (OSError, ValueError):
        return None
    return status


def _replaced(settings: Settings, instead: Mapping[Path, Path]) -> Settings:
    """The same settings, with other files in the places of some; raises AdminError."""
    known = {path.absolute(): path for path in files_of(settings)}
    for path in instead:
        if path.absolute() not in known:
            names = ", ".join(map(str, known.values()))
            raise AdminError(f"{path}: no such file is configured; there are: {names}")
    by_path = {path.absolute(): new for path, new in instead.items()}

    def other(path: Path) -> Path:
        return by_path.get(path.absolute(), path)

    files = {name: _with(source, other) for name, source in settings.accounts.files.items()}
    return replace(settings, accounts=replace(settings.accounts, files=files))


def _with(source: AccountFiles, other: Callable[[Path], Path]) -> AccountFiles:
    return replace(
        source,
        passwords=tuple(map(other, source.passwords)),
        only=tuple(map(other, source.only)),
        without=tuple(map(other, source.without)),
        mapping=None if source.mapping is None else other(source.mapping),
    )
