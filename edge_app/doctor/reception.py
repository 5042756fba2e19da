"""DICOM: whether the PACS can be talked to, and whether what was received is worked off."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.edge_app.dicom_node.peers import Peer, read_system
from edge_retrieve.edge_app.doctor.check import Check, failed, failed_by, ok, sizes, warning
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.runtime.errors import EdgeRetrieveError, MissingExtraError

LONGEST_WAIT_S = (
    300  # a study is searchable seconds after it came; an hour's queue is a worker that stands still
)
_PATIENCE_S = 5.0
_EXTRA = 'Run: pip install "edge-retrieve[dicom]"'


@dataclass(frozen=True)
class Pacs:
    """Another DICOM system, as ``--pacs`` names it.

    Parameters
    ----------
    called : str
        Its AE title.
    host : str
    port : int
    """

    called: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Pacs:
        """Read ``AET@HOST:PORT``.

        Raises
        ------
        ConfigError
            Where it is not of that form.
        """
        return cls(*read_system(text, "--pacs"))


def association(pacs: Pacs, settings: ServerSettings) -> Check:
    """Call a PACS as the node would, and name the step that fails."""
    name = f"PACS {pacs.called}"
    try:
        from edge_retrieve.edge_app.dicom_node.checking import check_association
    except ModuleNotFoundError as error:
        return failed_by(name, MissingExtraError(f"'{error.name}' is not installed", remedy=_EXTRA))
    try:
        peer = Peer(pacs.host, pacs.port, pacs.called, settings.ae_title, settings.pacs_tls_files)
        found = check_association(peer, _PATIENCE_S)
    except EdgeRetrieveError as error:
        return failed_by(name, error)
    told = [f"{step.step.value}: {step.what} ({step.ms:g} ms)." for step in found.steps]
    for step in found.steps:
        if not step.ok:
            return failed(
                name, f"{step.step.value} at {pacs.host}:{pacs.port}: {step.what}", step.remedy, told
            )
    return ok(name, f"answers at {pacs.host}:{pacs.port}", told)


def received(store: Path, settings: ServerSettings) -> tuple[Check, ...]:
    """Say how many received objects wait or were set aside; nothing where none was ever received."""
    from edge_retrieve.edge_app.dicom_node.spool import SPOOL_FOLDER, Spool
    from edge_retrieve.edge_app.dicom_node.status import spool_status

    folder = Path(settings.dicom_folder) if settings.dicom_folder else store / SPOOL_FOLDER
    if not folder.is_dir():
        return ()
    try:
        found = spool_status(Spool(folder))
    except EdgeRetrieveError as error:
        return (failed_by("received", error),)
    except OSError as error:
        return (failed("received", f"{folder} cannot be read ({error.strerror})", "Check its permissions"),)
    what = f"{found.waiting} objects wait, {found.quarantined} are in quarantine"
    if found.free_bytes < settings.dicom_keep_free_mib << 20:
        return (
            failed(
                "received",
                f"{what}; further ones are refused, for only {sizes(found.free_bytes)} are free",
                "Free some space, or lower --dicom-keep-free-mib",
            ),
        )
    if found.oldest_s > LONGEST_WAIT_S:
        return (
            warning(
                "received",
                f"{what}; the oldest has waited for {found.oldest_s / 60:.0f} min",
                "Start the server of this store, or look at its log: it works them off",
            ),
        )
    if found.quarantined:
        return (warning("received", what, f"See why: edge-retrieve dicom quarantine --store {store}"),)
    return (ok("received", what),)
