"""Encoding an image on the CPU: every form of ours against PyTorch and OpenVINO, on the same weights.

Run ``python benchmarks/encode.py --out DIR``: it prints a table and writes ``encode.json`` and ``encode.md``.
Two towers: the image encoder of the demo preset (``--checkpoint`` takes a trained one), and a ViT-B/14 at 224
pixels, the size of the preset ``base``. Without a checkpoint weights are random: what an engine takes does
not depend on them. Cosines are of each form with PyTorch's own float32 output, on phantoms; weights that
were never trained have no outliers, so for int8 they are no proof of a trained model's parity.
All cases of a tower and batch take turns. Rows named ``edge-retrieve`` go through the runtime's own backends.
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from encoding.models import Tower, base_tower, demo_tower, phantoms, region_inputs, write_forms
from recording import Circumstances

from edge_retrieve.runtime.backends.base import Backend, Runner
from edge_retrieve.runtime.backends.onnxruntime_runner import OnnxRuntimeRunner
from edge_retrieve.runtime.backends.openvino_runner import OpenVinoRunner, load_openvino
from edge_retrieve.runtime.errors import EdgeRetrieveError
from edge_retrieve.runtime.timing import take_turns

FloatArray = npt.NDArray[np.float32]
Encode = Callable[[], FloatArray]

OURS, EAGER, BOX = "edge-retrieve", "PyTorch eager fp32", "one more box, int8"
# Threads of PyTorch and ONNX Runtime look for work for a while after a call: the next case waits for them.
PAUSE = 0.05  # seconds
# The least cosine that a form may have, by what its method's name says.
BOUNDS = {"int8": 0.99, "fp16": 0.9995, "bf16": 0.9995, "fp32": 0.99999}


@dataclass(frozen=True)
class Row:
    """What one way of encoding takes; ``speedup`` is of the median, against PyTorch eager float32."""

    tower: str
    batch: int
    method: str
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    runs: int
    speedup: float
    cpu_speedup: float
    cosine: float
    bound: float

    @property
    def kept(self) -> bool:
        """Whether the form is as near as its precision asks for."""
        return self.cosine >= self.bound


def in_torch(module: Callable[..., Any], tower: Tower, pixels: FloatArray, *, reduced: bool) -> Encode:
    image = torch.from_numpy(pixels)
    if reduced and tower.whole:
        image = image.bfloat16()
    cast = torch.autocast("cpu", torch.bfloat16) if reduced and not tower.whole else nullcontext()

    def encode() -> FloatArray:
        with torch.no_grad(), cast:
            return module(image)[tower.output].float().numpy()

    return encode


def in_runner(runner: Runner, tower: Tower, pixels: FloatArray) -> Encode:
    output = tower.graph.outputs[tower.output]
    return lambda: runner.run({"pixels": pixels})[output]


def in_openvino(path: Path, tower: Tower, pixels: FloatArray, threads: int) -> Encode:
    """OpenVINO as its documentation uses it: it chooses the arithmetic."""
    core = load_openvino().Core()
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    request = core.compile_model(core.read_model(str(path)), "CPU", options).create_infer_request()
    output = tower.graph.outputs[tower.output]
    return lambda: request.infer({"pixels": pixels}, share_inputs=True)[output]


def methods(
    tower: Tower, files: dict[str, Path], threads: int, *, compiled: bool
) -> Iterator[tuple[str, Callable[[], Callable[[FloatArray], Encode]]]]:
    """Yield every method's name, and what opens it once for all batches."""
    module = tower.graph.module
    half = copy.deepcopy(module).bfloat16() if tower.whole else module
    for name, form, reduced in (("fp32", module, False), ("bf16", half, True)):
        yield f"PyTorch eager {name}", lambda f=form, r=reduced: partial(in_torch, f, tower, reduced=r)
        if compiled:
            yield (
                f"torch.compile {name}",
                lambda f=form, r=reduced: partial(in_torch, torch.compile(f), tower, reduced=r),
            )

    def ours(open_one: Callable[[], Runner]) -> Callable[[FloatArray], Encode]:
        return partial(in_runner, open_one(), tower)

    def peer(path: Path) -> Callable[[FloatArray], Encode]:
        load_openvino()  # says at once where it is missing
        return lambda pixels: in_openvino(path, tower, pixels, threads)

    on_cpu = partial(OnnxRuntimeRunner, backend=Backend.CPU, threads=threads)
    in_vino = partial(OpenVinoRunner, threads=threads)
    yield "ONNX Runtime int8, dynamic", lambda: ours(lambda: on_cpu(files["dynamic"]))
    for form in ("fp32", "int8"):
        name = f"OpenVINO by itself, {form} graph{' (bf16 where it can)' if form == 'fp32' else ''}"
        yield name, lambda f=form: peer(files[f])
    for form in ("fp32", "fp16", "int8"):
        yield f"{OURS} {form}, cpu", lambda f=form: ours(lambda: on_cpu(files[f]))
        yield f"{OURS} {form}, openvino", lambda f=form: ours(lambda: in_vino(files[f]))


def one_more_box(tower: Tower, path: Path) -> tuple[Encode, FloatArray]:
    """Return how a box of an encoded image is probed, whatever encoded it, and what PyTorch makes of it."""
    inputs = region_inputs(tower)
    with torch.no_grad():
        expected = tower.region.module(*(torch.from_numpy(each) for each in inputs.values())).numpy()
    runner = OnnxRuntimeRunner(path, Backend.CPU, threads=1)  # as `open_graphs` does
    return lambda: runner.run(inputs)["regions"], expected


def in_turn(*cases: Encode) -> None:
    for case in cases:
        case()


