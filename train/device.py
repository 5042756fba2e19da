"""Where training computes."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from edge_retrieve.runtime.errors import TrainingError
from edge_retrieve.train.batches import Batch
from edge_retrieve.train.config import Device


def chosen_device(device: Device, rank: int = 0) -> torch.device:
    """Return the device of a setting; processes of one machine take its GPUs in turn.

    Raises
    ------
    TrainingError
        CUDA is asked for and not there.
    """
    there = torch.cuda.is_available()
    if device is Device.CUDA and not there:
        raise TrainingError(
            "this machine has no CUDA device that PyTorch can use",
            where="config.device",
            remedy='Use "cpu" or "auto", or install the CUDA build of PyTorch and its driver',
        )
    if device is Device.CPU or not there:
        return torch.device("cpu")
    return torch.device("cuda", rank % torch.cuda.device_count())


def move_batch(batch: Batch, device: torch.device) -> Batch:
    """Return a batch on a device."""
    if device.type == "cpu":
        return batch
    moved = {
        entry.name: value.to(device, non_blocking=True)
        for entry in dataclasses.fields(batch)
        if isinstance(value := getattr(batch, entry.name), Tensor)
    }
    return dataclasses.replace(batch, **moved)
