"""One batch: encoded, gathered, contrasted, and its gradient added to the weights'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edge_retrieve.train.batches import Batch
from edge_retrieve.train.config import LossWeights, Objective
from edge_retrieve.train.distributed import ALONE, Processes, gather, gather_targets
from edge_retrieve.train.encoding import (
    Encoded,
    ImageSide,
    LungSide,
    TextSide,
    View,
    draw_other_view,
    image_encoder,
    lung_encoder,
    text_encoder,
)
from edge_retrieve.train.gradcache import Outputs, Side, backward
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.objective import compute_losses, needs


@dataclass(frozen=True)
class StepPlan:
    """How batches of a stage are worked through.

    Parameters
    ----------
    objective : Objective
    weights : LossWeights
    bfloat16 : bool
        Run the towers in bfloat16; regions and losses stay in float32.
    chunk : int
        Rows encoded at a time; 0 for all at once.
    share : float
        Factor of the gradient: one over the batches that are accumulated.
    processes : Processes
    """

    objective: Objective
    weights: LossWeights
    bfloat16: bool = False
    chunk: int = 0
    share: float = 1.0
    processes: Processes = ALONE


def work_through(
    model: RraVl, batch: Batch, plan: StepPlan, predicted: Tensor | None, generator: torch.Generator
) -> dict[str, float]:
    """Add the gradient of a batch to the weights' gradients and return each weighted loss by name.

    Parameters
    ----------
    model : RraVl
    batch : Batch
        This process's part, on the model's device.
    plan : StepPlan
    predicted : bool Tensor of shape [B] or None
        Studies whose regions are pooled from the predicted boxes, as at query time.
    generator : torch.Generator
        Of what the objective draws besides the batch.
    """
    wanted = needs(plan.objective, plan.weights)
    view: View | None = draw_other_view(batch, generator) if wanted.other_view else None
    sides: list[Side] = []
    if wanted.image:
        encode_image = image_encoder(model, batch, predicted, view, bfloat16=plan.bfloat16)
        sides.append(Side(len(batch.pixels), encode_image))
    lung_pixels = batch.lung_pixels if wanted.lungs else None
    if lung_pixels is not None:
        find = lung_encoder(model, lung_pixels, bfloat16=plan.bfloat16)
        sides.append(Side(len(lung_pixels), find))
    if wanted.report:
        encode = text_encoder(model, batch.token_ids, batch.mask, words=True, bfloat16=plan.bfloat16)
        sides.append(Side(len(batch.token_ids), encode))
    if wanted.region_text:
        encode = text_encoder(
            model, batch.region_token_ids, batch.region_mask, words=False, bfloat16=plan.bfloat16
        )
        sides.append(Side(len(batch.region_token_ids), encode))
    targets = gather_targets(batch, plan.processes)

    def loss(outputs: Sequence[Outputs]) -> dict[str, Tensor]:
        joint = iter(
            [
                [None if tensor is None else gather(tensor, plan.processes) for tensor in output]
                for output in outputs
            ]
        )
        encoded = Encoded(
            image=ImageSide(*next(joint)) if wanted.image else None,  # type: ignore[arg-type]
            lungs=LungSide(*next(joint)) if lung_pixels is not None else None,  # type: ignore[arg-type]
            report=TextSide(*next(joint)) if wanted.report else None,  # type: ignore[arg-type]
            region_text=TextSide(*next(joint)) if wanted.region_text else None,  # type: ignore[arg-type]
        )
        return compute_losses(encoded, targets, plan.objective, plan.weights, model.logit_scale)

    return backward(model, sides, loss, chunk=plan.chunk, share=plan.share)
