"""cell-extract images: flat fields, dark images and projections, from the command line."""

import json

import numpy as np
import pytest
import tifffile
from hand_made import call, files_of

from libcell.data import open as opening
from libcell.data.images import Source
from libcell.extract.kernels import focus
from libcell.simulate import simulate_field
from libcell.simulate.optics import Optics

SHAPE = (96, 120)
OPTICS = Optics(vignetting=0.5, centre=(0.1, 0.5), background_e=300)


def extract(folder, *args, out="p.ome.zarr", code=0):
    return call("extract", "images", *args, "-o", folder / out, code=code)


def opened(store, group=""):
    return opening.image(Source(store, group))


def write_fields(folder, count=9):
    folder.mkdir()
    for i in range(count):
        image = simulate_field(40 + i, shape=SHAPE, n_cells=2, optics=OPTICS).image[:2]
        for c, plane in enumerate(image):
            tifffile.imwrite(folder / f"A{i + 1:02d}_{'DR'[c]}.tif", plane)
    return folder


def flat_file(path, counts=30_000):
    light = np.rint(OPTICS.illumination(SHAPE) * counts + 100).astype(np.uint16)
    tifffile.imwrite(path, light)
    return path


def dark_file(path):
    tifffile.imwrite(path, np.full(SHAPE, 100, np.uint16))
    return path


def provenance(store):
    return json.loads((store / "zarr.json").read_text())["attributes"]["provenance"]


def background(store, group, c=0):
    """How uneven a field is beside its cells: ratio of two opposite rims' low counts."""
    values = opened(store, group).read(c=c)[0].astype(float)
    return np.percentile(values[:16], 30) / np.percentile(values[-16:], 30)


def test_a_measured_flat_field_evens_the_background(tmp_path):
    raw = write_fields(tmp_path / "raw", 2)
    given = (raw / "*.tif", "--pattern", "{well}_{channel}.tif")
    extract(tmp_path, *given, out="raw.ome.zarr")
    extract(tmp_path, *given, "--flat-field", flat_file(tmp_path / "f.tif"),
            "--dark", dark_file(tmp_path / "d.tif"))
    store = tmp_path / "p.ome.zarr"
    plain = opened(tmp_path / "raw.ome.zarr", "A/01/0").read()[0].astype(float) - 100
    gain = OPTICS.illumination(SHAPE)
    wanted = np.rint(plain / (gain / gain.mean())).clip(0)
    found = opened(store, "A/01/0").read()[0]
    assert found.dtype == np.uint16
    assert np.abs(found - wanted).max() <= 1 + wanted.max() * 1e-4  # the reference is in counts
    roles = [i["role"] for i in provenance(store)["inputs"]]
    assert roles == ["input", "flat_field", "dark"]


def test_basic_evens_it_too_whatever_the_number_of_workers(tmp_path):
    raw = write_fields(tmp_path / "raw")
    given = (raw / "*.tif", "--pattern", "{well}_{channel}.tif", "--dark",
             dark_file(tmp_path / "d.tif"), "--flat-field", "basic")
    extract(tmp_path, *given)
    extract(tmp_path, *given, "-j", 2, out="two/p.ome.zarr")
    assert files_of(tmp_path / "p.ome.zarr") == files_of(tmp_path / "two" / "p.ome.zarr")
    extract(tmp_path, *given[:5], out="raw.ome.zarr")
    wells = [f"A/{i + 1:02d}/0" for i in range(9)]
    uneven = [np.log(background(tmp_path / "raw.ome.zarr", w)) for w in wells]
    even = [np.log(background(tmp_path / "p.ome.zarr", w)) for w in wells]
    assert np.mean(uneven) > 0.2 and abs(np.mean(even)) < 0.25 * np.mean(uneven)
    mark = provenance(tmp_path / "p.ome.zarr")["inputs"][1]
    assert mark["role"] == "flat_field basic" and mark["digest"].startswith("sha256:")


