"""What someone made on purpose: pickles where numbers should be, bombs, names that lead out.

The inputs are recipes of `make fuzz`; each once broke what is tested here.
"""

import errno
import json
import zipfile
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr
from fuzz import seeds
from fuzz.recipes import chunks, paths, pickles, pictures, texts

from libcell.cli import faults
from libcell.data import codecs, crops, images, labels, layout, models, tables, weights
from libcell.data.images import Source, list_groups, open_image, open_root
from libcell.data.readers import open_file
from libcell.errors import DataError, reading
from libcell.extract.graphs.source import Names, Steps, load
from libcell.run.inputs import Inputs
from libcell.schema.validate import validate


@pytest.fixture
def place(tmp_path, monkeypatch):
    """`place(seed, recipe)`: a folder with that input; code in it would leave MARK there."""
    monkeypatch.chdir(tmp_path)

    def make(seed: str, recipe=None) -> Path:
        seeds.make(seed, tmp_path / seed)
        if recipe:
            recipe(tmp_path / seed)
        return tmp_path / seed

    yield make
    assert not list(tmp_path.rglob("MARK"))


def read_old(folder: Path) -> np.ndarray:
    return open_image(open_root(folder / "p.ome.zarr"), "", "", folder / "p.ome.zarr").read()


@pytest.mark.parametrize("recipe", [pickles.pickle_in_old_zarr, pickles.pickle_as_old_compressor])
def test_a_pickle_in_an_old_store_is_not_run(place, recipe):
    with pytest.raises(DataError, match="'object_codec_id': 'pickle'"):
        read_old(place("image_old", recipe))
    with pytest.raises(DataError, match="'object_codec_id': 'pickle'"):
        load(place("geff_theirs", recipe) / "g.geff", Names(), Steps())


@pytest.mark.parametrize("recipe", [chunks.chunk_zlib_bomb_old, chunks.chunk_zstd_bomb_old])
def test_an_old_chunk_unpacks_to_little_more_than_it_holds(place, recipe):
    with pytest.raises(DataError, match="cannot be decoded"):
        read_old(place("image_old", recipe))


@pytest.mark.parametrize("recipe", [chunks.chunk_zstd_bomb, chunks.chunk_gzip_bomb,
                                    chunks.frame_zstd_bomb])
def test_a_chunk_unpacks_to_what_it_holds(place, recipe):
    folder = place("image_store", recipe)
    with pytest.raises(DataError, match=r"more than it holds|cannot be decoded"):
        path = folder / "p.ome.zarr"
        open_image(open_root(path), "A/01/0", "A/01/0", path).read()


def test_what_zstd_frames_say_of_their_size():
    for size in (0, 1, 255, 256, 300, 65_791, 65_792, 10**6):
        assert codecs._told(bytes(numcodecs.Zstd().encode(bytes(size)))[: codecs.HEAD]) == size
    assert codecs._told(chunks.zstd_zeros(30 * 2**30)[: codecs.HEAD]) == 30 * 2**30
    assert codecs._told(b"no frame of zstd's") == -1


@pytest.mark.parametrize("codec", [numcodecs.Zstd(), numcodecs.Zlib(), numcodecs.GZip(),
                                   numcodecs.BZ2()])
def test_what_is_whole_is_read_as_before(tmp_path, codec):
    values = np.random.default_rng(0).integers(0, 99, (50, 70)).astype(np.uint16)
    group = zarr.open_group(str(tmp_path / "z"), mode="w", zarr_format=2)
    group.create_array("a", data=values, chunks=(20, 20), compressors=codec)
    np.testing.assert_array_equal(zarr.open_group(str(tmp_path / "z"), mode="r")["a"][:], values)


@pytest.mark.parametrize("recipe", [chunks.absurd_shape, chunks.absurd_frames,
                                    chunks.absurd_chunks])
@pytest.mark.parametrize("seed", ["image_store", "image_old"])
def test_no_image_is_that_large(place, recipe, seed):
    path = place(seed, recipe) / "p.ome.zarr"
    group = list_groups(open_root(path), path)[0]
    with pytest.raises(DataError, match=r"is no image|cannot be read at once|axes in the array"):
        open_image(open_root(path), group, group, path)


@pytest.mark.parametrize("name", ["../x", "a/../b", "/a", "a//b", "a\\b", "a\0b", ".",
                                  "x" * 2000, 7])
def test_a_group_lies_in_its_store(name):
    with pytest.raises(DataError, match="is not the name of a group"):
        Source(Path("x"), name)


def test_groups_and_compartments_lead_nowhere(place):
    path = place("image_store", paths.groups_lead_out) / "p.ome.zarr"
    with pytest.raises(DataError, match="is not the name of a group"):
        list_groups(open_root(path), path)
    path = place("label_store", paths.compartments_lead_out) / "n.labels.ome.zarr"
    with pytest.raises(DataError, match="is not the name of a group"):
        labels.fields(path)


