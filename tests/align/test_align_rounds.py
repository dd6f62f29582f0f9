"""cell-align rounds on stores: true shifts found, pairs that do not match, odd sizes and dtypes."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hand_made import call, files_of, write_images

from libcell.align import rounds
from libcell.data import open as opening
from libcell.data.images import Source
from libcell.simulate import write_rounds

PATTERN = "{well}_s{site}_{channel}.tif"


def scene(shape=(90, 110), seed=0):
    """Blobs (Y,X) float64 from 100 to about 3000."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    made = rng.normal(100, 2, shape)
    for cy, cx in rng.uniform(0, 1, (25, 2)) * shape:
        made += 900 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 18)
    return made.clip(0)


def pair(dtype=np.uint16, shift=(7, -4)):
    """Two crops of one scene: what lies at p in the second lies at p + shift in the first."""
    whole = scene((130, 150))
    one = whole[20:110, 20:130]
    two = whole[20 + shift[0] : 110 + shift[0], 20 + shift[1] : 130 + shift[1]]
    return [np.stack([a, a.max() - a])[None, :, None].astype(dtype) for a in (one, two)]


def align(folder, *args, code=0, out="both.ome.zarr"):
    return call("align", "rounds", folder / "r1.ome.zarr", "--moving", folder / "r2.ome.zarr",
                "-o", folder / out, *args, code=code)


def opened(folder, group="", out="both.ome.zarr"):
    return opening.image(Source(folder / out, group))


def transforms(folder, out="both.ome.zarr"):
    return pq.read_table(folder / out / "transforms.parquet").to_pylist()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_whole_pixels_come_back(tmp_path, dtype, order):
    one, two = (p / 20 for p in pair(np.float64))
    write_images(tmp_path / "r1.ome.zarr", {"": one.astype(dtype)}, ("DNA", "x"))
    write_images(tmp_path / "r2.ome.zarr", {"": two.astype(dtype)}, ("DNA", "y"))
    align(tmp_path, "-c", "DNA", "--order", order)
    row = transforms(tmp_path)[0]
    assert row["matched"] and (row["dy"], row["dx"]) == pytest.approx((7, -4), abs=0.05)
    found = opened(tmp_path)
    assert found.about.channels == ("DNA", "x", "R2_DNA", "R2_y")
    assert found.about.dtype == dtype
    still, moved = (found.read(c=c)[0].astype(float) for c in (0, 2))
    assert np.abs(still - moved).mean() < 1.5 if order else (still == moved).all()
    top, left = json.loads((tmp_path / "both.ome.zarr" / "zarr.json").read_text())[
        "attributes"]["transform"]["origin_px"]
    np.testing.assert_array_equal(
        found.read(c=1)[0], one.astype(dtype)[0, 1, 0][top : top + still.shape[0],
                                                       left : left + still.shape[1]])


def test_rounds_of_other_sizes(tmp_path):
    whole = scene((130, 150)).astype(np.uint16)
    write_images(tmp_path / "r1.ome.zarr", {"": whole[None, None, None, 10:101, 10:133]})
    write_images(tmp_path / "r2.ome.zarr", {"": whole[None, None, None, 17:120, 5:98]})
    align(tmp_path, "--order", 0)
    found = opened(tmp_path)
    assert found.about.shape[3:] == (84, 88)
    np.testing.assert_array_equal(found.read(c=0), found.read(c=1))
    np.testing.assert_array_equal(found.read(c=0)[0], whole[17:101, 10:98])


def test_a_pair_that_does_not_match_is_flagged_and_left_out(tmp_path):
    one, two = pair()
    noise = np.random.default_rng(0).integers(0, 999, one.shape).astype(np.uint16)
    write_images(tmp_path / "r1.ome.zarr", {"A/01/0": one, "A/02/0": one, "A/03/0": one})
    write_images(tmp_path / "r2.ome.zarr", {"A/01/0": two, "A/02/0": noise,
                                            "A/03/0": np.full_like(one, 7)})
    done = align(tmp_path)
    assert done.records[-1]["unmatched"] == 2 and "A/02/0: not matched" in done.said
    assert opening.groups(tmp_path / "both.ome.zarr") == ["A/01/0"]
    rows = transforms(tmp_path)
    assert [r["matched"] for r in rows] == [True, False, False]
    assert rows[1]["dy"] is None and "constant" in rows[2]["reason"]


def test_nothing_matches(tmp_path):
    one, _ = pair()
    write_images(tmp_path / "r1.ome.zarr", {"": one})
    write_images(tmp_path / "r2.ome.zarr", {"": np.full_like(one, 7)})
    assert "none of 1 pairs match" in align(tmp_path, code=65).said
    assert not (tmp_path / "both.ome.zarr").exists()


