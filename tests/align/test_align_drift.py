"""cell-align drift: known shifts come back, frames that say nothing are flagged, all move alike."""

import itertools
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from hand_made import call, files_of, write_images, write_labels
from scipy import fft

from libcell.align import drift as drift_module
from libcell.data import labels
from libcell.data import open as opening
from libcell.data.images import Source
from libcell.schema.validate import validate
from libcell.simulate.timelapse import simulate_timelapse

MARGIN = 16
DRIFT = [(0.0, 0.0), (2.25, -3.5), (-1.4, 6.3), (5.75, 0.6), (-7.1, -8.85)]


def shifted(image, dy, dx):
    """(Y,X) float64: what lies at p in the result lies at p + (dy, dx) in `image`; periodic."""
    y, x = fft.fftfreq(image.shape[0])[:, None], fft.rfftfreq(image.shape[1])
    turned = fft.rfft2(image.astype(float)) * np.exp(2j * np.pi * (y * dy + x * dx))
    return fft.irfft2(turned, image.shape)


def film_of(image, drift, dtype=np.uint16):
    """(T,1,1,Y,X): one view of `image` as a stage that drifts would see it."""
    inner = slice(MARGIN, -MARGIN)
    frames = [shifted(image, dy, dx)[inner, inner] for dy, dx in drift]
    return np.rint(np.stack(frames)).clip(0, 65535).astype(dtype)[:, None, None]


def scene(shape=(150, 180), seed=0):
    """Blobs (Y,X) float64 from 100 to about 3000."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    made = np.full(shape, 100.0) + rng.normal(0, 2, shape)
    for cy, cx in rng.uniform(0, 1, (25, 2)) * shape:
        made += 900 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 18)
    return made


def drift(folder, *args, code=0, out="still.ome.zarr"):
    return call("align", "drift", folder / "film.ome.zarr", "-o", folder / out, *args, code=code)


def rows(folder, out="still.ome.zarr"):
    return pq.read_table(folder / out / "transforms.parquet").to_pylist()


def moved(folder, out="still.ome.zarr", group=""):
    return opening.image(Source(folder / out, group))


def origin(folder, out="still.ome.zarr"):
    found = json.loads((folder / out / "zarr.json").read_text())
    return found["attributes"]["transform"]["origin_px"]


@pytest.mark.parametrize("reference", ["first", "previous"])
def test_known_drift_of_a_real_film_comes_back(tmp_path, shared, reference):
    """One real frame, seen by a stage that drifts: exact truth, real texture."""
    real = tifffile.imread(shared("bacteria_trpL") / "01" / "t000020.tif")[300:700, 200:660]
    write_images(tmp_path / "film.ome.zarr", {"": film_of(real, DRIFT)}, ("Phase",))
    drift(tmp_path, "-c", "Phase", "--reference", reference, "--crop")
    found = np.array([(r["dy"], r["dx"]) for r in rows(tmp_path)])
    assert np.abs(found - DRIFT).max() < 0.02
    film = moved(tmp_path)
    inner = (slice(8, -8), slice(8, -8))
    still, *others = (film.read(t=t)[0][inner].astype(float) for t in range(len(DRIFT)))
    assert all(np.std(other - still) < 0.1 * still.std() for other in others)


def test_bacteria_that_grow_are_followed_from_frame_to_frame(tmp_path, shared):
    """The stage of this film jumps by tens of pixels; neighbours agree far better afterwards."""
    folder = shared("bacteria_trpL") / "01"
    film = np.stack([tifffile.imread(folder / f"t{t:06d}.tif")[::2, ::2] for t in range(4, 10)])
    write_images(tmp_path / "film.ome.zarr", {"": film[:, None, None]})
    drift(tmp_path, "--reference", "previous", "--crop")
    assert all(r["matched"] for r in rows(tmp_path))
    made = moved(tmp_path)
    before, after = neighbours(film), neighbours([made.read(t=t) for t in range(len(film))])
    assert all(a > b for a, b in zip(after, before))
    assert min(before) < 0.77 and min(after) > 0.85


def neighbours(frames):
    """Correlation of each frame with the next."""
    pairs = itertools.pairwise(f.ravel() for f in frames)
    return [np.corrcoef(a, b)[0, 1] for a, b in pairs]


def test_simulated_cells_that_move_and_divide(tmp_path):
    """A drift adds itself to what the cells' own ways, which are no drift, look like."""
    cells = simulate_timelapse(3, 5, (320, 340), 20).image[:, 0].astype(float)
    known = np.array([(0.0, 0.0), (1.5, 2.5), (3.1, 4.2), (-2.2, 6.6), (-6.4, 9.0)])
    found = []
    for name, way in (("still", known * 0), ("moves", known)):
        frames = [film_of(frame, [d])[0] for frame, d in zip(cells, way)]
        write_images(tmp_path / name / "film.ome.zarr", {"": np.stack(frames)})
        drift(tmp_path / name)
        assert all(r["matched"] for r in rows(tmp_path / name))
        found.append(np.array([(r["dy"], r["dx"]) for r in rows(tmp_path / name)]))
    assert np.abs(found[0]).max() < 1.5
    assert np.abs(found[1] - found[0] - known).max() < 0.25


