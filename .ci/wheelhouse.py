"""Collect all that an installation without a network needs: wheels, and their hashes.

    python .ci/wheelhouse.py dist/wheelhouse
    python .ci/wheelhouse.py dist/wheelhouse --machine x86_64 --extras cpu,app

For each machine: this project's own wheel, of what git has (for another machine than this one
cross-compiled), and a wheel of every package that it needs, at the version of `constraints.txt`. Nothing is
taken that would have to be compiled at the site. `requirements.txt` beside them names each package with the
SHA-256 of its wheels, so that pip refuses whatever was altered on the way:

    pip install --no-index --find-links WHEELHOUSE --require-hashes --requirement WHEELHOUSE/requirements.txt

The wheels are for the Python that runs this: pip reads the markers of the constraints for it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[1]
MACHINES = ("x86_64", "aarch64")
EXTRAS = "cpu,app,dicom"
# The oldest glibc first served: Debian 12, Ubuntu 22.04 and JetPack 6 have a newer one.
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014", "manylinux2010", "linux")
REQUIREMENTS = "requirements.txt"
COMPILERS = {  # and the Debian packages that bring them
    "aarch64": ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"),
    "x86_64": ("x86_64-linux-gnu-gcc", "gcc-x86-64-linux-gnu libc6-dev-amd64-cross"),
}
SCAN = "edge_retrieve/runtime/index/_scan"

HEADER = """\
# Every wheel beside this file, with its SHA-256. Written by `make wheelhouse`.
# For Python {python} on {machines}.
# pip install --no-index --find-links . --require-hashes --requirement requirements.txt
"""


@dataclass(frozen=True)
class Held:
    """One wheel: its package, version, machine (`any` where it runs everywhere) and SHA-256."""

    name: str
    version: str
    machine: str
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Held:
        """Read a wheel's file."""
        name, version, _, tags = parse_wheel_filename(path.name)
        found = {machine for tag in tags for machine in MACHINES if tag.platform.endswith(machine)}
        machine = found.pop() if found else "any"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return cls(canonicalize_name(name), str(version), machine, digest)


def build_own(machine: str, out: Path) -> Path:
    """Build this project's wheel for a machine, with its compiled scan in it; return its file.

    From a copy of what git has: a build folder of one machine would be taken for another's.
    """
    environment = dict(os.environ)
    if machine != platform.machine():
        name, packages = COMPILERS[machine]
        compiler = shutil.which(name)
        if compiler is None:
            raise SystemExit(
                f"{name} is not here: apt-get install {packages}, or name the --machine you need"
            )
        tag = f"{sys.version_info[0]}{sys.version_info[1]}"
        environment |= {
            "CC": compiler,
            "LDSHARED": f"{compiler} -shared",
            "_PYTHON_HOST_PLATFORM": f"linux-{machine}",
            "SETUPTOOLS_EXT_SUFFIX": f".cpython-{tag}-{machine}-linux-gnu.so",
        }
    with tempfile.TemporaryDirectory() as folder:
        source, built = Path(folder, "source"), Path(folder, "built")
        source.mkdir()
        packed = subprocess.run(
            ["git", "-C", str(ROOT), "archive", "HEAD"], stdout=subprocess.PIPE, check=True
        )
        subprocess.run(["tar", "-x", "-C", str(source)], input=packed.stdout, check=True)
        run(
            [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(built), str(source)],
            environment,
        )
        (wheel,) = built.glob("*.whl")
        names = subprocess.check_output([sys.executable, "-m", "zipfile", "--list", str(wheel)], text=True)
        if SCAN not in names:
            raise SystemExit(f"the compiled scan is missing from {wheel.name}: is there a C compiler?")
        return Path(shutil.copy2(wheel, out))


def download(wheel: Path, machine: str, extras: str, out: Path) -> None:
    """Download a wheel of everything that our own needs on a machine."""
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    chosen = [f"--platform={platform}_{machine}" for platform in PLATFORMS]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(out), "--only-binary=:all:"]
    command += ["--constraint", str(ROOT / "constraints.txt"), "--python-version", python, *chosen]
    run([*command, f"{wheel}[{extras}]"], dict(os.environ))


def requirements(wheels: Iterable[Path], machines: Iterable[str]) -> str:
    """Return a requirements file of wheels: each package once, with the hashes of all its wheels.

    One that some of the machines lack is asked for on the others alone.
    """
    machines = tuple(machines)
    packages: dict[tuple[str, str], list[Held]] = defaultdict(list)
    for path in wheels:
        held = Held.of(path)
        packages[held.name, held.version].append(held)
    lines = []
    for (name, version), held in sorted(packages.items()):
        there = {wheel.machine for wheel in held}
        only = (
            ""
            if "any" in there or there >= set(machines)
            else " ; " + " or ".join(f'platform_machine == "{machine}"' for machine in sorted(there))
        )
        hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted({w.sha256 for w in held}))
        lines.append(f"{name}=={version}{only}{hashes}\n")
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return HEADER.format(python=python, machines=" and ".join(machines)) + "".join(lines)


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run a command; what it says is shown where it fails."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed:\n{done.stdout}{done.stderr}")


def main() -> None:
    """Collect the wheels for every machine asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder; what lies in it is replaced")
    parser.add_argument(
        "--machine", action="append", choices=MACHINES, help="may be repeated; all if left out"
    )
    parser.add_argument("--extras", default=EXTRAS, help=f"parts of the package (default {EXTRAS})")
    asked = parser.parse_args()
    machines = tuple(asked.machine or MACHINES)
    unfinished = asked.out.with_name(f".{asked.out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for machine in machines:
        print(f"{machine}: building our own, downloading the rest ...", flush=True)
        download(build_own(machine, unfinished), machine, asked.extras, unfinished)
    wheels = sorted(unfinished.glob("*.whl"))
    (unfinished / REQUIREMENTS).write_text(requirements(wheels, machines))
    shutil.rmtree(asked.out, ignore_errors=True)
    unfinished.rename(asked.out)
    size = sum(path.stat().st_size for path in asked.out.iterdir())
    print(f"{asked.out}: {len(wheels)} wheels, {size / 2**20:.0f} MiB, for {' and '.join(machines)}")


if __name__ == "__main__":
    main()
