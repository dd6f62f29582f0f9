"""The one way arrays are written in parallel loses nothing, and refuses what would."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr

from libcell.data import arrays


def make(folder, shape=(64, 64), chunks=(8, 8), shards=(16, 16)):
    group = zarr.open_group(str(folder))
    return arrays.create(group, "a", shape, np.uint16, chunks=chunks, shards=shards,
                         axes=("y", "x"))


@pytest.mark.parametrize("region", [
    (slice(0, 8), slice(0, 16)), (slice(8, 24), slice(0, 16)), (slice(0, 16), slice(0, 63)),
])
def test_a_part_of_a_shard_is_refused(tmp_path, region):
    array = make(tmp_path)
    with pytest.raises(ValueError, match="whole shards"):
        arrays.write(array, region, np.ones((16, 16), np.uint16))


def test_the_edge_of_the_array_ends_a_shard(tmp_path):
    array = make(tmp_path, shape=(20, 20))
    arrays.write(array, (slice(16, 20), slice(16, 20)), np.full((4, 4), 7, np.uint16))
    assert (np.asarray(array)[16:, 16:] == 7).all()


def test_parallel_writes_of_whole_shards_lose_nothing(tmp_path):
    array = make(tmp_path, shape=(256, 256))
    truth = np.arange(256 * 256, dtype=np.uint16).reshape(256, 256)
    corners = [(y, x) for y in range(0, 256, 16) for x in range(0, 256, 16)]

    def write(corner):
        y, x = corner
        span = (slice(y, y + 16), slice(x, x + 16))
        arrays.write(array, span, truth[span])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, corners))
    np.testing.assert_array_equal(np.asarray(array), truth)
