"""The wheel holds what it should, and runs all eight commands in an environment of its own."""

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from libcell import __version__
from libcell.run.registry import ROOMS
from tests.peers.environment_sizes import size
from tests.release.smoke import smoke

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # the build backend is in the environment already; isolation would fetch it again. It writes the
    # version into the tree, where other tests run meanwhile: it must stay what it is
    known = {"SETUPTOOLS_SCM_PRETEND_VERSION": __version__}
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir",
                    folder, ROOT], check=True, capture_output=True, env=os.environ | known)
    return next(folder.glob("*.whl"))


def test_wheel_holds_the_library_and_the_commands_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {n.split("/")[0] for n in names}
    commands = {f"cell_{room}.py" for room in ROOMS}
    assert tops == {"libcell", *commands, *(t for t in tops if t.endswith(".dist-info"))}
    assert "libcell/py.typed" in names
    assert "libcell/explain/page/templates/report.html.j2" in names
    assert wheel.stat().st_size < 2_000_000


def test_wheel_tells_its_version_and_what_it_needs(wheel):
    archive = zipfile.ZipFile(wheel)
    told = next(archive.read(n).decode() for n in archive.namelist() if n.endswith("/METADATA"))
    version = re.search(r"^Version: (.+)$", told, re.MULTILINE)[1]
    assert f'__version__ = "{version}"' in archive.read("libcell/_version.py").decode()
    assert re.fullmatch(r"[0-9.]+(\.dev[0-9]+)?", version)
    for python in ("3.11", "3.12", "3.13"):
        assert f"Classifier: Programming Language :: Python :: {python}" in told
    needs = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", told, re.MULTILINE)
    assert {"numpy", "zarr", "typer"} <= set(needs)
    assert not {"torch", "pytest", "mypy", "dask"} & set(needs)


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """The `bin` folder of an environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--constraint",
                    ROOT / "constraints.txt", wheel], check=True, capture_output=True)
    return folder / "bin"


@pytest.mark.slow
def test_who_builds_on_it_has_its_types_checked(environment, tmp_path):
    (tmp_path / "theirs.py").write_text(
        "from libcell.errors import DataError\n"
        "from libcell.run.blocks import Block\n"
        "reveal_type(Block('x').files())\n"
        "reveal_type(DataError.exit_code)\n"
        "Block(3)\n")
    done = subprocess.run([sys.executable, "-m", "mypy", "--python-executable",
                           environment / "python", "--no-incremental", "theirs.py"],
                          cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 'theirs.py:3: note: Revealed type is "list[pathlib.Path]"' in done.stdout
    assert 'theirs.py:4: note: Revealed type is "int"' in done.stdout
    assert 'theirs.py:5: error: Argument 1 to "Block" has incompatible type "int"' in done.stdout
    assert "Found 1 error" in done.stdout


@pytest.mark.slow
def test_an_environment_holds_the_packages_that_the_page_counts(environment):
    listed = subprocess.run([environment / "python", "-m", "pip", "list", "--format", "freeze"],
                            capture_output=True, text=True, check=True).stdout
    names = {canonicalize_name(line.split("==")[0].split(" @")[0]) for line in listed.splitlines()}
    assert names - {"pip", "setuptools"} == size("").names


@pytest.mark.slow
def test_all_commands_run_from_an_empty_environment(environment, tmp_path):
    smoke(environment, tmp_path)
