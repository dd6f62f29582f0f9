"""Viterbi against every possible course, on cases small enough to try them all."""

import itertools

import pytest
import torch

from libcell.nn import viterbi


def runs(path):
    return [(k, len(list(g))) for k, g in itertools.groupby(path)]


def drawn(seed, n=12, length=7, classes=3):
    g = torch.Generator().manual_seed(seed)
    scores = torch.randn(n, length, classes, generator=g, dtype=torch.float64)
    return scores, torch.randint(3, length + 1, (n,), generator=g), g


@pytest.mark.parametrize("seed", range(3))
def test_alignment_is_the_best_of_all(seed):
    scores, frames, g = drawn(seed)
    transcripts = torch.tensor([[0, 1, 2], [2, 0, 2], [1, 0, -1], [1, -1, -1]] * 3)
    stages = (transcripts >= 0).sum(1)
    law = viterbi.poisson(torch.rand(3, generator=g, dtype=torch.float64) * 4 + 0.5, 7)
    found = viterbi.align(scores, frames, transcripts, stages, law)
    for b, n in enumerate(frames.tolist()):
        order = transcripts[b, : stages[b]].tolist()

        def worth(cut, b=b, order=order):
            path = [k for k, d in zip(order, cut) for _ in range(d)]
            said = sum(float(scores[b, t, k]) for t, k in enumerate(path))
            return said + sum(float(law[k, d - 1]) for k, d in zip(order, cut)), path

        cuts = [c for c in itertools.product(range(1, n + 1), repeat=len(order)) if sum(c) == n]
        assert found[b, :n].tolist() == max(map(worth, cuts))[1]
        assert (found[b, n:] == -1).all()


@pytest.mark.parametrize("seed", range(3))
def test_decoding_is_the_best_of_all(seed):
    scores, frames, _ = drawn(seed, n=6, length=6)
    never = -torch.inf
    change = torch.tensor([[0.0, -0.3, never], [never, 0.0, -0.1], [-0.2, never, 0.0]]).double()
    least = torch.tensor([1, 2, 3])
    found = viterbi.decode(scores, frames, change, least)
    for b, n in enumerate(frames.tolist()):
        def worth(path, b=b):
            inner = runs(path)[1:-1]
            if any(d < least[k] for k, d in inner):
                return never
            steps = sum(float(change[i, j]) for i, j in itertools.pairwise(path))
            return steps + sum(float(scores[b, t, k]) for t, k in enumerate(path))

        best = max(itertools.product(range(3), repeat=n), key=worth)
        assert found[b, :n].tolist() == list(best)
        assert (found[b, n:] == -1).all()


def test_lengths_cost_nothing_at_their_mode():
    law = viterbi.poisson(torch.tensor([4.5, 0.2]), 9)
    assert law[0].argmax() == 3 and law[0, 3] == pytest.approx(0)
    assert law[1].argmax() == 0 and (law <= 1e-6).all()


def test_one_frame_and_none():
    one = viterbi.decode(torch.tensor([[[0.0, 1.0]]]), torch.tensor([1]), torch.zeros(2, 2),
                         torch.tensor([3, 3]))
    assert one.tolist() == [[1]]
    none = torch.zeros(0, dtype=torch.int64)
    assert viterbi.align(torch.zeros(0, 4, 2), none, torch.zeros(0, 1, dtype=torch.int64), none,
                         torch.zeros(2, 4)).shape == (0, 4)
