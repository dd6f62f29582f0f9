"""Tables: the same bytes however they were cut, and one line for what is wrong."""

import io
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from libcell.data import layout, tables
from libcell.errors import DataError, MissingInput
from libcell.schema.arrow import arrow_schema

PROVENANCE = {"command": "test", "version": "0", "parameters": {}, "inputs": []}


def features(n, start=1, **more):
    labels = np.arange(start, start + n)
    return tables.from_columns("features", {
        "object_id": [f"x:t0:nuclei:{i}" for i in labels],
        "Metadata_Plate": ["P"] * n, "Metadata_Well": ["A01"] * n, "Metadata_Site": [None] * n,
        "Metadata_Image": ["x"] * n, "Metadata_T": [0] * n, "Metadata_Label": labels,
        "Metadata_Compartment": ["nuclei"] * n,
        "Nuclei_AreaShape_Area": labels * 1.5} | more)


def test_wide_tables_are_written_in_shorter_groups(tmp_path):
    wide = features(3000, **{f"Nuclei_Texture_{i}": np.zeros(3000) for i in range(1600)})
    tables.write_parts(tmp_path / "w.parquet", [wide], wide.schema, "features", PROVENANCE)
    about = pq.ParquetFile(tmp_path / "w.parquet").metadata
    groups = [about.row_group(i).num_rows for i in range(about.num_row_groups)]
    assert groups == [1260, 1260, 480] and tables.row_group(wide.num_columns) == 1260
    assert tables.row_group(9) == tables.ROW_GROUP


@pytest.mark.parametrize("cuts", [[100_000], [1, 99_999], [30_000, 30_000, 40_000]])
def test_bytes_do_not_depend_on_the_cut(tmp_path, cuts):
    whole = features(100_000)
    tables.write_parts(tmp_path / "a.parquet", [whole], whole.schema, "features", PROVENANCE)
    edges = np.cumsum([0, *cuts])
    parts = [whole.slice(a, b - a) for a, b in pairwise(edges)]
    tables.write_parts(tmp_path / "b.parquet", parts, whole.schema, "features", PROVENANCE)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_round_trip_keeps_schema_and_provenance(tmp_path):
    table = features(3)
    tables.write_parts(tmp_path / "f.parquet", [table], table.schema, "features", PROVENANCE)
    found = tables.read(tmp_path / "f.parquet", "features")
    assert found.equals(table)
    assert tables.provenance(found.schema) == PROVENANCE


def test_table_without_rows_has_all_its_columns(tmp_path):
    empty = features(0)
    tables.write_parts(tmp_path / "f.parquet", [empty], empty.schema, "features", PROVENANCE)
    found = tables.read(tmp_path / "f.parquet", "features")
    assert found.num_rows == 0
    assert set(arrow_schema("features").names) < set(found.column_names)


def test_parts_whose_own_columns_differ_are_joined(tmp_path):
    parts = [features(2, Metadata_Dose=[1, 2]), features(2, 3, Metadata_Dose=[0.5, None]),
             features(1, 5, Metadata_Dose=[None])]
    schema = tables.unify([parts[0], parts[1]])
    tables.write_parts(tmp_path / "f.parquet", parts[:2], schema, "features", PROVENANCE)
    found = pq.read_table(tmp_path / "f.parquet").column("Metadata_Dose")
    assert found.to_pylist() == [1.0, 2.0, 0.5, None]


def test_streams_are_told_apart_by_their_first_bytes():
    table = tables.stamp(features(4), "features", PROVENANCE)
    arrow, parquet = io.BytesIO(), io.BytesIO()
    with pyarrow.ipc.new_stream(arrow, table.schema) as writer:
        writer.write_table(table)
    pq.write_table(table, parquet)
    for content in (arrow.getvalue(), parquet.getvalue()):
        stream = io.BufferedReader(io.BytesIO(content))
        found = tables.from_stream(stream, stream.peek(64)[:64], "features")
        assert found.num_rows == 4


