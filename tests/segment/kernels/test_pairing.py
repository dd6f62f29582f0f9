"""Which nucleus belongs to which cell; what becomes of those without a counterpart."""

import numpy as np
import pytest

from libcell.segment.kernels import matching
from libcell.segment.kernels.pairing import PairingParams, compartments, lone_nuclei, pair

#            a cell with its nucleus; one with two; a lone nucleus; a lone cell
CELLS = np.array([[5, 5, 5, 0, 9, 9, 9, 9, 0, 0, 7, 7, 7]], np.uint32)[None]
NUCLEI = np.array([[0, 3, 3, 3, 2, 0, 4, 4, 0, 8, 0, 0, 0]], np.uint32)[None]


def made(extend=False, **params):
    found = pair(matching.overlaps(NUCLEI, CELLS), PairingParams(**params))
    parts = compartments(NUCLEI, CELLS, found, None, extend)
    return [part[0, 0].tolist() for part in parts], found.counts


def test_what_has_a_counterpart_stays_under_the_cells_number():
    (nuclei, cells, cytoplasm), counts = made()
    assert nuclei == [0, 1, 1, 0, 2, 0, 2, 2, 0, 0, 0, 0, 0]
    assert cells == [1, 1, 1, 0, 2, 2, 2, 2, 0, 0, 0, 0, 0]
    assert cytoplasm == [1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    assert counts == {"paired": 2, "nuclei_without_cell": 1, "cells_without_nucleus": 1,
                      "cells_with_several_nuclei": 1}


@pytest.mark.parametrize(("several", "nuclei"), [
    ("largest", [0, 1, 1, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0]),
    ("drop", [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
])
def test_several_nuclei(several, nuclei):
    (found, cells, _), _ = made(several=several)
    assert found == nuclei
    assert set(cells) == set(nuclei)


def test_kept_without_a_counterpart():
    (nuclei, cells, cytoplasm), _ = made(lone_nuclei="keep", lone_cells="keep")
    assert nuclei == [0, 1, 1, 0, 3, 0, 3, 3, 0, 4, 0, 0, 0]  # cells by their labels: 5, 7, 9
    assert cells == [1, 1, 1, 0, 3, 3, 3, 3, 0, 4, 2, 2, 2]
    assert cytoplasm[9:] == [0, 2, 2, 2]


def test_a_cell_extends_over_its_nucleus_but_not_over_another_cell():
    (nuclei, cells, _), _ = made(extend=True)
    assert nuclei[:4] == [0, 1, 1, 1]
    assert cells[:5] == [1, 1, 1, 1, 2]


def test_too_little_of_a_nucleus_in_the_cell():
    """Two of its three pixels are: a share of 0.7 leaves it alone, and of it what is in no cell."""
    (nuclei, cells, _), counts = made(share=0.7, lone_nuclei="keep", lone_cells="keep")
    assert counts["nuclei_without_cell"] == 2
    assert nuclei[:4] == [0, 0, 0, 4]
    assert cells[:4] == [1, 1, 1, 4]


def test_a_nucleus_shared_by_two_cells_goes_to_the_one_with_more_then_to_the_lower():
    cells = np.array([[[4, 4, 2, 2, 2]]], np.uint32)
    nuclei = np.array([[[0, 1, 1, 1, 0]]], np.uint32)
    found = pair(matching.overlaps(nuclei, cells), PairingParams())
    assert found.cells.tolist() == [0, 0, 1, 0, 0]
    even = np.array([[[0, 1, 1, 0, 0]]], np.uint32)
    assert pair(matching.overlaps(even, cells), PairingParams()).nuclei.tolist() == [0, 1]


def test_a_nucleus_of_which_nothing_would_stay_gets_no_number():
    cells = np.array([[[4, 4, 2, 2, 2]]], np.uint32)
    even = np.array([[[0, 1, 1, 0, 0]]], np.uint32)
    params = PairingParams(share=0.9, lone_nuclei="keep", lone_cells="keep")
    assert pair(matching.overlaps(even, cells), params).nuclei.tolist() == [0, 0]


def test_nothing_in_nothing_out():
    nothing = np.zeros((1, 3, 3), np.uint32)
    found = pair(matching.overlaps(nothing, nothing), PairingParams(lone_nuclei="grow"))
    assert all(not p.any() for p in compartments(nothing, nothing, found, None, True))
    assert not lone_nuclei(nothing, found).any()
