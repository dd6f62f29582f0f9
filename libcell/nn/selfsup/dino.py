"""Self-distillation: a student says of small views what its slow teacher says of large ones.

Caron et al. 2021, arXiv:2104.14294. The teacher is an average of the student over steps; what it
says is centred, against one answer to everything, and sharpened, against the same chance for
every answer. `information` tells both apart from learning: it is what an answer tells of the
picture, 0 in either collapse.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

from libcell.errors import UsageFault
from libcell.nn.selfsup import Learner

SUMMARY = "Self-distillation with a slow teacher and small views (DINO)."
LOCAL = 4
LEAST = 0.02  # information, nats: below, the teacher says the same of all pictures


@dataclass(frozen=True)
class Options:
    """Head: `hidden` units twice, `bottleneck`, then `answers`. Temperatures: the student's, and
    the teacher's, which rises from `teacher_start` over `warm` epochs. `momentum` of the teacher
    at first (1 at the end), of the centre; the last layer rests for `frozen` epochs."""

    answers: int = 1024
    hidden: int = 512
    bottleneck: int = 128
    student: float = 0.1
    teacher_start: float = 0.04
    teacher: float = 0.06
    warm: float = 10.0
    momentum: float = 0.99
    centre: float = 0.9
    frozen: float = 1.0


class Head(nn.Module):
    """(B, width) to (B, answers): cosines between a normalised bottleneck and the answers'
    directions (a weight-normalised layer whose lengths are 1)."""

    def __init__(self, width: int, options: Options):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, options.hidden), nn.GELU(),
            nn.Linear(options.hidden, options.hidden), nn.GELU(),
            nn.Linear(options.hidden, options.bottleneck))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        self.directions = nn.Parameter(torch.randn(options.answers, options.bottleneck))

    def forward(self, features: Tensor) -> Tensor:
        short = functional.normalize(self.layers(features), dim=-1, eps=1e-6)
        return functional.linear(short, functional.normalize(self.directions, dim=-1))


class Dino(Learner):
    """Student, teacher and centre; the steps done decide temperatures and what rests."""

    centre: Tensor

    def __init__(self, backbone: nn.Module, epoch_steps: int, options: Options):
        super().__init__()
        if min(options.student, options.teacher, options.teacher_start) <= 0:
            raise UsageFault("--method dino: temperatures: expected more than 0")
        if min(options.answers, options.hidden, options.bottleneck) < 2:
            raise UsageFault("--method dino: answers, hidden, bottleneck: expected 2 or more")
        width = int(backbone.num_features)  # type: ignore[arg-type]
        head = Head(width, options)
        self.student = nn.Sequential(backbone, head)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.register_buffer("centre", torch.zeros(options.answers))
        self._options, self._epoch_steps = options, epoch_steps
        self._said: list[tuple[Tensor, int]] = []  # sums of what the teacher said in this step
        head.directions.register_hook(
            lambda gradient: gradient * (self.done >= options.frozen * epoch_steps))

    @property
    def taught(self) -> nn.Module:
        return self.teacher[0]

    def forward(
        self, whole: Tensor, local: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad():
            heard = self.teacher(whole).float()
            self._said.append((heard.sum(dim=0), len(heard)))
            chances = functional.softmax((heard - self.centre) / self._temperature(), dim=-1)
        views = self.student(whole).float()
        if local is not None:
            views = torch.cat([views, self.student(local).float()])
        logs = functional.log_softmax(views / self._options.student, dim=-1)
        loss = _crossed(chances, logs, len(whole) // 2)
        return loss, _figures(chances, loss.detach())

    def _temperature(self) -> Tensor:
        """The teacher's at present, on the device, so that no step waits for it."""
        o = self._options
        share = (self.done / max(1.0, o.warm * self._epoch_steps)).clamp(max=1.0)
        return o.teacher_start + (o.teacher - o.teacher_start) * share

    @torch.no_grad()
    def after_step(self, step: int, total: int) -> None:
        super().after_step(step, total)
        self._recentre()
        still = 0.5 * (1 + math.cos(math.pi * step / total))
        share = (1 - self._options.momentum) * still
        torch._foreach_lerp_(list(self.teacher.parameters()), list(self.student.parameters()),
                             share)

    def _recentre(self) -> None:
        """The centre follows the mean of what the teacher said, over all pieces and processes."""
        if not self._said:
            return
        total = torch.stack([s for s, _ in self._said]).sum(dim=0)
        both = torch.cat([total, total.new_tensor([sum(n for _, n in self._said)])])
        self._said.clear()
        if dist.is_initialized():
            dist.all_reduce(both)
        self.centre.lerp_(both[:-1] / both[-1], 1 - self._options.centre)

    def fault(self, figures: Mapping[str, float]) -> str | None:
        told = figures.get("information")
        if told is None or told >= LEAST:
            return None
        return ("the teacher gives every picture the same answer" if figures["entropy"] < math.log(
            self._options.answers) / 2 else "the teacher gives every answer the same chance")


def _crossed(chances: Tensor, logs: Tensor, n: int) -> Tensor:
    """Mean cross-entropy between each view of the teacher's, chances (2n,K), and all other ones
    of the student's, logs (mn,K)."""
    told, said = chances.view(2, n, -1), logs.view(len(logs) // n, n, -1)
    each = -torch.einsum("ink,jnk->ij", told, said) / n
    other = ~torch.eye(2, len(said), dtype=torch.bool, device=each.device)
    return each[other].mean()


def _figures(chances: Tensor, loss: Tensor) -> dict[str, Tensor]:
    """Nats: how undecided the teacher is (`entropy`), how far the student is off (`kl`), and what
    an answer tells of a picture (`information`; no more than the log of the pictures)."""
    entropy = torch.special.entr(chances).sum(dim=-1).mean()
    mean = torch.special.entr(chances.mean(dim=0)).sum()
    return {"entropy": entropy, "kl": loss - entropy, "information": mean - entropy}


def build(backbone: nn.Module, epoch_steps: int, options: Any) -> Learner:
    """A student and its teacher, alike at first. UsageFault for options that cannot be."""
    return Dino(backbone, epoch_steps, options)
