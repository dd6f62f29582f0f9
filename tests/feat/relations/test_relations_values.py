"""What can be known without another program, and what every relation must do."""

import warnings

import numpy as np
import pytest
from hand_made import call, write_images, write_labels
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from relation_scenes import coins, found, scene_of

from libcell.data import tables
from libcell.errors import UsageFault
from libcell.feat import families, measure, relations
from libcell.feat.relations import compartments, neighbours

every_relation = pytest.mark.parametrize("name", relations.names())


def squares(*places, shape=(40, 60), side=6):
    """Squares at (y, x), labelled 2, 4, 6 ...; uint32."""
    labels = np.zeros(shape, np.uint32)
    for i, (y, x) in enumerate(places):
        labels[y : y + side, x : x + side] = 2 * (i + 1)
    return labels


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(1, 2000, shape).astype(np.uint16)


def channels(shape):
    return {"DNA": noise(shape), "RNA": noise(shape, 1), "AGP": noise(shape, 2)}


# -- all of them -------------------------------------------------------------------------------


@every_relation
def test_columns_are_what_is_measured(name):
    labels = squares((5, 5), (5, 11), (20, 30), (33, 50))
    others = {"cells": np.where(labels, labels + 1, 0).astype(np.uint32)}
    values = found(name, labels, channels(labels.shape), others)
    about = relations.load(name).columns(("DNA", "RNA", "AGP"), ("cells",))
    assert list(values) == [c.name for c in about] and len(about) > 3
    assert all(c.unit and c.meaning for c in about)
    for value in values.values():
        assert value.dtype == np.float64 and value.shape == (4,) and not np.isinf(value).any()


@every_relation
@pytest.mark.parametrize("shape", [(0, 0), (7, 9), (40, 60)])
def test_no_object_gives_every_column_empty(name, shape):
    labels = np.zeros(shape, np.uint32)
    values = found(name, labels, channels(shape), {"cells": labels})
    about = relations.load(name).columns(("DNA", "RNA", "AGP"), ("cells",))
    assert list(values) == [c.name for c in about]
    assert all(v.shape == (0,) for v in values.values())


@every_relation
def test_names_of_objects_and_parts_change_nothing(name, monkeypatch):
    labels, images = coins()
    labels, images = labels[:220], {k: v[:220] for k, v in images.items()}
    rows = np.flatnonzero(~labels.any(axis=1))
    cuts = rows[np.isin(rows, rows + 1)][[3, -4]].tolist()
    others = {"cells": np.roll(labels, 3, axis=1)}
    whole = found(name, labels, images, others)
    monkeypatch.setattr(neighbours, "WINDOW", 50)
    monkeypatch.setattr(compartments, "WINDOW", 50)
    apart = found(name, labels, images, others, cuts=cuts)
    far = {k: np.where(v, v + np.uint32(4_000_000_000), 0).astype(np.uint32)
           for k, v in others.items()}
    renamed = found(name, np.where(labels, labels + np.uint32(7), 0).astype(np.uint32), images, far)
    for column, value in whole.items():
        np.testing.assert_allclose(apart[column], value, 1e-9, err_msg=column)
        if "Number_" not in column and "ObjectNumber" not in column and "Parent" not in column:
            np.testing.assert_allclose(renamed[column], value, 1e-9, err_msg=column)


@pytest.mark.parametrize("name", ["correlation", "granularity"])
def test_another_object_changes_nothing(name):
    labels, images = coins()
    every = found(name, labels, images)
    for i in (0, 7, 20):
        one = np.unique(labels)[1 + i]
        alone = found(name, np.where(labels == one, one, 0).astype(np.uint32), images)
        for column, value in every.items():
            np.testing.assert_array_equal(alone[column], value[i : i + 1], err_msg=column)


@pytest.mark.parametrize("name", ["correlation", "neighbours", "compartments"])
def test_a_quarter_turn_changes_nothing(name):
    """Granularity is left out: CellProfiler's every fourth pixel is counted from one corner."""
    labels, images = coins()
    others = {"cells": np.roll(labels, 4, axis=0)}
    turned = found(name, np.rot90(labels), {k: np.rot90(v) for k, v in images.items()},
                   {k: np.rot90(v) for k, v in others.items()})
    for column, value in found(name, labels, images, others).items():
        np.testing.assert_allclose(turned[column], value, 1e-6, 1e-6, err_msg=column)


