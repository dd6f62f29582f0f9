"""Chromium without a window, for tests of pages; they are skipped by name where there is none."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next((p for n in ("chromium", "google-chrome", "chromium-browser")
                 if (p := shutil.which(n))), None)


@contextlib.contextmanager
def started() -> Iterator[Any]:
    """A browser of playwright's."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright to click with")
    if not CHROMIUM:
        pytest.skip("no chromium here to open the report with")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM,
                                       args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser: Any, path: Path, heard: list[str], **more: Any) -> Iterator[Any]:
    """A page that is ready; whatever it says or asks for from elsewhere goes into `heard`."""
    page = browser.new_page(viewport={"width": 1100, "height": 900}, **more)
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: heard.append(request.url)
            if not request.url.startswith(("file:", "data:", "blob:")) else None)
    page.goto(path.absolute().as_uri())
    page.wait_for_selector("body[data-ready]")
    yield page
    page.close()


def drawn(page: Any, name: str) -> Any:
    """Bring a chart or plane near, and wait until it is there."""
    page.locator(f"#{name}").scroll_into_view_if_needed()
    page.wait_for_selector(f"#{name} .main-svg", state="attached")
    page.locator(f"#{name} .main-svg").first.evaluate("e => e.scrollIntoView({block: 'center'})")
    return page.locator(f"#{name}")


def at(page: Any, plane: str, x: float, y: float) -> tuple[float, float]:
    """Where on the screen a position of a plane is, px."""
    return tuple(page.evaluate(
        """([name, x, y]) => {
          const plot = document.querySelector(`#${name} .points`), full = plot._fullLayout;
          const box = plot.getBoundingClientRect();
          return [box.left + full.xaxis._offset + full.xaxis.d2p(x),
                  box.top + full.yaxis._offset + full.yaxis.d2p(y)];
        }""", [plane, x, y]))
