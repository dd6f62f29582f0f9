"""Fractal's manifest and tasks: judged by Fractal's own tools, built, and run as Fractal does."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from libcell.cli.fractal_task import task
from libcell.data import tables
from libcell.errors import OutputExists

SERVER = """
import json, sys
from fractal_server.app.schemas.v2.manifest import ManifestV2
from fractal_server.runner.v2.task_interface import TaskOutput
print(len(ManifestV2(**json.load(open(sys.argv[1]))).task_list))
TaskOutput(**json.load(open(sys.argv[2]))).check_zarr_urls_are_unique()
"""


@pytest.fixture
def package(written):
    return written("fractal", "fractal") / "libcell_tasks"


def run(package, name, folder, code=0, **arguments):
    """A task's script, run as Fractal runs it; what it says was made."""
    made = folder / f"{name}.out.json"
    given = folder / f"{name}.args.json"
    given.write_text(json.dumps({"zarr_dir": str(folder)} | arguments))
    done = subprocess.run([sys.executable, package / f"{name}.py", "--args-json", given,
                           "--out-json", made], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(made.read_text())["image_list_updates"] if code == 0 else done.stderr


def test_fractal_finds_every_task_valid(package):
    from fractal_task_tools._specs import validate_schema
    from fractal_task_tools._task_arguments import validate_arguments

    manifest = json.loads((package / "__FRACTAL_MANIFEST__.json").read_text())
    names = [one["name"] for one in manifest["task_list"]]
    assert len(set(names)) == len(names) > 50
    for one in manifest["task_list"]:
        schema = one["args_schema_non_parallel"]
        validate_arguments(task_type=one["type"], executable_kind="non_parallel", schema=schema)
        validate_schema(schema=schema, path=one["name"], root_schema=schema)
        assert (package / one["executable_non_parallel"]).is_file()


def test_tasks_measure_the_nuclei_of_a_dataset(package, three_nuclei):
    """An image of a plate as Fractal names it; the second task finds what the first made."""
    image = str(three_nuclei / "plate.ome.zarr" / "A" / "01" / "0")
    labels, = run(package, "cell_segment_threshold", three_nuclei, zarr_urls=[image], channel="DNA")
    assert labels == {"zarr_url": str(three_nuclei / "threshold.labels.ome.zarr"),
                      "types": {"labels": True}}
    made, = run(package, "cell_feat_measure", three_nuclei, images="plate.ome.zarr",
                zarr_urls=[image, labels["zarr_url"]], families=["shape"])
    assert made["types"] == {"features": True}
    assert tables.read(Path(made["zarr_url"]), "features").num_rows == 3


def test_fractal_server_takes_the_manifest_and_what_a_task_says(package, three_nuclei, engine):
    python = engine("fractal")
    made = three_nuclei / "made.json"
    assert task("cell-track overlap", {"zarr_dir": str(three_nuclei),
                                       "inputs": ["n.labels.ome.zarr"]}, made) == 0
    done = subprocess.run([python, "-c", SERVER, package / "__FRACTAL_MANIFEST__.json", made],
                          capture_output=True, text=True, check=False,
                          env=os.environ | {"POSTGRES_DB": "none", "JWT_SECRET_KEY": "none"})
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


def test_fields_of_an_image_store_are_images_of_the_dataset(three_nuclei):
    arguments = {"zarr_dir": str(three_nuclei), "moving": "plate.ome.zarr",
                 "zarr_urls": [str(three_nuclei / "plate.ome.zarr" / "A" / "01" / "0")],
                 "output_name": "both.ome.zarr"}
    first, second, third = (three_nuclei / f"{n}.json" for n in "123")
    assert task("cell-align rounds", arguments, first) == 0
    assert json.loads(first.read_text()) == {"image_list_updates": [
        {"zarr_url": str(three_nuclei / "both.ome.zarr" / "A" / "01" / "0"),
         "attributes": {"plate": "both.ome.zarr", "well": "A01"}}]}
    assert task("cell-align rounds", arguments, second) == OutputExists.exit_code
    assert not second.exists()
    assert task("cell-align rounds", arguments | {"overwrite": True}, third) == 0


def test_bad_arguments_are_one_line(package, tmp_path):
    line, = run(package, "cell_feat_measure", tmp_path, 2, bogus=1).splitlines()
    assert line.startswith("cell-feat measure (Fractal): no argument bogus")


def test_what_was_said_before_is_not_overwritten(tmp_path):
    (tmp_path / "out.json").write_text("{}")
    with pytest.raises(OutputExists):
        task("cell-feat measure", {"zarr_dir": str(tmp_path)}, tmp_path / "out.json")


@pytest.mark.slow
def test_the_package_builds_with_its_manifest(package, tmp_path):
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir",
                    tmp_path / "dist", package.parent], check=True, capture_output=True)
    wheel, = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "libcell_tasks/__FRACTAL_MANIFEST__.json" in names
    assert "libcell_tasks/cell_feat_measure.py" in names
