"""What the tracker learns from: annotations of any kind, crops that lie as their cells do."""

import numpy as np
import pytest
import torch

from libcell.errors import DataError, UsageFault
from libcell.nn.tracker.cells import Cells, balls
from libcell.nn.tracker.geometry import candidates
from libcell.train.segmentation.crops import Turn
from libcell.train.tracking import annotation, films, movies, targets, truth
from libcell.train.tracking.views import View

# two cells, one of which divides: t, z, y, x, cell_id, parent_id, radius, div_state
ROWS = [(0, 10, 5, 5, 1, -1, 4, 0), (0, 10, 9, 9, 2, -1, 4, 1), (1, 10, 5, 6, 3, 1, 4, 0),
        (1, 5, 9, 8, 4, 2, 3, 2), (1, 15, 9, 10, 5, 2, 3, 2)]


def write(path, rows, names=None, delimiter="\t"):
    lines = [delimiter.join(map(str, r)) for r in ([names] if names else []) + rows]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("named", [True, False])
def test_tracks_txt_of_mskcc_confocal(tmp_path, named):
    path = write(tmp_path / "tracks.txt", ROWS, annotation.MSKCC if named else None)
    found = annotation.read(path, "a", z_step=5.0)
    assert found.track.tolist() == [1, 2, 1, 3, 4]
    assert found.parents == {3: 2, 4: 2}
    assert found.places[:, 0].tolist() == [2, 2, 2, 1, 3]  # z is in x pixels there
    assert found.radius.tolist() == [4, 4, 4, 3, 3]


def test_a_table_of_tracks(tmp_path):
    rows = [(0, 5, 5, 1, 0), (1, 5, 6, 2, 1), (1, 5, 4, 3, 1)]
    names = ("t", "y", "x", "track_id", "parent_track_id")
    found = annotation.read(write(tmp_path / "t.csv", rows, names, ","), "a", 1.0)
    assert found.parents == {2: 1, 3: 1} and found.places[1].tolist() == [0, 5, 6]
    assert np.isnan(found.radius).all()
    assert (annotation.read(tmp_path / "t.csv", "a", 1.0, radius=7.0).radius == 7).all()


@pytest.mark.parametrize(("rows", "names", "said"), [
    ([(0, 1, 1)], ("t", "y", "x"), "which rows are one track"),
    ([(0, 1, 1, 1)], ("t", "y", "z", "track_id"), "no column x"),
    ([(0, 1, 1, 1), (0, 2, 2, 1)], ("t", "y", "x", "track_id"), "more than once"),
    ([(0, 1, 1, 1, 2), (1, 2, 2, 2, 1)], ("t", "y", "x", "track_id", "parent_track_id"),
     "its own ancestor"),
    ([(0, 1, "a", 1)], ("t", "y", "x", "track_id"), "expected a number"),
    ([], None, "is empty"),
])
def test_tables_that_are_no_tracks(tmp_path, rows, names, said):
    path = write(tmp_path / "t.csv", rows, names, ",")
    if not rows:
        path.write_text("")
    with pytest.raises(DataError, match=said):
        annotation.read(path, "a", 1.0)


def test_who_became_whom():
    before, after = np.array([1, 2, 3, 0]), np.array([1, 4, 5, 0, 6])
    parents = {4: 2, 5: 2, 6: 9}
    whole = truth.fate(before, after, parents, complete=True)
    assert whole.source.tolist() == [0, 1, 1, truth.UNKNOWN, truth.NONE]
    assert whole.count.tolist() == [1, 2, 0, truth.UNKNOWN]
    some = truth.fate(before, after, parents, complete=False)
    assert some.source.tolist() == [0, 1, 1, truth.UNKNOWN, truth.UNKNOWN]
    assert some.count.tolist() == [1, 2, truth.UNKNOWN, truth.UNKNOWN]
    granddaughters = truth.fate(np.array([2]), np.array([7, 8]), {4: 2, 7: 4, 8: 4}, True)
    assert granddaughters.source.tolist() == [0, 0]


