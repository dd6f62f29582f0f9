"""cell-align rounds with rotations, affine maps, stacks and pictures, on stores."""

import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from hand_made import call, write_images, write_labels
from PIL import Image
from scipy import ndimage

from libcell.align.kernels.turn import rotation_matrix
from libcell.data import labels
from libcell.data import open as opening
from libcell.data.images import Source
from libcell.schema.validate import validate
from libcell.simulate.rounds import simulate_rounds

IBEX = {"CD8": (1, 1), "CD4": (3, 6), "JOJO": (4, 4)}  # channels of the panels that agree


def turned_rounds(folder, degrees=5.0):
    """Two rounds with the cells of one field; the second was turned about its centre."""
    made = simulate_rounds(3, (200, 260), 30, shift=(2.0, -3.0), lost_fraction=0.0)
    back = rotation_matrix(np.radians(-degrees))
    centre = (np.array(made.round2.image.shape[1:]) - 1) / 2
    two = np.stack([ndimage.affine_transform(c.astype(float), back.T, centre - back.T @ centre,
                                             order=3, mode="nearest") for c in made.round2.image])
    two = two.clip(0, 65535).round().astype(made.round1.image.dtype)
    for n, image in ((1, made.round1.image), (2, two)):
        write_images(folder / f"r{n}.ome.zarr", {"A/01/0": image[None, :, None]},
                     made.round1.channels if n == 1 else made.round2.channels)
    write_labels(folder / "n.labels.ome.zarr",
                 {"A/01/0": {"nuclei": made.round1.nuclei[None, None]}})


def align(folder, *args, code=0, out="both.bundle"):
    return call("align", "rounds", folder / "r1.ome.zarr", "--moving", folder / "r2.ome.zarr",
                "-o", folder / out, *args, code=code)


@pytest.mark.parametrize("model", ["rigid", "affine"])
def test_a_turned_round_comes_back_with_its_cells(tmp_path, model):
    turned_rounds(tmp_path)
    align(tmp_path, "-c", "DNA", "--model", model, "--labels", tmp_path / "n.labels.ome.zarr",
          "--pictures")
    bundle = tmp_path / "both.bundle"
    assert validate(bundle) == []
    row = pq.read_table(bundle / "transforms.parquet").to_pylist()[0]
    assert row["matched"] and row["rotation_deg"] == pytest.approx(5.0, abs=0.2)
    assert row["correlation_after"] > 0.9 > 0.6 > row["correlation_before"]
    store = bundle / "image.ome.zarr"
    said = json.loads((store / "A/01/0/zarr.json").read_text())["attributes"]["transform"]
    assert {k: said[k] for k in row} == row and len(said["origin_px"]) == 2
    found = opening.image(Source(store, "A/01/0"))
    dna = [found.about.channel(c) for c in ("DNA", "R2_DNA")]
    still, moved = (found.read(c=c)[0].astype(float) for c in dna)
    assert np.corrcoef(still.ravel(), moved.ravel())[0, 1] > 0.9
    kept = labels.read_frame(Source(bundle / "labels.ome.zarr", "A/01/0"), "nuclei", 0)
    assert kept.shape[1:] == still.shape and np.unique(kept).size > 10
    assert still[kept[0] > 0].mean() > 1.5 * still[kept[0] == 0].mean()
    picture = Image.open(io.BytesIO((bundle / "pictures/A/01/0.png").read_bytes()))
    red, green, _ = np.moveaxis(np.asarray(picture).astype(float), -1, 0)
    half = red.shape[1] // 2
    before, after = (np.corrcoef(red[:, s].ravel(), green[:, s].ravel())[0, 1]
                     for s in (slice(0, half - 8), slice(half + 8, None)))
    assert after > before + 0.2


def test_a_translation_says_what_it_always_said(tmp_path):
    turned_rounds(tmp_path, 0.0)
    align(tmp_path, "-c", "DNA", out="both.ome.zarr")
    names = pq.read_table(tmp_path / "both.ome.zarr/transforms.parquet").column_names
    assert not [n for n in names if n.startswith(("matrix", "rotation", "dz"))]
    assert not (tmp_path / "both.ome.zarr/pictures").exists()


def test_stacks_of_different_depth_keep_what_both_have(tmp_path):
    rng = np.random.default_rng(0)
    deep = ndimage.gaussian_filter(rng.normal(0, 1, (12, 110, 120)), (0.8, 2, 2))
    deep = (1000 + 4000 * deep.clip(0)).astype(np.uint16)
    write_images(tmp_path / "r1.ome.zarr", {"": deep[None, None, 1:9, :100, :110]})
    write_images(tmp_path / "r2.ome.zarr", {"": deep[None, None, 3:12, 4:104, 6:116]})
    align(tmp_path, "--order", 0, out="both.ome.zarr")
    row = pq.read_table(tmp_path / "both.ome.zarr/transforms.parquet").to_pylist()[0]
    assert row["dz"] == 2 and (row["dy"], row["dx"]) == pytest.approx((4, 6), abs=0.05)
    found = opening.image(Source(tmp_path / "both.ome.zarr", ""))
    assert found.about.shape == (1, 2, 6, 96, 104)
    np.testing.assert_array_equal(found.read(c=0), found.read(c=1))
    np.testing.assert_array_equal(found.read(c=0), deep[3:9, 4:100, 6:110])
    assert found.about  # opened as a store whose origin is three numbers
    said = json.loads((tmp_path / "both.ome.zarr/zarr.json").read_text())["attributes"]
    assert said["transform"]["origin_px"] == [2, 4, 6]


def test_cyclic_immunofluorescence(shared, tmp_path):
    """Stacks of 19 and 16 planes; three pairs of channels must tell the same shift."""
    for n in (1, 2):
        stack = tifffile.imread(shared("ibex_cyclic_if") / f"panel{n}_czyx.tif")
        write_images(tmp_path / f"r{n}.ome.zarr", {"": stack[None]})
    rows = {}
    for name, (a, b) in IBEX.items():
        align(tmp_path, "-c", a + 1, "--moving-channel", b + 1, out=f"{name}.ome.zarr")
        rows[name] = pq.read_table(tmp_path / f"{name}.ome.zarr/transforms.parquet").to_pylist()[0]
    shifts = np.array([[r["dy"], r["dx"]] for r in rows.values()])
    assert np.ptp(shifts, axis=0).max() < 0.5 and np.abs(shifts + 15).max() < 0.5
    assert rows["CD4"]["correlation_before"] < 0.1 and rows["CD4"]["correlation_after"] > 0.7
    assert all(r["dz"] == 0 and r["correlation_after"] > 0.7 for r in rows.values())


def test_tissue_that_was_turned_and_stretched(shared, tmp_path):
    for n, name in ((1, "fix"), (2, "mov")):
        image = tifffile.imread(shared("bigstream_multiround") / f"{name}_highres_mip_mid.tif")
        write_images(tmp_path / f"r{n}.ome.zarr", {"": image[None, None, None]})
    after = []
    for model in ("translation", "rigid", "affine"):
        align(tmp_path, "--model", model, out=f"{model}.ome.zarr")
        row = pq.read_table(tmp_path / f"{model}.ome.zarr/transforms.parquet").to_pylist()[0]
        assert row["matched"]
        after.append(row["correlation_after"])
    assert after[0] > 0.35 and after[1] > 0.65 and after[2] > 0.8
