"""What runs with libcell is under permissive licences, and the page names all of it."""

import re
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.release.licences import Found, allowed, found, licence, spelled

PAGE = Path(__file__).parent.parent.parent / "docs" / "licences.md"


def test_everything_that_runs_with_it_is_permissive_and_on_the_page():
    every, _ = found()
    assert len(every) > 40
    assert not [f for f in every if not f.fine]
    listed = set(re.findall(r"^\| (\S+) \| ", PAGE.read_text(), re.MULTILINE))
    core = {f.name for f in every if f.by == ("",)}
    assert {"numpy", "zarr", "numcodecs"} < core  # numcodecs comes with zarr as well
    assert core <= listed


def test_test_tools_are_no_dependency():
    assert not {"pytest", "mypy", "ruff", "pylibczirw"} & {f.name for f in found()[0]}


@pytest.mark.parametrize(("expression", "fine"), [
    ("MIT", True), ("BSD-3-Clause AND 0BSD AND Zlib", True), ("MIT OR GPL-3.0-only", True),
    ("Apache-2.0 WITH LLVM-exception AND MIT", True), ("(MIT AND LGPL-2.1-only) OR BSD", False),
    ("GPL-3.0-or-later", False), ("LGPL", False), ("unknown", False),
    ("MIT AND Proprietary", False),
])
def test_an_expression_is_fine_if_one_side_of_or_is(expression, fine):
    assert allowed(expression) is fine
    assert Found("x", expression, ("",)).fine is fine


@pytest.mark.parametrize(("text", "name"), [
    ("BSD License", "BSD"), ("new BSD License", "BSD-3-Clause"), ("Apache 2.0", "Apache-2.0"),
    ("GNU Lesser General Public License v2", "LGPL"), ("GNU GPLv3", "GPL"), ("MIT License", "MIT"),
    ("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"), ("Ask us\nfor terms", "Ask us"),
])
def test_licences_are_told_from_words(text, name):
    assert spelled(text) == name


def test_metadata_of_a_real_package_are_read():
    assert licence(distribution("numpy")).startswith("BSD-3-Clause")