def test_right_candidates_are_those_of_the_annotation():
    a = balls(np.array([[10.0, 10.0], [10, 40]]), np.full(2, 5.0), np.ones(2))
    b = balls(np.array([[10.0, 12.0], [10, 36], [10, 44]]), np.array([5.0, 3.5, 3.5]), np.ones(2))
    known = truth.fate(np.array([1, 2]), np.array([1, 3, 4]), {3: 2, 4: 2}, True)
    given = candidates(a, b, np.zeros((2, 2)), 9.0, True)
    right = truth.right(given, known)
    assert given.links[right.links].tolist() == [[0, 0]]
    assert sorted(given.splits[right.splits][0].tolist()) == [1, 1, 2]
    assert right.sources.all() and right.targets.all()
    assert truth.moves(a, b, known)[1] == pytest.approx([0, 0])


@pytest.mark.parametrize("planes", [1, 6])
@pytest.mark.parametrize("seed", range(3))
def test_a_crop_lies_as_its_cells_do(planes, seed):
    rng = np.random.default_rng(seed)
    shape = (planes, 90, 110)
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    middle = np.array([(planes - 1) / 2, 44, 57])
    mask = np.linalg.norm((grid - middle) / (1.5, 6, 12), axis=-1) <= 1
    d = 2 if planes == 1 else 3
    spacing = np.array([2.0, 1, 1])[3 - d :]
    cells = movies.cells_of(movies.moments(mask.astype(int))[1], spacing)
    view = View((50, 50), 0, (planes, 64), Turn.draw(rng, 1.3))
    pixels = view.pixels(mask[None].astype(np.float16), "bilinear")[0].numpy()
    there = view.cells(cells)
    where = np.stack(np.meshgrid(*map(np.arange, pixels.shape), indexing="ij"), -1)[..., 3 - d :]
    weight = pixels / pixels.sum()
    seen = (where * weight[..., None]).sum(axis=(0, 1, 2)) * there.spacing
    off = where * there.spacing - seen
    spread = np.einsum("zyxi,zyxj,zyx->ij", off, off, weight)
    assert there.centres[0] == pytest.approx(seen, abs=0.3)
    assert there.spreads[0][-2:, -2:] == pytest.approx(spread[-2:, -2:], rel=0.12, abs=2.0)
    assert there.sizes[0] == pytest.approx(pixels.sum(), rel=0.08)
    assert view.inside(there).all()


def test_targets_peak_at_the_centres_and_nowhere_else():
    cells = Cells(np.array([[20.5, 12.5], [44.5, 50.5]]),
                  np.array([np.diag([30.0, 8.0]), np.diag([8.0, 30.0])]), np.array([200.0, 200]),
                  np.ones(2))
    known = torch.ones(1, 64, 64)
    maps = targets.draw([None, None], [known, known], (cells, cells), 2, 1.0)
    centre = maps.centre[0].numpy()
    peaks = np.argwhere(centre > 0.95)
    assert {tuple(p) for p in peaks.tolist()} == {(10, 6), (22, 25)}
    assert maps.cell[0].sum() * 4 == pytest.approx(2 * 4 * np.pi * np.sqrt(240), rel=0.1)
    assert (maps.weight == 1).all()
    some = targets.draw([None, None], [known, known], (cells, cells), 2, 0.1)
    assert some.weight[0, 0, 0] == pytest.approx(0.05) and some.weight[0, 10, 6] == 1


def test_frames_are_given_as_a_span():
    assert films.frames_of("0:26", 41, "a") == range(26)
    assert films.frames_of("5:", 9, "a") == range(5, 9)
    for text in ("3", "a:b", "0:50", "4:5"):
        with pytest.raises(UsageFault):
            films.frames_of(text, 41, "a")
