"""The fenced code blocks of a Markdown page."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")
_TITLE = re.compile(r'\btitle="([^"]*)"')
_RUN_WITH = re.compile(r"^<!-- run with: (?P<arguments>.+) -->$")
_TRAINING_LENGTH = re.compile(r"^--(steps|epochs) \d+(\.\d+)?$")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    `title` is the name of the file whose content it shows, or empty; `run_with` is what the tests
    add to its commands, which may shorten a training and nothing else.
    """

    page: Path
    line: int
    language: str
    title: str
    run_with: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in their order.

    Raises:
        ValueError: a block is not closed, or a comment before it asks for more than a shorter
            training.
    """
    return list(_read(page))


def _read(page: Path) -> Iterator[Block]:
    lines = page.read_text(encoding="utf-8").splitlines()
    before = ""
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        if not opened:
            before = lines[number].strip() or before
            number += 1
            continue
        first = number + 1
        closing = re.compile(rf"^ *{re.escape(opened['fence'])} *$")
        last = next((n for n in range(first, len(lines)) if closing.match(lines[n])), None)
        if last is None:
            raise ValueError(f"{page.name}:{first}: this block is not closed")
        language, _, attributes = opened["info"].strip().partition(" ")
        title = _TITLE.search(attributes)
        yield Block(
            page,
            first,
            language,
            title[1] if title else "",
            _run_with(before, f"{page.name}:{number}"),
            textwrap.dedent("\n".join(lines[first:last])) + "\n",
        )
        before = ""
        number = last + 1


def _run_with(comment: str, place: str) -> str:
    asked = _RUN_WITH.match(comment)
    if not asked:
        return ""
    if not _TRAINING_LENGTH.match(asked["arguments"]):
        raise ValueError(f"{place}: only --steps N or --epochs N may be changed for the tests")
    return asked["arguments"]
