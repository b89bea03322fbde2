"""What a filter wants of an archive, decided without a database (XEP-0313 §4.1)."""

from commonroom.storage.records import ArchivedMessage, ArchiveFilter, ArchivePage
from commonroom.storage.words import asked, words


def matches(message: ArchivedMessage, wanted: ArchiveFilter) -> bool:
    """Whether a message is wanted."""
    peer = wanted.peer
    return (
        (peer is None or peer == (message.peer.bare if peer.is_bare else message.peer))
        and (wanted.after is None or message.id > wanted.after)
        and (wanted.before is None or message.id < wanted.before)
        and (wanted.ids is None or message.id in wanted.ids)
        and (wanted.text is None or _has_words(message.body, wanted.text))
    )


def cut(found: tuple[ArchivedMessage, ...], limit: int, backwards: bool) -> ArchivePage:
    """The first or the last of what was found; it is complete if that is all."""
    part = found[max(len(found) - limit, 0) :] if backwards else found[:limit]
    return ArchivePage(part, len(found) <= limit)


def _has_words(body: str | None, text: str) -> bool:
    looked_for = asked(text)
    return body is not None and bool(looked_for) and set(looked_for) <= set(words(body))
