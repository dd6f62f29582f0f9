"""Nuclei, cells and cytoplasm of the same numbers, brought into one row."""

import numpy as np
import pyarrow as pa
import pytest
from hand_made import call

from libcell.data import tables

ABOUT = {"command": "test", "version": "0", "parameters": {}, "inputs": [], "seed": 0,
         "created": None}


def rows(compartment, labels, image="A/01/0", plate="P1"):
    """Each object's area is its label; a nucleus has a patch around it, a cell its own."""
    name = compartment.capitalize()
    n = len(labels)
    return tables.from_columns("features", {
        "object_id": [f"{image}:t0:{compartment}:{k}" for k in labels],
        "Metadata_Plate": [plate] * n, "Metadata_Well": ["A01"] * n, "Metadata_Site": ["0"] * n,
        "Metadata_Image": [image] * n, "Metadata_T": np.zeros(n, np.int32),
        "Metadata_Label": np.array(labels, np.uint32), "Metadata_Compartment": [compartment] * n,
        f"{name}_AreaShape_Area": np.array(labels, float),
        "Patch_Intensity_MeanIntensity_DNA": np.array(labels, float) / 10,
    })


def written(path, *parts):
    table = pa.concat_tables(parts, promote_options="default")
    tables.write_parts(path, [table], table.schema, "features", ABOUT)
    return path


@pytest.fixture
def measured(tmp_path):
    """Nucleus 2 has no cell, cell 9 no nucleus; another image has the same labels."""
    return written(tmp_path / "f.parquet", rows("nuclei", [1, 2, 3]), rows("cells", [9, 3, 1]),
                   rows("cytoplasm", [1, 2, 3]), rows("nuclei", [1], "A/01/1"),
                   rows("cells", [1], "A/01/1"), rows("cytoplasm", [1], "A/01/1"))


def test_columns_meet_by_label(measured, tmp_path):
    done = call("feat", "join", measured, "-o", tmp_path / "j.parquet")
    assert done.records[-1]["lone"] == 1
    found = tables.read(tmp_path / "j.parquet", "features").to_pydict()
    assert found["object_id"] == ["A/01/0:t0:nuclei:1", "A/01/0:t0:nuclei:3", "A/01/1:t0:nuclei:1"]
    for name in ("Nuclei", "Cells", "Cytoplasm"):
        assert found[f"{name}_AreaShape_Area"] == [1, 3, 1]
    assert found["Patch_Intensity_MeanIntensity_DNA"] == [0.1, 0.3, 0.1]


def test_lone_objects_may_stay(measured, tmp_path):
    call("feat", "join", measured, "--to", "cells", "--lone", "keep", "-o", tmp_path / "j.parquet")
    found = tables.read(tmp_path / "j.parquet", "features").to_pydict()
    assert found["Metadata_Label"] == [9, 3, 1, 1]
    assert found["Nuclei_AreaShape_Area"] == [None, 3, 1, 1]


@pytest.mark.parametrize(("parts", "args", "says"), [
    ([("nuclei", [1])], (), "rows of nuclei; expected two or more"),
    ([("nuclei", [1]), ("cells", [1])], ("--to", "mitochondria"), "one of them mitochondria"),
    ([("nuclei", [1]), ("cells", [4, 4])], (), "cells: P1:A/01/0:0:4 is there twice"),
])
def test_what_cannot_be_joined_is_said(parts, args, says, tmp_path):
    source = written(tmp_path / "f.parquet", *(rows(*p) for p in parts))
    done = call("feat", "join", source, *args, "-o", tmp_path / "j.parquet", code=65)
    assert says in done.said and not (tmp_path / "j.parquet").exists()
