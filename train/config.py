"""Training configuration: frozen dataclasses read from one JSON file."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.phantom.sampling import Density

PRESETS = Path(__file__).parent / "presets"


class Objective(str, Enum):
    """What aligns images with reports: our losses, or those of a published method in the same trainer."""

    RRA_VL = "rra_vl"  # the losses that a stage's weights name
    GLOBAL_INFONCE = "global_infonce"  # whole image against whole report (ConVIRT, CLIP)
    SEMANTIC_SOFT = "semantic_soft"  # the same with soft targets from label similarity (MedCLIP)
    WORD_REGION = "word_region"  # words attend over regions (GLoRIA)
    REGION_CROPS = "region_crops"  # one region in two views of an image, without text (RegionMIR)


class Device(str, Enum):
    """Where the model trains; `AUTO` takes CUDA where there is one."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Source(str, Enum):
    """The data set to train on or to look at (`docs/datasets.md`)."""

    PHANTOM = "phantom"
    MIMIC_CXR = "mimic_cxr"
    CHEST_IMAGENOME = "chest_imagenome"
    CHEST_IMAGENOME_GOLD = "chest_imagenome_gold"
    MS_CXR = "ms_cxr"
    CHEXPERT = "chexpert"
    CHEXPERT_5X200 = "chexpert_5x200"
    PADCHEST_GR = "padchest_gr"
    VINDR_CXR = "vindr_cxr"
    NIH = "nih"
    IU_XRAY = "iu_xray"
    SITE = "site"  # a site's own folder of images and reports


