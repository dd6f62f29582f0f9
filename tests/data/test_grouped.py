"""Rows by field of view; parts read one at a time."""

import resource

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from libcell.data import tables
from libcell.data.grouped import Grouped, image_of, members


def table(order):
    return pa.table({"Metadata_Image": [f"A/{i // 3:02d}/0" for i in order], "row": order})


@pytest.mark.parametrize("order", [np.arange(30), np.random.default_rng(1).permutation(30)],
                         ids=["field by field", "mixed"])
def test_rows_of_a_field_are_those_that_a_search_of_all_rows_finds(order):
    whole = table(order)
    cut = pa.concat_tables([whole.slice(0, 13), whole.slice(13)])  # in chunks, within a field
    grouped = Grouped(cut)
    for image in ("A/00/0", "A/04/0", "A/09/0", "B/00/0"):
        wanted = whole.filter(pc.field("Metadata_Image") == image)
        assert grouped.of(image).to_pylist() == wanted.to_pylist()
    assert Grouped(whole.slice(0, 0)).of("A/00/0").num_rows == 0


def test_rows_without_a_value_are_in_no_field():
    some = pa.table({"Metadata_Image": ["x", None, "x", "y"], "row": [0, 1, 2, 3]})
    grouped = Grouped(some)
    assert grouped.of("x").column("row").to_pylist() == [0, 2]
    assert grouped.of("y").column("row").to_pylist() == [3]


def test_an_id_begins_with_its_field():
    ids = pa.chunked_array([["A/01/0:t0:nuclei:7", "a:b:t12:cells:1"], ["foreign"]])
    assert image_of(ids).to_pylist() == ["A/01/0", "a:b", "foreign"]


def test_parts_are_read_as_often_as_they_are_gone_through_with_no_file_open(tmp_path):
    files = [tmp_path / f"{i}.arrow" for i in range(300)]
    for i, file in enumerate(files):
        tables.write_part(file, pa.table({"row": [i]}))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 200), hard))
    try:
        parts = tables.Parts(files, lambda part, i: part.append_column("more", pa.array([i * 2])))
        for _ in range(2):
            held = list(parts)  # all at once, as a careless caller would
            assert [p.column("more")[0].as_py() for p in held] == list(range(0, 600, 2))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_members_are_the_rows_of_each_group():
    index = np.array([2, 0, 2, 3, 0, 4])  # group 1 is empty, 4 is beyond those asked for
    found = members(index, 4)
    assert [rows.tolist() for rows in found] == [[1, 4], [], [0, 2], [3]]
    assert [rows.tolist() for rows in members(np.zeros(0, np.int64), 2)] == [[], []]
