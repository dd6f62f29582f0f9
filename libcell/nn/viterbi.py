"""The likeliest course of stages through a sequence, for many sequences at once.

`align` knows the order of the stages (a transcript) and asks where they change; `decode` knows
which stage may follow which, and how long each lasts at least. Both are exact. Source: Viterbi
1967; alignment to a transcript with a length model after Richard et al. 2018 (NN-Viterbi),
arXiv:1805.06875.
"""

import torch
from torch import Tensor

NEVER = -1e30  # log of no chance; finite, so that no difference of two is NaN
AT_ONCE = 2**19  # values of one block: what a core's cache holds


def poisson(mean: Tensor, longest: int) -> Tensor:
    """float (K,L): log chance of lengths 1..L with Poisson's law of `mean` (K,), divided by that
    of its mode, so that the likeliest length costs nothing and long stages are no worse off."""
    at = torch.arange(1, longest + 1, dtype=mean.dtype, device=mean.device)
    rate = mean.clamp_min(1e-3)[:, None]
    mode = mean.floor().clamp_min(1)[:, None]

    def log_chance(k: Tensor) -> Tensor:
        return k * rate.log() - rate - torch.lgamma(k + 1)

    return log_chance(at[None]) - log_chance(mode)


def align(
    scores: Tensor, frames: Tensor, transcripts: Tensor, stages: Tensor, log_length: Tensor
) -> Tensor:
    """int64 (B,T): the stage of each frame, -1 beyond a sequence's end.

    `scores` float (B,T,K) of each stage (log p, minus log prior if wanted), 0 where a frame is
    missing; `frames` (B,) of each sequence; `transcripts` int64 (B,N), the stages in their order,
    of which the first `stages` (B,) count; `log_length` (K,L) of lengths 1..L. Every stage of the
    transcript has a frame at least: `frames` >= `stages`, and L >= T reaches all of them.
    """
    size = max(1, AT_ONCE // max(1, scores.shape[1] * log_length.shape[1]))
    parts = [_align(scores[i : i + size], frames[i : i + size], transcripts[i : i + size],
                    stages[i : i + size], log_length) for i in range(0, len(scores), size)]
    return torch.cat(parts) if parts else frames.new_zeros((0, scores.shape[1]))


def _align(
    scores: Tensor, frames: Tensor, transcripts: Tensor, stages: Tensor, log_length: Tensor
) -> Tensor:
    """Best end of each stage in turn: to stay costs a difference of running sums, so each stage
    is one maximum over its lengths for all its ends together."""
    n, length, _ = scores.shape
    longest = min(log_length.shape[1], length)
    order = transcripts.clamp_min(0)
    total = scores.new_full((n, length + 1), NEVER)  # of a course that ends before frame t
    total[:, 0] = 0
    spans, ends = [], []
    for k in range(transcripts.shape[1]):
        stage = order[:, k]
        own = scores.gather(2, stage[:, None, None].expand(-1, length, 1))[..., 0]
        sums = torch.cat([own.new_zeros(n, 1), own.cumsum(1)], dim=1)
        before = torch.cat([own.new_full((n, longest - 1), NEVER), (total - sums)[:, :-1]], dim=1)
        # window i ends before frame i + 1; its last entry is the shortest length
        windows = before.unfold(1, longest, 1) + log_length[stage, :longest].flip(1)[:, None]
        best, place = windows.max(dim=2)
        total = torch.cat([own.new_full((n, 1), NEVER), best + sums[:, 1:]], dim=1)
        spans.append(longest - place)
        ends.append(total)
    return _walked(order, frames, stages, spans, length)


def _walked(
    order: Tensor, frames: Tensor, stages: Tensor, spans: list[Tensor], length: int
) -> Tensor:
    """From each sequence's end back to its begin; `spans` hold each stage's length by its end."""
    path = order.new_full((len(order), length), -1)
    at = torch.arange(length, device=order.device)[None]
    end = frames.clone()
    for k in reversed(range(order.shape[1])):
        used = k < stages
        span = spans[k].gather(1, (end[:, None] - 1).clamp_min(0))[:, 0]
        start = torch.where(used, end - span, end)
        inside = (at >= start[:, None]) & (at < end[:, None])
        path = torch.where(inside, order[:, k : k + 1], path)
        end = start
    return path


def decode(
    scores: Tensor, frames: Tensor, log_change: Tensor, least: Tensor | None = None
) -> Tensor:
    """int64 (B,T): the likeliest course, -1 beyond a sequence's end.

    `scores` float (B,T,K), 0 where a frame is missing; `frames` (B,); `log_change` (K,K): what it
    is worth that the second stage follows the first, -inf where it never does (the diagonal:
    another frame of the same stage); `least` int (K,): frames that a stage lasts at the least.
    The first and the last stage of a sequence may be shorter: the film cuts them.
    """
    stage, sources, worth = _trellis(log_change, least)
    n, length, _ = scores.shape
    shown = scores[:, :, stage].transpose(0, 1)  # (T,B,S), one state a stage and age
    total = shown[0] if length else scores.new_zeros((n, len(stage)))
    came, ended = [], [total]
    for t in range(1, length):
        best, place = (total[:, sources] + worth).max(dim=2)
        came.append(place)
        total = best + shown[t]
        ended.append(total)
    return _back(ended, came, frames, stage, sources, length)


def _trellis(log_change: Tensor, least: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """States (stage, age up to the least length), and for each state where it may come from.

    stage (S,); sources (S,P); what coming from there is worth (S,P). A sequence may begin and end
    in any state.
    """
    change = log_change.clamp_min(NEVER)
    count = len(change)
    ages = [1] * count if least is None else [max(1, int(v)) for v in least]
    last = torch.tensor(ages).cumsum(0) - 1
    first = last - torch.tensor(ages) + 1
    stage = torch.repeat_interleave(torch.arange(count), torch.tensor(ages))
    sources = torch.zeros((len(stage), count + 1), dtype=torch.int64)
    worth = torch.full((len(stage), count + 1), NEVER, dtype=change.dtype)
    for k in range(count):
        for state in range(int(first[k]), int(last[k]) + 1):
            if state > first[k]:  # one frame older
                sources[state, count], worth[state, count] = state - 1, change[k, k]
        sources[first[k], :count] = last
        worth[first[k], :count] = change[:, k].cpu()
        if last[k] > first[k]:
            worth[first[k], k] = NEVER
        sources[last[k], k], worth[last[k], k] = last[k], change[k, k].cpu()
    return stage.to(change.device), sources.to(change.device), worth.to(change.device)


def _back(
    ended: list[Tensor], came: list[Tensor], frames: Tensor, stage: Tensor, sources: Tensor,
    length: int,
) -> Tensor:
    """From each sequence's last frame, whichever that is, to its first."""
    path = frames.new_full((len(frames), length), -1)
    state = frames.new_zeros(len(frames))
    for t in reversed(range(length)):
        state = torch.where(frames == t + 1, ended[t].argmax(dim=1), state)
        inside = frames > t
        path[:, t] = torch.where(inside, stage[state], path[:, t])
        if t:
            place = came[t - 1].gather(1, state[:, None])[:, 0]
            state = torch.where(inside, sources[state, place], state)
    return path