class OptimiserKind(str, Enum):
    """What moves the weights."""

    MUON = "muon"
    ADAMW = "adamw"


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of RRA-VL."""

    image_size: int = 256  # pixels, side of the letterboxed square; a multiple of 32 or of a backbone's patch
    widths: tuple[int, ...] = (48, 96, 160, 224)  # channels at strides 4, 8, 16, 32
    depths: tuple[int, ...] = (1, 2, 2, 2)  # residual blocks at strides 4, 8, 16, 32
    lung_widths: tuple[int, ...] = (24, 40, 64, 96)  # channels of the lung finder at strides 4, 8, 16, 32
    feature_channels: int = 96  # channels of the stride-8 map that regions are pooled from
    salience_heads: int = 8  # attention heads of region pooling; divides feature_channels
    projection_width: int = 256  # hidden units of the region and global projections
    embedding_dim: int = 128  # dimensions of the shared space
    text_width: int = 128  # hidden units of the text encoder
    text_layers: int = 2  # transformer layers
    text_heads: int = 4  # attention heads; divides text_width
    max_text_tokens: int = 160  # tokens; longer text is cut
    feature_stride: int = 8  # pixels a feature cell spans at most, 8 or 16; without an image backbone it is 8
    image_backbone: str = ""  # folder of a transformers vision model; empty: the residual network of `widths`
    image_backbone_frozen: bool = True  # its weights stay as they are
    image_backbone_rate: float = 0.1  # its learning rate where it is tuned, as a fraction of the stage's
    text_backbone: str = ""  # folder of a BERT-like model; empty: a small one of `text_layers`
    text_backbone_frozen: bool = True  # its weights stay as they are
    text_backbone_rate: float = 0.1  # its learning rate where it is tuned, as a fraction of the stage's


@dataclass(frozen=True)
class DataConfig:
    """Where training studies come from."""

    studies: int = 6000  # phantom studies to train on
    validation_studies: int = 300  # studies of other patients to watch; of real data sets, at most
    seed: int = 1  # of the phantom archive
    density: Density = Density.CLINICAL  # findings that a training phantom shows: "clinical" or "crowded"
    render_size: int = 384  # pixels; phantoms are rendered at this side, then reduced
    cache: str = "~/.cache/edge-retrieve/phantoms"  # folder for rendered studies, reused between runs
    workers: int = 2  # processes that render
    source: Source = Source.PHANTOM  # the data set; what follows is for all but phantoms
    root: str = ""  # folder of the data set
    images: str = ""  # folder of its images where they are another download (MIMIC-CXR-JPG)
    reports: str = ""  # folder or table of its reports where they are another download
    held_out: tuple[str, ...] = ()  # folders of MS-CXR, Chest ImaGenome: their test patients are left out
    find_boxes: bool = True  # where a data set has no region boxes, take those the shipped bundle finds
    limit: int = 0  # images to train on at most; 0: all
    validation_share: float = 0.05  # fraction of patients to watch where the publisher made no split
    decoded: str = "~/.cache/edge-retrieve/decoded"  # folder for decoded images, reused between runs


@dataclass(frozen=True)
class TokenizerConfig:
    """The WordPiece tokenizer trained on the training reports."""

    vocabulary: int = 1500  # tokens at most


@dataclass(frozen=True)
class LossWeights:
    """Weight of each part of the objective; 0 leaves it out."""

    semantic_global: float = 1.0
    region_word: float = 0.5
    location_image_text: float = 0.0
    location_image_image: float = 0.0
    location_text_text: float = 0.0
    box: float = 5.0
    box_score: float = 0.5
    finding_map: float = 0.0  # only for data sets with finding masks
    lung_map: float = 0.0  # of the lung finder, on disguised images; only for data sets with lung masks
    region_finding: float = 0.0  # findings of each region, as the report states them


@dataclass(frozen=True)
class StageConfig:
    """One stage of training."""

    name: str
    epochs: int  # passes over the training studies
    learning_rate: float  # peak of the cosine schedule
    weights: LossWeights = field(default_factory=LossWeights)
    predicted_boxes: float = 0.0  # fraction of images whose regions are pooled from predicted boxes


@dataclass(frozen=True)
class TrainConfig:
    """Everything that determines a training run."""

    out: str  # folder for checkpoints and logs
    stages: tuple[StageConfig, ...]
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    start: str = ""  # checkpoint whose weights and tokenizer the run begins with; empty: random weights
    objective: Objective = Objective.RRA_VL  # others replace the alignment losses, and nothing else
    seed: int = 0  # of weights, order and augmentation
    uncertain: float = 0.5  # weight, 0 to 1, of a region whose report is unsure of a finding there
    batch: int = 64  # studies contrasted with each other, over all processes together
    chunk: int = 0  # studies encoded at a time; bounds memory, not the contrast; 0: all at once
    accumulate: int = 1  # batches whose gradients are added up before the weights move
    optimiser: OptimiserKind = OptimiserKind.MUON  # of hidden matrices and kernels; the rest has AdamW
    weight_decay: float = 0.02  # decoupled, of matrices and kernels
    warmup_steps: int = 50  # steps of linear warm-up at the start of each stage
    gradient_clip: float = 1.0  # maximum norm
    ema_decay: float = 0.998  # a step; decay of the averaged weights that are kept
    bfloat16: bool = True  # run the convolutions in bfloat16
    compile: str = ""  # torch.compile backend of the towers, such as "inductor"; empty: none
    device: Device = Device.AUTO  # where the model trains
    threads: int = 2  # CPU threads
    checkpoint_steps: int = 0  # batches between checkpoints within an epoch; 0: only after each epoch


T = TypeVar("T")


def _convert(annotation: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return _build(annotation, value, where)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        try:
            return annotation(value)
        except ValueError:
            known = ", ".join(str(member.value) for member in annotation)
            raise ConfigError(f"expected one of {known}; found {value!r}", where=where) from None
    origin = typing.get_origin(annotation)
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError("expected a list", where=where)
        item = typing.get_args(annotation)[0]
        return tuple(_convert(item, entry, f"{where}[{i}]") for i, entry in enumerate(value))
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not annotation:
        expected = getattr(annotation, "__name__", str(annotation))
        raise ConfigError(f"expected {expected}, found {value!r}", where=where)
    return value


def _build(cls: type[T], raw: Any, where: str) -> T:
    if not isinstance(raw, Mapping):
        raise ConfigError("expected an object", where=where)
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(raw) - set(fields))
    if unknown:
        raise ConfigError(
            f"unknown setting {', '.join(unknown)}",
            where=where,
            remedy=f"Known are: {', '.join(sorted(fields))}",
        )
    missing = [
        name
        for name, f in fields.items()
        if name not in raw and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"missing setting {', '.join(missing)}", where=where)
    return cls(**{name: _convert(hints[name], value, f"{where}.{name}") for name, value in raw.items()})


def _check_model(model: ModelConfig, where: str) -> None:
    if not (len(model.widths) == len(model.depths) == 4):
        raise ConfigError("widths and depths need four entries each", where=where)
    counts = {
        name: value
        for name, value in dataclasses.asdict(model).items()
        if isinstance(value, int) and not isinstance(value, bool)
    }
    counts |= {"widths": min(model.widths), "depths": min(model.depths)}
    for name, value in counts.items():
        least = 0 if name == "text_layers" else 1  # without layers, a text is the mean of its tokens
        if value < least:
            raise ConfigError(f"must be at least {least}, found {value}", where=f"{where}.{name}")
    if model.image_size % 32 and not model.image_backbone:
        raise ConfigError("must be a multiple of 32", where=f"{where}.image_size")
    if model.feature_channels % model.salience_heads:
        raise ConfigError("must divide feature_channels", where=f"{where}.salience_heads")
    if model.text_width % model.text_heads:
        raise ConfigError("must divide text_width", where=f"{where}.text_heads")
    if model.max_text_tokens < 2:
        raise ConfigError(
            "a text's first and last marks alone are 2 tokens", where=f"{where}.max_text_tokens"
        )
    if model.feature_stride not in (8, 16):
        raise ConfigError("must be 8 or 16", where=f"{where}.feature_stride")
    if model.feature_stride != 8 and not model.image_backbone:
        raise ConfigError("is 8 without an image backbone", where=f"{where}.feature_stride")
    for name in ("image_backbone_rate", "text_backbone_rate"):
        if not 0 < getattr(model, name) <= 1:
            raise ConfigError("must be above 0 and at most 1", where=f"{where}.{name}")


def parse_config(raw: Mapping[str, Any], *, where: str = "config") -> TrainConfig:
    """Build a configuration from parsed JSON.

    Raises
    ------
    ConfigError
        For an unknown, missing or mistyped setting, or sizes that do not fit each other.
    """
    config = _build(TrainConfig, raw, where)
    _check_model(config.model, f"{where}.model")
    if not 0 < config.data.validation_share < 1:
        raise ConfigError("must lie between 0 and 1", where=f"{where}.data.validation_share")
    if config.data.limit < 0:
        raise ConfigError("must not be negative", where=f"{where}.data.limit")
    if not config.stages:
        raise ConfigError("needs at least one stage", where=f"{where}.stages")
    if config.batch < 2:
        raise ConfigError("contrast needs at least 2 studies a step", where=f"{where}.batch")
    if not 0 <= config.uncertain <= 1:
        raise ConfigError("must be 0 to 1", where=f"{where}.uncertain")
    if config.accumulate < 1:
        raise ConfigError("must be at least 1", where=f"{where}.accumulate")
    for name in ("chunk", "checkpoint_steps"):
        if getattr(config, name) < 0:
            raise ConfigError("must not be negative", where=f"{where}.{name}")
    return config


def load_config(path: Path) -> TrainConfig:
    """Read a configuration file; the bare name of a shipped preset (``demo``) works too.

    Raises
    ------
    ConfigError
        Where the file is missing, is not JSON, or `parse_config` refuses it.
    """
    preset = PRESETS / f"{path}.json"
    if not path.exists() and preset.is_file():
        path = preset
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = ", ".join(sorted(p.stem for p in PRESETS.glob("*.json")))
        raise ConfigError("no such file", where=str(path), remedy=f"Presets are: {names}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"not readable as JSON ({error})", where=str(path)) from None
    return parse_config(raw, where=path.name)


def config_to_json(config: TrainConfig) -> str:
    """Return a configuration as JSON text that `load_config` reads back equal."""
    return json.dumps(dataclasses.asdict(config), indent=2)
