"""What starting the server costs: only what it needs is loaded."""

import json
import subprocess
import sys

import pytest

from edge_retrieve.edge_app import serve

# Seconds of import each, or hundreds of MiB, and nothing a server needs to answer.
UNNEEDED = {
    "torch", "transformers", "onnx", "onnxscript", "cv2", "scipy", "pandas", "matplotlib", "highdicom",
    "usearch.eval", "openvino", "tensorrt", "tensorrt_rtx", "dicomweb_client",
}  # fmt: skip
SERVE = """
import json, resource, sys
from edge_retrieve.edge_app import serve as module
from edge_retrieve.edge_app.draining import DrainingServer

def ready(self, listener):
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"modules": sorted(sys.modules), "cpu_s": used.ru_utime + used.ru_stime}))

DrainingServer.run_until_ended = ready
from edge_retrieve.edge_app.cli import main
main()
"""
MOST_CPU_S = 3.0


@pytest.fixture(scope="module")
def started(toy, store_path):
    """What a server process has loaded, and its processor time, when it begins to listen."""
    options = ["--store", store_path, "--bundle", toy.bundle.path, "--allow-unsigned", "--port", "0"]
    options += ["--backend", "cpu"]
    done = subprocess.run(
        [sys.executable, "-c", SERVE, "serve", *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nothing_is_loaded_that_a_server_does_not_need(started):
    assert "uvicorn" in started["modules"]
    assert sorted(UNNEEDED & set(started["modules"])) == []


def test_it_takes_little_processor_time(started):
    """Processor time, for machines are shared; benchmarks/starting.py measures the whole on a large store."""
    assert started["cpu_s"] < MOST_CPU_S


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_no_one_here_is_not_blamed_on_the_port(host):
    with pytest.raises(serve.ServerError, match="Give an address of this machine as --host"):
        serve._listen(host, 0)
