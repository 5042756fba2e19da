"""Senders as X-ray devices are: several at once, and what was not acknowledged is sent again."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config, build_context
from pynetdicom.association import Association

from dicom_node_load.objects import SentObject
from dicom_node_load.server import AE_TITLE, Server

_PATIENCE_S = 600.0


@dataclass
class Sending:
    """What the senders saw.

    Parameters
    ----------
    acknowledged : set of str
        SOP instances answered with success.
    seconds : list of float
        Of each acknowledged request.
    again : int
        Requests that had to be repeated.
    """

    acknowledged: set[str] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)
    again: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def send_all(server: Server, objects: Sequence[SentObject], associations: int, kills: int) -> Sending:
    """Send objects over several associations until each is acknowledged.

    Parameters
    ----------
    server : Server
        Killed and started again, evenly spread over the sending.
    objects : sequence of SentObject
    associations : int
    kills : int
    """
    # The data set goes out as it lies in the file, whatever it is.
    _config.STORE_SEND_CHUNKED_DATASET = True
    _config.LOG_HANDLER_LEVEL = "none"
    waiting: queue.SimpleQueue[SentObject] = queue.SimpleQueue()
    for each in objects:
        waiting.put(each)
    contexts = sorted({_context_of(each) for each in objects})
    sending = Sending()
    threads = [
        threading.Thread(target=_send, args=(server, waiting, contexts, sending)) for _ in range(associations)
    ]
    for thread in threads:
        thread.start()
    for kill in range(1, kills + 1):
        while len(sending.acknowledged) < len(objects) * kill // (kills + 1):
            time.sleep(0.002)
        server.kill_and_restart()
    for thread in threads:
        thread.join()
    if len(sending.acknowledged) < len(objects):
        raise SystemExit(f"{len(objects) - len(sending.acknowledged)} objects were never acknowledged")
    return sending


def _context_of(sent: SentObject) -> tuple[str, str]:
    meta = read_file_meta_info(sent.path)
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)


def _send(
    server: Server,
    waiting: queue.SimpleQueue[SentObject],
    contexts: Sequence[tuple[str, str]],
    sending: Sending,
) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    association: Association | None = None
    while time.monotonic() < deadline:
        try:
            sent = waiting.get_nowait()
        except queue.Empty:
            break
        if association is None or not association.is_established:
            association = _associate(server, contexts)
        status = None
        start = time.monotonic()
        if association is not None:
            try:
                status = association.send_c_store(sent.path).get("Status")
            except (RuntimeError, OSError):
                status = None  # the server has gone
        with sending.lock:
            if status == 0:
                sending.acknowledged.add(sent.instance)
                sending.seconds.append(time.monotonic() - start)
            else:
                sending.again += 1
        if status != 0:
            waiting.put(sent)
            time.sleep(0.1)
    if association is not None and association.is_established:
        association.release()


def _associate(server: Server, contexts: Sequence[tuple[str, str]]) -> Association | None:
    entity = AE("LOAD")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 60
    asked = [build_context(sop_class, [syntax]) for sop_class, syntax in contexts]
    association = entity.associate("127.0.0.1", server.dicom_port, asked, ae_title=AE_TITLE)
    return association if association.is_established else None