@pytest.mark.parametrize(("content", "fault"), [
    (b"", "empty"), (b"PAR1 and then nothing", "not a readable"), (b"hello", "not a readable"),
])
def test_damaged_parquet(tmp_path, content, fault):
    (tmp_path / "f.parquet").write_bytes(content)
    with pytest.raises(DataError, match=fault):
        tables.read(tmp_path / "f.parquet", "features")


def test_wrong_kind_and_newer_version(tmp_path):
    table = features(1)
    tables.write_parts(tmp_path / "f.parquet", [table], table.schema, "features", PROVENANCE)
    with pytest.raises(DataError, match=r"is features/1; expected predictions/1"):
        tables.read(tmp_path / "f.parquet", "predictions")
    newer = table.replace_schema_metadata({"schema": "features/2"})
    pq.write_table(newer, tmp_path / "n.parquet")
    with pytest.raises(DataError, match="this version of libcell reads features/1"):
        tables.read(tmp_path / "n.parquet", "features")


def test_missing_columns_are_all_named(tmp_path):
    table = features(1).drop_columns(["Metadata_T", "Metadata_Label"])
    pq.write_table(tables.stamp(table, "features", PROVENANCE), tmp_path / "f.parquet")
    with pytest.raises(DataError, match=r"Metadata_T.*Metadata_Label"):
        tables.read(tmp_path / "f.parquet", "features")


def test_missing_table(tmp_path):
    with pytest.raises(MissingInput):
        tables.read(tmp_path / "f.parquet", "features")


@pytest.mark.parametrize("text", ["Well,Dose\nA1,3\nB12,4\n", "Row,Column,Dose\nA,01,3\nB,12,4\n",
                                  "Plate,Well,Dose\nP,A01,3\nP,B12,4\n"])
def test_layouts(tmp_path, text):
    (tmp_path / "l.csv").write_text(text)
    known = layout.read(tmp_path / "l.csv")
    assert layout.lookup(known, "P", "A01") == {"Metadata_Dose": 3}
    assert layout.lookup(known, "P", "B12") == {"Metadata_Dose": 4}
    assert layout.lookup(known, "P", "C01") is None


@pytest.mark.parametrize(("text", "fault"), [
    ("Dose\n3\n", "needs a column Well"), ("Well,Dose\nA1,3\nA01,4\n", "twice"),
    ("Well,Dose\nfirst,3\n", "not a well"),
])
def test_faulty_layouts(tmp_path, text, fault):
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(DataError, match=fault):
        layout.read(tmp_path / "l.csv")


def test_a_column_that_does_not_fit_is_named():
    with pytest.raises(DataError, match="Metadata_Label"):
        features(1, Metadata_Label=pa.array(["one"]))


def test_a_column_of_the_users_own_holds_single_values(tmp_path):
    table = features(3).append_column("Metadata_Tags", pa.array([["a"]] * 3))
    pq.write_table(tables.stamp(table, "features", PROVENANCE), tmp_path / "f.parquet")
    with pytest.raises(DataError, match=r"'Metadata_Tags' is list.*expected single values"):
        tables.read(tmp_path / "f.parquet", "features")


def test_parts_of_few_rows_and_wide_ones_make_the_same_bytes(tmp_path):
    """As one part, as parts of three rows, of none, and of more than are put together at once."""
    rng = np.random.default_rng(0)
    schema = pa.schema([("object_id", pa.string()),
                        *((f"Nuclei_X_{i}", pa.float64()) for i in range(200))])
    n = tables.row_group(len(schema)) + 700
    whole = pa.table([[f"o{k}" for k in range(n)], *rng.random((200, n))], schema=schema)
    cuts = {"one": [0, n], "small": [*range(0, n, 3), n], "odd": [0, 0, 300, 301, 301, 5000, n]}
    for name, at in cuts.items():
        parts = (whole.slice(a, b - a) for a, b in pairwise(at))
        assert tables.write_parts(tmp_path / name, parts, schema, "features", PROVENANCE) == n
    assert len({(tmp_path / name).read_bytes() for name in cuts}) == 1
    assert pq.read_table(tmp_path / "small").equals(whole)
