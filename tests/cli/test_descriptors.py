"""Descriptors for workflow systems: judged by those systems' own linters, and run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from libcell.cli import descriptors
from libcell.data import tables

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
# Cheetah, Galaxy's templates, imports what Python 3.13 no longer has
GALAXY = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_every_subcommand_has_a_descriptor_of_every_system():
    assert descriptors.systems() == ["cwl", "fractal", "galaxy", "nf-core"]
    names = {s: [n for n, _ in descriptors.files(s)] for s in descriptors.systems()}
    whole = [Path(n).stem for n in names["cwl"]]
    assert {"cell-extract-coco", "cell-explain-report"} <= set(whole)
    assert [Path(n).stem for n in names["galaxy"]] == whole
    scripts = [Path(n).stem for n in names["fractal"] if n.startswith("libcell_tasks/cell_")]
    assert scripts == [n.replace("-", "_") for n in whole]
    processes = [Path(n).parent for n in names["nf-core"] if n.endswith("/main.nf")]
    assert len(set(processes)) == len(whole)


def test_cwltool_finds_every_tool_valid(tmp_path):
    """In one document, since most of its time goes into reading the standard's own schema."""
    tools = [json.loads(text) for _, text in descriptors.files("cwl")]
    for tool in tools:
        del tool["cwlVersion"]
    file = tmp_path / "all.cwl"
    file.write_text(json.dumps({"cwlVersion": "v1.2", "$graph": tools}))
    done = subprocess.run([BIN / "cwltool", "--validate", file], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr


def test_cwl_workflow_measures_a_plate(tmp_path, three_nuclei):
    """With tools written as a user writes them."""
    shutil.copy(ROOT / "examples" / "cwl" / "plate.cwl", tmp_path)
    subprocess.run([sys.executable, "-m", "libcell.cli.descriptors", "cwl", tmp_path / "tools"],
                   check=True)
    done = subprocess.run(
        [BIN / "cwltool", "--no-container", "--preserve-environment", "PATH", "plate.cwl",
         "--plate", "plate.ome.zarr", "--channel", "DNA"], cwd=tmp_path, capture_output=True,
        text=True, check=False, env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert tables.read(tmp_path / "features.parquet", "features").num_rows == 3


LINT = """
import sys
from galaxy.tool_util.lint import LintContext, LintLevel, lint_tool_source_with
from galaxy.tool_util.parser import get_tool_source
for file in sys.argv[1:]:
    context = LintContext(LintLevel.SILENT, skip_types=["TestsMissing", "CitationsMissing"])
    lint_tool_source_with(context, get_tool_source(file))
    for message in context.error_messages + context.warn_messages:
        print(file, message)
"""


def test_galaxy_finds_nothing_wrong(written):
    """In a process of its own: what the linter imports warns of much that is not ours."""
    files = sorted(written("galaxy", "g").iterdir())
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", LINT, *files],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@GALAXY
def test_galaxy_command_measures_a_tar(tmp_path, three_nuclei, written):
    """The template as Galaxy fills it in, run by a shell."""
    from Cheetah.Template import Template
    from galaxy.tool_util.parser import get_tool_source

    for name in ("plate.ome.zarr", "n.labels.ome.zarr"):
        subprocess.run(["tar", "-cf", f"{name}.dat", name], cwd=tmp_path, check=True)
    source = get_tool_source(str(written("galaxy", "g") / "cell-feat-measure.xml"))
    values = {"inputs": [Dataset(tmp_path / "n.labels.ome.zarr.dat", "tar")],
              "images": Dataset(tmp_path / "plate.ome.zarr.dat", "tar"),
              "output": tmp_path / "out.dat", "families": "shape,intensity", "partial_ok": ""}
    command = str(Template(source.parse_command(), searchList=[values, Unset()]))
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(["bash", "-c", command.replace("\n", " ")], cwd=work, text=True,
                          capture_output=True, check=False,
                          env={"PATH": f"{BIN}:/usr/bin:/bin", "GALAXY_SLOTS": "1",
                               "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert tables.read(tmp_path / "out.dat", "features").num_rows == 3


class Dataset:
    """What a template of Galaxy's sees of a dataset."""

    def __init__(self, path, ext):
        self.path, self.ext = path, ext

    def __str__(self):
        return str(self.path)


class Unset(dict):
    """Options that nobody set."""

    def __missing__(self, name):
        if name in ("number", "one", "str", "enumerate"):
            raise KeyError(name)
        return ""

    def __contains__(self, name):
        return name not in ("number", "one", "str", "enumerate")

    has_key = __contains__
