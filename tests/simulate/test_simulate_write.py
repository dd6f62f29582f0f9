import csv
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from libcell.errors import OutputExists
from libcell.simulate import simulate_plate, write_plate, write_rounds
from libcell.simulate.__main__ import main

SMALL = ["--size", "96", "--cells", "4", "--sites", "1"]


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_plate_files(tmp_path):
    plate = simulate_plate(1, wells=2, sites=1, shape=(96, 96), n_cells=4)
    root = write_plate(tmp_path / "demo", plate)
    assert names(root) == ["images", "layout.csv", "truth"]
    assert names(root / "images") == [
        f"{w}_s1_{c}.tif" for w in ("B02", "B03") for c in ("Actin", "DNA", "Mito")]
    assert names(root / "truth/labels") == [
        f"{w}_s1_{c}.tif" for w in ("B02", "B03") for c in ("cells", "nuclei")]
    field = plate.field(plate.places()[0])
    np.testing.assert_array_equal(tifffile.imread(root / "images/B02_s1_DNA.tif"), field.image[0])
    np.testing.assert_array_equal(
        tifffile.imread(root / "truth/labels/B02_s1_nuclei.tif"), field.nuclei)
    objects = [r for r in rows(root / "truth/objects.csv") if r["Metadata_Well"] == "B02"]
    assert [r["class"] for r in objects] == list(field.classes.values())
    assert list(rows(root / "layout.csv")[0]) == ["Plate", "Row", "Column", "Compound", "Dose_uM"]


def test_a_tiff_carries_its_pixel_size_and_says_that_it_is_simulated(tmp_path):
    write_rounds(tmp_path / "demo", 1, sites=1, shape=(96, 96), n_cells=4)
    with tifffile.TiffFile(tmp_path / "demo/round1/B02_s1_DNA.tif") as file:
        tags = file.pages[0].tags
        across, per = tags["XResolution"].value
        assert 1e4 * per / across == pytest.approx(0.65)
        assert tags["ResolutionUnit"].value == 3  # centimetre
        assert "simulated" in tags["ImageDescription"].value


def test_several_plates_have_a_folder_each(tmp_path):
    assert main(["plate", "-o", str(tmp_path / "d"), "--plates", "2", "--wells", "1", *SMALL]) == 0
    assert names(tmp_path / "d/images") == names(tmp_path / "d/truth/labels") == ["P1", "P2"]


def test_rounds_files(tmp_path):
    assert main(["rounds", "-o", str(tmp_path / "d"), *SMALL]) == 0
    root = tmp_path / "d"
    assert names(root) == ["layout.csv", "round1", "round2", "truth"]
    assert names(root / "round2") == ["B02_s1_BrdU.tif", "B02_s1_DNA.tif", "B02_s1_EdU.tif"]
    assert names(root / "truth") == [
        "labels", "matches.csv", "objects_round1.csv", "objects_round2.csv", "shifts.csv"]
    lost = [r for r in rows(root / "truth/matches.csv") if r["label_round2"] == "0"]
    assert len(lost) == int(rows(root / "truth/shifts.csv")[0]["n_lost"]) == 1


def test_rounds_of_cultures(tmp_path):
    """Wells of one type, of the other and of both; the layout tells, and so does their stain."""
    assert main(["rounds", "-o", str(tmp_path / "d"), "--cultures", "--wells", "3", *SMALL]) == 0
    root = tmp_path / "d"
    grown = {f"{r['Row']}{int(r['Column']):02d}": r["Culture"] for r in rows(root / "layout.csv")}
    assert grown == {"B02": "astro", "B03": "neuron", "B04": "co-culture"}
    kinds = {w: {r["class"] for r in rows(root / "truth/objects_round2.csv")
                 if r["Metadata_Well"] == w} for w in grown}
    assert kinds == {"B02": {"astro"}, "B03": {"neuron"}, "B04": {"astro", "neuron"}}
    nuclei = tifffile.imread(root / "truth/labels/round2/B02_s1_nuclei.tif") > 0
    bright = {s: tifffile.imread(root / f"round2/B02_s1_{s}.tif")[nuclei].mean()
              for s in ("EdU", "BrdU")}
    assert bright["EdU"] > 2 * bright["BrdU"]


def test_timelapse_files_twice_the_same(tmp_path):
    for name in ("a", "b"):
        assert main(["timelapse", "-o", str(tmp_path / name), "--frames", "3", *SMALL]) == 0
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert "images/B02_s1_t002_DNA.tif" in map(str, files) and len(files) == 3 * 3 + 3
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert len(rows(tmp_path / "a/truth/tracks.csv")) >= 3 * 4


def test_an_output_that_exists_is_refused_in_one_line(tmp_path, capsys):
    assert main(["rounds", "-o", str(tmp_path), *SMALL]) == OutputExists.exit_code == 73
    assert capsys.readouterr().err.count("\n") == 1
    assert names(tmp_path) == []


def test_a_failure_leaves_nothing_behind(tmp_path, capsys):
    assert main(["plate", "-o", str(tmp_path / "d"), *SMALL, "--cells", "900"]) == 2
    assert "do not fit" in capsys.readouterr().err
    assert names(tmp_path) == []


def test_help_is_light():
    code = ("import sys, libcell.simulate.__main__ as m\n"
            "try: m.main(['plate', '--help'])\n"
            "except SystemExit: pass\n"
            "assert 'numpy' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
