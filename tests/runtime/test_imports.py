"""The runtime must run where none of the heavy or optional packages is installed."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SCRIPT = """
import importlib, importlib.abc, sys

BLOCKED = {"torch", "torchvision", "transformers", "cv2", "onnx", "onnxruntime"}
BLOCKED |= {"tensorrt", "tensorrt_rtx", "pycuda"}

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, Block())
for name in sys.argv[1:]:
    importlib.import_module(name)
bare = {"runtime", "train", "export", "edge_app"} & set(sys.modules)
assert not bare, f"imported as top-level modules: {bare}"
ours = {name for name in sys.modules if name.startswith("edge_retrieve.")}
others = {name for name in ours if not name.startswith("edge_retrieve.runtime")}
assert not others, f"the runtime imported {others}"
assert not BLOCKED & set(sys.modules)
"""


def runtime_modules():
    for path in sorted((ROOT / "runtime").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(("edge_retrieve", *(part for part in parts if part != "__init__")))


def test_every_module_imports_without_heavy_packages(tmp_path):
    modules = list(runtime_modules())
    assert len(modules) > 30
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, *modules],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
