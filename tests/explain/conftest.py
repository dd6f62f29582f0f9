"""Two small networks: one that must look at the nucleus, one that may look at the background."""

import pytest
import seen_sets
from hand_made import call


@pytest.fixture(scope="session")
def seen(tmp_path_factory):
    """A folder with nucleus.crops.zarr and leak.crops.zarr, and a model that learnt each."""
    folder = tmp_path_factory.mktemp("seen")
    for name, epochs in (("nucleus", 11), ("leak", 4)):
        store = seen_sets.write(folder / f"{name}.crops.zarr", name == "leak")
        call("train", "cnn", store, "--target", "Metadata_Class", *seen_sets.SMALL,
             "--epochs", epochs, "-o", folder / f"{name}.model")
    return folder
