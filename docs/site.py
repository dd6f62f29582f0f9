"""What mkdocs does not know: README is the start page, links may leave docs/, and commands and
schemas are listed by themselves."""

import json
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?(?=\))")
OUTSIDE = re.compile(r'href="(https?://[^"]+)"')
# what is not copied has a page on the site
STANDS_FOR = {"schemas": "data-contract.md", "README.md": "index.md"}

seen: dict[str, set[str]] = {}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the two sections that are generated; a page that mkdocs.yml forgets is under More."""
    seen.clear()
    pages = {"Commands": sorted(DOCS.glob("cell-*.md")),
             "Schemas": sorted((DOCS / "schemas").glob("*.md"))}
    config.nav = [_filled(entry, pages) for entry in config.nav or []]
    listed = json.dumps(config.nav)
    forgotten = [p.name for p in sorted(DOCS.glob("*.md")) if f'"{p.name}"' not in listed]
    config.nav += [{"More": forgotten}] if forgotten else []
    return config


def _filled(entry: dict, pages: dict[str, list[Path]]) -> dict:
    ((title, content),) = entry.items()
    listed = [{p.stem: p.relative_to(DOCS).as_posix()} for p in pages.get(title, ())]
    return {title: listed or content}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the start page, and every file outside docs/ that a page leads to."""
    readme = ROOT / "README.md"
    outside = {t for page in (readme, *DOCS.rglob("*.md"))
               for t, _ in LINK.findall(page.read_text())
               for t in [_target(page.relative_to(ROOT).as_posix(), t)]
               if not t.startswith("docs/") and t not in STANDS_FOR and (ROOT / t).is_file()}
    files.append(File.generated(config, "index.md", content=readme.read_text()))
    for path in sorted(outside):
        files.append(File.generated(config, _shown(path), content=(ROOT / path).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where the site has what they name."""
    uri = page.file.src_uri
    source = "README.md" if uri == "index.md" else f"docs/{uri}"

    def led(match: re.Match[str]) -> str:
        target = _target(source, match[1])
        if target.startswith("docs/"):
            there = target.removeprefix("docs/")
        else:
            there = STANDS_FOR.get(target) or _shown(target)
        return posixpath.relpath(there, posixpath.dirname(uri) or ".") + (match[2] or "")

    return LINK.sub(led, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Note where a page leads that is elsewhere: listed, not visited."""
    for address in OUTSIDE.findall(html):
        seen.setdefault(address, set()).add(page.file.src_uri)
    return html


def on_post_build(config: MkDocsConfig) -> None:
    """Leave the list of addresses elsewhere beside the site."""
    listed = {address: sorted(pages) for address, pages in sorted(seen.items())}
    Path(config.site_dir, "links-elsewhere.json").write_text(json.dumps(listed, indent=1) + "\n")


def _target(source: str, link: str) -> str:
    """The path below the root that a link of a page means."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))


def _shown(path: str) -> str:
    """Its name on the site: browsers show .txt, but offer a Makefile for download."""
    return path if path.endswith(".json") else f"{path}.txt"
