"""What the towers of the presets cost: images a second and memory, of a training step and of encoding.

Run ``python benchmarks/towers.py``; it prints one JSON object. Weights are random and the images noise: cost
depends on neither. ``base`` has the shapes of its folders (ViT-B/14 as RAD-DINO, BERT-base as CXR-BERT),
which are not needed. Each case runs in a process of its own, whose highest memory is what is reported. Time
is that of the clock and of the CPU: on a machine that does other work, only the second can be compared.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recording import Circumstances, hand_over, take_out

from edge_retrieve.train.batches import Batch, make_batch
from edge_retrieve.train.config import Device, ModelConfig, TrainConfig, load_config
from edge_retrieve.train.datasets.corpus import Corpus, LesionMasks, supervise
from edge_retrieve.train.device import chosen_device, move_batch
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.model.image_backbone import ImageBackboneSpec
from edge_retrieve.train.model.pixel_scaling import PixelScaling
from edge_retrieve.train.model.towers import StoredBackbones
from edge_retrieve.train.optimiser import build_optimiser
from edge_retrieve.train.step import StepPlan, work_through
from edge_retrieve.train.text_bank import TextBank
from edge_retrieve.train.tokenizer import train_tokenizer

VISION = {"model_type": "dinov2", "patch_size": 14}  # the library's defaults are ViT-B
TEXT = {"model_type": "bert"}  # and BERT-base
SMALLER = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
REPORTS = (
    "There is a nodule in the right upper lung. The heart is normal in size.",
    "The lungs are clear. No pleural effusion or pneumothorax.",
    "Small left pleural effusion. The heart is enlarged.",
    "Consolidation in the left lower lung zone. No pneumothorax.",
)


@dataclass(frozen=True)
class Case:
    """One tower, precision and kind of work.

    Parameters
    ----------
    tower : str
        Preset, or ``base, frozen``: the same with both backbones as they are.
    precision : str
        ``fp32`` or ``bf16`` (the towers; regions and losses are float32 in both).
    work : str
        ``train`` (forward, backward and optimiser) or ``encode`` (image to features, boxes and 29 regions).
    """

    tower: str
    precision: str
    work: str


@dataclass(frozen=True)
class Cost:
    """What a case costs.

    Parameters
    ----------
    images_per_second, cpu_seconds_per_image : float
        Medians.
    peak_mb : float
        Highest resident memory of the process, or memory allocated on the GPU, in 10**6 bytes.
    parameters, trained : float
        In millions.
    features : list of int
        Channels and cells of the feature map.
    """

    images_per_second: float
    cpu_seconds_per_image: float
    peak_mb: float
    parameters: float
    trained: float
    features: list[int]


def shaped(tower: str, *, tiny: bool) -> tuple[TrainConfig, StoredBackbones]:
    preset, _, frozen = tower.partition(", ")
    config = load_config(Path(preset))
    model: ModelConfig = config.model
    if tiny:
        model = replace(model, image_size=56 if model.image_backbone else 64, widths=(8, 8, 16, 16))
        model = replace(model, depths=(1, 1, 1, 1), feature_channels=16, projection_width=32)
    if frozen:
        model = replace(model, image_backbone_frozen=True, text_backbone_frozen=True)
    stored = StoredBackbones()
    if model.image_backbone:
        cut = SMALLER if tiny else {}
        vision = json.dumps({**VISION, **cut, "image_size": model.image_size})
        scaling = PixelScaling((0.53,) * 3, (0.26,) * 3)
        text = json.dumps({**TEXT, **cut, **({"intermediate_size": 128} if tiny else {})})
        stored = StoredBackbones(ImageBackboneSpec(vision, scaling, model.image_size), text)
    return replace(config, model=model), stored


def noise(config: TrainConfig, studies: int) -> tuple[Batch, int]:
    """Return a batch as training makes it, of noise, and the tokens of its tokenizer."""
    generator = np.random.default_rng(0)
    reports = [REPORTS[n % len(REPORTS)] for n in range(studies)]
    side = config.model.image_size
    corners = np.sort(generator.random((studies, 29, 2, 2), dtype=np.float32), axis=2)
    labels, texts = supervise(reports)
    masks = generator.integers(0, 2, (studies, 64, 64), dtype=np.uint8) * 255
    corpus = Corpus(
        pixels=generator.integers(0, 256, (studies, side, side), dtype=np.uint8),
        boxes=corners.reshape(studies, 29, 4),
        patients=np.arange(studies) // 2,
        reports=reports,
        labels=labels,
        region_texts=texts,
        lesions=LesionMasks(np.arange(studies), np.zeros(studies, dtype=np.int64), masks),
    )
    tokenizer = train_tokenizer(reports, 200)
    rows = np.arange(studies)
    limit = config.model.max_text_tokens
    batch = make_batch(corpus, rows, tokenizer, limit, (0,), TextBank(corpus))
    return batch, tokenizer.get_vocab_size()


def measure(case: Case, tiny: bool, studies: int, repeats: int, device: str) -> Cost:
    place = chosen_device(Device(device))
    config, stored = shaped(case.tower, tiny=tiny)
    batch, vocabulary = noise(config, studies)
    batch = move_batch(batch, place)
    model = RraVl(config.model, vocabulary, stored).to(place, memory_format=torch.channels_last)
    reduced = case.precision == "bf16"
    if case.work == "train":
        work = training(model.train(), config, batch, reduced)
    else:
        work = encoding(model.eval(), batch, reduced)
    work()
    clock, cpu = [], []
    for _ in range(repeats):
        began, busy = time.perf_counter(), time.process_time()
        work()
        if place.type == "cuda":
            torch.cuda.synchronize()
        clock.append(time.perf_counter() - began)
        cpu.append(time.process_time() - busy)
    with torch.no_grad():
        features = model.eval().encode_image(batch.pixels[:1]).features
    values = list(model.parameters())
    return Cost(
        images_per_second=round(studies / statistics.median(clock), 3),
        cpu_seconds_per_image=round(statistics.median(cpu) / studies, 4),
        peak_mb=round(peak_bytes(place) / 1e6, 1),
        parameters=round(sum(value.numel() for value in values) / 1e6, 2),
        trained=round(sum(value.numel() for value in values if value.requires_grad) / 1e6, 2),
        features=list(features.shape[1:]),
    )


def training(model: RraVl, config: TrainConfig, batch: Batch, reduced: bool) -> Callable[[], None]:
    optimiser = build_optimiser(model, config.optimiser, config.weight_decay)
    plan = StepPlan(config.objective, config.stages[-1].weights, bfloat16=reduced)
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        work_through(model, batch, plan, None, generator)
        optimiser.step()
        optimiser.zero_grad()

    return step


def encoding(model: RraVl, batch: Batch, reduced: bool) -> Callable[[], None]:
    pixels = batch.pixels.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def encode() -> None:
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=reduced):
            image = model.encode_image(pixels)
        model.encode_regions(image.features.float(), image.boxes.float())

    return encode


def peak_bytes(place: torch.device) -> int:
    if place.type == "cuda":
        return torch.cuda.max_memory_allocated()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not say how much memory a process took")


def alone(*arguments: Any) -> Cost:
    """Measure in a forked process, whose memory is its own; nothing has run in this one before."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(measure, arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="small shapes, one repeat: does it run?")
    parser.add_argument("--towers", default="demo;small;base, frozen;base", help="separated by semicolons")
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--studies", type=int, default=4, help="images a step")
    parser.add_argument("--repeats", type=int, default=3, help="of which the median is taken")
    parser.add_argument("--device", default="cpu", choices=[each.value for each in Device])
    take_out(parser)
    options = parser.parse_args()
    here = Circumstances.now()
    studies, repeats = (2, 1) if options.tiny else (options.studies, options.repeats)
    rows = []
    for tower in options.towers.split(";"):
        for precision in options.precisions.split(","):
            for work in ("train", "encode"):
                case = Case(tower, precision, work)
                cost = alone(case, options.tiny, studies, repeats, options.device)
                rows.append({**asdict(case), **asdict(cost)})
    figures: dict[str, object] = {
        "device": options.device,
        "threads": torch.get_num_threads(),
        "images_per_step": studies,
        "tiny": options.tiny,
        "rows": rows,
    }
    hand_over(here, figures, options, json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