@pytest.mark.parametrize("name", ["correlation", "neighbours", "compartments"])
def test_moving_everything_changes_nothing(name):
    """Granularity is left out: what lies around the object, the rim too, is what it measures."""
    labels, images = coins()
    labels = labels.copy()
    labels[:, :1] = labels[:1] = 0  # the image's rim is part of an outline
    others = {"cells": np.roll(labels, 4, axis=0)}
    there = found(name, np.pad(labels, ((32, 0), (16, 0))),
                  {k: np.pad(v, ((32, 0), (16, 0))) for k, v in images.items()},
                  {k: np.pad(v, ((32, 0), (16, 0))) for k, v in others.items()})
    for column, value in found(name, labels, images, others).items():
        np.testing.assert_allclose(there[column], value, 1e-6, 1e-6, err_msg=column)


@settings(max_examples=25, deadline=None)
@given(arrays(np.uint32, st.tuples(st.integers(1, 12), st.integers(1, 12)),
              elements=st.integers(0, 3)))
def test_any_label_image_is_measured_without_a_warning(labels):
    images = {"DNA": noise(labels.shape), "even": np.full(labels.shape, 7.5, np.float32)}
    images["hole"] = np.where(np.arange(labels.size).reshape(labels.shape) % 3, images["DNA"],
                              np.nan)
    n = np.unique(labels[labels > 0]).size
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in relations.names():
            values = found(name, labels, images, {"cells": labels[::-1]})
            assert all(v.shape == (n,) and not np.isinf(v).any() for v in values.values())


def test_a_relation_that_is_not_there():
    with pytest.raises(UsageFault, match=r"'correlations'; there are .*correlation.*neighbours"):
        relations.require(["shape", "correlation", "correlations"])


# -- correlation -------------------------------------------------------------------------------


def test_channels_that_are_one_another():
    labels = squares((5, 5), (20, 30))
    first = noise(labels.shape).astype(np.float64)
    values = found("correlation", labels, {"A": first, "B": 3 * first + 10, "C": -first})
    for name, expected in {"Correlation_A_B": 1, "Slope_A_B": 3, "Correlation_A_C": -1,
                           "Slope_A_C": -1}.items():
        np.testing.assert_allclose(values[f"Correlation_{name}"], expected)
    same = found("correlation", labels, {"A": first, "B": first})
    for kind in ("Overlap_A_B", "K_A_B", "K_B_A", "Manders_A_B", "RWC_B_A"):
        np.testing.assert_allclose(same[f"Correlation_{kind}"], 1)


def test_what_has_no_correlation():
    labels = squares((5, 5), (20, 30))
    labels[39, 59] = 7  # a pixel
    even = np.full(labels.shape, 0.1)
    values = found("correlation", labels, {"A": even, "B": noise(labels.shape).astype(float)})
    assert np.isnan(values["Correlation_Correlation_A_B"]).all()
    assert np.isnan(values["Correlation_Slope_A_B"]).all()
    assert np.isnan(values["Correlation_Costes_A_B"]).all()
    assert np.isfinite(values["Correlation_Manders_A_B"]).all()


def test_pixels_that_are_not_finite_are_left_out_of_the_pair():
    labels = squares((5, 5), (20, 30))
    first, second = noise(labels.shape).astype(float), noise(labels.shape, 1).astype(float)
    gone = np.zeros(labels.shape, bool)
    gone[6, 6:9] = gone[22, 31] = True
    rest = np.where(gone, 0, labels).astype(np.uint32)
    with_holes = found("correlation", labels, {"A": np.where(gone, np.nan, first), "B": second})
    for name, value in found("correlation", rest, {"A": first, "B": second}).items():
        np.testing.assert_allclose(with_holes[name], value, err_msg=name)


# -- neighbours --------------------------------------------------------------------------------


