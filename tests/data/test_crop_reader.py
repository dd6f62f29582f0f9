"""The fast reader gives what zarr gives: every row once, in a known order, in any view."""

import shutil

import numpy as np
import pytest
import zarr
from hand_made import PROVENANCE

from libcell.data import arrays, crop_order, crop_reader, crops, groups, remote
from libcell.data.crop_reader import CropReader
from libcell.errors import DataError

N = 1000


def write(root, n=N, size=(9, 8), dtype=np.uint16, further=()):
    """A store whose crop i holds i in its first pixel, with zeros and whole empty chunks."""
    rng = np.random.default_rng(n)
    pixels = rng.integers(0, 200, (n, 3, *size)).astype(dtype)
    pixels[:, 0, 0, 0] = np.arange(n)
    pixels[64:128] = 0
    masks = {c: rng.random((n, *size)) > 0.5 for c in ("nuclei", *further)}
    shard = crops.create(root, n, 3, size, dtype)
    for i in range(0, n, shard):
        crops.write_shard(root, i, pixels[i : i + shard], masks["nuclei"][i : i + shard])
    store = zarr.open_group(str(root))
    for name in further:
        made = arrays.create(store, crops.mask_name(name), (n, *size), bool,
                             axes=("n", "y", "x"), chunks=(16, *size), shards=(shard, *size))
        made[:] = masks[name]
    groups.update(root, {"further_masks": list(further)})
    crops.seal(root, n=n, channels=["DNA", "GFP", "RFP"], compartment="nuclei", size=size,
               pixel_size_um=None, provenance=PROVENANCE)
    return root, pixels, masks


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Shards of 112 crops."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops, "SHARD_BYTES", 112 * 3 * 9 * 8 * 2)
        return write(tmp_path_factory.mktemp("crops") / "s.crops.zarr", further=("cells",))


@pytest.fixture
def store(written, monkeypatch):
    """The same, with pools of 256."""
    monkeypatch.setattr(crop_order, "POOL", 256)
    return written


@pytest.fixture
def own(store, tmp_path):
    """A copy that may be changed."""
    root = tmp_path / "s.crops.zarr"
    shutil.copytree(store[0], root)
    return root, *store[1:]


def collected(batches):
    """All batches joined (copies), and their sizes."""
    kept = [crop_reader.Batch(*(a.copy() for a in b)) for b in batches]
    return [np.concatenate(a) for a in zip(*kept)], [len(b.rows) for b in kept]


