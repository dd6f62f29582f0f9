"""The house itself: thin tools, rooms that do not know each other, light tops, full pages."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import METHODS, ids, method

from libcell.run.method import option_fields
from libcell.run.registry import ROOMS

ROOT = Path(__file__).parent.parent
TOOLS = sorted((ROOT / "tools").glob("*.py"))
DOCS = ROOT / "docs"
LIGHT = ("__future__", "libcell.run.method", "libcell.run.blocks", "libcell.errors",
         "libcell.train.engine.options", "libcell.train.pictures.options")
SLOW = ("importlib.metadata", "asyncio", "multiprocessing", "unittest", "concurrent.futures")


def imports(tree, package=""):
    """Modules that some code imports, full names; `from libcell import x` is libcell.x."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parsed(file):
    return ast.parse(file.read_text(), str(file))


def top_level(tree):
    """Statements that run at import, without those under TYPE_CHECKING."""
    body = [n for n in tree.body
            if not (isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")]
    body = [n for n in body if not isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    return ast.Module(body=body, type_ignores=[])


# -- tools -------------------------------------------------------------------------------


def test_one_tool_per_room():
    assert [t.stem for t in TOOLS] == sorted(f"cell_{room}" for room in ROOMS)
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {f"cell-{room}": f"cell_{room}:main" for room in ROOMS}


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.stem)
def test_tools_are_thin(tool):
    assert len(tool.read_text().splitlines()) < 40
    for name in imports(parsed(tool)):
        first = name.split(".")[0]
        assert first in sys.stdlib_module_names or name.startswith("libcell.cli."), name


# -- rooms -------------------------------------------------------------------------------


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_do_not_know_each_other(room):
    files = sorted((ROOT / "libcell" / room).rglob("*.py"))
    assert files
    others = {f"libcell.{r}" for r in ROOMS if r != room}
    for file in files:
        for name in imports(parsed(file)):
            assert ".".join(name.split(".")[:2]) not in others, f"{file} imports {name}"
            assert not name.startswith(("libcell.cli", "typer", "rich")), f"{file} imports {name}"


@pytest.mark.parametrize(("room", "name"), METHODS, ids=ids)
def test_the_top_of_a_method_is_light(room, name):
    """`--help` imports it, so numpy and the rest are imported where the work starts."""
    file = ROOT / "libcell" / room / f"{name.replace('-', '_')}.py"
    if not file.exists():
        pytest.skip("another package's")
    for found in imports(top_level(parsed(file))):
        stdlib = found.split(".")[0] in sys.stdlib_module_names and not found.startswith(SLOW)
        assert stdlib or found.startswith(LIGHT), f"{file} imports {found} at its top"


@pytest.mark.parametrize(("room", "name"), METHODS, ids=ids)
def test_a_method_says_all_that_its_pages_need(room, name):
    about = method(room, name)
    assert about.name == name
    assert about.summary.endswith(".") and len(about.summary) < 100
    assert about.example.startswith(f"cell-{room} {name} ")
    assert f"-o x{about.suffix}" in about.example or about.suffix in about.example
    for field in option_fields(about.options):
        assert field.opt.help and len(field.opt.help) < 200, field.name


# -- size of the code --------------------------------------------------------------------


def test_no_file_is_long():
    """Files are named nouns of one screenful or four, not places where things pile up."""
    banned = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    for file in sorted((ROOT / "libcell").rglob("*.py")):
        assert file.stem not in banned, file
        assert len(file.read_text().splitlines()) <= 450, f"{file} is long"


# -- pages -------------------------------------------------------------------------------


@pytest.mark.parametrize(("room", "name"), METHODS, ids=ids)
def test_every_option_is_in_the_docs(room, name):
    page = DOCS / f"cell-{room}.md"
    if not any(DOCS.glob("cell-*.md")):
        pytest.skip("docs/ holds no pages yet (make docs)")
    assert page.exists(), f"{page} is missing: make docs"
    text = page.read_text()
    assert f"cell-{room} {name}" in text, f"{page} does not tell of {name}: make docs"
    for field in option_fields(method(room, name).options):
        for flag in "/".join(field.flags).split("/"):
            assert f"`{flag}`" in text, f"{page} does not tell of {flag}: make docs"
