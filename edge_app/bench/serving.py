"""A server in a thread of this process, for measuring and for pictures of the page."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.dicom_node.node import DicomNode
from edge_retrieve.edge_app.serve import address_of
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace

_PATIENCE_S = 30.0


@contextmanager
def serving(
    workspace: Workspace, settings: ServerSettings | None = None, node: DicomNode | None = None
) -> Iterator[str]:
    """Serve a workspace on a free port of this machine; give the page's address.

    Parameters
    ----------
    workspace : Workspace
        Open for as long; the caller closes it.
    settings : ServerSettings, optional
        The defaults where None; its port is not used.
    node : DicomNode, optional
        What receives objects beside it; the caller starts and stops it.

    Raises
    ------
    TimeoutError
        Where the server does not start.
    """
    settings = settings or ServerSettings()
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(workspace, settings)
    app.state.dicom_node = node
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
    thread.start()
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise TimeoutError("the server did not start")
            time.sleep(0.02)
        yield address_of(listener, settings)
    finally:
        server.should_exit = True
        thread.join(_PATIENCE_S)
        listener.close()