@pytest.mark.parametrize("batch", [1, 7, 64, 300, 5000])
@pytest.mark.parametrize("way", ["in order", "shuffled", "ahead"])
def test_every_crop_once_and_as_zarr_reads_it(store, batch, way):
    root, pixels, masks = store
    reader = CropReader(root)
    made = (reader.in_order(batch) if way == "in order"
            else reader.shuffled(batch, seed=1, epoch=0, ahead=way == "ahead"))
    (got, got_masks, rows), sizes = collected(made)
    assert sizes == [batch] * (N // batch) + ([N % batch] if N % batch else [])
    assert sorted(rows) == list(range(N)) and (list(rows) == list(range(N))) == (way == "in order")
    np.testing.assert_array_equal(got, zarr.open_array(root / "crops")[:][rows])
    np.testing.assert_array_equal(got, pixels[rows])
    np.testing.assert_array_equal(got_masks, masks["nuclei"][rows])
    assert got.dtype == np.uint16


def test_the_order_is_that_of_seed_and_epoch(store):
    reader, again = CropReader(store[0]), CropReader(store[0])
    orders = {key: collected(r.shuffled(64, seed=key[0], epoch=key[1]))[0][2].tolist()
              for r, key in ((reader, (0, 0)), (reader, (0, 1)), (reader, (1, 0)))}
    assert len({tuple(o) for o in orders.values()}) == 3
    assert collected(again.shuffled(9, seed=0, epoch=1))[0][2].tolist() == orders[0, 1]


def test_rows_meet_others_from_afar():
    order = crop_order.shuffled(np.arange(100_000), 0, 0)
    assert sorted(order.rows) == list(range(100_000))
    blocks = order.rows[:256] // crop_order.BLOCK
    assert len(np.unique(blocks)) >= 30 and np.ptp(blocks) > 1000
    assert np.diff(order.starts)[:-1].min() >= 2048
    neighbours = np.diff(np.argsort(order.rows)) == 1
    assert neighbours.mean() < 0.01


@pytest.mark.parametrize("start", [0, 1, 255, 256, 700, 999, 1000])
@pytest.mark.parametrize("ahead", [False, True])
def test_going_on_from_any_item(store, start, ahead):
    """A run that was cut off sees exactly the items that it had not seen."""
    reader = CropReader(store[0])
    whole = collected(reader.shuffled(1, seed=3, epoch=2))[0]
    rest = list(reader.shuffled(50, seed=3, epoch=2, start=start, ahead=ahead))
    if start == N:
        assert rest == []
        return
    for one, other in zip(collected(rest)[0], whole):
        np.testing.assert_array_equal(one, other[start:])
    in_order = collected(reader.in_order(50, start=start))[0]
    assert in_order[2].tolist() == list(range(start, N))


def test_chosen_rows(store):
    root, pixels, _ = store
    rows = np.random.default_rng(0).permutation(N)[:333]
    reader = CropReader(root, rows=rows)
    assert len(reader) == 333
    got, _, order = collected(reader.shuffled(32, seed=0, epoch=0))[0]
    assert sorted(order) == sorted(rows)
    np.testing.assert_array_equal(got, pixels[order])
    got, _, order = collected(reader.in_order(32))[0]
    assert order.tolist() == rows.tolist()
    np.testing.assert_array_equal(got, pixels[rows])
    twice = collected(CropReader(root, rows=np.array([5, 5, 3])).shuffled(2, seed=0, epoch=0))[0]
    assert sorted(twice[2]) == [3, 5, 5]
    assert list(CropReader(root, rows=np.array([], int)).shuffled(4, seed=0, epoch=0)) == []
    with pytest.raises(DataError, match="row 1000"):
        CropReader(root, rows=np.array([1000]))


def test_regions_are_views_of_one_store(store):
    root, pixels, masks = store
    for region, mask, masked in (
            ("patch", "nuclei", False), ("object", "nuclei", True), ("nucleus", "nuclei", True),
            ("nucleocentric", "nuclei", False), ("cell", "cells", True), ("cells", "cells", True)):
        (got, shown, rows), _ = collected(CropReader(root, region).shuffled(77, seed=0, epoch=0))
        want = pixels[rows] * masks[mask][rows][:, None] if masked else pixels[rows]
        np.testing.assert_array_equal(got, want, err_msg=region)
        np.testing.assert_array_equal(shown, masks[mask][rows])
    with pytest.raises(DataError, match="holds masks of nuclei, cells; region 'cytoplasm'"):
        CropReader(root, "cytoplasm")


@pytest.mark.parametrize("region", ["patch", "cell"])
def test_the_middle_and_some_channels(store, region):
    """The centre pixel H // 2, W // 2 stays the centre pixel, for even and odd sizes."""
    root, pixels, masks = store
    for size in ((3, 4), (4, 5), (9, 8), (1, 1)):
        reader = CropReader(root, region, size=size, channels=("RFP", "DNA"))
        (got, shown, rows), _ = collected(reader.in_order(100))
        y, x = 9 // 2 - size[0] // 2, 8 // 2 - size[1] // 2
        span = (slice(y, y + size[0]), slice(x, x + size[1]))
        np.testing.assert_array_equal(shown, masks["cells" if region == "cell" else "nuclei"]
                                      [rows][(slice(None), *span)])
        want = pixels[rows][:, [2, 0]][(slice(None), slice(None), *span)]
        np.testing.assert_array_equal(got, want * shown[:, None] if region == "cell" else want)
    with pytest.raises(DataError, match="9 x 8 px; 10 x 8 cannot"):
        CropReader(root, size=(10, 8))
    with pytest.raises(DataError, match="channel 'DAPI' not found; it has DNA, GFP, RFP"):
        CropReader(root, channels=("DAPI",))


def test_batches_that_are_kept_stay_as_they_are(store):
    """Room is used again only when nobody holds it, whatever way it is held."""
    root, pixels, _ = store
    reader = CropReader(root)
    kept = [b for e in range(3) for b in reader.shuffled(50, seed=0, epoch=e)]
    views = [(b.crops[1:2, :, ::2], b.rows[1]) for b in reader.shuffled(50, seed=0, epoch=4)]
    list(reader.shuffled(50, seed=0, epoch=5))
    for batch in kept:
        np.testing.assert_array_equal(batch.crops, pixels[batch.rows])
    for view, row in views:
        np.testing.assert_array_equal(view[0], pixels[row][:, ::2])


def test_room_is_used_again(store):
    reader = CropReader(store[0])
    kinds = []
    for _ in range(4):
        for batch in reader.in_order(100):
            assert len(batch.rows) == 100
        kinds.append([id(array) for array in reader._spare])
    assert kinds[0] == kinds[1] == kinds[2] == kinds[3]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int16])
