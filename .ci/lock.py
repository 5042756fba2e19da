"""Write `constraints.txt`: one tested version of everything the development environment installs.

    python .ci/lock.py python3.10 python3.11 > constraints.txt

Each interpreter's own pip resolves `.[dev]` without installing anything. Where two interpreters get
different versions, the pin of the older one is limited to it by an environment marker and the newest
interpreter's pin serves everything from there on.
"""

from __future__ import annotations

import json
import subprocess
import sys

# The one release for which a plain `pip install` finds a CPU build on the machines we build on.
TORCH = "torch==2.13.0"

# What a CUDA build of torch drags in; which of it is wanted depends on the build found, so it is not pinned.
ACCELERATOR_PREFIXES = ("nvidia-", "cuda-", "triton")

HEADER = """\
# Pinned versions of the development environment. Written by `make lock`; do not edit by hand.
# A release outside these pins may well work (pyproject.toml says which ranges are meant to);
# these are the ones the tests ran with.
"""


def python_version(python: str) -> tuple[int, int]:
    """Return (major, minor) of an interpreter."""
    code = "import sys; print(*sys.version_info[:2])"
    major, minor = subprocess.check_output([python, "-c", code], text=True).split()
    return int(major), int(minor)


def resolve(python: str) -> dict[str, str]:
    """Return name -> public version of all that `.[dev]` installs with this interpreter."""
    options = ["--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    command = [python, "-m", "pip", "install", *options, ".[dev]", TORCH]
    report = json.loads(subprocess.check_output(command, text=True))
    found = {
        item["metadata"]["name"].lower().replace("_", "-"): item["metadata"]["version"].split("+")[0]
        for item in report["install"]
    }
    found.pop("edge-retrieve")
    return {name: version for name, version in found.items() if not name.startswith(ACCELERATOR_PREFIXES)}


def pins(resolved: dict[tuple[int, int], dict[str, str]]) -> list[str]:
    """Return the lines of the constraints file."""
    versions = sorted(resolved)
    lines = []
    for name in sorted(set().union(*resolved.values())):
        wanted = [resolved[version].get(name) for version in versions]
        if len(set(wanted)) == 1:
            lines.append(f"{name}=={wanted[0]}")
            continue
        for version, pin in zip(versions, wanted, strict=True):
            comparison = ">=" if version == versions[-1] else "=="
            if pin is not None:
                lines.append(f'{name}=={pin} ; python_version {comparison} "{version[0]}.{version[1]}"')
    return lines


def main() -> None:
    """Resolve with every interpreter named on the command line and print the pins."""
    if len(sys.argv) < 2:
        raise SystemExit("usage: python .ci/lock.py PYTHON...   (for example: python3.10 python3.11)")
    resolved = {python_version(python): resolve(python) for python in sys.argv[1:]}
    print(HEADER + "\n".join(pins(resolved)))


if __name__ == "__main__":
    main()
