"""Courses of stages: 1000 sequences of 200 frames and 6 stages, a second at most on one core."""

import time
from collections.abc import Iterable

from tests.peers.bench import Place, Row

SIZE = (1000, 200, 6)


def bench_viterbi(place: Place) -> Iterable[Row]:
    """Along transcripts with any length, and with allowed changes and least lengths."""
    import torch

    from libcell.nn import viterbi

    torch.set_num_threads(1)
    made = torch.Generator().manual_seed(0)
    n, length, k = SIZE
    scores = torch.randn(SIZE, generator=made).log_softmax(2)
    frames, stages = torch.full((n,), length), torch.full((n,), k)
    order = torch.stack([torch.randperm(k, generator=made) for _ in range(n)])
    law = viterbi.poisson(torch.full((k,), length / k), length)
    start = time.process_time()
    viterbi.align(scores, frames, order, stages, law)
    between = time.process_time()
    viterbi.decode(scores, frames, torch.zeros(k, k), torch.full((k,), 2))
    end = time.process_time()
    how = f"{n} sequences x {length} frames x {k} stages, CPU time of one core"
    yield Row("viterbi along transcripts", between - start, 1.0, "s", how)
    yield Row("viterbi with least lengths", end - between, 1.0, "s", how)
