"""cell-extract sequences: two layouts, stages as they are written, what is left out and said."""

import shutil
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from hand_made import PROVENANCE, call, files_of
from PIL import Image as Pillow

from libcell.data import crops, tables
from libcell.errors import DataError, MissingInput
from libcell.extract.series.stages import LAYOUTS, read_stages, returned
from libcell.schema.validate import validate

SIZE = (24, 20)


def disc(radius, size=SIZE):
    y, x = np.indices(size)
    return (y - 11) ** 2 + (x - 8) ** 2 <= radius**2


def sequence(root, name, stages, layout="zhong", on=1, start=1, size=SIZE):
    """A sequence of noise with a disc as mask; frames are numbered without leading zeros."""
    raw, mask = (root / name / part for part in ("Raw", "Mask"))
    for folder in (raw, mask):
        folder.mkdir(parents=True)
    rng = np.random.default_rng(len(name))
    for t, _ in enumerate(stages):
        stem = f"Raw_{t + start}" if layout == "livecellminer" else f"f_{t + start}"
        pixels = rng.integers(1, 250, size).astype(np.uint8)
        pixels[0, 0] = t
        Pillow.fromarray(pixels).save(raw / f"{stem}.png")
        Pillow.fromarray(disc(3 + t % 4, size).astype(np.uint8) * on).save(
            mask / f"{stem.replace('Raw', 'Mask')}.png")
    write_stages(root, name, stages, layout)
    return root / name


def write_stages(root, name, stages, layout):
    one = LAYOUTS[layout]
    more = "\nip;ma\n3;5\n" if layout == "livecellminer" else ""
    (root / f"{name}{one.suffix}").write_text(one.separator.join(map(str, stages)) + more)


def extract(root, *args, out="s.crops.zarr", code=0):
    return call("extract", "sequences", root / "data", "-o", root / out, *args, code=code)


def index(root, out="s.crops.zarr"):
    return crops.open_crops(root / out).index()


def stages_of(root, **more):
    found = defaultdict(list)
    table = index(root, **more)
    for name, stage in zip(table.column("Metadata_Sequence").to_pylist(),
                           table.column("Metadata_Stage").to_pylist()):
        found[name].append(stage)
    return found


# -- layouts -----------------------------------------------------------------------------------


def test_zhong(tmp_path):
    """Twelve frames, so that the tenth comes after the ninth; 0/255 masks; a hidden file."""
    stages = [1, 1, 2, 3, 3, 4, 4, 5, 6, 6, 1, 1]
    one = sequence(tmp_path / "data", "P0037_B01_m1_cell7", stages, on=255)
    (one / "Raw" / "._f_1.png").write_bytes(b"not a picture")
    done = extract(tmp_path, "--pattern", "{plate}_{well}_{movie}_cell{cell}")
    assert done.records[-1] | {"path": ""} == {
        "schema": "crops/1", "path": "", "n": 12, "complete": True, "sequences": 1, "left_out": 0}
    found = index(tmp_path)
    assert stages_of(tmp_path)["P0037_B01_m1_cell7"] == [
        LAYOUTS["zhong"].stages[s - 1] for s in stages]
    assert found.column("Metadata_T").to_pylist() == list(range(12))
    assert {found.column(f"Metadata_{k}")[0].as_py() for k in ("Plate", "Well", "Movie")} == {
        "P0037", "B01", "m1"}
    pixels, masks = crops.open_crops(tmp_path / "s.crops.zarr").read(slice(0, 12))
    assert pixels[:, 0, 0, 0].tolist() == list(range(12))
    for t in range(12):
        np.testing.assert_array_equal(masks[t], disc(3 + t % 4))
    assert found.column("area_px").to_pylist() == masks.sum((1, 2)).tolist()
    assert (found.column("y")[0].as_py(), found.column("x")[0].as_py()) == (11, 8)
    assert [found.column(c)[0].as_py() for c in ("y0", "x0", "y1", "x1")] == [8, 5, 15, 12]
    assert validate(tmp_path / "s.crops.zarr") == []


def test_livecellminer(tmp_path):
    stages = [1, 1, 2, 2, 3, 3, 3, 3]
    sequence(tmp_path / "data", "a/cell_1", stages, "livecellminer")
    extract(tmp_path)
    names = LAYOUTS["livecellminer"].stages
    assert stages_of(tmp_path)["a/cell_1"] == [names[s - 1] for s in stages]
    extract(tmp_path, "--return-to-interphase", 2, "--stages", "I,M,A", out="t.crops.zarr")
    assert stages_of(tmp_path, out="t.crops.zarr")["a/cell_1"] == list("IIMMAAII")
    said = extract(tmp_path, "--layout", "zhong", "--return-to-interphase", 2, out="u.crops.zarr",
                   code=2).said
    assert "--return-to-interphase" in said


