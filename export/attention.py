"""Attention written out as two products and a softmax, so that engines recognise it and fuse it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from torch import nn
from transformers import PreTrainedModel

PLAIN = "eager"
"""transformers' name of attention in the textbook's operators."""


@contextmanager
def plain_attention(module: nn.Module) -> Iterator[None]:
    """Have the models of transformers in a module compute attention plainly, and as before afterwards.

    PyTorch's own attention is traced with a guard after every softmax, against rows without any key. Here it
    is without effect, and keeps OpenVINO from its fused kernel: of a ViT-B/14 in int8 that was a fifth of
    the time (docs/performance.md).

    Parameters
    ----------
    module : torch.nn.Module
    """
    with ExitStack() as stack:
        for model in module.modules():
            if isinstance(model, PreTrainedModel):
                before = model.config._attn_implementation
                if before != PLAIN:
                    model.set_attn_implementation(PLAIN)
                    stack.callback(model.set_attn_implementation, before)
        yield
