"""Shards written chunk by chunk: zarr reads what was put in, and agrees on what is left out."""

import numpy as np
import pytest
import zarr

from libcell.data import arrays, groups
from libcell.data.shards import ShardWriter


def made(root, n=21, dtype=np.uint16):
    group = zarr.open_group(str(groups.ensure(root)))
    return arrays.create(group, "a", (n, 2, 5), dtype, chunks=(4, 2, 5), shards=(12, 2, 5),
                         axes=("n", "y", "x"))


def write(array, root, values):
    for start in range(0, len(values), 12):
        with ShardWriter(array, root, start) as shard:
            for first in range(start, min(start + 12, len(values)), 4):
                shard.add(values[first : first + 4])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.float32, np.int64])
@pytest.mark.parametrize("n", [21, 24, 3])
def test_zarr_reads_what_was_written(tmp_path, dtype, n):
    array = made(tmp_path, n, dtype)
    values = (np.random.default_rng(1).random((n, 2, 5)) * 9).astype(dtype)
    write(array, tmp_path, values)
    np.testing.assert_array_equal(zarr.open_group(str(tmp_path), mode="r")["a"][:], values)
    assert not list(tmp_path.rglob("*.tmp"))


def test_the_same_bytes_as_zarr_itself(tmp_path):
    """But for the order of the chunks: so one chunk with content."""
    values = np.zeros((12, 2, 5), np.uint16)
    values[5] = 7
    ours, theirs = made(tmp_path / "ours", 12), made(tmp_path / "theirs", 12)
    write(ours, tmp_path / "ours", values)
    theirs[:] = values
    name = "a/c/0/0/0"
    assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()


def test_zeros_take_no_file(tmp_path):
    array = made(tmp_path)
    write(array, tmp_path, np.zeros((21, 2, 5), np.uint16))
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "zarr.json"]
    assert not array[:].any()


def test_a_failed_shard_leaves_nothing(tmp_path):
    array = made(tmp_path)
    with pytest.raises(ValueError, match="expected"), ShardWriter(array, tmp_path, 0) as shard:
        shard.add(np.ones((4, 2, 5), np.uint16))
        shard.add(np.ones((4, 2, 6), np.uint16))
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "zarr.json"]
    with pytest.raises(ValueError, match="would be lost"), ShardWriter(array, tmp_path, 0) as shard:
        shard.add(np.ones((4, 2, 5), np.uint16))
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "zarr.json"]
    with pytest.raises(ValueError, match="first of a shard"):
        ShardWriter(array, tmp_path, 4)
