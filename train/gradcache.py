"""Gradients of a contrast over a batch larger than memory holds.

The contrast needs every embedding at once, the towers' activations are needed for one chunk at a time
(GradCache: Gao et al. 2021, "Scaling deep contrastive learning batch size under memory limited setup",
arXiv 2101.06983, section 3.2):

1. encode all chunks without a graph;
2. compute the loss of all embeddings, and its gradient with respect to each of them;
3. encode each chunk again, with a graph, and carry its embeddings' gradients on to the weights.

The images pass the towers twice, which costs about a third more time; the result is the gradient of the
plain step. Batch normalisation in training mode is the exception: its statistics are those of a chunk, as
they are of a process in distributed training ("ghost" batch normalisation, Hoffer et al. 2017). The
gradient is then exactly that of the model so normalised, and the running statistics move once per chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Outputs = tuple[Tensor | None, ...]


@dataclass(frozen=True)
class Side:
    """Something a step encodes.

    Parameters
    ----------
    count : int
        Rows in all.
    encode : callable
        Maps a slice of the rows to tensors whose first dimension is that slice's, or None.
    """

    count: int
    encode: Callable[[slice], Outputs]


def backward(
    model: nn.Module,
    sides: Sequence[Side],
    loss: Callable[[Sequence[Outputs]], Mapping[str, Tensor]],
    *,
    chunk: int = 0,
    share: float = 1.0,
) -> dict[str, float]:
    """Add the gradient of a loss to the weights' gradients and return the loss by parts.

    Parameters
    ----------
    model : torch.nn.Module
        Whose buffers the first of two passes must leave alone.
    sides : sequence of Side
    loss : callable
        Maps the outputs of all sides to named parts; their sum is the loss.
    chunk : int
        Rows encoded at a time; 0 for all at once, in one pass.
    share : float
        Factor of the gradient, for batches whose gradients are averaged.
    """
    if not chunk or all(side.count <= chunk for side in sides):
        return _descend(loss([side.encode(slice(0, side.count)) for side in sides]), share)
    states: list[list[_Random]] = []
    cached: list[Outputs] = []
    with torch.no_grad(), _buffers_kept(model):
        for side in sides:
            encoded: list[Outputs] = []
            states.append([])
            for rows in _chunks(side.count, chunk):
                states[-1].append(_Random.now())
                encoded.append(side.encode(rows))
            cached.append(_joined(encoded))
    leaves = [tuple(_leaf(output) for output in outputs) for outputs in cached]
    parts = _descend(loss(leaves), share)
    for side, outputs, random in zip(sides, leaves, states, strict=True):
        for rows, state in zip(_chunks(side.count, chunk), random, strict=True):
            state.restore()
            pairs = [
                (output, leaf.grad[rows])
                for output, leaf in zip(side.encode(rows), outputs, strict=True)
                if output is not None and output.requires_grad and leaf is not None and leaf.grad is not None
            ]
            if pairs:
                torch.autograd.backward([output for output, _ in pairs], [grad for _, grad in pairs])
    return parts


@dataclass(frozen=True)
class _Random:
    """The state of the random numbers: dropout must draw the same in both passes."""

    cpu: Tensor
    cuda: tuple[Tensor, ...]

    @classmethod
    def now(cls) -> _Random:
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else ()
        return cls(torch.get_rng_state(), tuple(cuda))

    def restore(self) -> None:
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(list(self.cuda))


def _descend(parts: Mapping[str, Tensor], share: float) -> dict[str, float]:
    values = torch.stack(list(parts.values()))
    (share * values.sum()).backward()  # type: ignore[no-untyped-call]
    # One transfer from the device, not one a part.
    return dict(zip(parts, values.detach().tolist(), strict=True))


def _chunks(count: int, chunk: int) -> Iterator[slice]:
    for start in range(0, count, chunk):
        yield slice(start, min(start + chunk, count))


def _joined(chunks: Sequence[Outputs]) -> Outputs:
    return tuple(
        None if columns[0] is None else torch.cat([column for column in columns if column is not None])
        for columns in zip(*chunks, strict=True)
    )


def _leaf(output: Tensor | None) -> Tensor | None:
    return None if output is None else output.detach().requires_grad_(output.is_floating_point())


@contextmanager
def _buffers_kept(model: nn.Module) -> Iterator[None]:
    """Undo what encoding does to buffers: running statistics must not count a chunk twice."""
    kept = [buffer.clone() for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, before in zip(model.buffers(), kept, strict=True):
            buffer.copy_(before)
