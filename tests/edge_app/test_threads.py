"""Threads that would wait for one another on a busy machine are not begun."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = (
    "import edge_retrieve.edge_app.cli, numpy as np, threading, os;"
    "np.ones((4000, 512), np.float32) @ np.ones(512, np.float32);"
    "print(len(os.listdir('/proc/self/task')) - threading.active_count())"
)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.parametrize(("wanted", "more"), [(None, 0), ("2", 1)])
def test_products_of_numpy_run_on_one_thread_unless_the_user_says_otherwise(wanted, more):
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    if wanted is not None:
        environment["OPENBLAS_NUM_THREADS"] = wanted
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    if (os.cpu_count() or 1) > 1:
        assert int(done.stdout) == more
