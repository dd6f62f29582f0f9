"""What is wrong is said in one line with its exit code, and what was on disk stays as it was."""

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from command_line import said
from small_plate import PATTERN, WELLS, contents, tree, write_features, write_raw

LABELS = "x.labels.ome.zarr"


@pytest.fixture
def refuses(cell, tmp_path):
    """`refuses(code, words, room, *args)`: the command fails so and leaves tmp_path as it was."""

    def check(code, words, room, *args, **more):
        before = tree(tmp_path)
        done = cell(room, *args, cwd=tmp_path, code=code, **more)
        lines = done.stderr.splitlines()
        assert 1 <= len(lines) <= 2  # the block's own line, then that nothing was done
        assert all(line.startswith(f"cell-{room}: ") for line in lines)
        for word in words:
            assert word in done.stderr
        assert tree(tmp_path) == before
        return lines

    return check


# -- files -------------------------------------------------------------------------------


def test_a_folder_named_like_a_file(refuses, tmp_path):
    (tmp_path / "x.tif").mkdir()
    (tmp_path / "x.tif" / "inside").write_bytes(b"1")
    refuses(65, ["x.tif"], "segment", "threshold", "x.tif", "-o", LABELS)
    refuses(65, ["x.tif"], "extract", "images", "x.tif", "-o", "x.ome.zarr")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(refuses, tmp_path):
    write_raw(tmp_path, wells=("A01",))
    file = tmp_path / "A01_s0_DNA.tif"
    file.chmod(0)
    try:
        refuses(66, [file.name, "permission denied"], "segment", "threshold", file.name,
                "-o", LABELS)
    finally:
        file.chmod(0o644)


@pytest.mark.parametrize("content", [b"", b"II*\0", b"garbage" * 99, None],
                         ids=["empty", "header", "garbage", "truncated"])
@pytest.mark.parametrize(("room", "name", "output"), [
    ("segment", "threshold", LABELS), ("extract", "images", "x.ome.zarr")])
def test_a_broken_tiff(refuses, tmp_path, content, room, name, output):
    file = tmp_path / "x.tif"
    if content is None:
        tifffile.imwrite(file, np.random.default_rng(1).integers(0, 9, (128, 128), np.uint16))
        content = file.read_bytes()[:20_000]
    file.write_bytes(content)
    refuses(65, ["x.tif"], room, name, "x.tif", "-o", output)


def test_a_picture_of_no_known_kind(refuses, tmp_path):
    (tmp_path / "x.docx").write_bytes(b"PK")
    refuses(65, ["x.docx"], "segment", "threshold", "x.docx", "-o", LABELS)


def test_a_store_that_is_none(refuses, tmp_path):
    (tmp_path / "x.ome.zarr").mkdir()
    (tmp_path / "x.ome.zarr" / "zarr.json").write_text("{")
    refuses(65, ["x.ome.zarr"], "segment", "threshold", "x.ome.zarr", "-o", LABELS)


def test_a_store_with_damaged_pixels(cell, plate, tmp_path):
    """Every field is damaged: 65; see `one bad field` below for a single one."""
    shutil.copytree(plate / "p.ome.zarr", tmp_path / "p.ome.zarr")
    for chunk in tmp_path.glob("p.ome.zarr/*/*/0/0/c/**/*"):
        if chunk.is_file():
            chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])
    before = tree(tmp_path)
    done = cell("segment", "threshold", "p.ome.zarr", "-o", LABELS, cwd=tmp_path, code=65)
    assert "A/01/0" in done.stderr and "nothing done" in done.stderr
    assert tree(tmp_path) == before


# -- tables ------------------------------------------------------------------------------


@pytest.mark.parametrize(("content", "word"), [(b"", "0 bytes"), (b"PAR1", "Parquet"),
                                               (b"no table", "Parquet")])
def test_a_broken_table(refuses, tmp_path, content, word):
    (tmp_path / "f.parquet").write_bytes(content)
    refuses(65, ["f.parquet", word], "train", "forest", "f.parquet", "--target", "t",
            "-o", "c.model")


