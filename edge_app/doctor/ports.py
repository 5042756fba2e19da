"""TCP ports: free to listen on, or who holds them."""

from __future__ import annotations

import errno
import http.client
import json
import socket
import ssl
from contextlib import suppress
from pathlib import Path

from edge_retrieve.edge_app.doctor.check import Check, State, failed, ok, warning

PROC = Path("/proc")

_LISTENING = "0A"  # Linux, include/net/tcp_states.h
_PATIENCE_S = 2.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def dicom_port(host: str, number: int, page: int) -> Check:
    """Say whether X-rays could be received there, or are by the server whose page is at another port.

    Parameters
    ----------
    host : str
        Address to listen on.
    number : int
        TCP port, above 0.
    page : int
        Port of the same server's page; 0 where that is not known.
    """
    found = port(host, number, option="--dicom-port")
    by = holder(number)
    # A receiver need not answer us: it may know its callers, or speak TLS with them alone.
    if found.state is State.FAILED and by and by == holder(page):
        return ok(found.name, f"the server with the page at port {page} receives here ({by})")
    # A hardened service's open files are its own secret, even before its user; whose socket it is, is not.
    if found.state is State.FAILED and not by and not holder(page) and owners(number) & owners(page):
        return ok(found.name, f"held by the user who runs the page at port {page}")
    return found


def port(host: str, number: int, root_path: str = "", *, tls: bool = False, option: str = "--port") -> Check:
    """Say whether a server could listen there, and who does where it could not.

    Parameters
    ----------
    host : str
        Address to listen on.
    number : int
        TCP port, above 0.
    root_path : str
        Below which a server that is running already serves its page.
    tls : bool
        Whether that server is asked by HTTPS.
    option : str
        With which another port is chosen.
    """
    name = f"port {number}"
    try:
        family, _, _, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        return failed(name, f"{host} is no address of this machine ({error})", "Give another --host")
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server itself does: connections of one that just ended are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            reason = error
        else:
            return ok(name, f"free on {host}")
    if reason.errno == errno.EACCES:
        return failed(name, f"this user may not listen on {host}:{number}", f"Choose a {option} from 1024 on")
    if reason.errno != errno.EADDRINUSE:
        return failed(
            name,
            f"{host}:{number} cannot be listened on ({reason.strerror})",
            f"Give another address or {option}",
        )
    status = _readiness(_EVERYWHERE.get(host, host), number, root_path, tls)
    by = holder(number)
    if status == "ready":
        return ok(name, f"an edge-retrieve server is running here and is ready{by and f' ({by})'}")
    if status:
        return warning(
            name, f"an edge-retrieve server is running here: {status}{by and f' ({by})'}", "Look at its log"
        )
    return failed(
        name,
        f"held by {by}" if by else "held by a program of another user",
        f"End that program, or give another {option}{'' if by else ' (as root, doctor says who it is)'}",
    )


def holder(number: int, proc: Path = PROC) -> str:
    """Return the program that listens on a port, with its process id; empty where the system keeps it back.

    Reads ``/proc/net/tcp`` for the socket and every process's open files for its owner (Linux, proc(5)).
    """
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(number, proc)}
    if not sockets:
        return ""
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):  # of another user, or gone meanwhile
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    if str(descriptor.readlink()) in sockets:
                        return f"{(process / 'comm').read_text().strip()}, process {process.name}"
    return ""


def owners(number: int, proc: Path = PROC) -> set[int]:
    """Return the users (uid) who listen on a port; as of `holder`, from ``/proc/net/tcp``."""
    return {uid for _, uid in _listening(number, proc)}


def _listening_inodes(number: int, proc: Path) -> set[str]:
    return {inode for inode, _ in _listening(number, proc)}


def _listening(number: int, proc: Path) -> set[tuple[str, int]]:
    """Return inode and user of the sockets that listen on a port."""
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == number:
                    found.add((fields[9], int(fields[7])))
    return found


def _readiness(host: str, number: int, root_path: str, tls: bool) -> str:
    """Return what an edge-retrieve server says of itself there; empty where none answers."""
    connection = http.client.HTTPConnection(host, number, timeout=_PATIENCE_S)
    if tls:
        # Asked under an address, which its certificate need not name; nothing is told to it.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, number, timeout=_PATIENCE_S, context=context)
    try:
        connection.request("GET", f"{root_path}/readyz")
        document = json.loads(connection.getresponse().read(65536))
        return str(document["status"]) if "engine" in document else ""
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ""
    finally:
        connection.close()