@pytest.mark.parametrize("reference", ["first", "previous"])
def test_frames_that_say_nothing_stay_at_the_last_good_shift(tmp_path, reference):
    film = film_of(scene(), [(0, 0), (2, 3), (2, 3), (4, -5), (4, -5), (6, 1)]).astype(np.float32)
    film[2] = 7
    film[4] = np.random.default_rng(1).normal(500, 90, film[4].shape)
    film[5, ..., 40, 50] = np.nan
    write_images(tmp_path / "film.ome.zarr", {"": film})
    done = drift(tmp_path, "--reference", reference)
    found = rows(tmp_path)
    assert [r["matched"] for r in found] == [True, True, False, True, False, False]
    assert "constant" in found[2]["reason"] and "not finite" in found[5]["reason"]
    assert found[2]["dy"] is None and found[2]["quality"] is None
    applied = [(r["applied_dy"], r["applied_dx"]) for r in found]
    assert applied[2] == applied[1] and applied[4] == applied[5] == applied[3]
    assert applied[3] == pytest.approx((4, -5), abs=0.02)
    assert done.records[-1]["unmatched"] == 3 and "3 of 6 frames do not match" in done.said


def test_a_film_that_begins_dark(tmp_path):
    film = film_of(scene(), [(0, 0), (0, 0), (3, -2)])
    film[0] = 100
    write_images(tmp_path / "film.ome.zarr", {"": film})
    drift(tmp_path)
    found = rows(tmp_path)
    assert [r["matched"] for r in found] == [False, True, True]
    assert (found[2]["dy"], found[2]["dx"]) == pytest.approx((3, -2), abs=0.02)
    np.testing.assert_array_equal(moved(tmp_path).read(t=0), film[0, 0])


@pytest.mark.parametrize("frames", [1, 3])
def test_films_with_nothing_to_move_are_copied(tmp_path, frames):
    film = np.full((frames, 2, 1, 40, 50), 9, np.uint16)
    if frames == 1:
        film[0, :, 0, 10:20, 10:30] = 500
    write_images(tmp_path / "film.ome.zarr", {"": film}, ("a", "b"))
    drift(tmp_path, "--crop")
    made = moved(tmp_path)
    assert made.about.shape == film.shape and made.about.channels == ("a", "b")
    for t in range(frames):
        np.testing.assert_array_equal(made.read(t=t, c=1), film[t, 1])
    assert [r["matched"] for r in rows(tmp_path)] == [frames == 1] * frames


