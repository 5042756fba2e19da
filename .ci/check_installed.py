"""Import every module of the light houses from the installed wheel, where torch is not installed."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path

# What only training, export or a GPU need.
ABSENT = ("torch", "torchvision", "transformers", "onnx", "onnxscript", "tensorrt", "tensorrt_rtx", "pycuda")
# `train.phantom` counts as light: the demo renders its archive where torch is absent.
LIGHT = ("edge_retrieve.runtime", "edge_retrieve.edge_app", "edge_retrieve.train.phantom")
HOUSES = ("runtime", "train", "export", "edge_app")


def main() -> None:
    """Fail with a sentence where the environment or a module is not as promised."""
    present = [name for name in ABSENT if importlib.util.find_spec(name)]
    if present:
        raise SystemExit(f"[cpu,app] installed {', '.join(present)}: it must stay without them")
    imported = 0
    for package_name in LIGHT:
        package = importlib.import_module(package_name)
        if "site-packages" not in Path(str(package.__file__)).parts:
            raise SystemExit(f"{package_name} comes from {package.__file__}, not from the installed wheel")
        for module in pkgutil.walk_packages(package.__path__, package_name + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
                imported += 1
    bare = [name for name in HOUSES if name in sys.modules or importlib.util.find_spec(name)]
    if bare:
        raise SystemExit(f"installed as bare top-level modules: {', '.join(bare)}")
    print(f"{imported} modules imported without torch")


if __name__ == "__main__":
    main()
