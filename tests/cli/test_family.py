"""What every command and every method does alike: help, description, usage, refusals."""

import json
import subprocess
import sys

import pytest
from command_line import ABSENT, METHODS, ids, method, required, said
from small_plate import tree

from libcell import __version__
from libcell.cli.options import Common
from libcell.run.method import option_fields
from libcell.run.registry import ROOMS, names
from libcell.schema.versions import MAJOR, shown

HEAVY = ("numpy", "scipy", "skimage", "sklearn", "zarr", "pyarrow", "pydantic", "torch", "rich",
         "plotly", "dask", "distributed", "tifffile", "PIL", "jinja2", "networkx", "pandas")

each_room = pytest.mark.parametrize("room", ROOMS)
each_method = pytest.mark.parametrize(("room", "name"), METHODS, ids=ids)

LOADED = f"""
import sys, runpy
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__")
except SystemExit as end:
    heavy = [m for m in {HEAVY} if m in sys.modules]
    print("heavy:", *heavy, file=sys.stderr)
    sys.exit(end.code)
"""


def loaded(room, *args, code=0):
    """What a command printed, and which heavy packages it had imported at its end."""
    done = subprocess.run([sys.executable, "-c", LOADED, f"cell_{room}", *map(str, args)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr.splitlines()[-1].removeprefix("heavy:").split()


def test_every_room_has_a_method():
    assert {room for room, _ in METHODS} == set(ROOMS)


# -- help, version, description ----------------------------------------------------------


@each_room
def test_help_lists_the_methods_and_imports_nothing_heavy(room):
    text, heavy = loaded(room, "--help")
    assert heavy == []
    assert f"cell-{room}" in text.splitlines()[0] or f"cell_{room}" in text.splitlines()[0]
    for name in names(room):
        assert f"\n  {name} " in text


@each_method
def test_help_of_a_method(room, name):
    text, heavy = loaded(room, name, "--help")
    about = method(room, name)
    assert heavy == []
    words = " ".join(text.split())
    assert about.summary in words
    assert "Example:" in text
    assert all(line.strip() in text for line in about.example.splitlines())
    assert about.example.startswith(f"cell-{room} {name} ")
    reads = ", ".join(shown(r) for r in about.reads)
    assert f"Reads {reads}; writes {shown(about.writes)}" in words
    assert all(suffix in words for _, suffix in about.outputs)
    for field in [*option_fields(about.options), *option_fields(Common)]:
        assert all(f in text for f in "/".join(field.flags).split("/")), field.name


def test_the_check_for_heavy_imports_can_fail(tmp_path):
    """A command that starts to work loads numpy; else the tests above would prove nothing."""
    bad = tmp_path / "x.tif"
    bad.write_bytes(b"II*")
    _, heavy = loaded("segment", "threshold", bad, "-o", tmp_path / "x.labels.ome.zarr", code=65)
    assert "numpy" in heavy


@each_room
def test_version_is_the_bare_number(cell, room):
    assert cell(room, "--version").stdout == f"{__version__}\n"
    assert cell(room, names(room)[0], "--version").stdout == f"{__version__}\n"


@each_room
def test_describe_of_a_command(cell, room):
    text = cell(room, "--describe").stdout
    found = json.loads(text)
    assert found["command"] == f"cell-{room}"
    assert found["version"] == __version__
    assert [m["command"] for m in found["methods"]] == [f"cell-{room} {n}" for n in names(room)]


@each_method
def test_describe_of_a_method(cell, room, name):
    found = json.loads(cell(room, name, "--describe").stdout)
    about = method(room, name)
    assert found["command"] == f"cell-{room} {name}"
    known = {f"{n}/{v}" for n, v in MAJOR.items()} | {"files"}
    assert found["inputs"] and set(found["inputs"]) <= known
    assert found["output"]["schema"] in known
    assert found["output"]["suffix"] == about.suffix
    for group, options in (("parameters", about.options), ("common", Common)):
        assert [o["name"] for o in found[group]] == [f.name for f in option_fields(options)]
        for option in found[group]:
            assert option["type"] in ("string", "integer", "number", "boolean", "path")
            assert option["flags"] and all(f.startswith("-") for f in option["flags"])
            assert option["help"]
            assert option["env"].startswith("CELL_")
            _require_type(option)


def _require_type(option):
    kinds = {"string": str, "path": str, "integer": int, "number": (int, float), "boolean": bool}
    values = option["default"]
    if values is not None:
        for value in values if option["many"] else [values]:
            assert isinstance(value, kinds[option["type"]]), option
        if "choices" in option:
            assert values in option["choices"]


# -- usage: exit 2, one line, nothing on stdout ------------------------------------------


def usage(done, *words):
    line = said(done)
    assert done.stdout == ""
    for word in words:
        assert word in line
    return line


@each_room
def test_no_method_shows_the_help(cell, room):
    done = cell(room, code=2)
    assert done.stdout == ""
    assert "Usage:" in done.stderr
    assert all(f"\n  {name} " in done.stderr for name in names(room))


@each_room
def test_unknown_method(cell, room):
    usage(cell(room, "bogus", "x", code=2), "'bogus'", *names(room))


@each_method
def test_unknown_option(cell, room, name):
    line = usage(cell(room, name, "x", "--bogus", "3", code=2), "--bogus")
    assert f"cell-{room} {name} --help" in line


@each_method
def test_no_input(cell, room, name, tmp_path):
    output = f"x{method(room, name).suffix}"
    usage(cell(room, name, *required(room, name), "-o", output, cwd=tmp_path, code=2), "INPUT")
    assert tree(tmp_path) == {}


@each_method
def test_no_output(cell, room, name, tmp_path):
    if method(room, name).optional:
        pytest.skip("says its result without one: test_no_output_where_the_record_is_enough")
    (tmp_path / "x").touch()
    usage(cell(room, name, "x", *required(room, name), cwd=tmp_path, code=2), "-o")


@each_method
def test_no_output_where_the_record_is_enough(cell, room, name, tmp_path):
    if not method(room, name).optional:
        pytest.skip("needs an output")
    given = (room, name, ABSENT, *required(room, name))
    assert "not found" in said(cell(*given, cwd=tmp_path, code=66))
    assert "not found" in said(cell(*given, cwd=tmp_path, code=66, env={"CELL_FORCE": "1"}))
    for option in ("--resume", "--skip-existing", "--force"):
        usage(cell(*given, option, cwd=tmp_path, code=2), option, "-o")
    assert tree(tmp_path) == {}


@each_method
def test_an_option_that_the_last_input_may_stand_for(cell, room, name, tmp_path):
    fields = [f for f in option_fields(method(room, name).options) if f.opt.last]
    if not fields:
        pytest.skip("has none")
    (field,) = fields
    (tmp_path / "x").touch()
    output = ("-o", f"y{method(room, name).suffix}")
    usage(cell(room, name, "x", *output, cwd=tmp_path, code=2), field.flags[-1])
    line = said(cell(room, name, "x", ABSENT, *output, cwd=tmp_path, code=66))
    assert ABSENT in line


@each_method
def test_no_required_option(cell, room, name, tmp_path):
    options = required(room, name)
    if not options:
        pytest.skip("every option has a default")
    (tmp_path / "x").touch()
    output = f"y{method(room, name).suffix}"
    usage(cell(room, name, "x", "-o", output, cwd=tmp_path, code=2), *options[::2])


@each_method
def test_wrong_output_suffix(cell, room, name, tmp_path):
    suffix = method(room, name).suffix
    if not suffix:
        pytest.skip("writes a folder of any name")
    (tmp_path / "x").touch()
    usage(cell(room, name, "x", *required(room, name), "-o", "y.wrong", cwd=tmp_path, code=2),
          "y.wrong", suffix)
    assert set(tree(tmp_path)) == {"x"}


@each_method
def test_dash_as_output_only_where_a_table_is_made(cell, room, name, tmp_path):
    if method(room, name).streams:
        pytest.skip("writes a table to stdout: tests/pipelines")
    (tmp_path / "x").touch()
    usage(cell(room, name, "x", *required(room, name), "-o", "-", cwd=tmp_path, code=2), "-o -")


# -- input that is not there, output that is ---------------------------------------------


@each_method
def test_missing_input(cell, room, name, tmp_path):
    output = f"y{method(room, name).suffix}"
    done = cell(room, name, ABSENT, *required(room, name), "-o", output, cwd=tmp_path, code=66)
    line = said(done)
    assert ABSENT in line and "not found" in line
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == [], "something was left behind"


@each_method
def test_an_option_that_names_a_missing_file(cell, room, name, tmp_path):
    """Said once, before any work, and not once for each field of view."""
    if ABSENT not in required(room, name):
        pytest.skip("needs no option that is a file")
    (tmp_path / "x").touch()
    output = f"y{method(room, name).suffix}"
    line = said(cell(room, name, "x", *required(room, name), "-o", output, cwd=tmp_path, code=66))
    assert f" {ABSENT}: not found" in line and " -" in line
    assert [p.name for p in tmp_path.iterdir()] == ["x"], "something was left behind"


@each_method
def test_a_glob_without_a_match(cell, room, name, tmp_path):
    output = f"y{method(room, name).suffix}"
    said(cell(room, name, "*.nothing", *required(room, name), "-o", output, cwd=tmp_path, code=66))
    assert list(tmp_path.iterdir()) == []


@each_method
def test_an_output_that_exists_is_not_touched(cell, room, name, tmp_path):
    suffix = method(room, name).suffix
    output = tmp_path / f"y{suffix}"
    if suffix == ".parquet":
        output.write_bytes(b"mine")
    else:
        output.mkdir()
        (output / "mine").write_bytes(b"mine")
    (tmp_path / "x").touch()
    before = tree(tmp_path)
    done = cell(room, name, "x", *required(room, name), "-o", output, cwd=tmp_path, code=73)
    assert f"{output}: exists" in said(done) and "--force" in said(done)
    assert tree(tmp_path) == before


@each_method
def test_dry_run_writes_nothing(cell, room, name, tmp_path):
    """Even where the input is missing; what it prints is in test_settings.py."""
    output = f"y{method(room, name).suffix}"
    cell(room, name, ABSENT, *required(room, name), "-n", "-o", output, cwd=tmp_path, code=66)
    assert list(tmp_path.iterdir()) == []


@each_method
def test_dumped_settings_can_be_read_back(cell, room, name, tmp_path):
    first = cell(room, name, "--dump-config", "-j", "2", "--seed", "5").stdout
    (tmp_path / "c.toml").write_text(first)
    second = cell(room, name, "--dump-config", "--config", tmp_path / "c.toml").stdout
    assert second == first
    assert "workers = 2\n" in first and "seed = 5\n" in first
    for field in option_fields(method(room, name).options):
        assert f"{field.name} =" in first
