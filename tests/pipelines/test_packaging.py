"""The recipes of a container and of a conda package: judged by their own tools, and true of
pyproject.toml. Neither is built here: no registry of images and no conda channel is needed."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONTAINER = ROOT / "container" / "Containerfile"


def test_hadolint_finds_nothing_wrong():
    done = subprocess.run([Path(sys.executable).parent / "hadolint", CONTAINER],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("target", ["base", "train"])
def test_no_image_runs_as_root_or_on_versions_of_its_own(target):
    stage, = re.findall(rf"^FROM \S+ AS {target}$.*?(?=^FROM|\Z)", CONTAINER.read_text(),
                        re.MULTILINE | re.DOTALL)
    assert re.findall(r"^USER (\d+)$", stage, re.MULTILINE)[-1] != "0"
    assert "pip install --no-cache-dir --constraint /constraints.txt" in stage
    assert {"dask", "explain", "train"} <= PROJECT["optional-dependencies"].keys()


def test_what_the_image_is_built_from_is_sent_along():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines()
            if line.startswith("!")}
    assert {"libcell", "tools", "pyproject.toml", "constraints.txt", PROJECT["readme"]} <= kept
    assert all((ROOT / name).exists() for name in kept)


def test_conda_recipe_needs_and_makes_what_the_project_does():
    from rattler_build import Stage0Recipe

    recipe = Stage0Recipe.from_file(ROOT / "conda" / "recipe.yaml")
    variant, = recipe.render()
    package = variant.recipe.to_dict()
    assert package["package"]["name"] == PROJECT["name"]
    assert package["build"]["noarch"] == "python"
    needed = sorted(re.sub(r"([\w-]+)(.*)", r"\1 \2", d) for d in PROJECT["dependencies"])
    python = f"python {PROJECT['requires-python']}"
    assert sorted(package["requirements"]["run"]) == sorted([*needed, python])
    made = {f"{command} = {place}" for command, place in PROJECT["scripts"].items()}
    assert set(package["build"]["python"]["entry_points"]) == made