def test_a_field_that_the_other_round_lacks(tmp_path):
    one, two = pair()
    write_images(tmp_path / "r1.ome.zarr", {"a": one, "b": one})
    write_images(tmp_path / "r2.ome.zarr", {"a": two})
    assert "no such field of view" in align(tmp_path, code=75).said
    done = align(tmp_path, "--resume", "--partial-ok")
    assert done.records[-1]["n"] == 1


@pytest.mark.parametrize(("change", "said"), [
    (lambda a: np.concatenate([a, a]), "rounds are single frames"),
    (lambda a: np.concatenate([a, a], 2), "2 planes"),
    (lambda a: a.astype(np.float32), "is float32"),
])
def test_rounds_that_are_no_pair(tmp_path, change, said):
    one, two = pair()
    write_images(tmp_path / "r1.ome.zarr", {"": one})
    write_images(tmp_path / "r2.ome.zarr", {"": change(two)})
    assert said in align(tmp_path, code=65).said


def test_names_that_would_stand_for_two_channels(tmp_path):
    one, two = pair()
    write_images(tmp_path / "r1.ome.zarr", {"": one}, ("DNA", "R2_DNA"))
    write_images(tmp_path / "r2.ome.zarr", {"": two}, ("DNA", "x"))
    assert "R2_DNA" in (said := align(tmp_path, code=65).said) and "--prefix" in said
    align(tmp_path, "--prefix", "R3_")
    assert opened(tmp_path).about.channels == ("DNA", "R2_DNA", "R3_DNA", "R3_x")


def test_order_2_is_refused_before_any_work(tmp_path):
    one, two = pair()
    write_images(tmp_path / "r1.ome.zarr", {"": one})
    write_images(tmp_path / "r2.ome.zarr", {"": two})
    done = align(tmp_path, "--order", 2, code=2)
    assert len(done.said.splitlines()) == 1 and "order" in done.said


def test_planes_move_together(tmp_path):
    one, two = (np.concatenate([p, p + 3], 2) for p in pair())
    write_images(tmp_path / "r1.ome.zarr", {"": one})
    write_images(tmp_path / "r2.ome.zarr", {"": two})
    align(tmp_path, "--order", 0)
    found = opened(tmp_path)
    assert found.about.shape[2] == 2
    np.testing.assert_array_equal(found.read(c=0), found.read(c=2))


def test_the_simulators_shift_is_found(tmp_path):
    """Columns ride along, the bytes do not depend on the workers, no path is kept."""
    write_rounds(tmp_path / "raw", 3, wells=2, sites=1, shape=(200, 220), n_cells=12)
    for n in (1, 2):
        call("extract", "images", tmp_path / "raw" / f"round{n}" / "*.tif", "--pattern", PATTERN,
             "--layout", tmp_path / "raw" / "layout.csv", "-o", tmp_path / f"r{n}.ome.zarr")
    align(tmp_path, "-c", "DNA", "-j", 1)
    align(tmp_path, "-c", "DNA", "-j", 2, out="w/both.ome.zarr")
    assert files_of(tmp_path / "both.ome.zarr") == files_of(tmp_path / "w" / "both.ome.zarr")
    truth = (tmp_path / "raw" / "truth" / "shifts.csv").read_text().splitlines()
    names = truth[0].split(",")
    for row, line in zip(transforms(tmp_path), truth[1:]):
        known = dict(zip(names, line.split(",")))
        assert row["matched"]
        assert abs(row["dy"]) == pytest.approx(abs(float(known["dy"])), abs=0.5)
        assert abs(row["dx"]) == pytest.approx(abs(float(known["dx"])), abs=0.5)
    group = opening.groups(tmp_path / "both.ome.zarr")[0]
    assert opened(tmp_path, group).about.metadata["Metadata_Well"] == group.replace("/", "")[:3]
    assert str(tmp_path).encode() not in b"".join(files_of(tmp_path / "both.ome.zarr").values())


def test_killed_and_resumed(tmp_path, monkeypatch):
    one, two = pair()
    fields = ["a", "b", "c"]
    write_images(tmp_path / "r1.ome.zarr", dict.fromkeys(fields, one))
    write_images(tmp_path / "r2.ome.zarr", dict.fromkeys(fields, two))
    align(tmp_path, out="whole/both.ome.zarr")
    real, seen = rounds.align_pair, []

    class Killed(BaseException):
        pass

    def dying(**args):
        seen.append(1)
        if len(seen) == 2:
            raise Killed
        return real(**args)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(rounds, "align_pair", dying)
        align(tmp_path)
    align(tmp_path, "--resume")
    assert files_of(tmp_path / "both.ome.zarr") == files_of(tmp_path / "whole" / "both.ome.zarr")