def test_metadata_of_a_field_are_plain():
    assert images.metadata_of({"metadata": {"a": 1, "b": [0.5, None]}}, "x")
    for value in ({"a": 1}, [[1]], 2**70):
        with pytest.raises(DataError, match="not one value"):
            images.metadata_of({"metadata": {"a": value}}, "x")


@pytest.mark.parametrize("said", [
    '{"schema": "image/1", "path": "p", "group": 7}', '{"schema": "image/1", "path": "a\\u0000b"}',
    '{"a":' * 100_000, '{"schema": "image/1", "path": "p", "group": ["a"], "n": 1}'])
def test_a_record_that_is_none(said):
    import io

    with pytest.raises(DataError, match="not a record"):
        list(Inputs(["-"], io.BufferedReader(io.BytesIO(said.encode()))).fields("image"))


@pytest.mark.parametrize("recipe", [pictures.png_that_claims, pictures.jpeg_that_claims,
                                    pictures.tiff_that_claims_less])
def test_pixels_that_cannot_be_in_the_file(place, recipe):
    seed = "picture_jpeg" if "jpeg" in recipe.__name__ else "picture_png"
    path = next(place(seed, recipe).iterdir())
    with pytest.raises(DataError, match=r"cannot be in|more than a picture"):
        open_file(path)[0].read()


def test_a_zip_that_unpacks_to_gigabytes(place):
    with pytest.raises(DataError, match="unpacks to 3900000000 bytes"):
        open_root(place("image_zip", chunks.zip_bomb) / "p.ome.zarr.zip")
    with pytest.raises(DataError, match="unpacks to 3900000000 bytes"):
        layout.read(place("layout_grid", chunks.zip_bomb) / "l.xlsx")


def test_members_of_a_zip_that_lead_out_are_none(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        for name in ("../config.json", "/config.json", "a/../config.json"):
            archive.writestr(name, "{}")
    assert weights.members(tmp_path / "m.zip") == {}


@pytest.mark.parametrize("recipe", [pickles.pickle_bare, pickles.pickle_of_torch,
                                    pickles.pickle_of_torch_old, pickles.pickle_of_joblib,
                                    pickles.pickle_of_numpy])
def test_a_pickle_among_weights_is_not_run(place, recipe):
    path = place("checkpoint", recipe) / "w.pt"
    with pytest.raises(DataError, match=r"not a checkpoint|holds code"):
        models.load_foreign(path)
    with pytest.raises(DataError, match=r"not a checkpoint|holds code"):
        weights.load_tensors(path)


def test_crops_are_what_their_store_says(place):
    path = place("crop_store") / "c.crops.zarr"
    about = json.loads((path / "zarr.json").read_text())
    for name, value, text in (("n", 21, "expected"), ("size_px", [32], "size_px"),
                              ("channels", [], "channels"), ("compartment", None, "compartment")):
        changed = about | {"attributes": about["attributes"] | {name: value}}
        (path / "zarr.json").write_text(json.dumps(changed))
        with pytest.raises(DataError, match=text):
            crops.open_crops(path)


def test_a_table_with_a_column_twice(place):
    path = place("features") / "f.parquet"
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    pq.write_table(table.append_column("Metadata_Well", table["Metadata_Well"]), path)
    with pytest.raises(DataError, match="'Metadata_Well' stands in it 2 times"):
        tables.read(path, "features")
    assert any("stands in it twice" in str(v) for v in validate(path))


def test_the_validator_names_what_it_cannot_read(tmp_path):
    for text in ("[" * 100_000, "9" * 5000, "\udcff"):
        (tmp_path / "x.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        assert len(validate(tmp_path / "x.json")) == 1


def test_only_errors_about_input_become_data_errors():
    with pytest.raises(DataError, match=r"x: cannot be read \(KeyError: 'a'\)"), reading("x"):
        {}["a"]
    for error in (PermissionError("no"), MemoryError(), OSError(28, "full"), DataError("ours")):
        with pytest.raises(type(error)) as told, reading("x"):
            raise error
        assert told.value is error


def test_a_path_that_is_none_is_missing():
    said, code = faults.unexpected(OSError(errno.ENAMETOOLONG, "File name too long", "x" * 999),
                                   False)
    assert code == 66 and said == f"{'x' * 200}: File name too long"


@pytest.mark.parametrize("recipe", [texts.config_of_absurd_size,
                                    texts.config_of_a_grid_that_never_ends, texts.json_deep])
def test_a_foreign_network_without_end(place, recipe):
    pytest.importorskip("h5py")
    from libcell.segment.foreign import stardist_unet

    with pytest.raises(DataError, match=r"no StarDist network has|not a StarDist model"):
        stardist_unet.read_config(place("stardist", recipe) / "m")
