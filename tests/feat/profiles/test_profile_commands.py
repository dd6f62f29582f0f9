"""normalize, select and aggregate as a user runs them: pipes, groups, refusals."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_made import call, write_features, write_table
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from libcell.data import tables
from libcell.feat.profiles import scaling, thinning
from libcell.schema.validate import validate

AREA, MEAN = "Nuclei_AreaShape_Area", "Nuclei_Intensity_MeanIntensity_DNA"


def features(folder, n=80, **more):
    random = np.random.default_rng(0)
    return write_features(folder / "f.parquet", {
        AREA: random.normal(100, 10, n), MEAN: random.normal(500, 50, n), **more}, wells=n // 8)


def run(folder, method, *args, code=0, table="f.parquet"):
    return call("feat", method, folder / table, *args, "-o", folder / f"{method}.parquet",
                "--force", code=code)


def test_each_group_gets_a_scale_of_its_own(tmp_path):
    plates = ["P1"] * 40 + ["P2"] * 40
    features(tmp_path, Metadata_Plate=plates, Metadata_Batch=[1] * 80)
    run(tmp_path, "normalize", "--by", "Metadata_Batch,Metadata_Plate")
    table = tables.read(tmp_path / "normalize.parquet", "features")
    values = table.column(AREA).to_numpy()
    for rows in (slice(0, 40), slice(40, 80)):
        assert values[rows].mean() == pytest.approx(0) and values[rows].std() == pytest.approx(1)
    before = pq.read_table(tmp_path / "f.parquet")
    keys = [n for n in before.column_names if n not in (AREA, MEAN)]
    assert table.select(keys).equals(before.select(keys).replace_schema_metadata(
        table.schema.metadata))
    assert validate(tmp_path / "normalize.parquet") == []


def test_a_table_without_plates_is_one_plate(tmp_path):
    features(tmp_path, Metadata_Plate=[None] * 80)
    run(tmp_path, "normalize")
    assert tables.read(tmp_path / "normalize.parquet", "features").column(AREA).to_numpy(
        ).std() == pytest.approx(1)


def test_missing_values_stay_missing_and_count_for_nothing(tmp_path):
    values = np.array([1.0, 2, 3, np.nan, np.inf] + [2.0] * 75)
    features(tmp_path, Nuclei_Texture_X_DNA=values)
    run(tmp_path, "normalize")
    found = tables.read(tmp_path / "normalize.parquet", "features").column(
        "Nuclei_Texture_X_DNA").to_numpy()
    assert np.isnan(found[3:5]).all() and np.isfinite(np.delete(found, [3, 4])).all()
    assert np.nanmean(found) == pytest.approx(0)


def test_embeddings_and_wells_keep_their_kind(tmp_path):
    features(tmp_path)
    keys = tables.read(tmp_path / "f.parquet", "features").drop_columns([AREA, MEAN])
    columns = {n: keys.column(n) for n in keys.column_names}
    write_table(tmp_path / "e.parquet", "embeddings", columns | {
        f"emb_{k:04d}": np.random.default_rng(k).normal(size=80) for k in range(3)})
    run(tmp_path, "normalize", "--scale", "sphere", table="e.parquet")
    assert tables.read(tmp_path / "normalize.parquet", "embeddings").num_rows == 80
    run(tmp_path, "aggregate", table="e.parquet")
    run(tmp_path, "normalize", "--scale", "robust-z", table="aggregate.parquet")
    wells = tables.read(tmp_path / "normalize.parquet", "profiles")
    assert wells.num_rows == 10 and "emb_0002" in wells.column_names
    assert validate(tmp_path / "aggregate.parquet") == []


def test_a_pipe_from_objects_to_chosen_profiles(tmp_path):
    more = {f"Nuclei_Texture_T{k}_DNA": np.random.default_rng(k + 5).normal(size=80)
            for k in range(4)}
    features(tmp_path, Nuclei_AreaShape_Center_X=np.arange(80.0), **more,
             Nuclei_Texture_Same_DNA=more["Nuclei_Texture_T1_DNA"])
    tool = f"{sys.executable} -m cell_feat"
    line = (f"{tool} aggregate f.parquet -q -o - | {tool} normalize - -q -o - "
            f"| {tool} select - -q -o w.parquet")
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=tmp_path, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    wells = tables.read(tmp_path / "w.parquet", "profiles")
    assert wells.num_rows == 10
    kept = [n for n in wells.column_names if n.startswith("Nuclei_")]
    assert "Nuclei_AreaShape_Center_X" not in kept and "Nuclei_Texture_Same_DNA" not in kept
    assert set(kept) == {AREA, MEAN, *more}


def test_wells_keep_what_is_the_same_for_all_their_objects(tmp_path):
    features(tmp_path, Metadata_Dose=[None if k < 8 else k // 8 for k in range(80)],
             Metadata_Class=["a", "b"] * 40)
    run(tmp_path, "aggregate")
    table = tables.read(tmp_path / "aggregate.parquet", "profiles")
    assert table.column("Metadata_Dose").to_pylist() == [None, *range(1, 10)]
    assert table.column("Metadata_Object_Count").to_pylist() == [8] * 10
    for name in ("Metadata_Class", "Metadata_Label", "Metadata_Image", "object_id"):
        assert name not in table.column_names
    run(tmp_path, "aggregate", "--by", "Metadata_Class")
    table = tables.read(tmp_path / "aggregate.parquet", "profiles")
    assert table.column("Metadata_Class").to_pylist() == ["a", "b"]
    assert table.column("Metadata_Well").to_pylist() == [None, None]


def test_two_compartments_meet_in_a_well(tmp_path):
    """Rows of nuclei have nothing in the columns of cells; a well has both."""
    kind = np.arange(80) % 2 == 0
    features(tmp_path, Metadata_Compartment=np.where(kind, "nuclei", "cells"),
             Cells_AreaShape_Area=np.where(kind, np.nan, 7.0))
    run(tmp_path, "aggregate")
    table = tables.read(tmp_path / "aggregate.parquet", "profiles")
    assert table.column("Cells_AreaShape_Area").to_pylist() == [7.0] * 10


def test_a_table_without_rows(tmp_path):
    write_features(tmp_path / "f.parquet", {AREA: pa.array([], pa.float64())}, wells=0)
    run(tmp_path, "normalize")
    run(tmp_path, "aggregate")
    assert tables.read(tmp_path / "aggregate.parquet", "profiles").num_rows == 0
    assert "no row" in run(tmp_path, "select", code=65).said


@pytest.mark.parametrize(("method", "args", "code", "says"), [
    ("normalize", ("--controls", "Metadata_Compound"), 2, "expected COLUMN=VALUE"),
    ("normalize", ("--controls", "Metadata_Compound=DMSO"), 65, "no such column"),
    ("normalize", ("--controls", "Metadata_Well=Z99"), 65, "no row is one"),
    ("normalize", ("--controls", "Metadata_Well=A01", "--by", "Metadata_Well"), 65,
     "A02: has none of the controls"),
    ("normalize", ("--scale", "sphere"), 65, "rank 2: some columns are sums of others"),
    ("select", ("--correlation", "0", "--missing", "0", "--min-variance", "1e9"), 65,
     "all 3 columns are dropped, the last as constant"),
    ("aggregate", ("--by", "Metadata_Nothing"), 65, "no such column"),
])
def test_what_is_refused_in_one_line(tmp_path, method, args, code, says):
    features(tmp_path)
    table = tables.read(tmp_path / "f.parquet", "features")
    double = pa.array(2 * table.column(AREA).to_numpy())
    table = table.append_column("Nuclei_AreaShape_Twice", double)
    tables.write_parts(tmp_path / "f.parquet", [table], table.schema, "features", {})
    said = run(tmp_path, method, *args, code=code).said
    assert says in said and len(said.splitlines()) == 1


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 5)),
              elements=st.one_of(st.just(np.nan), st.integers(-3, 3).map(float))))
def test_any_matrix_is_thinned_and_scaled_without_a_warning(X):
    p = X.shape[1]
    for found in (thinning.missing(X, 0.1), thinning.constant(X, 0), thinning.duplicate(X),
                  thinning.near_constant(X, 0.05, 0.01), thinning.correlated(X, 0.9),
                  thinning.outlying(X, 2)):
        assert found.shape == (p,) and found.dtype == bool
    for scale in (scaling.z(X), scaling.robust_z(X)):
        assert not np.isinf(scale(X)).any()
    r = thinning.correlations(X)
    assert np.nanmax(np.abs(r), initial=0) < 1 + 1e-9
    np.testing.assert_array_equal(np.isnan(r), np.isnan(r.T))


def test_correlations_over_the_rows_that_have_both():
    random = np.random.default_rng(0)
    X = random.normal(size=(50, 4)) * [1, 1e6, 1e-6, 1] + [0, 1e8, 0, 3]
    X[:, 3] += X[:, 0]
    X[random.random(X.shape) < 0.2] = np.nan
    found = thinning.correlations(X)
    for i, j in np.ndindex(found.shape):
        both = np.isfinite(X[:, i]) & np.isfinite(X[:, j])
        assert found[i, j] == pytest.approx(np.corrcoef(X[both, i], X[both, j])[0, 1], abs=1e-6)