def test_six_stages_do_not_return(tmp_path):
    """Zhong's stage 3 is Prometaphase: the option must not touch it where the layout is found."""
    sequence(tmp_path / "data", "a", [1, 2, 3, 4, 5, 6])
    said = extract(tmp_path, "--return-to-interphase", 1, code=65).said
    assert "a_ManualStages.txt is zhong's" in said


def test_sequences_of_both_layouts_are_not_one_store(tmp_path):
    sequence(tmp_path / "data", "a", [1, 2])
    sequence(tmp_path / "data", "b", [1, 2], "livecellminer")
    assert "livecellminer (e.g. b) and zhong (e.g. a)" in extract(tmp_path, code=65).said


def test_pictures_of_two_kinds_are_not_one_store(tmp_path):
    sequence(tmp_path / "data", "a", [1, 2])
    for path in (sequence(tmp_path / "data", "b", [1, 2]) / "Raw").iterdir():
        Pillow.open(path).convert("RGB").save(path)
    assert "1 channels of uint8 (e.g. a) and 3 channels of uint8 (e.g. b)" in extract(
        tmp_path, code=65).said


def test_what_a_mac_keeps_beside_the_files(tmp_path):
    sequence(tmp_path / "data", "a", [1, 2])
    for hidden in ("__MACOSX/a", "._a"):
        (tmp_path / "data" / hidden / "Raw").mkdir(parents=True)
    assert extract(tmp_path).records[-1]["sequences"] == 1


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGB", "RGBA"])
def test_masks_of_every_kind(tmp_path, mode):
    """An opaque alpha channel is no mask."""
    for path in (sequence(tmp_path / "data", "a", [1, 2], on=255) / "Mask").iterdir():
        Pillow.open(path).convert(mode).save(path)
    extract(tmp_path)
    assert index(tmp_path).column("area_px").to_pylist() == [disc(3).sum(), disc(4).sum()]


def test_the_stages_of_b01(tmp_path):
    sequence(tmp_path / "data", "P1_B02_cell1", [1, 2, 3])
    (tmp_path / "data" / "P1_B02_cell1_ManualStages.txt").rename(
        tmp_path / "data" / "P1_B01_cell1_ManualStages.txt")
    assert "1 sequences named B02" in extract(tmp_path).said
    assert len(stages_of(tmp_path)["P1_B02_cell1"]) == 3


def test_the_table_of_sequences(tmp_path):
    for name, n in (("c10", 3), ("c9", 2)):
        sequence(tmp_path / "data", name, [1] * n)
    extract(tmp_path, "-j", 2)
    store = crops.open_crops(tmp_path / "s.crops.zarr")
    found = store.sequences()
    assert found.column("sequence_id").to_pylist() == ["c9"] * 2 + ["c10"] * 3
    assert found.column("position").to_pylist() == [0, 1, 0, 1, 2]
    assert found.column("object_id").equals(store.index().column("object_id"))
    extract(tmp_path, out="t.crops.zarr")
    assert files_of(tmp_path / "s.crops.zarr") == files_of(tmp_path / "t.crops.zarr")
    extract(tmp_path, out="s.crops.zarr.zip")
    assert crops.open_crops(tmp_path / "s.crops.zarr.zip").sequences().equals(found)


def test_sizes_differ_between_sequences(tmp_path):
    sequence(tmp_path / "data", "a", [1, 2])
    sequence(tmp_path / "data", "b", [1, 2], size=(30, 16))
    extract(tmp_path)
    store = crops.open_crops(tmp_path / "s.crops.zarr")
    assert store.size_px == (30, 20)
    assert store.index().column("area_px").to_pylist() == store.read(slice(0, 4))[1].sum(
        (1, 2)).tolist()


# -- what is left out --------------------------------------------------------------------------


def drop_mask(one):
    (one / "Mask" / "f_2.png").unlink()


def more_masks(one):
    shutil.copy(one / "Mask" / "f_2.png", one / "Mask" / "f_77.png")


def other_size(one):
    Pillow.fromarray(np.ones((9, 9), np.uint8)).save(one / "Raw" / "f_3.png")


def other_mask(one):
    Pillow.fromarray(np.ones((9, 9), np.uint8)).save(one / "Mask" / "f_3.png")


