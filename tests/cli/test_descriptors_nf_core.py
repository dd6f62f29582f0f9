"""Modules for Nextflow: judged by nf-core's linter, read as Groovy, their scripts run by a shell.

Nextflow itself comes from no package registry, so no test here runs a whole pipeline in it.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from libcell.data import tables

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
# what nf-core asks of every module, less what it asks Nextflow about; its linter begins by asking
# for Nextflow and for a clone of nf-core's modules, whose schemas LIBCELL_NF_CORE_MODULES can name
LINT = """
import sys
from pathlib import Path
from types import SimpleNamespace
from nf_core.components.nfcore_component import NFCoreComponent
from nf_core.modules.lint import ModuleLint

clone, *mains = map(Path, sys.argv[1:])
lint = ModuleLint.__new__(ModuleLint)
lint.modules_repo = SimpleNamespace(local_repo_dir=clone, repo_path="libcell")
lint.meta_schema = None
passed = 0
for main in mains:
    name = "/".join(main.parts[-3:-1])
    module = NFCoreComponent(name, None, main.parent, "modules", main.parents[2], "modules")
    module.get_container_with_inspect = lambda profile=None: None
    for read in ("inputs", "outputs", "topics"):
        getattr(module, f"get_{read}_from_main_nf")()
    lint.main_nf(module, False, (), None)
    lint.environment_yml(module)
    lint.meta_yml(module)
    lint.module_todos(module)
    passed += len(module.passed)
    for found in module.failed + module.warned:
        if found[1] not in ("singularity_tag", "docker_tag"):
            print(name, found[1], *found[2].split())
print(passed)
"""


@pytest.fixture
def clone(tmp_path):
    """nf-core's schemas of modules: a clone's, or ones that leave most to the linter's code."""
    if given := os.environ.get("LIBCELL_NF_CORE_MODULES"):
        return Path(given)
    for name in ("meta-schema.json", "environment-schema.json"):
        path = tmp_path / "clone" / "modules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"properties": {"keywords": {"uniqueItems": true, "minItems": 3}}}')
    return tmp_path / "clone"


def test_nf_core_finds_what_is_wrong_and_nothing_else(written, engine, clone, tmp_path):
    """Every third module, and one that was spoilt."""
    modules = written("nf-core", "modules")
    spoilt = tmp_path / "spoilt" / "cellcrop" / "cells"
    shutil.copytree(modules / "cellcrop" / "cells", spoilt)
    text = (spoilt / "main.nf").read_text()
    (spoilt / "main.nf").write_text(text.replace("path(table,", "path(tables,"))
    good = sorted(modules.glob("*/*/main.nf"))[::3]
    done = subprocess.run([engine("workflows"), "-c", LINT, clone, *good, spoilt / "main.nf"],
                          text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    fault, passed = done.stdout.splitlines()
    assert fault.startswith("cellcrop/cells correct_meta_inputs")
    assert int(passed) > 30 * len(good)


@pytest.fixture
def groovy():
    """Runs a Groovy program; where Java is, too, is for us to say."""
    program, java = shutil.which("groovy"), shutil.which("java")
    if not program or not java:
        pytest.skip("no groovy (Debian's package groovy, and a Java)")
    environment = os.environ | {"JAVA_HOME": str(Path(java).resolve().parents[1])}

    def run(*args):
        done = subprocess.run([program, *args], capture_output=True, text=True, check=False,
                              env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_script_of_a_module_measures(written, three_nuclei, groovy):
    """A module of each command and the example read as Groovy; one filled in and run."""
    modules = written("nf-core", "modules")
    work = three_nuclei / "work"
    for role, name in (("inputs", "n.labels.ome.zarr"), ("images", "plate.ome.zarr")):
        (work / role).mkdir(parents=True)
        (work / role / name).symlink_to(three_nuclei / name)  # as Nextflow stages files
    values = {"task": {"ext": {"args": "--families shape,intensity"}, "cpus": 1},
              "meta": {"id": "p1"}, "inputs": "inputs/n.labels.ome.zarr",
              "images": "images/plate.ome.zarr"}
    script = groovy(Path(__file__).parent / "fill_in.groovy",
                    modules / "cellfeat" / "measure" / "main.nf", json.dumps(values),
                    *(next(room.glob("*/main.nf")) for room in modules.iterdir()),
                    *(ROOT / "examples" / "nextflow").glob("*.*"))
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=work, text=True,
                          capture_output=True, check=False,
                          env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(work)})
    assert done.returncode == 0, done.stderr
    assert tables.read(work / "p1.parquet", "features").num_rows == 3


def test_the_example_takes_modules_that_there_are(written):
    modules = written("nf-core", "modules")
    lines = (ROOT / "examples" / "nextflow" / "main.nf").read_text().splitlines()
    wanted = [line.split("'")[1].removeprefix("./modules/") for line in lines
              if line.startswith("include")]
    assert len(wanted) == 3
    assert all((modules / f"{path}.nf").is_file() for path in wanted)
