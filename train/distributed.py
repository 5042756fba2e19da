"""Several processes that train one model: `torchrun`, embeddings gathered, gradients averaged.

Each process encodes its part of a batch and computes the loss of the whole one from everybody's embeddings,
so that contrast does not shrink with the number of processes. The towers are called by several methods, which
`DistributedDataParallel` cannot wrap; averaging the gradients once a step is all it would do here.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from edge_retrieve.train.batches import Batch

if TYPE_CHECKING:
    from torch.autograd.function import FunctionCtx

# What only the towers read: each process keeps its own.
_INPUTS = frozenset({"pixels", "lung_pixels", "token_ids", "region_token_ids", "region_mask"})


# The others wait while the first renders or decodes the studies, or validates.
_PATIENCE = timedelta(hours=24)


@dataclass(frozen=True)
class Processes:
    """One process and how many train with it; alone by default."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.world > 1:
            dist.barrier()


ALONE = Processes()


@contextmanager
def joined_processes(backend: str) -> Iterator[Processes]:
    """Join the processes that `torchrun` started; without it, be alone.

    Parameters
    ----------
    backend : str
        ``gloo`` on a CPU, ``nccl`` on CUDA.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield ALONE
        return
    if backend == "nccl":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    dist.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


class _Gather(torch.autograd.Function):
    """All processes' rows, one process after the other."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        rows, shape = _exchange_shapes(tensor)
        padded = tensor.new_zeros(shape)
        padded[tuple(slice(0, size) for size in tensor.shape)] = tensor
        received = [torch.empty_like(padded) for _ in rows]
        dist.all_gather(received, padded.contiguous())
        rank = dist.get_rank()
        ctx.own = (
            slice(sum(rows[:rank]), sum(rows[: rank + 1])),
            *(slice(0, size) for size in tensor.shape[1:]),
        )
        return torch.cat([part[:count] for part, count in zip(received, rows, strict=True)])

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> Tensor:
        # Every process computes the same loss, so the sum over them of the gradient of these rows is
        # `world` times the own one; averaging the weights' gradients takes the factor out again.
        return torch.as_tensor(gradients[0][ctx.own] * dist.get_world_size())  # type: ignore[attr-defined]


def gather(tensor: Tensor, processes: Processes) -> Tensor:
    """Return the rows of all processes, in the order of their ranks, with gradient.

    Parameters
    ----------
    tensor : Tensor of shape [N, ...]
        The number of rows may differ between processes; other dimensions are padded with zeros to the
        largest.
    processes : Processes
    """
    if processes.world == 1:
        return tensor
    if tensor.dtype == torch.bool:
        return gather(tensor.to(torch.uint8), processes).to(torch.bool)
    return torch.as_tensor(_Gather.apply(tensor))  # type: ignore[no-untyped-call]


def gather_targets(batch: Batch, processes: Processes) -> Batch:
    """Return a batch whose targets are those of all processes; what only the towers read stays its own."""
    if processes.world == 1:
        return batch
    joint = {
        entry.name: gather(value, processes)
        for entry in dataclasses.fields(batch)
        if entry.name not in _INPUTS and isinstance(value := getattr(batch, entry.name), Tensor)
    }
    return dataclasses.replace(batch, **joint)


def average_gradients(model: nn.Module, processes: Processes) -> None:
    """Average gradients and running statistics over the processes, in one exchange."""
    if processes.world == 1:
        return
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    statistics = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
    tensors = gradients + statistics
    flat = torch.cat([tensor.detach().flatten().float() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= processes.world
    for tensor, mean in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
        tensor.detach().copy_(mean.view_as(tensor))


def share_weights(model: nn.Module, processes: Processes) -> None:
    """Give every process the first one's weights."""
    if processes.world > 1:
        for tensor in (*model.parameters(), *model.buffers()):
            dist.broadcast(tensor.detach(), 0)


def _exchange_shapes(tensor: Tensor) -> tuple[list[int], list[int]]:
    """Return each process's rows, and the smallest shape that holds every process's tensor."""
    own = torch.tensor(tensor.shape, device=tensor.device)
    shapes = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(shapes, own)
    stacked = torch.stack(shapes)
    return stacked[:, 0].tolist(), stacked.amax(dim=0).tolist()
