"""Running the server."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import nullcontext

import uvicorn

from edge_retrieve.edge_app.access.guard import Guard
from edge_retrieve.edge_app.access_settings import is_own
from edge_retrieve.edge_app.allocator import keep_memory_flat, trimming
from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.dicom_node.figures import NodeFigures
from edge_retrieve.edge_app.dicom_node.opening import open_node
from edge_retrieve.edge_app.draining import Drain, DrainingServer
from edge_retrieve.edge_app.logs import use_discreet_logs
from edge_retrieve.edge_app.notify import EVERY_SECONDS, ServiceManager
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.errors import EdgeRetrieveError, reason_of


class ServerError(EdgeRetrieveError):
    """The server cannot listen where it was told to."""


def serve(
    workspace: Workspace,
    settings: ServerSettings,
    announce: Callable[[str], None],
    say: Callable[[str], None],
) -> None:
    """Serve until a signal ends it (SIGTERM, Ctrl-C); what has begun is finished first.

    Parameters
    ----------
    workspace : Workspace
    settings : ServerSettings
    announce : callable
        Told the page's address once requests are accepted.
    say : callable
        Told in a sentence where the DICOM node listens, and that the server ends.

    Raises
    ------
    ServerError
        Where the address cannot be listened on.
    ConfigError
        Where others could reach it without a log-in, or its certificate cannot be used.
    DicomError
        Where the DICOM port cannot be listened on.
    """
    use_discreet_logs()
    settings.check_certificate()
    has_users = Guard.find_users(workspace.site)
    settings.require_login(settings.host, has_users=has_users)
    if has_users and not is_own(settings.host) and not settings.speaks_tls:
        say("Passwords cross the network unencrypted: give --tls-cert, or --tls-proxy behind a proxy.")
    for sentence in settings.missing_folders():
        say(sentence)
    figures = NodeFigures()
    node = open_node(workspace, settings, on_searchable=figures.searchable)
    keep_memory_flat()
    with _listen(settings.host, settings.port) as listener, node or nullcontext(), trimming():
        drain = Drain()
        app = create_app(workspace, settings)
        app.state.drain = drain
        app.state.dicom_node = node
        if node is not None:
            figures.watch(node)
            app.state.following.tell(lambda new: node.use(new.workspace.store, new.workspace.encoder))
            app.state.services.metrics.add(figures)
        manager = ServiceManager.here(lambda: app.state.following.readiness)
        config = uvicorn.Config(
            app,
            log_level="warning",
            # The one of `use_discreet_logs`; that of uvicorn tells an exception's message.
            log_config=None,
            # Addresses hold study identifiers, which belong in no log.
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=settings.drain_seconds,
            callback_notify=manager.tell if manager.listens else None,
            timeout_notify=EVERY_SECONDS,
            ssl_certfile=settings.tls_cert or None,
            ssl_keyfile=settings.tls_key or None,
        )
        announce(address_of(listener, settings))
        if node is not None and node.port:
            say(f"DICOM: {settings.ae_title} listens on {settings.dicom_host}:{node.port}.")
        DrainingServer(config, drain, say, on_end=manager.ending).run_until_ended(listener)


def address_of(listener: socket.socket, settings: ServerSettings) -> str:
    """Return the page's address for a person at this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{shown}:{listener.getsockname()[1]}{settings.root_path}/"


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket: requests that come before the server runs wait in its queue."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        remedy = "Choose another --port (0 takes a free one), or end the program that uses it"
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            remedy = "Give an address of this machine as --host"
        raise ServerError(
            f"cannot listen there ({reason_of(error)})",
            where=f"{host}:{port}",
            remedy=remedy,
        ) from error
    return listener
