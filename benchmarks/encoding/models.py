"""The towers that `encode.py` compares, and every ONNX form of them."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn
from torch.export import Dim
from towers import TEXT, VISION, shaped
from transformers import Dinov2Config, Dinov2Model

from edge_retrieve.export.attention import plain_attention
from edge_retrieve.export.float16 import to_float16
from edge_retrieve.export.graphs import Graph, build_graphs
from edge_retrieve.export.int8 import to_int8
from edge_retrieve.export.joining import joined
from edge_retrieve.runtime.preprocess import letterbox
from edge_retrieve.train.checkpoint import load_trained
from edge_retrieve.train.config import load_config
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.model.image_backbone import ImageBackboneSpec
from edge_retrieve.train.model.pixel_scaling import PixelScaling
from edge_retrieve.train.model.towers import StoredBackbones
from edge_retrieve.train.phantom.display import display_values
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.sampling import Split, sample_archive

FloatArray = npt.NDArray[np.float32]

OPSET = 18
CALIBRATION = 4  # phantoms
SMALLEST = 256  # pixels: a phantom is rendered no smaller, and scaled down


@dataclass(frozen=True)
class Tower:
    """What is encoded with, and what on.

    Parameters
    ----------
    name : str
    graph : Graph
        Its first input is the pixels.
    output : int
        Position of the output whose rows are compared.
    whole : bool
        Whether all of it runs in bfloat16, rather than what autocast chooses.
    region : Graph
        The region encoder of the preset at this size: what probing one more box of an encoded image takes.
    """

    name: str
    graph: Graph
    output: int
    whole: bool
    region: Graph


class Tokens(nn.Module):
    """The last hidden state of a vision transformer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
        """Return the tokens of pixels [B, 3, S, S]."""
        return (self.model(pixel_values=pixels).last_hidden_state,)


def demo_tower(checkpoint: Path | None, *, tiny: bool) -> Tower:
    if checkpoint is not None:
        model = load_trained(checkpoint).model
    else:
        torch.manual_seed(0)
        config, stored = shaped("demo", tiny=tiny)
        model = RraVl(config.model, 200, stored)
    graph, region, _ = build_graphs(model.eval())
    return Tower("demo", graph, graph.outputs.index("global"), whole=False, region=region)


def base_tower(*, tiny: bool) -> Tower:
    torch.manual_seed(0)
    cut = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2} if tiny else {}
    side = 56 if tiny else 224
    config = Dinov2Config(image_size=side, patch_size=14, attn_implementation="sdpa", **cut)
    model = Dinov2Model(config).eval()
    with torch.no_grad():  # so that no two tensors are alike, and an exporter cannot merge them
        for weights in model.parameters():
            if weights.ndim == 1:
                weights.add_(0.02 * torch.randn_like(weights))
    example = (torch.rand(2, 3, side, side),)
    batch = ({0: Dim("batch")},)
    return Tower(
        "ViT-B/14 at 224",
        Graph("vit", Tokens(model), example, ("pixels",), ("tokens",), batch),
        0,
        whole=True,
        region=base_region(side),
    )


def base_region(side: int) -> Graph:
    """Return the region encoder of the preset `base` at that size; two layers of its towers will do."""
    config = load_config(Path("base")).model
    config = replace(config, image_size=side)
    vision = json.dumps({**VISION, "num_hidden_layers": 2, "image_size": side})
    text = json.dumps({**TEXT, "num_hidden_layers": 2})
    scaling = PixelScaling((0.53,) * 3, (0.26,) * 3)
    stored = StoredBackbones(ImageBackboneSpec(vision, scaling, side), text)
    return build_graphs(RraVl(config, 200, stored).eval())[1]


def phantoms(count: int, like: torch.Tensor) -> FloatArray:
    """Return phantom X-rays [count, C, S, S] as a tower takes them."""
    channels, side = like.shape[1], like.shape[2]
    plan = sample_archive(count, 990_005, split=Split.TEST)
    shown = [letterbox(display_values(render(study.spec, max(side, SMALLEST))), side)[0] for study in plan]
    return np.repeat(np.stack(shown), channels, axis=1).astype(np.float32)


def write_forms(tower: Tower, folder: Path) -> dict[str, Path]:
    """Write the tower as ONNX in every form, and return the files by the form's name; `region` is int8."""
    graph = tower.graph
    exact = exported(graph)
    feeds = [{"pixels": each[None]} for each in phantoms(CALIBRATION, graph.example[0])]
    forms = {"fp32": exact, "fp16": to_float16(exact), "int8": to_int8(joined(exact), feeds)}
    forms["region"] = to_int8(joined(exported(tower.region)), [region_inputs(tower)])
    files = {}
    for name, model in forms.items():
        files[name] = folder / f"{name}.onnx"
        onnx.save(model, files[name])
    files["dynamic"] = folder / "dynamic.onnx"
    quantize_dynamic(
        files["fp32"],
        files["dynamic"],
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    return files


def region_inputs(tower: Tower) -> dict[str, FloatArray]:
    """Return an encoded image and one box of it, as the region encoder takes them."""
    features, boxes = (each[:1] for each in tower.region.example)
    return {"features": features.numpy(), "boxes": boxes[:, :1].contiguous().numpy()}


def exported(graph: Graph) -> onnx.ModelProto:
    with warnings.catch_warnings(), plain_attention(graph.module), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # on torchvision, which is not needed
        program = torch.onnx.export(
            graph.module,
            graph.example,
            dynamo=True,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_shapes=graph.dynamic,
            opset_version=OPSET,
            verbose=False,
        )
    return onnx.shape_inference.infer_shapes(program.model_proto)
