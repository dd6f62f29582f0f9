"""The documentation as a site: links hold, nothing comes from elsewhere, search answers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import browser
import pytest

ROOT = Path(__file__).parent.parent
pytest.importorskip("mkdocs", reason="no mkdocs to build the site with (extra docs)")


def build(root, site):
    """`make site` of a checkout: exit code and what was said."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site],
        cwd=root, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
        check=False)
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    code, said = build(ROOT, folder)
    assert code == 0, said
    return folder


def test_every_page_is_on_the_site(site):
    pages = {p.relative_to(ROOT / "docs").with_suffix(".html") for p in ROOT.glob("docs/**/*.md")}
    assert pages
    assert not [p for p in pages if not (site / p).exists()]
    assert "Eight small commands" in (site / "index.html").read_text()


def test_links_out_of_the_documentation_lead_to_copies(site):
    assert "cell-crop cells" in (site / "examples" / "plate" / "Makefile.txt").read_text()
    assert 'href="examples/plate/Makefile.txt"' in (site / "index.html").read_text()
    assert (site / "schemas" / "objects.schema.json").exists()


@pytest.mark.parametrize("link", ["cell-feat.md#cell-feat-measures", "no-such.md"])
def test_a_dead_link_is_an_error(tmp_path, link):
    for name in ("mkdocs.yml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "docs" / "schemas").mkdir(parents=True)
    for name in ("site.py", "cell-feat.md", "common-options.md"):
        shutil.copy(ROOT / "docs" / name, tmp_path / "docs")
    (tmp_path / "README.md").write_text(f"# A page\n\n[somewhere]({link})\n".replace(
        "(", "(docs/"))
    code, said = build(tmp_path, tmp_path / "site")
    assert code != 0
    assert link in said


def test_search_answers_from_a_disk_and_nothing_comes_from_elsewhere(site):
    heard = []
    with browser.started() as started:
        page = started.new_page(viewport={"width": 1280, "height": 900})
        page.on("request", lambda request: heard.append(request.url))
        page.on("pageerror", lambda error: heard.append(str(error)))
        for name in ("index", "cell-segment", "schemas/objects"):
            page.goto((site / f"{name}.html").as_uri())
        page.keyboard.press("s")
        page.wait_for_selector(".md-search__input", state="visible")
        page.keyboard.type("percentiles")
        page.wait_for_selector(".md-search-result__item a")
        found = page.locator(".md-search-result__item a").first.get_attribute("href")
        assert Path(found.removeprefix("file://").partition("#")[0].partition("?")[0]).exists()
    assert heard
    assert not [h for h in heard if not h.startswith(("file:", "data:", "blob:"))]


def test_pages_fit_a_telephone(site):
    with browser.started() as started:
        page = started.new_page(viewport={"width": 390, "height": 800})
        for name in ("index", "cell-train", "data-contract", "schemas/objects"):
            page.goto((site / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