def test_a_table_cut_short(refuses, tmp_path):
    file = write_features(tmp_path / "f.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    refuses(65, ["f.parquet"], "train", "forest", "f.parquet", "--target", "t", "-o", "c.model")


def test_a_table_of_another_schema(refuses, tmp_path):
    write_features(tmp_path / "f.parquet")
    refuses(65, ["f.parquet", "features/1", "predictions/1"], "train", "score", "f.parquet",
            "-o", "s")


def test_a_table_without_a_column(refuses, tmp_path):
    file = write_features(tmp_path / "f.parquet")
    pq.write_table(pq.read_table(file).drop_columns(["Metadata_Well", "object_id"]), file)
    refuses(65, ["f.parquet", "'Metadata_Well'", "'object_id'"], "train", "forest", "f.parquet",
            "--target", "Metadata_Condition", "-o", "c.model")


def test_a_target_that_is_not_there(refuses, tmp_path):
    write_features(tmp_path / "f.parquet")
    refuses(65, ["Metadata_Dose"], "train", "forest", "f.parquet", "--target", "Metadata_Dose",
            "-o", "c.model")


def test_a_model_that_is_none(refuses, tmp_path):
    write_features(tmp_path / "f.parquet")
    (tmp_path / "c.model").mkdir()
    (tmp_path / "c.model" / "model.json").write_text("{}")
    refuses(65, ["c.model"], "train", "predict", "f.parquet", "-m", "c.model", "-o", "p.parquet")


# -- images and labels that do not fit ---------------------------------------------------


def test_a_channel_that_is_not_there(cell, plate):
    before = tree(plate)
    done = cell("segment", "threshold", "p.ome.zarr", "-c", "DAPI", "-o", LABELS, cwd=plate,
                code=65)
    assert "p.ome.zarr/A/01/0: channel 'DAPI' not found; it has DNA, GFP (use -c DNA)" in \
        done.stderr
    assert tree(plate) == before


def test_labels_that_do_not_fit_their_image(cell, refuses, plate, tmp_path):
    write_raw(tmp_path / "raw", edge=96)
    cell("extract", "images", "raw/*.tif", "--pattern", PATTERN, "-o", "small.ome.zarr",
         cwd=tmp_path)
    done = cell("crop", "cells", plate / "n.labels.ome.zarr", "--images", "small.ome.zarr",
                "-o", "c.crops.zarr", cwd=tmp_path, code=65)
    assert "96 x 96" in done.stderr and "128 x 128" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["raw", "small.ome.zarr"]


def test_labels_where_an_image_is_read(refuses, plate):
    refuses(65, ["n.labels.ome.zarr"], "segment", "threshold", plate / "n.labels.ome.zarr",
            "-o", LABELS)


def test_an_image_where_labels_are_read(refuses, plate):
    store = plate / "p.ome.zarr"
    refuses(65, ["p.ome.zarr"], "crop", "cells", store, "--images", store, "-o", "c.crops.zarr")


def test_axes_that_are_not_an_image(refuses, plate, tmp_path):
    shutil.copytree(plate / "p.ome.zarr" / "A" / "01" / "0", tmp_path / "p.ome.zarr")
    meta = tmp_path / "p.ome.zarr" / "zarr.json"
    content = json.loads(meta.read_text())
    axes = content["attributes"]["ome"]["multiscales"][0]["axes"]
    axes[-1]["name"], axes[-2]["name"] = "p", "q"
    meta.write_text(json.dumps(content))
    refuses(65, ["p.ome.zarr", "axes"], "segment", "threshold", "p.ome.zarr", "-o", LABELS)


def test_files_that_do_not_match_the_pattern(refuses, tmp_path):
    write_raw(tmp_path / "raw", wells=("A01",))
    refuses(65, ["--pattern", "A01_s0_DNA.tif"], "extract", "images", "raw/*.tif", "--pattern",
            "r{row}c{col}.tif", "-o", "x.ome.zarr")


def test_two_images_for_one_place(refuses, tmp_path):
    """Their labels would overwrite each other."""
    write_raw(tmp_path / "raw", wells=("A01", "A02"))
    refuses(65, ["A01_s0_DNA.tif", "A02_s0_DNA.tif", "cell-extract images"], "segment",
            "threshold", "raw/A01_s0_DNA.tif", "raw/A02_s0_DNA.tif", "-o", LABELS)


# -- outputs -----------------------------------------------------------------------------


def test_an_output_in_a_file_instead_of_a_folder(refuses, plate, tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    refuses(73, ["file"], "segment", "threshold", plate / "p.ome.zarr", "-o", f"file/{LABELS}")


def mounted(folder, *options):
    """A tmpfs of our own at a folder, or a skip where that is not allowed."""
    mount = shutil.which("mount")
    if os.geteuid() or not mount:
        pytest.skip("mounting needs root")
    folder.mkdir()
    done = subprocess.run([mount, "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)],
                          capture_output=True, check=False)
    if done.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    return contextlib.closing(_Mount(folder))


class _Mount:
    def __init__(self, folder):
        self.folder = folder

    def close(self):
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


def test_a_read_only_folder(cell, plate, tmp_path):
    with mounted(tmp_path / "disk", "size=1m", "ro"):
        done = cell("segment", "threshold", plate / "p.ome.zarr", "-o",
                    tmp_path / "disk" / LABELS, code=73)
        assert "cannot be created" in said(done)
        assert list((tmp_path / "disk").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(cell, plate, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    done = cell("segment", "threshold", plate / "p.ome.zarr", "-o", folder / LABELS, code=73)
    assert "cannot be created" in said(done)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_a_disk_that_fills_up(cell, plate, tmp_path, scheduler):
    with mounted(tmp_path / "disk", "size=150k"):
        output = tmp_path / "disk" / "p.ome.zarr"
        done = cell("extract", "images", plate / "raw" / "*.tif", "--pattern", PATTERN, "-j", "2",
                    "--scheduler", scheduler, "-o", output, code=75)
        assert "no space left" in said(done) and "--resume" in said(done)
        assert not output.exists()
        enlarged = subprocess.run(["mount", "-o", "remount,size=8m", str(tmp_path / "disk")],
                                  capture_output=True, check=False)
        assert enlarged.returncode == 0
        cell("extract", "images", plate / "raw" / "*.tif", "--pattern", PATTERN, "--resume",
             "-o", output)
        assert contents(output) == contents(plate / "p.ome.zarr")


def test_a_file_that_may_not_grow(plate, tmp_path):
    """The same without a mount: no file of ours may be longer than 3 kB."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    done = subprocess.run(
        [sys.executable, "-m", "cell_extract", "images", str(plate / "raw" / "A01*.tif"),
         "--pattern", PATTERN, "-j", "1", "-o", str(tmp_path / "p.ome.zarr")],
        capture_output=True, text=True, preexec_fn=limit, timeout=60, check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 75, done.stderr
    assert "Traceback" not in done.stderr
    assert "too large" in done.stderr and "--resume" in done.stderr
    assert not (tmp_path / "p.ome.zarr").exists()


# -- one bad field of several ------------------------------------------------------------


@pytest.fixture
def damaged(tmp_path):
    """A plate in files with one well cut short, and the whole file."""
    write_raw(tmp_path / "raw")
    bad = tmp_path / "raw" / "A02_s0_DNA.tif"
    whole = bad.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    return bad, whole


EXTRACT = ("images", "raw/*.tif", "--pattern", PATTERN, "-o", "p.ome.zarr")


def test_one_bad_field(cell, plate, tmp_path, damaged):
    bad, whole = damaged
    done = cell("extract", *EXTRACT, cwd=tmp_path, code=75)
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert "A02_s0_DNA.tif" in lines[0]
    assert "3 blocks done, 1 failed" in lines[1] and "--resume" in lines[1]
    groups = [json.loads(line)["group"] for line in done.stdout.splitlines()]
    assert groups == ["A/01/0", "B/01/0", "B/02/0"]
    assert not (tmp_path / "p.ome.zarr").exists()

    refused = cell("extract", *EXTRACT, cwd=tmp_path, code=73)
    assert "3 blocks done" in said(refused) and "--resume" in said(refused)

    bad.write_bytes(whole)
    done = cell("extract", *EXTRACT, "--resume", cwd=tmp_path)
    assert "3 blocks were done before" in done.stderr
    assert contents(tmp_path / "p.ome.zarr") == contents(plate / "p.ome.zarr")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p.ome.zarr", "raw"]


def test_resuming_what_is_still_bad(cell, tmp_path, damaged):
    cell("extract", *EXTRACT, cwd=tmp_path, code=75)
    done = cell("extract", *EXTRACT, "--resume", cwd=tmp_path, code=75)
    assert "A02_s0_DNA.tif" in done.stderr
    assert not (tmp_path / "p.ome.zarr").exists()


def test_resuming_something_else(cell, tmp_path, damaged):
    cell("extract", *EXTRACT, cwd=tmp_path, code=75)
    before = tree(tmp_path)
    done = cell("extract", *EXTRACT, "--pixel-size", "0.5", "--resume", cwd=tmp_path, code=73)
    assert "other inputs or options" in said(done)
    after = tree(tmp_path)
    assert {k: v for k, v in after.items() if not k.endswith("/lock")} == \
        {k: v for k, v in before.items() if not k.endswith("/lock")}


def test_what_there_is_can_be_taken(cell, tmp_path, damaged):
    done = cell("extract", *EXTRACT, "--partial-ok", cwd=tmp_path)
    assert "warning" in done.stderr and "1 blocks failed" in done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["n"] == 3 and last["complete"]
    found = cell("segment", "threshold", "p.ome.zarr", "-o", LABELS, cwd=tmp_path).stdout
    assert len(found.splitlines()) == 4


def test_all_fields_bad(cell, tmp_path):
    write_raw(tmp_path / "raw")
    for file in (tmp_path / "raw").iterdir():
        file.write_bytes(file.read_bytes()[:9000])
    before = tree(tmp_path)
    done = cell("extract", *EXTRACT, cwd=tmp_path, code=65)
    assert "nothing done: 4 of 4 blocks failed" in done.stderr
    assert len(done.stderr.splitlines()) == len(WELLS) + 1
    assert tree(tmp_path) == before and list(tmp_path.iterdir()) == [tmp_path / "raw"]


def test_one_bad_field_in_a_pipe(cell, plate, tmp_path):
    """The command after it gets the good fields and ends in 75, too."""
    shutil.copytree(plate / "p.ome.zarr", tmp_path / "p.ome.zarr")
    for chunk in tmp_path.glob("p.ome.zarr/A/02/0/0/c/**/*"):
        if chunk.is_file():
            chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])
    first = cell("segment", "threshold", "p.ome.zarr", "-o", LABELS, cwd=tmp_path, code=75)
    assert "A/02/0" in first.stderr and "3 blocks done, 1 failed" in first.stderr
    second = cell("crop", "cells", "-", "--images", "p.ome.zarr", "--size", "16",
                  "-o", "c.crops.zarr", cwd=tmp_path, input=first.stdout, code=75)
    assert "ended early" in said(second)


def test_a_large_field_without_the_channel(cell, tmp_path):
    """One that is done in tiles does not stop the others either."""
    tifffile.imwrite(tmp_path / "x.tif", np.random.default_rng(1).integers(0, 99, (200, 200)))
    before = tree(tmp_path)
    done = cell("segment", "threshold", "x.tif", "-c", "DAPI", "--tile", "64", "-o", LABELS,
                cwd=tmp_path, code=65)
    assert "channel 'DAPI' not found" in done.stderr and "nothing done" in done.stderr
    assert len(done.stderr.splitlines()) < 9
    assert tree(tmp_path) == before
