"""cell-align rounds --labels: the reference's cells, without those that the next round lost."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hand_made import call, write_images, write_labels

from libcell.data import labels
from libcell.data import open as opening
from libcell.data.images import Source
from libcell.schema.validate import validate
from libcell.simulate.rounds import simulate_rounds

SHIFTS = [(11.0, -6.5), (-7.25, 9.5), (-5.0, -12.0)]


def write(folder, made, group="A/01/0"):
    """Both rounds and the first one's nuclei as stores; returns the nuclei (Y,X)."""
    for n, field in ((1, made.round1), (2, made.round2)):
        write_images(folder / f"r{n}.ome.zarr", {group: field.image[None, :, None]}, field.channels)
    write_labels(folder / "n.labels.ome.zarr", {group: {"nuclei": made.round1.nuclei[None, None]}})
    return made.round1.nuclei


def align(folder, *args, code=0, out="both.bundle"):
    return call("align", "rounds", folder / "r1.ome.zarr", "--moving", folder / "r2.ome.zarr",
                "-c", "DNA", "--labels", folder / "n.labels.ome.zarr", "-o", folder / out, *args,
                code=code)


def kept_labels(folder, group="A/01/0"):
    return labels.read_frame(Source(folder / "both.bundle" / "labels.ome.zarr", group), "nuclei", 0)


def omissions(folder):
    rows = pq.read_table(folder / "both.bundle" / "omissions.parquet").to_pylist()
    return {int(r["item"].removeprefix("nuclei:")): r["reason"] for r in rows}


def seen_wholly(nuclei, shift):
    """Labels whose every pixel lies, moved into the second round, inside its frame."""
    whole = set()
    for k in np.unique(nuclei[nuclei > 0]):
        y, x = (p + s for p, s in zip(np.nonzero(nuclei == k), shift))
        inside = (y >= 0) & (x >= 0) & (y <= nuclei.shape[0] - 1) & (x <= nuclei.shape[1] - 1)
        if inside.all():
            whole.add(int(k))
    return whole


@pytest.mark.parametrize("shift", SHIFTS)
def test_the_lost_and_the_cut_are_left_out_whatever_the_sign(tmp_path, shift):
    """In a frame that is not square, so that rows taken for columns would show."""
    made = simulate_rounds(5, (200, 300), 24, shift=shift, lost_fraction=0.15)
    nuclei = write(tmp_path, made)
    done = align(tmp_path)
    assert validate(tmp_path / "both.bundle") == []
    row = pq.read_table(tmp_path / "both.bundle" / "transforms.parquet").to_pylist()[0]
    assert (row["dy"], row["dx"]) == pytest.approx([-s for s in shift], abs=0.5)
    right = seen_wholly(nuclei, [-row["dy"], -row["dx"]]) - set(made.lost)
    kept = kept_labels(tmp_path)
    assert set(np.unique(kept[kept > 0]).tolist()) == right
    reasons = omissions(tmp_path)
    assert set(reasons) | right == set(np.unique(nuclei[nuclei > 0]).tolist())
    assert all("lost" in reasons[k] or "wholly" in reasons[k] for k in made.lost)
    assert done.records[-1]["left_out"] == len(reasons) and "are left out" in done.said
    image = opening.image(Source(tmp_path / "both.bundle" / "image.ome.zarr", "A/01/0"))
    assert image.about.shape[3:] == kept.shape[1:]


def test_a_cell_at_the_new_border_is_cut_on_that_side_alone(tmp_path):
    """A cell at each of the four sides: only those on the sides that were cut off go."""
    rng = np.random.default_rng(0)
    whole = rng.normal(100, 3, (200, 280))
    y, x = np.mgrid[:200, :280]
    for cy, cx in rng.uniform(0, 1, (40, 2)) * whole.shape:
        whole += 900 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 18)
    one, two = whole[20:140, 20:220], whole[30:150, 12:212]  # (dy, dx) = (10, -8)
    masks = np.zeros(one.shape, np.uint32)
    for k, place in enumerate([np.s_[2:8, 90:99], np.s_[-8:-2, 90:99], np.s_[60:66, 2:8],
                               np.s_[60:66, -7:-1]], 1):
        masks[place] = k  # above, below, left, right
    for n, image in ((1, one), (2, two)):
        write_images(tmp_path / f"r{n}.ome.zarr", {"A/01/0": image.astype(np.uint16)[
            None, None, None]}, ("DNA",))
    write_labels(tmp_path / "n.labels.ome.zarr", {"A/01/0": {"nuclei": masks[None, None]}})
    align(tmp_path, "--min-kept", 0, "--order", 0)
    assert set(omissions(tmp_path)) == {1, 4}
    np.testing.assert_array_equal(kept_labels(tmp_path)[0],
                                  np.where(np.isin(masks, (2, 3)), masks, 0)[10:, :-8])


