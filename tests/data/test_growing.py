"""A store that is moved while it is read is read right, never as zeros."""

import shutil

import numpy as np
import pytest
from test_stores import about, random, write_image

from libcell.data import open as opening
from libcell.data.images import Source
from libcell.errors import MissingInput


@pytest.fixture
def growing(tmp_path):
    partial = tmp_path / ".x.ome.zarr.partial" / "out"
    partial.parent.mkdir()
    pixels = random((1, 2, 1, 60, 70)) + 1
    write_image(partial, [about("A/01/0")], pixels)
    return Source(tmp_path / "x.ome.zarr", "A/01/0", partial), pixels


def test_partial_store_is_read_while_it_lasts(growing):
    source, pixels = growing
    np.testing.assert_array_equal(opening.image(source).read(c=1), pixels[0, 1])


def test_store_that_moves_in_the_middle_is_read_again(growing):
    source, pixels = growing
    seen = []

    def read(place):
        seen.append(place)
        if len(seen) == 1:
            shutil.move(source.partial, source.path)
            return np.zeros(3)  # what zarr gives for chunks that are no longer there
        return pixels

    np.testing.assert_array_equal(source.settled(read), pixels)
    assert seen == [source.partial, source.path]


def test_store_that_is_gone_is_missing(growing):
    source, _ = growing
    shutil.rmtree(source.partial)
    with pytest.raises(MissingInput):
        opening.image(source)
