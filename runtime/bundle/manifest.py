"""What a bundle says of itself: the manifest and its parts, as types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.bundle.patterns import FINGERPRINT, SIGNATURE_VALUE, Digest, FileName
from edge_retrieve.runtime.bundle.score_curves import ScoreCalibration

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 4 << 20
REGION_NAMES = tuple(region.value for region in REGIONS)


class Graph(str, Enum):
    """The three graphs of a model."""

    IMAGE_ENCODER = "image_encoder"
    REGION_ENCODER = "region_encoder"
    TEXT_ENCODER = "text_encoder"


class Precision(str, Enum):
    """The number format a graph computes in."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


class RoiAlign(str, Enum):
    """How a graph spells RoI-align: the standard operator, matrix products, or our TensorRT plugin."""

    ONNX = "onnx"
    MATMUL = "matmul"
    PLUGIN = "plugin"


class SignatureAlgorithm(str, Enum):
    """How a manifest is signed."""

    ED25519 = "ed25519"


# Of a field that a manifest may leave out, and does where it holds its default.
_OPTIONAL = {"optional": True}


@dataclass(frozen=True)
class GraphForm:
    """One of the forms in which a bundle holds a graph.

    Parameters
    ----------
    graph : Graph
    precision : Precision
    file : str
        Of the bundle, ONNX.
    opset : int
        Version of the ``ai.onnx`` operator set.
    roi_align : RoiAlign, optional
        Of a region encoder.
    float32_islands : tuple of str
        Names of the nodes that compute in float32 all the same.
    """

    graph: Graph
    precision: Precision
    file: FileName
    opset: int
    roi_align: RoiAlign | None = field(default=None, metadata=_OPTIONAL)
    float32_islands: tuple[str, ...] = field(default=(), metadata=_OPTIONAL)


@dataclass(frozen=True)
class FormParity:
    """How near one form of the model computes to the checkpoint in PyTorch, float32.

    Parameters
    ----------
    precision : Precision
    passed : bool
        Whether every bound was kept.
    figures : mapping of str to float
        Measured, by name.
    bounds : mapping of str to float
        What was asked for, by the names of the figures.
    roi_align : RoiAlign, optional
        Where it was measured for one spelling only.
    """

    precision: Precision
    passed: bool
    figures: Mapping[str, float]
    bounds: Mapping[str, float]
    roi_align: RoiAlign | None = field(default=None, metadata=_OPTIONAL)

    def __bool__(self) -> bool:
        return self.passed


@dataclass(frozen=True)
class Calibration:
    """What the ranges of the int8 graphs were set on.

    Parameters
    ----------
    method : str
        Such as ``minmax`` or ``percentile``.
    data : str
        In words.
    samples : int
        How many images were drawn; blank ones and noise come on top.
    """

    method: str
    data: str
    samples: int


@dataclass(frozen=True)
class FusionWeights:
    """What each of the four cosines between a query and a case counts; only their proportions matter.

    Parameters
    ----------
    image_to_image, image_to_text : float
        Of the query's image with the case's image, and with its report. Not below zero.
    text_to_image, text_to_text : float
        Of the query's text with the case's image, and with its report.
    """

    image_to_image: float
    image_to_text: float
    text_to_image: float
    text_to_text: float


@dataclass(frozen=True)
class Fusion:
    """How the cosines of images and texts make one score.

    Parameters
    ----------
    conditioned : FusionWeights
        Of queries about a region.
    unconditioned : FusionWeights
    data : str
        In words: what the weights were tuned on.
    """

    conditioned: FusionWeights
    unconditioned: FusionWeights
    data: str


@dataclass(frozen=True)
class Engine:
    """A graph compiled for certain GPUs by a certain library.

    Parameters
    ----------
    file : str
        Of the bundle.
    graph : Graph
    precision : Precision
    library : str
        ``tensorrt`` or ``tensorrt-rtx``.
    library_version : str
        That built it, such as ``10.3.0``.
    compute_capabilities : tuple of str
        Such as ``8.7``, of the GPUs it runs on.
    gpu_name : str, optional
        Of the GPU it was built on; an engine built ahead of time has none.
    """

    file: FileName
    graph: Graph
    precision: Precision
    library: str
    library_version: str
    compute_capabilities: tuple[str, ...]
    gpu_name: str | None = field(default=None, metadata=_OPTIONAL)


@dataclass(frozen=True)
class Signature:
    """Who vouches for a manifest.

    Parameters
    ----------
    algorithm : SignatureAlgorithm
    key : str
        Fingerprint of the public key, as ``ssh-keygen -l`` prints it.
    value : str
        The signature's 64 bytes, base64.
    """

    algorithm: SignatureAlgorithm
    key: Annotated[str, FINGERPRINT]
    value: Annotated[str, SIGNATURE_VALUE]


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself.

    Parameters
    ----------
    model_id : str
        Name and version of the model.
    image_size : int
        Side of the letterboxed square the image encoder takes, pixels.
    embedding_dim : int
        Length D of every embedding.
    feature_channels : int
        Channels C of the feature map.
    feature_stride : int
        Model pixels per cell of the feature map.
    max_text_tokens : int
        Longer texts are cut here.
    training_data : str
        In words: what the model was trained on.
    precision : Precision
        Of the graphs' arithmetic.
    regions : tuple of str
        The region names in the order of the model's outputs.
    image_encoder, region_encoder, text_encoder, tokenizer : str
        File names inside the bundle.
    evaluation : mapping of str to float
        Measured figures, by name.
    thresholds : mapping of str to float
        Decision levels, such as ``box_score_flag`` (a box below it is doubtful) and ``abstain_below``
        (no hit at or above this score: no sufficiently similar case; while scores are not calibrated).
    files : mapping of str to str
        SHA-256 hex digest of every file but the manifest; filled in by `write_bundle`.
    schema_version : int
    forms : tuple of GraphForm
        Every ONNX form of every graph, the default ones above included; empty where there are no others.
    parity : tuple of FormParity
    calibration : Calibration, optional
    finding_channels : tuple of str
        Findings whose odds, cell by cell, are the last channels of the feature map, in this order; empty
        where the model has none.
    fusion : Fusion, optional
        All four cosines count the same where there is none.
    score_calibration : ScoreCalibration, optional
        Without it the scores say nothing of how sure a hit is.
    engines : tuple of Engine
    signature : Signature, optional
        Over all the rest; absent from an unsigned bundle.
    """

    model_id: str
    image_size: int
    embedding_dim: int
    feature_channels: int
    feature_stride: int
    max_text_tokens: int
    training_data: str
    precision: Precision = Precision.FP32
    regions: tuple[str, ...] = REGION_NAMES
    image_encoder: FileName = "image_encoder.onnx"
    region_encoder: FileName = "region_encoder.onnx"
    text_encoder: FileName = "text_encoder.onnx"
    tokenizer: FileName = "tokenizer.json"
    evaluation: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[FileName, Digest] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    forms: tuple[GraphForm, ...] = field(default=(), metadata=_OPTIONAL)
    parity: tuple[FormParity, ...] = field(default=(), metadata=_OPTIONAL)
    calibration: Calibration | None = field(default=None, metadata=_OPTIONAL)
    finding_channels: tuple[str, ...] = field(default=(), metadata=_OPTIONAL)
    fusion: Fusion | None = field(default=None, metadata=_OPTIONAL)
    score_calibration: ScoreCalibration | None = field(default=None, metadata=_OPTIONAL)
    engines: tuple[Engine, ...] = field(default=(), metadata=_OPTIONAL)
    signature: Signature | None = field(default=None, metadata=_OPTIONAL)
