"""The one list of what is recorded: `source:subject:action`.

The source decides for how long, and what for.
"""

from collections.abc import Mapping
from enum import StrEnum


class Source(StrEnum):
    """Where records come from; how long each is kept is configured in [records]."""

    ACCOUNT = "account"
    AUTH = "auth"
    SESSION = "session"
    MESSAGE = "message"
    OPERATOR = "operator"


class Tag(StrEnum):
    """What happened. Those of operations are made of their names: see `operator_tag`."""

    ACCOUNT_APPEARED = "account:entry:appeared"
    ACCOUNT_DEPARTED = "account:entry:departed"
    ACCOUNT_RENAMED = "account:entry:renamed"
    ACCOUNT_LOCKED = "account:entry:locked"
    ACCOUNT_UNLOCKED = "account:entry:unlocked"
    HASH_CHANGED = "account:hash:changed"
    STATE_MADE = "account:state:made"
    STATE_RESTORED = "account:state:restored"
    STATE_ERASED = "account:state:erased"
    FILES_CHANGED = "account:files:changed"
    FILES_HELD = "account:files:held"
    FILES_CONFIRMED = "account:files:confirmed"
    FILES_UNREADABLE = "account:files:unreadable"
    LOGIN_SUCCEEDED = "auth:login:succeeded"
    LOGIN_FAILED = "auth:login:failed"
    TOKEN_REFUSED = "auth:token:refused"
    SESSION_BEGAN = "session:client:began"
    SESSION_LOST = "session:client:lost"
    SESSION_RESUMED = "session:client:resumed"
    SESSION_ENDED = "session:client:ended"
    MESSAGE_CHAT = "message:chat:sent"
    MESSAGE_NORMAL = "message:normal:sent"
    MESSAGE_GROUPCHAT = "message:groupchat:sent"
    MESSAGE_HEADLINE = "message:headline:sent"


# The option of [records] that says how long.
OPTIONS: Mapping[Source, str] = {
    Source.ACCOUNT: "accounts",
    Source.AUTH: "logins",
    Source.SESSION: "sessions",
    Source.MESSAGE: "messages",
    Source.OPERATOR: "operators",
}


def operator_tag(operation: str) -> str:
    """`operator:user:add` of the operation `user add`, `operator:service:drain` of `drain`."""
    subject, _, action = operation.rpartition(" ")
    return f"{Source.OPERATOR}:{subject.replace(' ', '-') or 'service'}:{action}"