def labels_as_mask(one):
    Pillow.fromarray(np.arange(480).reshape(SIZE).astype(np.uint8) % 5).save(
        one / "Mask" / "f_1.png")


def fewer_stages(one):
    write_stages(one.parent, one.name, [1, 2], "zhong")


def no_stage(one):
    write_stages(one.parent, one.name, [1, 7, 2], "zhong")


def without_stages(one):
    (one.parent / f"{one.name}_ManualStages.txt").unlink()


def broken(one):
    (one / "Raw" / "f_1.png").write_bytes(b"no picture")


def none(one):
    shutil.rmtree(one / "Raw")
    (one / "Raw").mkdir()


@pytest.mark.parametrize(("spoil", "said"), [
    (drop_mask, "1 of 3 pictures have no mask and 0 masks no picture, e.g. Mask/f_2.png"),
    (more_masks, "0 of 3 pictures have no mask and 1 masks no picture, e.g. Mask/f_77.png"),
    (other_size, "9 x 9 px, 1 channels, uint8, but f_1.png is 24 x 20"),
    (other_mask, "mask is 9 x 9 px, its picture 24 x 20"),
    (labels_as_mask, "mask holds 5 values, 0 to 4"),
    (fewer_stages, "3 frames, but 2 stages"),
    (no_stage, "1 of 3 are none, e.g. '7'"),
    (without_stages, "bad_ManualStages.txt or bad_Synchronization.csv is neither"),
    (broken, "not a readable picture"),
    (none, "holds no pictures"),
])
def test_a_sequence_that_is_not_whole(tmp_path, spoil, said):
    sequence(tmp_path / "data", "good", [1, 2, 3, 4])
    spoil(sequence(tmp_path / "data", "bad", [1, 2, 3]))
    done = extract(tmp_path, code=75)
    assert said in done.said and not (tmp_path / "s.crops.zarr").exists()
    done = extract(tmp_path, "--resume", "--partial-ok")
    assert done.records[-1]["n"] == 4 and done.records[-1]["left_out"] == 1
    assert list(stages_of(tmp_path)) == ["good"]
    left = tables.read(tmp_path / "s.crops.zarr" / "omissions.parquet", "omissions").to_pylist()
    assert [row["item"] for row in left] == ["bad"] and said in left[0]["reason"]
    assert validate(tmp_path / "s.crops.zarr") == []


def test_empty_masks_are_kept_and_counted(tmp_path):
    one = sequence(tmp_path / "data", "a", [1, 2, 3])
    Pillow.fromarray(np.zeros(SIZE, np.uint8)).save(one / "Mask" / "f_2.png")
    assert "1 of 3 masks are empty" in extract(tmp_path).said
    assert index(tmp_path).column("area_px")[1].as_py() == 0
    assert validate(tmp_path / "s.crops.zarr") == []


def test_unlabelled_sequences_on_demand(tmp_path):
    without_stages(sequence(tmp_path / "data", "a", [1, 2, 3]))
    extract(tmp_path, code=65)
    extract(tmp_path, "--unlabelled", "--force")
    assert stages_of(tmp_path)["a"] == [None] * 3


@pytest.mark.parametrize(("args", "code", "said"), [
    (("--pattern", "{plate}_{well}"), 65, "1 of 1 sequences do not match --pattern"),
    (("--pattern", "{stage}"), 2, "{stage} would be a column"),
    (("--pattern", "{Sequence}"), 2, "{Sequence} would be a column"),
    (("--stages", "a,b,a"), 2, "stands in it twice"),
    (("--stages", "a,b"), 65, "--stages has 2 names, zhong 6 stages"),
])
def test_options_that_do_not_fit(tmp_path, args, code, said):
    sequence(tmp_path / "data", "a", [1, 2])
    assert said in extract(tmp_path, *args, code=code).said


def test_a_folder_without_sequences(tmp_path):
    (tmp_path / "data").mkdir()
    assert "no sequences" in extract(tmp_path, code=65).said


def test_two_files_of_stages(tmp_path):
    sequence(tmp_path / "data", "a", [1, 2])
    write_stages(tmp_path / "data", "a", [1, 2], "livecellminer")
    assert "both tell stages of a" in extract(tmp_path, code=65).said
    extract(tmp_path, "--layout", "zhong", "--force")


# -- parts -------------------------------------------------------------------------------------


def test_returned():
    assert returned([1, 2, 3, 3, 3], 1) == [1, 2, 3, 1, 1]
    assert returned([1, 2, 3, 3, 3], None) == [1, 2, 3, 3, 3]
    assert returned([1, 2, 2], 0) == [1, 2, 2]


