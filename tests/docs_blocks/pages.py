"""Pages and the code in them, as a reader of Markdown sees it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parent.parent.parent
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")
TITLE = re.compile(r'title="([^"]+)"')
PAGES = tuple(str(p.relative_to(ROOT))
              for p in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])


@dataclass(frozen=True)
class Block:
    """A fenced block. `title` names the file that it is, `not_run` says why it is only read."""

    page: str
    line: int
    language: str
    title: str
    text: str
    not_run: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page (a path below the root) in order."""
    found, reason = [], ""
    for token in _tokens(page):
        if token.type == "fence" and token.map:
            language, _, rest = token.info.strip().partition(" ")
            title = TITLE.search(rest)
            found.append(Block(page, token.map[0] + 1, language, title[1] if title else "",
                               token.content, reason))
        # a reason counts for the block that follows at once
        told = NOT_RUN.search(token.content) if token.type == "html_block" else None
        reason = told[1] if told else ""
    return found


def inline(page: str) -> Iterator[tuple[int, str]]:
    """Line and text of every piece of code within the prose of a page."""
    for token in _tokens(page):
        for child in token.children or ():
            if child.type == "code_inline":
                yield (token.map or [0])[0] + 1, child.content


def _tokens(page: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text())
