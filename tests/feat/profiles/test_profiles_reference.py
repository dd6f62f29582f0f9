"""normalize, select and aggregate beside pycytominer, on the same table."""

import warnings

import numpy as np
import pandas
import pyarrow as pa
import pytest
from hand_made import call

from libcell.data import tables

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it sets an option that pandas 3 no longer has
    from pycytominer import aggregate, feature_select, normalize

CONTROL = ("--controls", "Metadata_Compound=DMSO")
QUERY = "Metadata_Compound == 'DMSO'"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Two plates of 6 wells with 20 objects each; 24 columns with odd ones among them."""
    folder = tmp_path_factory.mktemp("profiles")
    random = np.random.default_rng(0)
    n = 240
    plate = np.repeat(["P1", "P2"], n // 2)
    well = np.tile(np.repeat([f"A0{k}" for k in range(1, 7)], 20), 2)
    base = random.normal(size=(n, 6))
    X = base[:, random.integers(0, 6, 24)] * random.uniform(0.2, 3, 24)
    X += random.normal(size=X.shape) * random.choice([0.05, 0.5, 2], 24) + 10
    X[plate == "P2"] *= 1.5
    X[random.random(X.shape) < 0.01] = np.nan
    X[:, 3], X[10:30, 5] = 4.0, np.nan
    X[:, 7] = np.where(np.arange(n) < 3, 2.0, 1.0)
    X[:, 9] = random.integers(0, 2, n)
    X[0, 11] = 1e5
    names = [f"Nuclei_Texture_F{k}_DNA" for k in range(24)]
    keys = {
        "object_id": [f"{p}/{w}:t0:nuclei:{i}" for i, (p, w) in enumerate(zip(plate, well))],
        "Metadata_Plate": plate, "Metadata_Well": well, "Metadata_Site": ["0"] * n,
        "Metadata_Image": [f"{p}/{w}" for p, w in zip(plate, well)],
        "Metadata_T": np.zeros(n, np.int32), "Metadata_Label": np.arange(1, n + 1),
        "Metadata_Compartment": ["nuclei"] * n,
        "Metadata_Compound": np.where(np.isin(well, ["A01", "A04"]), "DMSO", "drug"),
    }
    table = tables.from_columns("features", keys | {k: X[:, i] for i, k in enumerate(names)})
    tables.write_parts(folder / "f.parquet", [table], table.schema, "features", {})
    return folder, names


def ours(folder, method, *args, table="f.parquet"):
    call("feat", method, folder / table, *args, "-o", folder / f"{method}.parquet", "--force")
    return tables.read(folder / f"{method}.parquet", "features", "profiles").to_pandas()


def profiles(folder, table="f.parquet"):
    """The table as pycytominer reads it: without a rename."""
    return pandas.read_parquet(folder / table)


def assert_same(one, other, names):
    for name in names:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(("scale", "method"), [("z", "standardize"), ("robust-z", "mad_robustize")])
@pytest.mark.parametrize("controls", [False, True])
def test_scales_are_pycytominers_plate_by_plate(measured, scale, method, controls):
    folder, names = measured
    found = ours(folder, "normalize", "--scale", scale, *(CONTROL if controls else ()))
    theirs = pandas.concat([
        normalize(part, features=names, meta_features=["Metadata_Compound"], method=method,
                  samples=QUERY if controls else "all")
        for _, part in profiles(folder).groupby("Metadata_Plate")])
    defined = [n for n in names if n not in (names[3], names[7], names[9])]
    assert_same(found, theirs, defined)
    assert found[names[3]].isna().all()  # no spread: undefined


@pytest.mark.parametrize("kind", ["ZCA-cor", "ZCA", "PCA-cor", "PCA"])
def test_sphering_is_pycytominers(measured, kind):
    folder, names = measured
    kept = [names[i] for i in (0, 1, 2, 4, 6, 8)]
    table = tables.read(folder / "f.parquet", "features")
    some = table.select([n for n in table.column_names if n not in set(names) - set(kept)])
    some = some.filter(pa.array(np.isfinite(some.select(kept).to_pandas()).all(axis=1)))
    tables.write_parts(folder / "some.parquet", [some], some.schema, "features", {})
    found = ours(folder, "normalize", "--scale", "sphere", "--sphering", kind, "--by", "all",
                 *CONTROL, table="some.parquet")
    theirs = normalize(profiles(folder, "some.parquet"), features=kept,
                       meta_features=["Metadata_Compound"], samples=QUERY, method="spherize",
                       spherize_method=kind)
    given = theirs[[f"PC{k}" for k in range(1, 7)]] if kind.startswith("PCA") else theirs[kept]
    np.testing.assert_allclose(found[kept].abs(), given.abs(), rtol=1e-6, atol=1e-8)
    control = found[found["Metadata_Compound"] == "DMSO"][kept]
    np.testing.assert_allclose(np.cov(control.T), np.eye(6), atol=1e-3)


@pytest.mark.parametrize(("option", "operation", "more"), [
    (("--missing", "0.02"), "drop_na_columns", {"na_cutoff": 0.02}),
    (("--frequency", "0.05", "--unique", "0.01"), "frequency_threshold", {}),
    (("--min-variance", "0.3"), "variance_threshold", {"min_variance": 0.3}),
    (("--correlation", "0.6"), "correlation_threshold", {"corr_threshold": 0.6}),
    (("--outliers", "500"), "drop_outliers", {"outlier_cutoff": 500}),
])
def test_selection_is_pycytominers_step_by_step(measured, option, operation, more):
    folder, names = measured
    off = {"--missing": "1", "--frequency": "0", "--unique": "0", "--correlation": "1"}
    given = off | dict(zip(option[::2], option[1::2]))
    found = ours(folder, "select", *[a for pair in given.items() for a in pair])
    theirs = feature_select(profiles(folder), features=names, operation=operation, **more)
    # a column of one value always goes here
    wanted = {n for n in names if n in theirs.columns} - {names[3]}
    assert {n for n in names if n in found.columns} == wanted
    assert 0 < len(wanted) < len(names)


def test_the_usual_selection_is_pycytominers(measured):
    folder, names = measured
    found = ours(folder, "select", "--outliers", "500")
    theirs = feature_select(profiles(folder), features=names, operation=[
        "drop_na_columns", "variance_threshold", "frequency_threshold", "drop_outliers",
        "correlation_threshold"], min_variance=0)
    assert {n for n in names if n in found.columns} == {n for n in names if n in theirs.columns}


@pytest.mark.parametrize("statistic", ["median", "mean"])
def test_wells_are_pycytominers(measured, statistic):
    folder, names = measured
    found = ours(folder, "aggregate", "--statistic", statistic)
    theirs = aggregate(profiles(folder), features=names, operation=statistic,
                       compute_object_count=True, object_feature="Metadata_Label")
    assert_same(found, theirs, names)
    assert (found["Metadata_Object_Count"] == theirs["Metadata_Object_Count"]).all()
    assert found["Metadata_Compound"].tolist() == ["DMSO", "drug", "drug"] * 4
