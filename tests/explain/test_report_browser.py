"""The report in a real browser: what is clicked, hovered over, circled and typed."""

import re

import browser
import numpy as np
import pyarrow.parquet as pq
import pytest
from hand_made import call, write_images, write_labels, write_table

EVIL = "<script>alert(1)</script>"
CLASSES = ("a", EVIL)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Forty cells of two classes in two wells, far apart on a plane; every fifth is taken for the
    other class. The report, and its table of planes."""
    folder = tmp_path_factory.mktemp("browser")
    rng = np.random.default_rng(0)
    mask = np.zeros((1, 1, 60, 70), np.uint32)
    for i in range(20):
        y, x = 2 + 14 * (i // 5), 2 + 13 * (i % 5)
        mask[0, 0, y : y + 9, x : x + 9] = i + 1
    groups = ("A/01/0", "A/02/0")
    write_images(folder / "p.ome.zarr", {
        g: rng.integers(0, 255, (1, 1, 1, 60, 70)).astype(np.uint8) for g in groups}, ("DNA",))
    write_labels(folder / "n.labels.ome.zarr", {g: {"nuclei": mask} for g in groups})
    call("crop", "cells", folder / "n.labels.ome.zarr", "--images", folder / "p.ome.zarr",
         "--size", 16, "-o", folder / "c.crops.zarr")
    index = pq.read_table(folder / "c.crops.zarr" / "index.parquet")
    keys = {n: index.column(n) for n in index.column_names
            if n.startswith("Metadata_") or n == "object_id"}
    truth = np.arange(40) % 2
    said = np.where(np.arange(40) % 5 == 0, 1 - truth, truth)
    write_table(folder / "p.parquet", "predictions", keys | {
        "target": [CLASSES[c] for c in truth], "predicted": [CLASSES[c] for c in said],
        "split": ["test"] * 40, "p_a": 1.0 - said, f"p_{EVIL}": said.astype(float)})
    place = rng.normal(size=(40, 2)) + 20 * truth[:, None]
    write_table(folder / "plane.parquet", "planes", keys | {
        "plane_1": place[:, 0], "plane_2": place[:, 1], "Metadata_Dose": rng.random(40)})
    call("explain", "report", *(folder / n for n in ("c.crops.zarr", "p.parquet", "plane.parquet")),
         "-o", folder / "r.html", "--points", 30)
    return folder, pq.read_table(folder / "plane.parquet").to_pylist(), truth


@pytest.fixture(scope="module")
def chromium():
    with browser.started() as found:
        yield found


@pytest.fixture
def page(work, chromium):
    heard = []
    with browser.opened(chromium, work[0] / "r.html", heard) as found:
        yield found
    assert heard == []  # nothing on the console, nothing asked for from elsewhere


def chosen(page):
    return set(page.locator("#plane textarea").input_value().split())


PRESSED = """key => [...document.querySelectorAll("button[data-key]")].some(
    b => b.dataset.key === key && b.getAttribute("aria-pressed") === "true")"""


def click(page, spot, key):
    """Click on a cell of the matrix until its button is pressed: on a busy machine a click may
    come before the chart knows what is below the mouse."""
    from playwright.sync_api import TimeoutError as TooLong

    for wait in (2000, 5000, 30000):
        page.mouse.move(5, 5)
        page.mouse.move(*spot)
        page.wait_for_selector("#confusion .hovertext", state="attached")
        page.mouse.click(*spot)
        try:
            page.wait_for_function(PRESSED, arg=key, timeout=wait)
            return
        except TooLong:
            if wait == 30000:
                raise


def test_a_cell_of_the_matrix_opens_to_its_crops(work, page):
    box = browser.drawn(page, "confusion").locator(".nsewdrag").bounding_box()
    shown = page.locator("#confusion-examples img")
    for row, column in ((0, 1), (1, 1)):  # classes in order: the evil one first
        spot = (box["x"] + box["width"] * (0.25 + column / 2),
                box["y"] + box["height"] * (0.25 + row / 2))
        truth, said = (sorted(CLASSES)[i] for i in (row, column))
        click(page, spot, f"{truth}|{said}")
        table = pq.read_table(work[0] / "p.parquet").to_pylist()
        there = {r["object_id"] for r in table if (r["target"], r["predicted"]) == (truth, said)}
        ids = shown.evaluate_all("images => images.map(i => i.alt)")
        assert ids and set(ids) <= there
        assert shown.evaluate_all("images => images.every(i => i.complete && i.naturalWidth > 8)")
    assert EVIL in page.locator("#confusion").inner_text()
    assert page.locator("svg a").count() == 0


def test_hovering_shows_the_cell(work, page):
    browser.drawn(page, "plane")
    row = page.evaluate("document.querySelector('#plane .points').data.at(-1).customdata[0]")
    one = work[1][row]
    page.mouse.move(*browser.at(page, "plane", one["plane_1"], one["plane_2"]))
    card = page.locator("#plane .card")
    card.wait_for(state="visible")
    assert card.locator("img").get_attribute("alt") in {r["object_id"] for r in work[1]}
    assert card.locator("img").evaluate("i => i.naturalWidth") >= 16
    assert "target: " in card.inner_text()


def test_a_lasso_lists_all_objects_in_it(work, page):
    """Also those that are not drawn as points."""
    _, rows, truth = work
    browser.drawn(page, "plane")
    low = min(min(r["plane_1"], r["plane_2"]) for r in rows) - 0.2
    corners = [(low, low), (9, low), (9, 9), (low, 9), (low, low)]
    place = [browser.at(page, "plane", x, y) for x, y in corners]
    page.mouse.move(*place[0])
    page.mouse.down()
    for x, y in place[1:]:
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    page.wait_for_function("document.querySelector('#plane textarea').value")
    assert chosen(page) == {r["object_id"] for r, c in zip(rows, truth) if c == 0}
    assert "20 of 40 objects" in page.locator("#plane [role=status]").inner_text()
    with page.expect_download() as download:
        page.locator("#plane .download").click()
    text = download.value.path().read_text().split()
    assert text[0] == "object_id" and set(text[1:]) == chosen(page)
    page.locator("#plane .clear").click()
    assert chosen(page) == set()


def test_a_class_is_chosen_and_copied_without_a_mouse(work, chromium):
    heard = []
    with browser.opened(chromium, work[0] / "r.html", heard) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        browser.drawn(page, "plane")
        page.locator("#plane .value").focus()
        page.keyboard.press("ArrowDown")  # the second class of the first column: target
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        _, rows, truth = work
        wanted = sorted(CLASSES)[1]
        assert chosen(page) == {r["object_id"] for r, c in zip(rows, truth)
                                if CLASSES[c] == wanted}
        page.locator("#plane .copy").focus()
        page.keyboard.press("Enter")
        page.locator("#plane [role=status]", has_text="copied").wait_for()
        page.locator("#plane .plot").focus()
        page.locator("#plane .clear").press("Enter")
        page.locator("#plane .plot").focus()
        for key in ("ArrowRight", "ArrowUp", "Enter"):
            page.keyboard.press(key)
        assert len(chosen(page)) == 1
        assert page.locator("#plane .card img").get_attribute("alt") in chosen(page)
    assert heard == []


def test_colours_by_classes_and_by_numbers(work, page):
    browser.drawn(page, "plane")
    by = page.locator("#plane .by")
    names = by.evaluate("s => [...s.options].map(o => o.text)")
    assert names[:3] == ["target", "predicted", "right"] and "Dose" in names
    by.select_option(label="Dose")
    page.wait_for_function("document.querySelector('#plane .points').data.at(-1).marker.colorscale")
    assert not page.locator("#plane .take").is_visible()
    by.select_option(label="right")
    page.wait_for_function("document.querySelector('#plane .points').data.at(-1).name === 'wrong'")


def test_printed_with_every_chart(work, page):
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_selector("#plane .main-svg", state="attached")
    assert not page.locator("nav").is_visible() and not page.locator("#plane .copy").is_visible()
    count = len(re.findall(rb"/Type\s*/Page\b", page.pdf()))
    assert count >= 2
