"""JPEG Lossless and 12-bit JPEG Extended through GDCM, the one GPL-free decoder of both.

pydicom's own plugin for GDCM runs inside the program, which a damaged file then aborts, and refuses 12-bit
JPEG Extended, which GDCM decodes. Here GDCM runs in a process of its own (see `gdcm_worker`), started with
the first such file and kept; where it dies or hangs the file is unreadable and the next one gets another.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from pydicom.uid import UID

from edge_retrieve.runtime.preprocess.types import UIntImage

# The largest image that is let through takes a few seconds.
TIMEOUT_S = 60.0


class _Worker:
    """The decoder process and the pipe to it; one request at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, request: bytes, expected: int) -> bytes:
        """Return the answer to a request, empty where it is not `expected` bytes of pixels."""
        with self._lock:
            process = self._running()
            # A hang ends like a crash: the process is gone and the pipe with it.
            timer = threading.Timer(TIMEOUT_S, process.kill)
            timer.start()
            try:
                pixels = self._exchange(process, request, expected)
            finally:
                timer.cancel()
                timer.join()
            if len(pixels) != expected:
                self._stop()
            return pixels if len(pixels) == expected else b""

    @staticmethod
    def _exchange(process: subprocess.Popen[bytes], request: bytes, expected: int) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(request)
            process.stdin.flush()
        except BrokenPipeError:
            return b""
        head = process.stdout.read(4)
        if int.from_bytes(head, "little") != expected:
            return b""
        return process.stdout.read(expected)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._owner == os.getpid() and self._process.poll() is None:
            return self._process
        self._stop()
        script = Path(__file__).with_name("gdcm_worker.py")
        # Isolated mode keeps this folder, and its types.py, off the module path of the worker.
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._owner = os.getpid()
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():  # after a fork the process is the parent's
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                # What was still buffered for a process that is gone.
                continue
        process.wait()

    def close(self) -> None:
        """End the process, if one runs."""
        with self._lock:
            self._stop()


_worker = _Worker()
atexit.register(_worker.close)


def decode_with_gdcm(
    frame: bytes, syntax: UID, rows: int, columns: int, allocated: int, stored: int
) -> UIntImage:
    """Decode one frame of a single-sample image.

    Parameters
    ----------
    frame : bytes
        The JPEG codestream.
    syntax : UID
        Its transfer syntax.
    rows, columns : int
    allocated, stored : int
        Bits a value, 8 or 16, and the bits of it in use.

    Returns
    -------
    uint8 or uint16 array of shape [rows, columns]
        The stored bits; their sign is left to the caller.

    Raises
    ------
    ValueError
        GDCM gives no image of that size.
    """
    name = str.__str__(syntax).encode("ascii")
    numbers = np.asarray([rows, columns, allocated, stored, len(name), len(frame)], dtype="<u4")
    pixels = _worker.ask(numbers.tobytes() + name + frame, rows * columns * allocated // 8)
    if not pixels:
        raise ValueError("GDCM gives no image of this size")
    if allocated == 8:
        return np.frombuffer(pixels, dtype=np.uint8).reshape(rows, columns)
    return np.frombuffer(pixels, dtype="<u2").astype(np.uint16, copy=False).reshape(rows, columns)