def test_planes_channels_and_labels_move_together(tmp_path):
    """Whole pixels, so that every value is known; labels keep their ids."""
    whole, way = scene().round(), [(0, 0), (3, -4), (-5, 2)]
    one = film_of(whole, way)
    film = np.concatenate([one, one.max() - one], axis=1)
    film = np.concatenate([film, film // 2], axis=2)
    masks = np.where(film[:, 0] > 900, film[:, 0].astype(np.uint32) * 1_000_003, 0)
    write_images(tmp_path / "film.ome.zarr", {"A/01/0": film}, ("x", "y"))
    write_labels(tmp_path / "n.labels.ome.zarr", {"A/01/0": {"nuclei": masks, "cells": masks + 1}})
    drift(tmp_path, "--labels", tmp_path / "n.labels.ome.zarr", "--crop", "--order", 0,
          out="still.bundle")
    assert validate(tmp_path / "still.bundle") == []
    made = moved(tmp_path, "still.bundle/image.ome.zarr", "A/01/0")
    store = tmp_path / "still.bundle" / "labels.ome.zarr"
    place = Source(store, "A/01/0")
    assert labels.fields(store) == (["A/01/0"], ["nuclei", "cells"])
    height, width = film.shape[3:]
    assert made.about.shape == (3, 2, 2, height - 8, width - 6)
    for t, (dy, dx) in enumerate(way):
        y, x = (slice(3 - dy, height - 5 - dy), slice(2 - dx, width - 4 - dx))
        for c in range(2):
            np.testing.assert_array_equal(made.read(t=t, c=c), film[t, c, :, y, x])
        np.testing.assert_array_equal(labels.read_frame(place, "nuclei", t), masks[t, :, y, x])
        np.testing.assert_array_equal(labels.read_frame(place, "cells", t), masks[t, :, y, x] + 1)


def test_without_crop_the_size_stays_and_the_unseen_is_0(tmp_path):
    film = film_of(scene(), [(0, 0), (6, 0)])
    write_images(tmp_path / "film.ome.zarr", {"": film})
    drift(tmp_path, "--order", 0)
    made = moved(tmp_path)
    assert made.about.shape == film.shape and origin(tmp_path) == [0, 0]
    second = made.read(t=1)[0]
    assert (second[:6] == 0).all()
    np.testing.assert_array_equal(second[6:], film[1, 0, 0, :-6])


def test_crop_says_where_it_was_cut(tmp_path):
    film = film_of(scene(), [(0, 0), (6, -3)])
    write_images(tmp_path / "film.ome.zarr", {"": film})
    drift(tmp_path, "--order", 0, "--crop")
    assert origin(tmp_path) == [6, 0]


def test_frames_that_share_no_place_cannot_be_cropped(tmp_path):
    wide = scene((120, 420))
    film = np.stack([wide[:, x : x + 120] for x in (0, 70, 140, 210)])[:, None, None]
    write_images(tmp_path / "film.ome.zarr", {"": film.astype(np.uint16)})
    done = drift(tmp_path, "--reference", "previous", "--crop", code=65)
    assert "without --crop" in done.said
    drift(tmp_path, "--reference", "previous", "--force")
    assert [r["dx"] for r in rows(tmp_path)] == pytest.approx([0, 70, 140, 210], abs=0.05)


def test_a_limit_keeps_a_jump_out(tmp_path):
    write_images(tmp_path / "film.ome.zarr", {"": film_of(scene(), [(0, 0), (12, 0), (2, 1)])})
    drift(tmp_path, "--max-shift", 5)
    assert [r["matched"] for r in rows(tmp_path)] == [True, False, True]


def test_plates_in_the_same_bytes_whatever_the_workers(tmp_path):
    films = {f"A/0{n}/0": film_of(scene(seed=n), DRIFT[:3]) for n in (1, 2)}
    wells = {g: {"Metadata_Plate": "p", "Metadata_Well": g[:4].replace("/", ""),
                 "Metadata_Site": "0"} for g in films}
    write_images(tmp_path / "film.ome.zarr", films, wells=wells)
    done = drift(tmp_path, "-j", 1)
    drift(tmp_path, "-j", 2, out="w/still.ome.zarr")
    assert files_of(tmp_path / "still.ome.zarr") == files_of(tmp_path / "w" / "still.ome.zarr")
    assert [r.get("group") for r in done.records] == ["A/01/0", "A/02/0", None]
    assert validate(tmp_path / "still.ome.zarr") == []
    assert moved(tmp_path, group="A/02/0").about.metadata["Metadata_Well"] == "A02"
    assert [(r["Metadata_Image"], r["Metadata_T"]) for r in rows(tmp_path)] == [
        (g, t) for g in films for t in range(3)]
    again = tmp_path / "still.ome.zarr"
    assert str(tmp_path).encode() not in b"".join(files_of(again).values())


def test_what_does_not_fit_is_refused(tmp_path):
    film = film_of(scene(), DRIFT[:2])
    write_images(tmp_path / "film.ome.zarr", {"": film})
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": np.ones((3, 1, 9, 9))}})
    fit = ("--labels", tmp_path / "n.labels.ome.zarr")
    assert "x.bundle" in drift(tmp_path, *fit, code=2).said
    assert "same field of view" in drift(tmp_path, *fit, out="x.bundle", code=65).said
    assert "--order 2" in drift(tmp_path, "--order", 2, code=2).said
    assert "'Nope' not found" in drift(tmp_path, "-c", "Nope", code=65).said


@pytest.mark.parametrize("after", ["move_frame", "follow_film"])
def test_killed_and_resumed(tmp_path, monkeypatch, after):
    """Killed just before a frame is moved, or when a film is followed but not yet noted."""
    write_images(tmp_path / "film.ome.zarr", {g: film_of(scene(), DRIFT[:3]) for g in "ab"})
    drift(tmp_path, "--crop", out="whole/still.ome.zarr")
    real, seen = getattr(drift_module, after), []

    class Killed(BaseException):
        pass

    def dying(**args):
        seen.append(1)
        found = real(**args)
        if len(seen) == 2:
            raise Killed
        return found

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(drift_module, after, dying)
        drift(tmp_path, "--crop")
    drift(tmp_path, "--crop", "--resume")
    assert files_of(tmp_path / "still.ome.zarr") == files_of(tmp_path / "whole" / "still.ome.zarr")


def test_a_film_with_a_broken_frame_is_left_out_of_a_plate(tmp_path):
    films = {g: film_of(scene(), DRIFT[:2]) for g in ("A/01/0", "A/02/0")}
    write_images(tmp_path / "film.ome.zarr", {g: np.repeat(f, 2, 1) for g, f in films.items()})
    level = tmp_path / "film.ome.zarr" / "A" / "01" / "0" / "0" / "c"
    next(f for f in sorted(level.rglob("*")) if f.is_file() and "/1/1/" in str(f)).write_bytes(b"x")
    assert "A/01/0/t001" in drift(tmp_path, code=75).said
    drift(tmp_path, "--resume", "--partial-ok")
    assert opening.groups(tmp_path / "still.ome.zarr") == ["A/02/0"]
    assert {r["Metadata_Image"] for r in rows(tmp_path)} == {"A/02/0"}