@pytest.mark.parametrize("text", ["", "1;2;x", "1;0", "1.5;2"])
def test_stages_that_are_none(tmp_path, text):
    path = tmp_path / "a_Synchronization.csv"
    path.write_text(text)
    with pytest.raises(DataError, match="expected a ';' list of stages 1 to 3"):
        read_stages(path, LAYOUTS["livecellminer"])


def test_validation_finds_objects_that_are_not_there(tmp_path):
    """Tables beside the index must speak of its crops, sequences and bags alike."""
    sequence(tmp_path / "data", "a", [1, 2])
    extract(tmp_path)
    store = tmp_path / "s.crops.zarr"
    rows = {"object_id": ["a:t0:nuclei:1", "b:t0:nuclei:1"], "position": [0, 1]}
    for name, more in (("bags", {"bag_id": ["x"] * 2}),
                       ("sequences", {"sequence_id": ["x"] * 2, "Metadata_T": [0, 1]})):
        table = tables.from_columns(name, rows | more)
        tables.write_parts(store / f"{name}.parquet", [table], table.schema, name, PROVENANCE)
        found = validate(store)
        assert any(f"{name}.parquet" in str(v) and "1 objects are not in index" in str(v)
                   for v in found)
    (store / "bags.parquet").unlink()
    pq.write_table(pa.table({"x": [1]}), store / "sequences.parquet")
    pq.write_table(pa.table({"x": [1]}), store / "omissions.parquet")
    found = " ".join(map(str, validate(store)))
    assert "sequences.parquet" in found and "omissions.parquet" in found


def test_a_store_without_sequences(tmp_path):
    sequence(tmp_path / "data", "a", [1, 2])
    extract(tmp_path)
    (tmp_path / "s.crops.zarr" / "sequences.parquet").unlink()
    with pytest.raises(MissingInput):
        crops.open_crops(tmp_path / "s.crops.zarr").sequences()


# -- real nuclei -------------------------------------------------------------------------------

STAGE = {"Interphase": 1, "Prometaphase": 3, "MetaphaseAlignment": 3, "Metaphase": 4, "Anaphase": 5}


def test_real_nuclei_in_zhongs_layout(shared, tmp_path):
    """Short chains of expert-labelled nuclei, laid out as the published sequences are."""
    source = shared("mitocheck_nuclei")
    chains = defaultdict(list)
    for row in csv.read_csv(source / "short_chains_heuristic.csv").to_pylist():
        chains[row["chain"]].append(row)
    whole = {k: rows for k, rows in chains.items() if all(r["class"] in STAGE for r in rows)
             and all((source / r["file"]).is_file() for r in rows)}
    assert len(whole) > 5
    truth = {}
    for chain, rows in whole.items():
        name = f"{rows[0]['plate'][:8]}_W{rows[0]['well']}_cell{chain}"
        truth[name] = rows
        for part in ("Raw", "Mask"):
            (tmp_path / "data" / name / part).mkdir(parents=True)
        for row in rows:
            pixels = np.asarray(Pillow.open(source / row["file"]))
            inside = pixels > (pixels.min() / 2 + pixels.max() / 2)
            shutil.copy(source / row["file"], tmp_path / "data" / name / "Raw" /
                        f"T{row['frame']}.png")
            Pillow.fromarray(inside.astype(np.uint8) * 255).save(
                tmp_path / "data" / name / "Mask" / f"T{row['frame']}.png")
        write_stages(tmp_path / "data", name, [STAGE[r["class"]] for r in rows], "zhong")
    done = extract(tmp_path, "--pattern", "{plate}_W{movie}_cell{_}")
    assert done.records[-1]["n"] == sum(map(len, truth.values()))
    found = index(tmp_path).to_pylist()
    pixels, masks = crops.open_crops(tmp_path / "s.crops.zarr").read(slice(0, len(found)))
    for k, row in enumerate(found):
        own = truth[row["Metadata_Sequence"]][row["Metadata_T"]]
        assert row["Metadata_Stage"] == LAYOUTS["zhong"].stages[STAGE[own["class"]] - 1]
        assert row["Metadata_Plate"] == own["plate"][:8]
        np.testing.assert_array_equal(pixels[k, 0], np.asarray(Pillow.open(source / own["file"])))
        assert masks[k].sum() == row["area_px"] > 0
    assert validate(tmp_path / "s.crops.zarr") == []