def measure(tower: Tower, batches: list[int], seconds: float, threads: int, *, compiled: bool) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="edge-retrieve-encode-") as scratch:
        say(f"{tower.name}: writing every form")
        opened = {}
        files = write_forms(tower, Path(scratch))
        for name, opener in methods(tower, files, threads, compiled=compiled):
            try:
                opened[name] = opener()
            except EdgeRetrieveError as error:
                say(f"left out: {name}: {error}")
        box, boxed = one_more_box(tower, files["region"])
        for batch in batches:
            pixels = phantoms(batch, tower.graph.example[0])
            cases = {name: take(pixels) for name, take in opened.items()}
            before = dict.fromkeys(cases, partial(time.sleep, PAUSE))
            if batch == 1:
                cases[BOX] = box
                # In use the image has just been encoded, here by our fastest form, and its regions after it.
                fastest = next(name for name in reversed(opened) if name.startswith(f"{OURS} int8"))
                before[BOX] = partial(in_turn, cases[fastest], box)
            found = {name: encode() for name, encode in cases.items()}
            began = time.perf_counter()
            for encode in cases.values():
                encode()
            runs = int(np.clip(seconds / (time.perf_counter() - began), 3, 100))
            say(f"{tower.name}, batch {batch}: {runs} rounds")
            taken = take_turns(cases, runs, warm_up=1, before=before)
            for name, took in taken.items():
                rows.append(
                    Row(
                        tower=tower.name,
                        batch=batch,
                        method=name,
                        **asdict(took),
                        speedup=round(taken[EAGER].p50_ms / took.p50_ms, 3),
                        cpu_speedup=round(taken[EAGER].cpu_ms / took.cpu_ms, 3),
                        cosine=round(smallest_cosine(found[name], boxed if name == BOX else found[EAGER]), 6),
                        bound=bound_of(name),
                    )
                )
    return rows


def smallest_cosine(first: FloatArray, second: FloatArray) -> float:
    a, b = first.astype(np.float64), second.astype(np.float64)
    return float(((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)).min())


def bound_of(method: str) -> float:
    return min((bound for form, bound in BOUNDS.items() if form in method), default=1.0)


def summary(rows: list[Row]) -> list[dict[str, Any]]:
    """Return, for each tower and batch, our fastest form within its bound against the others."""
    found = []
    for tower, batch in dict.fromkeys((row.tower, row.batch) for row in rows):
        here = [row for row in rows if (row.tower, row.batch) == (tower, batch)]
        ours = min((row for row in here if row.method.startswith(OURS) and row.kept), key=lambda r: r.p50_ms)
        vino = [row.p50_ms for row in here if row.method.startswith("OpenVINO")]
        box = [row.p50_ms for row in here if row.method == BOX]
        found.append(
            {
                "tower": tower,
                "batch": batch,
                "fastest": ours.method,
                "against_eager_fp32": ours.speedup,
                "openvino_best_against_it": round(min(vino) / ours.p50_ms, 3) if vino else None,
                "one_more_box_of_an_encode": round(box[0] / ours.p50_ms, 4) if box else None,
            }
        )
    return found


def markdown(result: dict[str, Any], rows: list[Row]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    lines = [f"{result['machine']}, {result['threads']} threads, {versions}", ""]
    for tower, batch in dict.fromkeys((row.tower, row.batch) for row in rows):
        lines += [f"{tower}, batch {batch}:", ""]
        lines += [
            "| method | p50 ms | p99 ms | times eager fp32 | by CPU time | cosine |",
            "|---|--:|--:|--:|--:|--:|",
        ]
        here = [row for row in rows if (row.tower, row.batch) == (tower, batch)]
        for row in sorted(here, key=lambda row: row.p50_ms):
            times = f"{row.p50_ms:.2f} | {row.p99_ms:.2f} | {row.speedup:.2f} | {row.cpu_speedup:.2f}"
            lines.append(f"| {row.method} | {times} | {row.cosine:.5f}{'' if row.kept else ' (misses)'} |")
        lines.append("")
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, flush=True, file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--tiny", action="store_true", help="small shapes, few runs, nothing compiled: does it run?"
    )
    parser.add_argument("--towers", default="demo,base", help="separated by commas")
    parser.add_argument("--batches", default="1,16", help="separated by commas")
    parser.add_argument("--seconds", type=float, default=15, help="of measuring, for each tower and batch")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--checkpoint", type=Path, help="weights of the demo tower")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--out", type=Path, help="folder for encode.json and encode.md")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    compiled = not (asked.tiny or asked.no_compile)
    if compiled and not shutil.which("g++"):
        say("left out: torch.compile (it needs g++)")
        compiled = False
    here = Circumstances.now()
    batches = [1, 2] if asked.tiny else [int(batch) for batch in asked.batches.split(",")]
    makers = {"demo": partial(demo_tower, asked.checkpoint), "base": base_tower}
    rows: list[Row] = []
    for name in asked.towers.split(","):
        tower = makers[name](tiny=asked.tiny)
        seconds = 0.1 if asked.tiny else asked.seconds
        rows += measure(tower, batches, seconds, asked.threads, compiled=compiled)
    result = {**asdict(here), "threads": asked.threads, "tiny": asked.tiny, "summary": summary(rows)}
    result["rows"] = [{**asdict(row), "kept": row.kept} for row in rows]
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "encode.json").write_text(json.dumps(result, indent=2) + "\n")
        (asked.out / "encode.md").write_text(markdown(result, rows))
    print(json.dumps(result, indent=2) if asked.json else markdown(result, rows))
    if not asked.json:
        print(json.dumps(result["summary"], indent=2))


if __name__ == "__main__":
    main()
