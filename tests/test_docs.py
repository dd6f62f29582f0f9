"""The documentation says what the code does."""

import re
from pathlib import Path

import pytest

from libcell.cli.pages import all_pages

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = all_pages()
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("name", sorted(PAGES))
def test_generated_pages_are_up_to_date(name):
    path = DOCS / name
    assert path.exists(), f"docs/{name} is missing: run `make docs`"
    assert path.read_text() == PAGES[name], f"docs/{name} is out of date: run `make docs`"


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))],
                         ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    dead = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not dead
