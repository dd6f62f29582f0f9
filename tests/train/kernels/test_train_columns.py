"""Which columns are features, and what cleaning learns on the training rows."""

import numpy as np
import pytest

from libcell.errors import DataError, UsageFault
from libcell.schema.columns import (
    channels_in,
    choose_columns,
    column_groups,
    mentioned_channels,
)
from libcell.train.kernels.cleaning import clean_matrix

FEATURES = [
    "Nuclei_AreaShape_Area",
    "Nuclei_AreaShape_BoundingBoxArea",
    "Nuclei_Intensity_MeanIntensity_DNA",
    "Nuclei_Intensity_MeanIntensity_DNA_2",
    "Cells_Intensity_StdIntensityEdge_RNA",
    "Cells_Texture_Contrast_DNA_3_00_256",
    "Cells_Correlation_Correlation_DNA_RNA",
    "Cells_RadialDistribution_FracAtD_RNA_1of4",
]
PLACES = [
    "Nuclei_Location_Center_X",
    "Nuclei_Location_CenterMassIntensity_X_DNA",
    "Nuclei_AreaShape_Center_X",
    "Nuclei_AreaShape_BoundingBoxMinimum_X",
    "Cells_AreaShape_BoundingBoxMaximum_Y",
    "Cells_Number_Object_Number",
    "Cells_Parent_Nuclei",
    "y",
    "x1",
    "touches_border",
]
TURN = "Nuclei_AreaShape_Orientation"
KEYS = ["object_id", "Metadata_Well", "Metadata_T", "target", "split", "predicted", "p_neuron"]
NAMES = KEYS + PLACES + [TURN, *FEATURES, "emb_0000"]


def test_keys_and_places_are_left_out():
    assert choose_columns(NAMES) == [*FEATURES, "emb_0000"]
    assert choose_columns(NAMES, orientation=True) == [TURN, *FEATURES, "emb_0000"]
    assert choose_columns(NAMES, location=True) == [*PLACES, *FEATURES, "emb_0000"]


def test_filters():
    assert choose_columns(NAMES, compartments=["Nuclei"]) == FEATURES[:4]
    assert choose_columns(NAMES, families=["AreaShape", "Texture"]) == [*FEATURES[:2], FEATURES[5]]
    no_rna = [name for name in FEATURES if "RNA" not in name and not name.endswith("_2")]
    assert choose_columns(NAMES, channels=["DNA"]) == [*no_rna, "emb_0000"]
    assert choose_columns(NAMES, channels=["RNA"], families=["Correlation", "Intensity"]) == [
        "Cells_Intensity_StdIntensityEdge_RNA"
    ]


def test_channels_are_read_off_the_names():
    assert channels_in(NAMES) == ["DNA", "DNA_2", "RNA"]
    channels = ["DNA", "DNA_2", "RNA"]
    assert mentioned_channels("Cells_Correlation_K_DNA_DNA_2", channels) == {"DNA", "DNA_2"}
    assert mentioned_channels("Cells_Correlation_K_DNA_2_RNA", channels) == {"DNA_2", "RNA"}
    # without intensities the caller has to say what is a channel
    bare = ["Cells_Texture_Contrast_DNA_3_00_256", "Cells_Texture_Contrast_RNA_3_00_256"]
    with pytest.raises(UsageFault, match="no column has channel DNA; there is none"):
        choose_columns(bare, channels=["DNA"])
    assert choose_columns(bare, channels=["DNA"], all_channels=["DNA", "RNA"]) == bare[:1]


@pytest.mark.parametrize(
    "wrong", [{"compartments": ["nuclei"]}, {"families": ["Shape"]}, {"channels": ["DAPI"]}]
)
def test_asking_for_what_is_not_there(wrong):
    with pytest.raises(UsageFault, match=r"there is .*(Nuclei|AreaShape|DNA)"):
        choose_columns(NAMES, **wrong)


def test_nothing_left():
    with pytest.raises(DataError, match="none of"):
        choose_columns([*KEYS, *PLACES])


def test_groups_for_importance():
    groups = column_groups(FEATURES, "channel")
    assert groups["no channel"] == [0, 1] and groups["DNA"] == [2, 5, 6]
    assert groups["RNA"] == [4, 6, 7] and groups["DNA_2"] == [3]
    assert column_groups(FEATURES, "compartment")["Nuclei"] == [0, 1, 2, 3]
    assert column_groups(["emb_0000", "emb_0001"], "compartment") == {"emb": [0, 1]}
    with pytest.raises(UsageFault, match="cannot be grouped"):
        column_groups(FEATURES, "colour")


def matrix():
    nan = np.nan
    X = np.array(
        [[1, 5, nan, 2, 0], [2, 5, nan, nan, 0], [3, nan, nan, 4, 0], [nan, 6, 1, 9, 7]], float
    )
    return X, list("abcde"), np.array([True, True, True, False])


def test_constant_and_missing_columns_go_by_the_training_rows():
    X, names, train = matrix()
    cleaned, cleaning = clean_matrix(X, names, train)
    assert cleaning.kept == ("a", "d")
    assert cleaning.dropped == {"b": "constant", "c": "all missing", "e": "constant"}
    assert cleaning.n_missing.tolist() == [0, 1]
    assert np.array_equal(cleaned, X[:, [0, 3]], equal_nan=True)
    assert np.array_equal(clean_matrix(X, names, np.arange(3))[0], cleaned, equal_nan=True)


def test_medians_come_from_the_training_rows():
    X, names, train = matrix()
    cleaned, cleaning = clean_matrix(X, names, train, missing="median")
    assert cleaning.medians.tolist() == [2, 3]
    assert cleaned.tolist() == [[1, 2], [2, 3], [3, 4], [2, 9]]
    assert np.isnan(X[3, 0])


def test_new_tables_are_read_by_name():
    X, names, train = matrix()
    cleaned, cleaning = clean_matrix(X, names, train)
    swapped = cleaning.apply(X[:, ::-1], names[::-1])
    assert np.array_equal(swapped, cleaned, equal_nan=True)
    with pytest.raises(DataError, match=r"1 column.* absent: d"):
        cleaning.apply(X[:, :3], names[:3])
    assert cleaning.apply(X[:0], names).shape == (0, 2)


def test_infinity_names_its_column():
    X, names, train = matrix()
    X[3, 1] = -np.inf
    with pytest.raises(DataError, match=r"infinite values in b \(first in row 3\)"):
        clean_matrix(X, names, train)


def test_bad_matrices():
    X, names, train = matrix()
    with pytest.raises(DataError, match="one column per name"):
        clean_matrix(X, names[:-1], train)
    with pytest.raises(DataError, match="twice: a"):
        clean_matrix(X, ["a", "a", "c", "d", "e"], train)
    with pytest.raises(DataError, match="no training rows"):
        clean_matrix(X, names, train & False)
    with pytest.raises(DataError, match="all 1 columns"):
        clean_matrix(X[:, 1:2], ["b"], train)
