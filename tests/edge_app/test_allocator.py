"""The allocator's settings, by the memory of a process with many threads and large arrays."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from edge_retrieve.edge_app.allocator import keep_memory_flat
from edge_retrieve.edge_app.bench.memory import memory_bytes

if sys.argv[1] == "flat":
    assert keep_memory_flat()

def work(seed):
    random, kept = np.random.default_rng(seed), []
    for _ in range(40):
        # Large ones come and go between small ones that stay a while.
        kept.append(bytes(int(random.integers(10_000, 60_000))))
        np.ones(int(random.integers(100_000, 4_000_000)), np.uint8)
    return len(kept)

before = memory_bytes()[0]
for start in range(6):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(start * 8, start * 8 + 8)))
print((memory_bytes()[0] - before) / 2**20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are of glibc")
def test_what_threads_free_is_given_back(plain_environment):
    grown = {}
    for mode in ("usual", "flat"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, mode],
            env=plain_environment,
            capture_output=True,
            text=True,
            check=True,
        )
        grown[mode] = float(done.stdout)
    assert grown["flat"] < 0.5 * grown["usual"]
    assert grown["flat"] < 8.0


HOLES = """
import sys, threading
from edge_retrieve.edge_app.allocator import keep_memory_flat, trimming
from edge_retrieve.edge_app.bench.memory import memory_bytes

keep_memory_flat()
# What stays lies between what goes: the heap's end never moves.
kept = [(bytearray(1000), bytearray(100_000)) for _ in range(400)]
full = memory_bytes()[0]
kept = [small for small, _ in kept]
freed = memory_bytes()[0]
with trimming(0.05):
    for _ in range(200):
        threading.Event().wait(0.05)
        if full - memory_bytes()[0] > 30_000_000:
            break
print(full - freed, full - memory_bytes()[0], threading.active_count())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are of glibc")
def test_holes_inside_a_heap_are_given_back(plain_environment):
    done = subprocess.run(
        [sys.executable, "-c", HOLES], env=plain_environment, capture_output=True, text=True, check=True
    )
    by_freeing, by_trimming, threads = map(int, done.stdout.split())
    assert by_freeing < 10_000_000  # of 40 million bytes freed
    assert by_trimming > 30_000_000
    assert threads == 1