def test_a_row_of_squares():
    """Two that share an edge, one 3 px further, one far away."""
    values = found("neighbours", squares((5, 5), (5, 11), (5, 19), (30, 50)), {})
    assert values["Neighbors_NumberOfNeighbors_Adjacent"].tolist() == [1, 1, 0, 0]
    assert values["Neighbors_NumberOfNeighbors_5"].tolist() == [1, 2, 1, 0]
    assert values["Neighbors_FirstClosestDistance_5"].tolist()[:3] == [6, 6, 8]
    assert values["Neighbors_FirstClosestObjectNumber_5"].tolist() == [4, 2, 4, 6]
    assert values["Neighbors_SecondClosestObjectNumber_5"].tolist() == [6, 6, 2, 4]
    assert values["Neighbors_AngleBetweenNeighbors_5"].tolist()[:3] == [0, 180, 0]
    touching = values["Neighbors_PercentTouching_Adjacent"]
    assert touching.tolist() == [30, 30, 0, 0]  # 6 of 20 outline pixels


def test_few_objects_have_no_neighbours():
    alone = found("neighbours", squares((5, 5)), {})
    assert alone["Neighbors_NumberOfNeighbors_5"] == [0]
    assert np.isnan(alone["Neighbors_FirstClosestDistance_5"]).all()
    two = found("neighbours", squares((5, 5), (20, 30)), {})
    assert np.isfinite(two["Neighbors_FirstClosestDistance_5"]).all()
    assert np.isnan(two["Neighbors_AngleBetweenNeighbors_5"]).all()


def test_objects_with_one_centroid():
    ring = squares((10, 10), side=9)
    ring[12:17, 12:17] = 4
    values = found("neighbours", ring, {})
    assert values["Neighbors_FirstClosestDistance_5"].tolist() == [0, 0]
    assert values["Neighbors_FirstClosestObjectNumber_5"].tolist() == [4, 2]


# -- compartments ------------------------------------------------------------------------------


def test_nuclei_in_cells():
    """Two nuclei in one cell, one in none, one cell without any."""
    nuclei = squares((6, 6), (6, 14), (30, 50))
    cells = np.zeros_like(nuclei)
    cells[4:14, 4:24], cells[20:30, 4:24] = 9, 5
    scene = scene_of(nuclei, {}, {"cells": cells})
    values = relations.load("compartments").measure(scene)
    assert values["Parent_Cells"].tolist() == [9, 9, 0]
    assert values["Children_Cells_Count"].tolist() == [1, 0, 0]
    np.testing.assert_array_equal(values["Relation_AreaRatio_Cells"], [36 / 200, 36 / 200, np.nan])
    assert values["Distance_Centroid_Cells"][:2].tolist() == [5, 3]
    back = found("compartments", cells, {}, {"kernels": nuclei})
    assert back["Children_Kernels_Count"].tolist() == [0, 2]
    assert back["Parent_Kernels"].tolist() == [0, 2]


def test_nuclei_and_cytoplasm_meet_in_their_cell():
    """They share no pixel; the mean of the nucleus over that of its cytoplasm is what moves."""
    cells = squares((2, 2), (2, 30), (22, 2), side=16)
    nuclei = squares((6, 6), (6, 34), (24, 50))
    nuclei[26:29, 6:9] = nuclei[32:35, 12:15] = 8  # in two parts
    nuclei[28:32, 10:13] = 9
    cytoplasm = np.where(nuclei, 0, cells)
    image = np.where(nuclei, 300.0, 100.0)
    image[2:18, 30:46] = 50
    scene = scene_of(nuclei, {"DNA": image}, {"cytoplasm": cytoplasm, "cells": cells})
    values = relations.load("compartments").measure(scene)
    assert values["Parent_Cytoplasm"].tolist() == [2, 4, 0, 6, 6]
    ratio = values["Relation_MeanIntensityRatio_Cytoplasm_DNA"].tolist()
    assert ratio[:2] == [3, 1] and np.isnan(ratio[2]) and ratio[3:] == [3, 3]
    back = found("compartments", cytoplasm, {"DNA": image}, {"nuclei2": nuclei, "cells": cells})
    assert back["Children_Nuclei2_Count"].tolist() == [1, 1, 2]
    assert back["Parent_Nuclei2"].tolist() == [2, 4, 8]  # the larger of two
    alone = found("compartments", nuclei, {}, {"cytoplasm": cytoplasm})
    assert not alone["Parent_Cytoplasm"].any()


