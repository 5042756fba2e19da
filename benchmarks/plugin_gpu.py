"""The RoI-align mean kernel on a GPU: error against float64, time against PyTorch, share of the roofline.

Features and boxes are random (synthetic). Kernels come from ``edge-retrieve export plugins --out DIR``, or
are compiled where there is nvcc. ``--tiny``, or a machine without a GPU, runs the kernels' source on the
processor, which shows the error only: no time of it says anything about a GPU.

    python benchmarks/plugin_gpu.py [--kernels DIR] [--batch 64] [--regions 29] [--channels 264] [--side 28]
        [--tiny] [--json]
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from recording import Circumstances, hand_over, take_out
from torch import Tensor

from edge_retrieve.export.plugins.build import build_host, build_kernels
from edge_retrieve.export.plugins.host import HostKernels
from edge_retrieve.runtime.backends.plugins.kernels import Kernels
from edge_retrieve.runtime.backends.plugins.launch import (
    FeatureMap,
    Layout,
    Precision,
    Tactic,
    padded_channels,
    plan_launch,
)
from edge_retrieve.train.model.roi_align import roi_align, roi_mean

DTYPES = {Precision.FP32: torch.float32, Precision.FP16: torch.float16}
REPEATS = 50


@dataclass(frozen=True)
class Row:
    """One method: its largest error against float64; on a GPU also median time and share of the roofline."""

    method: str
    max_error: float
    p50_us: float | None = None
    roofline: float | None = None


def inputs(arguments: argparse.Namespace, device: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (arguments.batch, arguments.channels, arguments.side, arguments.side)
    features = torch.rand(shape, generator=generator) * 2 - 1
    corners = torch.rand((arguments.batch, arguments.regions, 2, 2), generator=generator).sort(dim=2).values
    return features.to(device), corners.flatten(2).to(device)


def on_host(features: Tensor, boxes: Tensor) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        kernels = HostKernels(build_host(Path(scratch) / "kernels.so"))
        for precision, dtype in DTYPES.items():
            given = features.to(dtype)
            exact = roi_mean(given.double(), boxes.double()).numpy()
            for layout in Layout:
                pooled = kernels.pool(given.numpy(), boxes.numpy(), layout=layout)
                error = float(np.abs(pooled - exact).max())
                rows.append(Row(f"edge-retrieve {layout.value} {precision.value}, on the processor", error))
    return rows


def median_us(run: Callable[[], object]) -> float:
    """Return the median time of one call between two events of the stream, after a warm-up."""
    for _ in range(10):
        run()
    times = []
    for _ in range(REPEATS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) * 1000)
    return float(np.median(times))


def bandwidth() -> float:
    """Return bytes per second of a copy on this device, counting what is read and what is written."""
    block = torch.empty(256 * 2**20, dtype=torch.uint8, device="cuda")
    other = torch.empty_like(block)
    return 2 * block.numel() / (median_us(lambda: other.copy_(block)) / 1e6)


def on_gpu(features: Tensor, boxes: Tensor, kernels: Kernels) -> list[Row]:
    rows = []
    peak = bandwidth()
    for precision, dtype in DTYPES.items():
        given = features.to(dtype)
        exact = roi_mean(given.double(), boxes.double())
        moved = given.nbytes + boxes.nbytes + exact.numel() * given.element_size()

        def row(method: str, run: Callable[[], Tensor], exact: Tensor = exact, moved: int = moved) -> None:
            error = float((run().double() - exact).abs().max())
            elapsed = median_us(run)
            rows.append(Row(method, error, elapsed, moved / (elapsed / 1e6) / peak))

        for layout in Layout:
            for tactic in Tactic:
                run = launcher(kernels, given, boxes, layout, tactic)
                row(f"edge-retrieve {layout.value} {precision.value} {tactic.lanes} lanes", run)
                row(
                    f"edge-retrieve {layout.value} {precision.value} {tactic.lanes} lanes, graph",
                    captured(run),
                )
        small = boxes.to(dtype)
        row(f"torch matmul {precision.value}", lambda f=given, b=small: roi_mean(f, b))
        row(f"torch cells + mean {precision.value}", lambda f=given, b=small: roi_align(f, b).mean((-1, -2)))
        if importlib.util.find_spec("torchvision") is not None:
            from torchvision.ops import roi_align as peer

            side, count = given.shape[-1], boxes.shape[1]
            rois = list((small * side).unbind())

            def pooled(f: Tensor = given, b: list[Tensor] = rois, s: tuple[int, ...] = (-1, count)) -> Tensor:
                cells = peer(f, b, output_size=7, sampling_ratio=2, aligned=True)
                return cells.mean((-1, -2)).reshape(len(b), s[1], -1)

            row(f"torchvision roi_align + mean {precision.value}", pooled)
    return rows


def launcher(
    kernels: Kernels, features: Tensor, boxes: Tensor, layout: Layout, tactic: Tactic
) -> Callable[[], Tensor]:
    """Return a call that puts one launch on the current stream and returns its output."""
    batch, channels, height, width = features.shape
    precision = Precision.FP16 if features.dtype == torch.float16 else Precision.FP32
    data, stride = features.contiguous(), channels
    if layout is Layout.NHWC:
        stride = padded_channels(channels, precision)
        data = torch.zeros((batch, height, width, stride), dtype=features.dtype, device="cuda")
        data[..., :channels] = features.permute(0, 2, 3, 1)
    out = torch.empty((batch, boxes.shape[1], channels), dtype=features.dtype, device="cuda")
    shape = FeatureMap(batch, channels, height, width, layout, precision, stride)
    launch = plan_launch(shape, boxes.shape[1], tactic)
    assert launch is not None
    kernels.prepare(launch.kernel)

    def run() -> Tensor:
        stream = torch.cuda.current_stream().cuda_stream
        kernels.launch(launch, (data.data_ptr(), boxes.data_ptr(), out.data_ptr()), stream)
        return out

    return run


def captured(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Return a call that replays a launch captured in a CUDA graph."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = run()

    def replay() -> Tensor:
        graph.replay()
        return out

    return replay


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kernels", type=Path)
    for name, value in (("batch", 64), ("regions", 29), ("channels", 264), ("side", 28)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--tiny", action="store_true")
    take_out(parser)
    arguments = parser.parse_args()
    if arguments.tiny:
        arguments.batch, arguments.channels, arguments.side = 2, 40, 12
    here = Circumstances.now()
    gpu = torch.cuda.is_available() and not arguments.tiny
    device = torch.cuda.get_device_name() if gpu else "none: GPU not measured"
    if gpu:
        features, boxes = inputs(arguments, "cuda")
        with tempfile.TemporaryDirectory() as scratch:
            folder = arguments.kernels or build_kernels(Path(scratch)).files[0].parent
            rows = on_gpu(features, boxes, Kernels(folder))
    elif shutil.which("g++") is None:
        rows = []
        device += "; g++ is not installed, so nothing was run on the processor either"
    else:
        rows = on_host(*inputs(arguments, "cpu"))
    told = [f"Random features and boxes (synthetic). Device: {device}."]
    for row in rows:
        speed = (
            "" if row.p50_us is None else f"  {row.p50_us:8.1f} us  {row.roofline:5.1%} of a copy's bandwidth"
        )
        told.append(f"{row.method:48} max error {row.max_error:.1e}{speed}")
    figures: dict[str, object] = {
        "synthetic": True,
        "device": device,
        "rows": [asdict(row) for row in rows],
    }
    hand_over(here, figures, arguments, "\n".join(told))


if __name__ == "__main__":
    main()
