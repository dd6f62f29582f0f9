"""Inputs that change while they are read, or between a kill and --resume, are seen."""

import os

import numpy as np
import pytest
from hand_made import call, write_images
from small_plate import PATTERN, write_raw

from libcell.data import digests
from libcell.data.images import Source
from libcell.errors import MissingInput
from libcell.run.job import Job
from libcell.run.unchanged import Unchanged

WELLS = ("A01", "A02")


def put(path, text, when=10**9):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (when, when))
    return path


def test_a_file(tmp_path):
    file = put(tmp_path / "x", "1")
    read = Unchanged([file])
    assert read.changed() == []
    put(file, "2", when=10**9 - 1)  # as large, and older
    assert read.changed() == [file]
    assert read.changed(failed=[file]) == []
    file.unlink()
    assert read.changed() == [file]


def test_a_folder(tmp_path):
    """Deep changes count; what comes in addition, and outputs that grow there, do not."""
    folder = tmp_path / "raw"
    deep = put(folder / "a" / "b" / "x", "1")
    read, mark = Unchanged([folder]), digests.state(folder).mark
    put(folder / ".y.partial" / "out", "1")
    assert digests.state(folder).mark == mark
    put(folder / "more", "1")
    assert read.changed() == [] and digests.state(folder).mark != mark
    put(deep, "2", when=10**9 + 1)
    assert read.changed() == [folder] and read.changed(failed=[deep]) == []


def test_a_store_is_known_by_its_seal(tmp_path):
    store = write_images(tmp_path / "x.ome.zarr", {"": np.zeros((1, 1, 1, 8, 8), np.uint16)})
    read = Unchanged([store])
    os.utime(store / "zarr.json", (0, 0))
    assert read.changed() == []
    (store / "zarr.json").write_bytes((store / "zarr.json").read_bytes() + b"\n")
    assert read.changed() == [store]


def test_a_stream_has_no_state(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert Unchanged([tmp_path / "pipe"]).changed() == []


@pytest.mark.parametrize("what", ["changes", "vanishes"])
def test_no_output_of_an_input_that_changed_meanwhile(tmp_path, monkeypatch, what):
    raw = write_raw(tmp_path / "raw", wells=WELLS, edge=64)
    file = raw / "A01_s0_DNA.tif"
    content, real = file.read_bytes(), Job.provenance

    def late(self, *args):  # all blocks are done by then
        put(file, "other") if what == "changes" else file.unlink(missing_ok=True)
        return real(self, *args) if what == "changes" else {}

    command = ("extract", "images", raw / "*.tif", "--pattern", PATTERN, "-o",
               tmp_path / "x.ome.zarr")
    with monkeypatch.context() as patch:
        patch.setattr(Job, "provenance", late)
        said = call(*command, code=65).said
    assert "A01_s0_DNA.tif: changed or went away" in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["raw"]
    file.write_bytes(content)
    call(*command, "--resume")


def test_a_block_is_not_done_if_its_input_is_another_by_then(tmp_path):
    """Each is looked at after each block; only then is the block noted as done."""
    store = write_images(tmp_path / "x.ome.zarr", {"": np.zeros((1, 1, 1, 8, 8), np.uint16)})
    file = put(tmp_path / "y", "1")
    read = Unchanged([store, file])
    assert read.another([store, file, tmp_path / "no input"]) is None
    os.utime(store / "zarr.json", (0, 0))
    assert read.another([store]) is None
    put(file, "22")
    assert read.another([store, file]) == file
    store.rename(tmp_path / "gone")
    assert read.another([store]) == store


def test_a_store_that_goes_away_in_the_middle_of_a_read_is_not_read_as_zeros(tmp_path):
    store = write_images(tmp_path / "x.ome.zarr", {"": np.ones((1, 1, 1, 8, 8), np.uint16)})

    def read(place):
        if not place.exists():
            raise MissingInput("gone")
        store.rename(tmp_path / "gone")
        return 0  # as zarr says of chunks that are not there

    with pytest.raises(MissingInput):
        Source(store).settled(read)


def test_another_file_deep_in_a_folder_is_another_job(tmp_path):
    """As far as the folder itself tells, nothing has changed."""
    known = Unchanged([put(tmp_path / "raw" / "a" / "x", "1").parent.parent]).marks()
    put(tmp_path / "raw" / "a" / "x", "2", when=10**9 + 1)
    assert Unchanged([tmp_path / "raw"]).marks() != known