def test_through_the_command(tmp_path):
    """Names as CellProfiler's, for each compartment its own; large images in windows alike."""
    nuclei = squares((6, 6), (6, 20), (28, 40))[None, None]
    cells = squares((4, 4), (4, 18), (26, 38), side=10)[None, None]
    write_images(tmp_path / "p.ome.zarr", {"": noise((1, 2, 1, 40, 60))}, ("DNA", "RNA"))
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": nuclei, "cells": cells}})
    given = ("measure", tmp_path / "n.labels.ome.zarr", "--images", tmp_path / "p.ome.zarr")
    call("feat", *given, "--families", ",".join(relations.names()), "-o", tmp_path / "f.parquet")
    table = tables.read(tmp_path / "f.parquet", "features")
    assert table.column("Nuclei_Parent_Cells").to_pylist() == [2, 4, 6, None, None, None]
    for name in ("Nuclei_Correlation_Correlation_DNA_RNA", "Cells_Correlation_K_RNA_DNA",
                 "Cells_Children_Nuclei_Count", "Nuclei_Neighbors_NumberOfNeighbors_Adjacent",
                 "Nuclei_Granularity_1_DNA", "Nuclei_Relation_AreaRatio_Cells"):
        assert name in table.column_names
    assert not any("AreaShape" in n for n in table.column_names)


def test_windows_of_a_large_image_change_nothing(tmp_path, monkeypatch):
    labels = squares((6, 6), (6, 20), (28, 40))[None, None]
    write_images(tmp_path / "p.ome.zarr", {"": noise((1, 2, 1, 40, 60))}, ("DNA", "RNA"))
    write_labels(tmp_path / "n.labels.ome.zarr", {"": {"nuclei": labels}})
    given = ("measure", tmp_path / "n.labels.ome.zarr", "--images", tmp_path / "p.ome.zarr",
             "--families", ",".join(relations.names()))
    call("feat", *given, "-o", tmp_path / "whole.parquet")
    monkeypatch.setattr(measure, "LARGE", 30)
    monkeypatch.setattr("libcell.data.objects.WINDOW", 16)
    call("feat", *given, "-o", tmp_path / "parts.parquet")
    whole, parts = (tables.read(tmp_path / f, "features")
                    for f in ("whole.parquet", "parts.parquet"))
    for name in whole.column_names:
        if name.startswith("Nuclei_"):
            np.testing.assert_allclose(parts.column(name).to_numpy(), whole.column(name).to_numpy(),
                                       rtol=1e-9, err_msg=name)


# -- radial ------------------------------------------------------------------------------------


def radial(labels, image):
    return families.load("radial").measure(labels, image, families.ObjectIndex.of(labels))


def test_an_even_disc_has_as_much_light_as_pixels_in_each_ring():
    y, x = np.mgrid[:41, :41]
    disc = (np.hypot(y - 20, x - 20) <= 15).astype(np.uint32)
    values = radial(disc, np.full(disc.shape, 3.0))
    parts = [values[f"RadialDistribution_FracAtD_{{channel}}_{k}of4"][0] for k in range(1, 5)]
    assert sum(parts) == pytest.approx(1)
    assert parts == sorted(parts)
    for k in range(1, 5):
        density, spread = (values[f"RadialDistribution_{kind}_{{channel}}_{k}of4"]
                           for kind in ("MeanFrac", "RadialCV"))
        assert density == pytest.approx(1) and spread == pytest.approx(0, abs=1e-9)
    turned = radial(np.rot90(disc), np.rot90(noise(disc.shape)))
    for name, value in radial(disc, noise(disc.shape)).items():
        if "RadialCV" not in name:  # its wedges are not symmetric
            np.testing.assert_allclose(turned[name], value, err_msg=name)


def test_objects_that_rings_fail_on():
    labels = np.zeros((20, 30), np.uint32)
    labels[2, 2], labels[5, 3:12] = 1, 2
    labels[10, 3:6], labels[10, 9:12] = 3, 3  # in parts: the second is not reached
    values = radial(labels, np.ones(labels.shape))
    assert np.isfinite(np.stack(list(values.values()))).all()
    dark = radial(labels, np.zeros(labels.shape))
    assert np.isnan(dark["RadialDistribution_FracAtD_{channel}_1of4"]).all()
    whole = radial(np.ones((6, 6), np.uint32), np.ones((6, 6)))  # nothing is outside
    assert np.isfinite(np.stack(list(whole.values()))).all()
