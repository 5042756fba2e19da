"""A real server in a process of its own, that can be killed and started again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

AE_TITLE = "EDGE_RETRIEVE"
_START_S = 120.0


class Server:
    """``edge-retrieve serve`` with a DICOM port. Use it as a context manager.

    Parameters
    ----------
    store : Path
        There already.
    log : Path
        What it says.
    """

    def __init__(self, store: Path, log: Path) -> None:
        self._store, self._log = store, log
        self._port, self.dicom_port = _free_port(), _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it said so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start it and wait until its DICOM port takes connections."""
        command = [Path(sys.executable).with_name("edge-retrieve"), "serve", "--store", self._store]
        options = ["--port", self._port, "--dicom-port", self.dicom_port, "--dicom-associations", 64]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(word) for word in (*command, *options)],
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2")},
            )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self.running:
            try:
                socket.create_connection(("127.0.0.1", self.dicom_port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"the server did not start:\n{self.log}")

    def kill_and_restart(self) -> None:
        """Pull the plug of its process, and start it again."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.start()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
