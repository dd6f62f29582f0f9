"""cell-extract images: OME-Zarr 0.4, as most programs still write it, becomes 0.5."""

import json

import numpy as np
import pytest
import zarr
from hand_made import call

from libcell.data import open as opening
from libcell.data.images import Source
from libcell.schema.__main__ import main as schema

UNITS = {"t": {"type": "time"}, "c": {"type": "channel"}} | {
    a: {"type": "space", "unit": "micrometer"} for a in "zyx"}


def write_image(group, pixels, axes, channels=()):
    """One 0.4 image (zarr v2) with two levels; scale 0.5 um in y and x."""
    small = pixels[..., ::2, ::2]
    datasets = []
    for level, values in enumerate((pixels, small)):
        group.create_array(str(level), data=values, chunks=tuple(min(n, 16) for n in values.shape))
        scale = [0.5 * 2**level if a in "yx" else 1.0 for a in axes]
        datasets.append({"path": str(level),
                         "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    group.attrs["multiscales"] = [{"version": "0.4", "name": "old", "datasets": datasets,
                                   "axes": [{"name": a} | UNITS[a] for a in axes]}]
    if channels:
        group.attrs["omero"] = {"channels": [{"label": c} for c in channels]}


@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "tczyx"])
def test_an_old_image_of_any_axes(tmp_path, axes):
    size = {"t": 2, "c": 3, "z": 2, "y": 20, "x": 30}
    shape = tuple(size[a] for a in axes)
    pixels = np.random.default_rng(0).integers(0, 999, shape).astype(np.uint16)
    names = ["DNA", "ER", "RNA"] if "c" in axes else ["DNA"]
    write_image(zarr.open_group(str(tmp_path / "o.zarr"), mode="w", zarr_format=2), pixels, axes,
                names)
    call("extract", "images", tmp_path / "o.zarr", "-o", tmp_path / "n.ome.zarr")
    found = opening.image(Source(tmp_path / "n.ome.zarr", ""))
    assert found.about.shape == tuple(size[a] if a in axes else 1 for a in "tczyx")
    assert found.about.channels == tuple(names)
    assert found.about.pixel_size_um == (1.0, 0.5, 0.5)
    frames, channels = found.about.shape[:2]
    got = np.stack([[found.read(t=t, c=c) for c in range(channels)] for t in range(frames)])
    np.testing.assert_array_equal(got.reshape(shape), pixels)


def test_an_old_plate(tmp_path, capsys):
    root = zarr.open_group(str(tmp_path / "p.zarr"), mode="w", zarr_format=2)
    root.attrs["plate"] = {"version": "0.4", "rows": [{"name": "B"}], "columns": [{"name": "3"}],
                           "wells": [{"path": "B/3", "rowIndex": 0, "columnIndex": 0}]}
    well = root.require_group("B/3")
    well.attrs["well"] = {"version": "0.4", "images": [{"path": "0"}, {"path": "1"}]}
    for i in range(2):
        write_image(well.create_group(str(i)), np.full((1, 20, 30), 5 + i, np.uint8), "cyx")
    (tmp_path / "l.csv").write_text("Well,Dose\nB03,7\n")
    call("extract", "images", tmp_path / "p.zarr", "-o", tmp_path / "n.ome.zarr", "--layout",
         tmp_path / "l.csv")
    store = tmp_path / "n.ome.zarr"
    assert opening.groups(store) == ["B/3/0", "B/3/1"]
    assert int(opening.image(Source(store, "B/3/1")).read().max()) == 6
    columns = opening.image(Source(store, "B/3/0")).about.metadata
    assert (columns["Metadata_Well"], columns["Metadata_Site"]) == ("B3", "0")
    assert json.loads((store / "zarr.json").read_text())["attributes"]["ome"]["version"] == "0.5"
    assert schema(["validate", str(store)]) in (0, None), capsys.readouterr()
    assert columns["Metadata_Dose"] == 7
