"""cell-feat measure on stores as they come: gaps, empty fields, frames, layouts, odd dtypes."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_made import call, files_of, write_images, write_labels

from libcell.data import tables
from libcell.feat import families, measure, relations

SHAPE = (1, 2, 1, 40, 52)


def pixels(seed=0, shape=SHAPE, dtype=np.uint16):
    return np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)


def blocks(*labels, shape=(1, 1, 40, 52)):
    """Squares of 4 px, one per label, in a row; uint32 (T,Z,Y,X)."""
    made = np.zeros(shape, np.uint32)
    for i, label in enumerate(labels):
        made[..., 10:14, 2 + 6 * i : 6 + 6 * i] = label
    return made


def feat(folder, *args, out="f.parquet", labels="n.labels.ome.zarr", code=0):
    return call("feat", "measure", folder / labels, "--images", folder / "p.ome.zarr",
                "-o", folder / out, *args, code=code)


def test_gaps_in_labels_and_a_field_without_objects(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"a": pixels(), "b": pixels(1)})
    write_labels(tmp_path / "n.labels.ome.zarr",
                 {"a": {"nuclei": blocks()}, "b": {"nuclei": blocks(7, 4_000_000_000, 2)}})
    feat(tmp_path)
    table = tables.read(tmp_path / "f.parquet", "features")
    assert table.column("Metadata_Label").to_pylist() == [2, 7, 4_000_000_000]
    assert table.column("object_id")[2].as_py() == "b:t0:nuclei:4000000000"
    assert pa.types.is_uint32(table.schema.field("Metadata_Label").type)
    names = [n for n in table.column_names if n.startswith("Nuclei_")]
    assert all(pa.types.is_float64(table.schema.field(n).type) for n in names)
    chosen = [families.load(f) for f in families.names()]
    beside = [c.name for r in relations.names()
              for c in relations.load(r).columns(("c1", "c2"), ())]
    assert set(names) == {
        families.column_name("Nuclei", c.name, channel if f.PER_CHANNEL else None)
        for f in chosen for c in f.columns() for channel in ("c1", "c2")
    } | {families.column_name("Nuclei", name) for name in beside}


def test_no_object_anywhere_gives_the_same_columns(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"a": pixels()})
    for name, found in (("n", blocks()), ("m", blocks(3))):
        write_labels(tmp_path / f"{name}.labels.ome.zarr", {"a": {"nuclei": found}})
    feat(tmp_path, out="empty.parquet")
    feat(tmp_path, out="one.parquet", labels="m.labels.ome.zarr")
    empty, one = (pq.read_table(tmp_path / f) for f in ("empty.parquet", "one.parquet"))
    assert empty.num_rows == 0 and one.num_rows == 1
    assert empty.schema.equals(one.schema)


def test_a_large_image_without_objects(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "LARGE", 30)
    write_images(tmp_path / "p.ome.zarr", {"a": pixels(), "b": pixels()})
    write_labels(tmp_path / "n.labels.ome.zarr",
                 {"a": {"nuclei": blocks()}, "b": {"nuclei": blocks(5)}})
    feat(tmp_path)
    assert pq.read_table(tmp_path / "f.parquet").column("Metadata_Label").to_pylist() == [5]


def test_frames_in_order_with_an_empty_one_between(tmp_path):
    frames = np.concatenate([blocks(9, 1), blocks(), blocks(4)])
    image = np.concatenate([pixels(s) for s in range(3)])
    write_images(tmp_path / "p.ome.zarr", {"": image}, ("DNA", "GFP"))
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": frames}})
    feat(tmp_path)
    table = pq.read_table(tmp_path / "f.parquet")
    assert table.column("Metadata_T").to_pylist() == [0, 0, 2]
    assert table.column("Metadata_Label").to_pylist() == [1, 9, 4]
    assert table.column("Metadata_Image").to_pylist() == ["image"] * 3
    mean = table.column("Nuclei_Intensity_MeanIntensity_GFP")[2].as_py()
    assert mean == pytest.approx(image[2, 1, 0, 10:14, 2:6].mean())


def test_compartments(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"": pixels()})
    write_labels(tmp_path / "n.labels.ome.zarr",
                 {"": {"nuclei": blocks(2, 8), "cells": blocks(5), "cytoplasm": blocks()}})
    feat(tmp_path)
    table = pq.read_table(tmp_path / "f.parquet")
    assert table.column("Metadata_Compartment").to_pylist() == ["nuclei", "nuclei", "cells"]
    area = {c: table.column(f"{c}_AreaShape_Area").to_pylist()
            for c in ("Nuclei", "Cells", "Cytoplasm")}
    assert area == {"Nuclei": [16, 16, None], "Cells": [None, None, 16], "Cytoplasm": [None] * 3}
    feat(tmp_path, "--compartments", "cells", out="cells.parquet")
    cells = pq.read_table(tmp_path / "cells.parquet")
    assert cells.num_rows == 1 and not any("Nuclei" in n for n in cells.column_names)


def test_channels_by_name_and_number(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"": pixels()}, ("DNA", "a_b"))
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": blocks(2)}})
    feat(tmp_path, "-c", "2", "--families", "intensity")
    names = pq.read_table(tmp_path / "f.parquet").column_names
    measured = [n for n in names if n.startswith("Nuclei_")]
    assert measured and all(n.endswith("_a_b") for n in measured)
    feat(tmp_path, "--families", "shape", out="s.parquet")
    assert not any("DNA" in n for n in pq.read_table(tmp_path / "s.parquet").column_names)
    assert "has DNA, a_b" in feat(tmp_path, "-c", "GFP", out="x.parquet", code=65).said


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8, np.float64])
def test_dtypes_measure_the_same(tmp_path, dtype):
    image = pixels(dtype=dtype)
    image = image - 100 if dtype is not np.uint8 else image
    write_images(tmp_path / "p.ome.zarr", {"": image.astype(dtype)})
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": blocks(2)}})
    feat(tmp_path)
    row = pq.read_table(tmp_path / "f.parquet").to_pylist()[0]
    part = image[0, 0, 0, 10:14, 2:6].astype(float)
    assert row["Nuclei_Intensity_IntegratedIntensity_c1"] == pytest.approx(part.sum())
    assert row["Nuclei_Intensity_StdIntensity_c1"] == pytest.approx(part.std())


def test_layout_columns_keep_their_types_past_wells_that_lack_them(tmp_path):
    """A well without a dose, first or last, must not turn the column into text or fail."""
    keys = {"Metadata_Plate": "P", "Metadata_Site": "1"}
    doses = (("A01", None, None, None), ("A02", 3, "x", True), ("A03", 0.5, None, False))
    wells = {f"A/{w[1:]}/0": keys | {"Metadata_Well": w, "Metadata_Dose": dose,
                                     "Metadata_Drug": drug, "Metadata_Ok": ok}
             for w, dose, drug, ok in doses}
    write_images(tmp_path / "p.ome.zarr", dict.fromkeys(wells, pixels()), wells=wells)
    write_labels(tmp_path / "n.labels.ome.zarr",
                 {group: {"nuclei": blocks(1, 2)} for group in wells}, wells=wells)
    for command, args in (("feat", ("measure",)), ("crop", ("cells", "--size", 8))):
        out = tmp_path / ("f.parquet" if command == "feat" else "c.crops.zarr")
        call(command, args[0], tmp_path / "n.labels.ome.zarr", "--images",
             tmp_path / "p.ome.zarr", "-o", out, *args[1:])
        table = pq.read_table(out if command == "feat" else out / "index.parquet")
        assert table.column("Metadata_Dose").to_pylist() == [None, None, 3, 3, 0.5, 0.5], command
        assert pa.types.is_floating(table.schema.field("Metadata_Dose").type)
        assert table.column("Metadata_Drug").to_pylist() == [None] * 2 + ["x"] * 2 + [None] * 2
        assert table.column("Metadata_Ok").to_pylist() == [None] * 2 + [True] * 2 + [False] * 2


def test_killed_and_resumed(tmp_path, monkeypatch):
    fields = {g: pixels(i) for i, g in enumerate("abcd")}
    write_images(tmp_path / "p.ome.zarr", fields)
    write_labels(tmp_path / "n.labels.ome.zarr", {g: {"nuclei": blocks(3, 9)} for g in fields})
    feat(tmp_path, out="whole.parquet")
    real, seen = measure.measure_field, []

    class Killed(BaseException):
        pass

    def dying(source, options):
        seen.append(source.group)
        if len(seen) == 3:
            raise Killed
        return real(source, options)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(measure, "measure_field", dying)
        feat(tmp_path)
    feat(tmp_path, "--resume", "-j", 2)
    assert (tmp_path / "f.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_provenance_says_what_shapes_the_result_and_nothing_else(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"": pixels()})
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": blocks(3)}})
    feat(tmp_path, "--families", "shape", "-j", 2)
    mark = tables.provenance(pq.read_schema(tmp_path / "f.parquet"))
    assert mark["command"] == "cell-feat measure"
    assert mark["parameters"]["families"] == ["shape"] and "images" not in mark["parameters"]
    assert [(i["role"], i["schema"]) for i in mark["inputs"]] == [
        ("input", "labels/1"), ("images", "image/1")]
    text = json.dumps(mark)
    assert str(tmp_path) not in text and "workers" not in text
    assert str(tmp_path).encode() not in b"".join(files_of(tmp_path / "f.parquet").values())


def test_labels_and_image_of_other_sizes(tmp_path):
    write_images(tmp_path / "p.ome.zarr", {"": pixels(shape=(1, 1, 1, 40, 50))})
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": blocks(3)}})
    assert "must be the same field of view" in feat(tmp_path, code=65).said
