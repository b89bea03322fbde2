"""docs/configuration.md, made from the declarations. Prints the page, or checks that FILE is it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from textwrap import TextWrapper
from typing import Any

from commonroom.config.kinds import toml_key
from commonroom.config.option import Key, Option, options, walk
from commonroom.config.schema import Settings

INTRODUCTION = """\
# Configuration

<!-- Made by `python -m commonroom.config.document`; edit src/commonroom/config/schema.py instead. -->

The server reads one file, `commonroom.toml`. `commonroom init` writes it with every option, its meaning and
its default as a comment, so that only what differs needs to be changed. The format is
[TOML](https://toml.io): options are `name = value`, in tables that begin with `[name]`, and what follows
`#` is a note. An option whose default is right can be left out. When something in the file is wrong, the
server does not start; it lists everything that is wrong, with the line and with what to write instead.

| kind of value | written | meaning |
|---|---|---|
| text | `"in double quotes"` | `\\\\` is a backslash; in `'single quotes'` all stands for itself |
| number | `1000` | without quotes; `10_000` is the same as `10000` |
| duration | `"90s"`, `"5m"`, `"2h"`, `"30d"`, `"500ms"` | seconds, minutes, hours, days, milliseconds |
| size | `"10000 B"`, `"64 KiB"`, `"1 MiB"`, `"1 GiB"` | bytes; 1 KiB is 1024 bytes, 1 MiB 1024 KiB |
| path | `"var"`, `"/var/lib/commonroom"` | a relative one starts at the folder of `commonroom.toml` |
| address | `"192.0.2.1:5222"`, `"[2001:db8::1]:5222"`, `"*:5222"` | an IP address and a port |
| list | `["one", "two"]` | may go over several lines; `[]` is an empty one |
"""


PROSE = TextWrapper(108, break_on_hyphens=False, break_long_words=False)
ITEM = TextWrapper(108, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


AT_ONCE = """
## What counts without a restart

After `commonroom reload` (or SIGHUP) these count at once; `reload` names the others that were changed, which
count after a restart:

"""


def document() -> str:
    """The page's text."""
    tables = "".join(line for key, settings in walk(Settings) for line in _table(key, settings))
    return f"{INTRODUCTION}{tables}{AT_ONCE}{''.join(_at_once())}"


def _at_once() -> Iterator[str]:
    for key, settings in walk(Settings):
        names = [name for name, option in options(settings).items() if option.live]
        if names:
            all_of_it = " (all)" if len(names) == len(options(settings)) else ""
            listed = ", ".join(f"`{name}`" for name in names)
            yield f"{ITEM.fill(f'- `[{toml_key(key)}]`{all_of_it}: {listed}')}\n"


def _table(key: Key, settings: type[Any]) -> Iterator[str]:
    title = f"[{toml_key(key)}]" if key else "At the top of the file"
    yield f"\n## {f'`{title}`' if key else title}\n\n{_prose(settings.__doc__ or '')}\n"
    for name, option in options(settings).items():
        yield f"\n### `{toml_key((*key, name))}`\n\n{_prose(option.doc)}\n\n"
        yield from (f"- {label}: {text}\n" for label, text in _facts(name, option))


def _facts(name: str, option: Option[Any]) -> Iterator[tuple[str, str]]:
    yield "Value", option.kind.expected
    if option.required:
        yield "Default", "none, it must be written"
    else:
        yield "Default", option.unset or f"`{option.kind.write(option.default)}`"
    yield "Example", f"`{name} = {option.kind.write(option.example)}`"
    yield "A change counts", "after `commonroom reload`" if option.live else "after a restart"


def _prose(text: str) -> str:
    return PROSE.fill(" ".join(text.split()))


def main(arguments: list[str]) -> int:
    """Print the page, or tell whether a file is the page."""
    parser = ArgumentParser(prog="python -m commonroom.config.document", description=__doc__)
    parser.add_argument("--check", type=Path, metavar="FILE", help="say whether FILE is up to date")
    file: Path | None = parser.parse_args(arguments).check
    if file is None:
        sys.stdout.write(document())
    elif not file.is_file() or file.read_text(encoding="utf-8") != document():
        sys.stderr.write(f"{file} is stale; run `make docs`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
