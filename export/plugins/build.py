"""Compile the kernels ahead of time, so that no device needs a compiler."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.runtime.backends.plugins.kernels import PTX_FILE, cubin_file
from edge_retrieve.runtime.errors import ConfigError, ExportError

SOURCE = Path(__file__).with_name("roi_align_mean.cu")
HOST_SOURCE = Path(__file__).with_name("host_launch.cpp")
# Jetson Orin, RTX Ada, Hopper, Jetson Thor.
ARCHITECTURES = ((8, 7), (8, 9), (9, 0), (11, 0))
# The oldest that nvcc 13 still writes; every newer card can translate it.
PTX_ARCHITECTURE = "compute_75"
_FLAGS = ("-std=c++17", "-O3")


@dataclass(frozen=True)
class Resources:
    """What one kernel takes on one architecture, as the compiler reports it.

    Parameters
    ----------
    kernel : str
    architecture : str
        Such as ``sm_87``.
    registers : int
        Of a thread.
    spill_stores, spill_loads : int
        Bytes that did not fit into registers.
    shared_bytes : int
        Of a block.
    """

    kernel: str
    architecture: str
    registers: int
    spill_stores: int
    spill_loads: int
    shared_bytes: int


@dataclass(frozen=True)
class KernelBuild:
    """What `build_kernels` wrote.

    Parameters
    ----------
    files : tuple of Path
    resources : tuple of Resources
        One for each kernel and architecture.
    compiler : str
        Release of nvcc.
    """

    files: tuple[Path, ...]
    resources: tuple[Resources, ...]
    compiler: str


def find_compiler(name: str, *, purpose: str) -> str:
    """Return the path of a compiler.

    Raises
    ------
    ExportError
        It is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise ExportError(f"is not installed, and {purpose} needs it", where=name, remedy="Install it")
    return found


def build_kernels(
    out: Path, *, architectures: Sequence[tuple[int, int]] = ARCHITECTURES, nvcc: str = "nvcc"
) -> KernelBuild:
    """Compile a cubin for each architecture and the PTX that serves all others.

    Parameters
    ----------
    out : Path
        Folder; is made, and files of an earlier build are replaced.
    architectures : sequence of (int, int)
        Compute capabilities.
    nvcc : str
        The compiler. A driver takes binaries of its own CUDA release and older ones: for JetPack 6 that
        is 12.6.

    Raises
    ------
    ExportError
        The compiler is missing, refuses the source or an architecture.
    """
    compiler = find_compiler(nvcc, purpose="building the plugin's kernels")
    release = re.search(r"release ([\d.]+)", _run([compiler, "--version"]))
    resources: list[Resources] = []
    names: list[str] = []
    with tempfile.TemporaryDirectory(prefix="edge-retrieve-plugins-") as scratch:
        ptx = Path(scratch) / PTX_FILE
        _run([compiler, *_FLAGS, "-ptx", f"-arch={PTX_ARCHITECTURE}", str(SOURCE), "-o", str(ptx)])
        # Binaries are made from the PTX: the headers are read once instead of once per architecture, and
        # what a driver translates for a card without a binary is what the binaries were made of.
        for capability in architectures:
            name, target = cubin_file(capability), f"sm_{capability[0]}{capability[1]}"
            command = [compiler, "-cubin", f"-arch={target}", "-Xptxas=-v", str(ptx)]
            resources += parse_resources(_run([*command, "-o", str(Path(scratch) / name)]))
            names.append(name)
        names.append(PTX_FILE)
        out.mkdir(parents=True, exist_ok=True)
        files = tuple(Path(shutil.move(Path(scratch) / name, out / name)) for name in names)
    return KernelBuild(files, tuple(resources), release.group(1) if release else "unknown")


def parse_capability(text: str) -> tuple[int, int]:
    """Read a compute capability such as ``8.7``.

    Raises
    ------
    ConfigError
        It is written another way.
    """
    match = re.fullmatch(r"(\d{1,2})\.(\d)", text)
    if match is None:
        raise ConfigError(f"{text!r} is no compute capability", remedy="Write it as 8.7")
    return int(match.group(1)), int(match.group(2))


def parse_resources(report: str) -> tuple[Resources, ...]:
    """Read the report of ``ptxas -v``.

    Raises
    ------
    ExportError
        It names no kernel: another compiler's format must not pass as "no spills".
    """
    pattern = re.compile(
        r"Compiling entry function '(?P<kernel>\w+)' for '(?P<architecture>\w+)'.*?"
        r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
        r"Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
        re.DOTALL,
    )
    found = []
    for match in pattern.finditer(report):
        shared = re.search(r"(\d+) bytes smem", match["rest"])
        found.append(
            Resources(
                kernel=match["kernel"],
                architecture=match["architecture"],
                registers=int(match["registers"]),
                spill_stores=int(match["stores"]),
                spill_loads=int(match["loads"]),
                shared_bytes=int(shared.group(1)) if shared else 0,
            )
        )
    if not found:
        raise ExportError("the compiler's resource report names no kernel", where="ptxas -v")
    return tuple(found)


def build_host(out: Path, *, compiler: str = "g++") -> Path:
    """Compile the same source for the processor, as a shared library for `HostKernels`.

    Parameters
    ----------
    out : Path
        The library's file.
    compiler : str
        A C++17 compiler that knows a 16-bit float (GCC 12, Clang 15).

    Raises
    ------
    ExportError
        The compiler is missing or refuses the source.
    """
    found = find_compiler(compiler, purpose="building the kernels for the processor")
    flags = ["-std=c++17", "-O2", "-shared", "-fPIC"]
    _run([found, *flags, str(HOST_SOURCE), "-o", str(out)])
    return out


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it says nothing"]
        raise ExportError(f"the compiler failed: {last[0]}", where=" ".join(command))
    return done.stdout + done.stderr