def compartments_kept(folder):
    """Numbers left in each label image."""
    store = folder / "both.bundle" / "labels.ome.zarr"
    found = {c: labels.read_frame(Source(store, "A/01/0"), c, 0)
             for c in ("nuclei", "cells", "cytoplasm")}
    return {c: set(np.unique(m).tolist()) - {0} for c, m in found.items()}


def test_nucleus_cell_and_cytoplasm_go_together(tmp_path):
    """Cytoplasm has no stain to lose, and a nucleus may lie inside where its cell is cut."""
    made = simulate_rounds(2, (150, 180), 14, shift=(11.0, -6.5), lost_fraction=0.15)
    write(tmp_path, made)
    nuclei, cells = made.round1.nuclei, made.round1.cells
    every = {"nuclei": nuclei, "cells": cells, "cytoplasm": np.where(nuclei > 0, 0, cells)}
    write_labels(tmp_path / "n.labels.ome.zarr",
                 {"A/01/0": {c: m[None, None] for c, m in every.items()}})
    align(tmp_path)
    kept = compartments_kept(tmp_path)
    row = pq.read_table(tmp_path / "both.bundle" / "transforms.parquet").to_pylist()[0]
    right = seen_wholly(cells, [-row["dy"], -row["dx"]]) - set(made.lost)
    assert kept["nuclei"] == kept["cells"] == kept["cytoplasm"] == right
    assert right < seen_wholly(nuclei, [-row["dy"], -row["dx"]]) - set(made.lost)


def test_label_images_of_different_numbers_are_judged_apart(tmp_path):
    made = simulate_rounds(2, (150, 180), 14, shift=(11.0, -6.5), lost_fraction=0.15)
    write(tmp_path, made)
    nuclei, cells = made.round1.nuclei, made.round1.cells
    other = np.where(cells > 0, cells.max() + 1 - cells, 0)
    write_labels(tmp_path / "n.labels.ome.zarr", {"A/01/0": {
        "nuclei": nuclei[None, None], "cells": other[None, None],
        "cytoplasm": other[None, None]}})
    align(tmp_path)
    row = pq.read_table(tmp_path / "both.bundle" / "transforms.parquet").to_pylist()[0]
    assert compartments_kept(tmp_path)["nuclei"] == (
        seen_wholly(nuclei, [-row["dy"], -row["dx"]]) - set(made.lost))


def test_none_is_lost_where_none_is_asked_to_be(tmp_path):
    made = simulate_rounds(5, (200, 300), 24, shift=(0.0, 0.0), lost_fraction=0.15)
    nuclei = write(tmp_path, made)
    align(tmp_path, "--min-kept", 0)
    kept = set(np.unique(kept_labels(tmp_path)).tolist()) - {0}
    assert set(made.lost) & kept and kept <= set(np.unique(nuclei).tolist())
    assert all("wholly" in r for r in omissions(tmp_path).values())


def test_a_whole_plate_pairs_by_well_and_site(tmp_path):
    """The moving store lists its fields in another order; each lies on its own partner."""
    fields = {g: simulate_rounds(9, (160, 210), 12, shift=s, key=(g,))
              for g, s in zip(("A/01/0", "A/01/1", "B/02/0"), SHIFTS)}
    ones = {g: m.round1.image[None, :, None] for g, m in fields.items()}
    twos = {g: m.round2.image[None, :, None] for g, m in reversed(fields.items())}
    first = next(iter(fields.values()))
    write_images(tmp_path / "r1.ome.zarr", ones, first.round1.channels)
    write_images(tmp_path / "r2.ome.zarr", twos, first.round2.channels)
    masks = {g: {"nuclei": m.round1.nuclei[None, None]} for g, m in reversed(fields.items())}
    write_labels(tmp_path / "n.labels.ome.zarr", masks)
    align(tmp_path)
    rows = pq.read_table(tmp_path / "both.bundle" / "transforms.parquet").to_pylist()
    assert [r["Metadata_Image"] for r in rows] == list(fields)
    for row, made in zip(rows, fields.values()):
        assert (row["dy"], row["dx"]) == pytest.approx([-s for s in made.shift], abs=0.5)
    for group, made in fields.items():
        kept = kept_labels(tmp_path, group)
        assert not set(np.unique(kept).tolist()) & set(made.lost)
    assert validate(tmp_path / "both.bundle") == []


def test_labels_need_a_bundle_and_must_fit(tmp_path):
    write(tmp_path, simulate_rounds(5, (120, 150), 6))
    assert "x.bundle" in align(tmp_path, out="both.ome.zarr", code=2).said
    write_labels(tmp_path / "n.labels.ome.zarr", {"A/01/0": {"n": np.ones((1, 1, 9, 9))}})
    assert "same field of view" in align(tmp_path, "--force", code=65).said