def test_basic_after_a_mended_file_is_as_if_it_had_been_whole(tmp_path):
    """The estimate changes with the file that came back, so the other fields are done again."""
    raw = write_fields(tmp_path / "raw", 3)
    given = (raw / "*.tif", "--pattern", "{well}_{channel}.tif", "--flat-field", "basic")
    assert "estimated from 3 images" in extract(tmp_path, *given, out="whole/p.ome.zarr").said
    kept = (raw / "A02_D.tif").read_bytes()
    (raw / "A02_D.tif").write_bytes(kept[: len(kept) // 2])
    said = extract(tmp_path, *given, code=75).said
    assert "A02_D.tif: cut short" in said and "1 failed" in said
    (raw / "A02_D.tif").write_bytes(kept)
    extract(tmp_path, *given, "--resume")
    assert files_of(tmp_path / "p.ome.zarr") == files_of(tmp_path / "whole" / "p.ome.zarr")


@pytest.mark.parametrize(("made", "said"), [
    ((50, 60), "50 x 60 px"), ((3, *SHAPE), "3 channels"), ("black", "not above 0"),
])
def test_flat_fields_that_do_not_fit(tmp_path, made, said):
    tifffile.imwrite(tmp_path / "A01.tif", np.ones((2, *SHAPE), np.uint16), imagej=True,
                     metadata={"axes": "CYX"})
    pixels = np.zeros(SHAPE, np.uint16) if made == "black" else np.ones(made, np.uint16)
    axes = {"axes": "CYX"} if pixels.ndim == 3 else {}
    tifffile.imwrite(tmp_path / "f.tif", pixels, imagej=True, metadata=axes)
    done = extract(tmp_path, tmp_path / "A01.tif", "--flat-field", tmp_path / "f.tif", code=65)
    assert said in done.said


def test_a_flat_field_that_is_not_there(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", np.ones(SHAPE, np.uint16))
    done = extract(tmp_path, tmp_path / "x.tif", "--flat-field", tmp_path / "f.tif", code=66)
    assert "f.tif: not found" in done.said


def test_basic_of_images_that_share_no_flat_field(tmp_path):
    for i in range(2):
        tifffile.imwrite(tmp_path / f"{i}.tif", np.ones((20 + i, 30), np.uint16))
    done = extract(tmp_path, tmp_path / "*.tif", "--flat-field", "basic", code=65)
    assert "20 x 30 px of 1" in done.said and "21 x 30 px" in done.said


def stack_file(path, frames=2):
    """(T,Z,Y,X) uint16 with one sharp plane in each frame, another one each time."""
    from scipy.ndimage import gaussian_filter

    sharp = simulate_field(3, shape=SHAPE, n_cells=4).image[0].astype(float)
    stack = np.stack([[gaussian_filter(sharp, 1.5 * abs(z - 1 - t)) for z in range(4)]
                      for t in range(frames)]).round().astype(np.uint16)
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TZYX"})
    return stack


@pytest.mark.parametrize("how", ["max", "sum", "best-focus"])
def test_stacks_become_one_plane(tmp_path, how):
    stack = stack_file(tmp_path / "x.tif")
    extract(tmp_path, tmp_path / "x.tif", "--project", how)
    found = opened(tmp_path / "p.ome.zarr")
    assert found.about.shape == (2, 1, 1, *SHAPE)
    assert found.about.dtype == (np.uint32 if how == "sum" else np.uint16)
    wanted = {"max": stack.max(1), "sum": stack.sum(1),
              "best-focus": np.stack([stack[0, 1], stack[1, 2]])}[how]
    for t in range(2):
        np.testing.assert_array_equal(found.read(t=t)[0], wanted[t])
    assert provenance(tmp_path / "p.ome.zarr")["parameters"]["project"] == how


def test_planes_in_files_of_their_own_project_band_by_band(tmp_path):
    """A tall image is written in bands; all of them take the same plane."""
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 9, (3, 2100, 30)).astype(np.uint8)
    stack[1, :1000] *= 20
    stack[2, 1500:] *= 15  # sharp too, but on fewer rows
    for z, plane in enumerate(stack):
        tifffile.imwrite(tmp_path / f"z{z}.tif", plane, rowsperstrip=64)
    extract(tmp_path, tmp_path / "z*.tif", "--pattern", "z{z}.tif", "--project", "best-focus")
    best = int(np.argmax([focus.sharpness(p) for p in stack]))
    np.testing.assert_array_equal(opened(tmp_path / "p.ome.zarr").read()[0], stack[best])


def test_the_dry_run_counts_one_plane(tmp_path):
    stack_file(tmp_path / "x.tif")
    sizes = []
    for more in ((), ("--project", "max")):
        done = extract(tmp_path, tmp_path / "x.tif", "-n", *more)
        sizes.append(json.loads(done.said[done.said.index("{"):])["bytes"]
                     if "{" in done.said else done.records[0]["bytes"])
    assert sizes[0] == pytest.approx(4 * sizes[1], rel=0.01)


def test_basic_says_when_the_images_do_not_agree(tmp_path):
    """Every other image lit from the other side: there is no flat field that all share."""
    ramp = np.linspace(500, 1500, 40)
    for i in range(16):
        row = ramp if i % 2 else ramp[::-1]
        tifffile.imwrite(tmp_path / f"{i:02d}.tif", np.tile(row.astype(np.uint16), (30, 1)))
    said = extract(tmp_path, tmp_path / "*.tif", "--flat-field", "basic").said
    assert "two halves of the images of channel 1" in said
    for file in tmp_path.glob("*[02468].tif"):
        file.unlink()
    for i in range(0, 16, 2):
        (tmp_path / f"{i:02d}.tif").write_bytes((tmp_path / f"{i + 1:02d}.tif").read_bytes())
    said = extract(tmp_path, tmp_path / "*.tif", "--flat-field", "basic", out="q.ome.zarr").said
    assert "two halves" not in said
    even = opened(tmp_path / "q.ome.zarr", "03").read()[0].astype(float)
    assert np.ptp(even) < 0.25 * 1000  # of what the lamp made