def test_dtypes(tmp_path, dtype):
    root, pixels, masks = write(tmp_path / "s.crops.zarr", n=100, dtype=dtype)
    (got, _, rows), _ = collected(CropReader(root, "object").shuffled(30, seed=0, epoch=0))
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, pixels[rows] * masks["nuclei"][rows][:, None])


def test_a_zipped_store(store, tmp_path):
    from libcell.data.output import _zip

    root, pixels, _ = store
    zipped = _zip(root, tmp_path / "z.crops.zarr.zip")
    (got, _, rows), _ = collected(CropReader(zipped, "cell").shuffled(64, seed=0, epoch=0))
    np.testing.assert_array_equal(got, pixels[rows] * store[2]["cells"][rows][:, None])


@pytest.mark.parametrize("how", [
    {"chunks": (16, 3, 9, 8), "shards": (64, 3, 9, 8), "compressors": None},
    {"chunks": (16, 3, 9, 8), "shards": (64, 3, 9, 8),
     "compressors": zarr.codecs.BloscCodec(cname="lz4", shuffle="bitshuffle")},
    {"chunks": (16, 3, 9, 8), "shards": (64, 3, 9, 8), "compressors": zarr.codecs.GzipCodec()},
    {"chunks": (10, 1, 9, 4)}, {"chunks": (N, 3, 9, 8)}],
    ids=["raw", "blosc", "gzip", "no shards", "one chunk"])
def test_stores_of_other_programs(own, how):
    """Whatever the layout of the arrays, the crops are the same."""
    root, pixels, masks = own
    zarr.open_group(str(root)).create_array("crops", shape=pixels.shape, dtype="u2",
                                            overwrite=True, **how)[:] = pixels
    (got, shown, rows), _ = collected(CropReader(root, "cell").shuffled(64, seed=0, epoch=0))
    np.testing.assert_array_equal(got, pixels[rows] * masks["cells"][rows][:, None])
    np.testing.assert_array_equal(shown, masks["cells"][rows])


@pytest.mark.parametrize("damage", ["cut off", "index", "chunk"])
def test_a_damaged_shard_is_named(own, damage):
    root = own[0]
    file = root / "crops" / "c" / "1" / "0" / "0" / "0"
    content = bytearray(file.read_bytes())
    if damage == "cut off":
        content = content[: len(content) // 2]
    elif damage == "index":
        content[-20] ^= 1
    else:
        content[:64] = b"\0" * 64
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"crops: .*shard 1 is damaged"):
        list(CropReader(root).in_order(50))


def test_an_empty_store(tmp_path):
    root = write(tmp_path / "s.crops.zarr", n=0)[0]
    assert list(CropReader(root).shuffled(8, seed=0, epoch=0)) == []
    assert list(CropReader(root).in_order(8, ahead=True)) == []


def test_a_store_that_is_elsewhere(store):
    """Its chunks are read one by one through zarr: no folder holds them."""
    place = remote.local(f"file://{store[0]}")
    far, near = (list(CropReader(p).in_order(100)) for p in (place, store[0]))
    assert not (place / "crops").exists() and len(far) == 10
    for one, other in zip(far, near):
        assert np.array_equal(one.crops, other.crops) and np.array_equal(one.masks, other.masks)
    assert crops.open_crops(place).n == N
    remote.forget()
