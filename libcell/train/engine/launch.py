"""One process or several: `torchrun --nproc-per-node N -m cell_train ...` sets who is who."""

import contextlib
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from libcell.run import devices


@dataclass(frozen=True)
class Launch:
    """Which process of how many this is, and where its tensors live."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network as the loss calls it: gradients are averaged over the processes."""
        if self.world == 1:
            return network
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=ids)

    def told(self, value: Any) -> Any:
        """The first process's value, in all of them."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Element by element over the processes."""
        if self.world > 1:
            dist.all_reduce(values)
            values /= self.world
        return values


def processes() -> int:
    """How many train together: 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextlib.contextmanager
def joined(wanted: str) -> Iterator[Launch]:
    """This process's place; the group of all of them is joined and left."""
    world = processes()
    name = devices.resolve(wanted)
    if world == 1:
        yield Launch(0, 1, torch.device(name))
        return
    if name.startswith("cuda"):
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(name)
    dist.init_process_group("nccl" if name.startswith("cuda") else "gloo")
    try:
        yield Launch(dist.get_rank(), dist.get_world_size(), torch.device(name))
        dist.barrier()  # a group that one leaves while another still talks may abort both
    finally:
        # a wrapped network that outlives the group leaves its threads to Python's exit, which
        # ends in an abort now and then
        gc.collect()
        dist.destroy_process_group()
