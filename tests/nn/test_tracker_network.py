"""The tracking network: candidates, what it says before it has learnt, its losses."""

import numpy as np
import pytest
import torch

from libcell.nn.tracker import losses
from libcell.nn.tracker.cells import Cells, as_balls, balls, united, usual_size
from libcell.nn.tracker.geometry import LOOSE, candidates
from libcell.nn.tracker.network import START, SURE, Shape, Tracker, at


def drawn(rng, n, d, edge=60.0):
    return balls(rng.uniform(5, edge - 5, (n, d)), np.full(n, 4.0), np.ones(d))


@pytest.mark.parametrize("d", [2, 3])
def test_the_true_partner_is_among_the_candidates_and_gains_most(d):
    rng = np.random.default_rng(0)
    a = drawn(rng, 12, d)
    moved = rng.normal(0, 4, (12, d))
    order = rng.permutation(12)
    b = Cells(*(v[order] for v in (a.centres + moved, a.spreads, a.sizes)), a.spacing)
    given = candidates(a, b, moved, usual_size(a), True)
    best = {int(i): int(j) for i, j in given.links[np.argsort(given.link_prior)]}
    assert [best[i] for i in range(12)] == np.argsort(order).tolist()
    assert given.link_prior.max() == pytest.approx(LOOSE)


def test_a_mother_is_as_large_as_both_daughters():
    mother = Cells(np.array([[20.0, 20.0]]), np.array([np.diag([4.0, 36.0])]), np.array([150.0]),
                   np.ones(2))
    there = Cells(np.array([[20.0, 14.8], [20.0, 25.2]]), np.array([np.diag([4.0, 9.0])] * 2),
                  np.array([75.0, 75.0]), np.ones(2))
    given = candidates(mother, there, np.zeros((1, 2)), 12.0, True)
    assert given.splits.tolist() in ([[0, 0, 1]], [[0, 1, 0]])
    assert given.split_prior[0] > given.link_prior.max() + 5
    assert united(there, *np.array([[0], [1]])).sizes[0] == 150


def test_no_cells_are_no_candidates():
    nothing, some = drawn(np.random.default_rng(0), 0, 2), drawn(np.random.default_rng(1), 3, 2)
    for a, b in ((nothing, some), (some, nothing), (nothing, nothing)):
        given = candidates(a, b, np.zeros((len(a), 2)), 5.0, True)
        assert given.links.shape == (0, 2) and given.splits.shape == (0, 3)
        assert given.link_facts.dtype == np.float32


def test_balls_are_as_large_as_the_cells():
    cells = Cells(np.zeros((1, 2)), np.array([np.diag([1.0, 9.0])]), np.array([100.0]), np.ones(2))
    ball = as_balls(cells)
    assert ball.sizes[0] == pytest.approx(100)
    assert ball.spreads[0, 0, 0] == ball.spreads[0, 1, 1]


@pytest.mark.parametrize("d", [2, 3])
def test_untrained_it_says_what_geometry_says(d):
    rng = np.random.default_rng(0)
    a, b = drawn(rng, 9, d), drawn(rng, 11, d)
    network = Tracker(Shape(ndim=d, widths=(8, 12), embedding=4)).eval()
    image = torch.rand(1, 2, *((4,) * (d - 2)), 64, 64)
    with torch.no_grad():
        maps = network(image)[0]
        given = candidates(a, b, np.zeros((9, d)), 8.0, True)
        one, two = network.across(given, network.read(maps, 0, a), network.read(maps, 1, b))
    for gain, prior in ((one, given.link_prior), (two, given.split_prior)):
        assert gain.numpy() == pytest.approx(SURE * np.tanh(START * prior / SURE), abs=1e-4)
    assert maps.shape == (network.shape.outputs, *((4,) * (d - 2)), 32, 32)


def test_maps_are_read_where_the_cells_lie():
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(24.0), indexing="ij")
    places = torch.tensor([[[10.0, 20.0]], [[5.5, 31.5]]])  # in pixels, two to a map's
    found = at(torch.stack([rows, columns]), places, 2)[:, 0]
    assert found.numpy() == pytest.approx(np.array([[4.75, 9.75], [2.5, 15.5]]))


def test_choices_are_a_softmax_with_nothing_at_zero():
    gain = torch.tensor([2.0, -1.0, 0.5])
    owner, right = torch.tensor([0, 0, 1]), torch.tensor([1.0, 0.0, 0.0])
    known, weight = torch.tensor([True, True, False]), torch.ones(3)
    loss = losses.choice_loss(gain, owner, right, known, weight)
    first = np.log(np.exp(2) + np.exp(-1) + 1) - 2
    second = np.log(np.exp(0.5) + 1)
    assert float(loss) == pytest.approx((first + second) / 2, rel=1e-5)


def test_alike_cells_cost_less_and_daughters_share_a_mother():
    one = torch.eye(4)
    source = np.array([0, 1, 2, 3])
    right = losses.alike_loss(one, one, source)
    assert float(right) < float(losses.alike_loss(one, one.flip(0), source)) - 5
    twins = losses.alike_loss(one, one[[0, 0, 1, 2]], np.array([0, 0, 1, 2]))
    assert float(twins) < 0.01
    assert float(losses.alike_loss(one, one, np.full(4, -1))) == 0
