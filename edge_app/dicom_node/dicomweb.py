"""Asking a PACS over HTTP (PS3.18): QIDO-RS to find, WADO-RS to fetch, STOW-RS to send."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pydicom
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset

from edge_retrieve.edge_app.dicom_node.arrival import Arrival, Way
from edge_retrieve.edge_app.dicom_node.peers import DicomError
from edge_retrieve.edge_app.dicom_node.remote import (
    RemoteStudy,
    Sent,
    Transfer,
    check_search,
    newest_first,
    remote_study,
)
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.preprocess.quiet import captured_warnings

_TIMEOUT_S = (10.0, 60.0)  # to connect, between two pieces of the answer
_AS_KEPT = (("application/dicom", "*"),)
_REMEDIES = {
    401: "Name a file with user:password, or with a token, with --credentials",
    403: "This user may not do that there",
    404: "Check the address: DICOMweb may be below another path, such as /dicom-web",
}


@dataclass(frozen=True)
class DicomWebPeer:
    """A DICOMweb service.

    Parameters
    ----------
    url : str
        Its root, such as ``https://pacs.local/dicom-web``.
    credentials : Path or None
        A file with ``user:password``, or with a bearer token.
    authorities : Path or None
        PEM file of the authorities believed with https; those of the system where None.

    Raises
    ------
    ConfigError
        Where the address is none, a file cannot be read.
    """

    url: str
    credentials: Path | None = None
    authorities: Path | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError(
                "a DICOMweb address begins with http:// or https://", where=self.url, remedy="Correct it"
            )
        for path in (self.credentials, self.authorities):
            if path is not None and not path.is_file():
                raise ConfigError("there is no such file", where=str(path), remedy="Check the path")

    @property
    def label(self) -> str:
        """What the audit trail calls it: its address, without a password that may stand there."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    def session(self) -> requests.Session:
        """Return a session that uses no proxy and no password but those named."""
        session = requests.Session()
        session.trust_env = False
        if self.authorities is not None:
            session.verify = str(self.authorities)
        if self.credentials is not None:
            try:
                secret = self.credentials.read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                raise ConfigError("the credentials cannot be read", where=str(self.credentials)) from error
            user, colon, password = secret.partition(":")
            if colon:
                session.auth = (user, password)
            else:
                session.headers["Authorization"] = f"Bearer {secret}"
        return session


def find_studies(
    peer: DicomWebPeer, *, patient: str = "", study: str = "", accession: str = ""
) -> tuple[RemoteStudy, ...]:
    """Ask for the studies of a patient (QIDO-RS), the newest first.

    Raises
    ------
    QueryError
        Where nothing is searched by, or a wildcard would match other patients.
    DicomError
        Where the service cannot be reached or refuses.
    """
    check_search(patient, study, accession)
    filters = {"PatientID": patient, "StudyInstanceUID": study, "AccessionNumber": accession}
    wanted = {name: value for name, value in filters.items() if value}
    with _client(peer) as client:
        answers = client.search_for_studies(
            search_filters=wanted,
            fields=["StudyDescription", "ModalitiesInStudy"],
            get_remaining=True,
        )
        return newest_first(remote_study(Dataset.from_json(answer)) for answer in answers)


def fetch_study(peer: DicomWebPeer, study: str, spool: Spool) -> Transfer:
    """Fetch all objects of a study into a spool (WADO-RS), in the transfer syntax that they are kept in.

    Raises
    ------
    DicomError
        Where the service cannot be reached, refuses, or answers with what is not DICOM.
    """
    completed = 0
    came = Arrival(Way.WADO, address=urlsplit(peer.url).hostname or "")
    with _client(peer) as client:
        for dataset in client.iter_study(study, media_types=_AS_KEPT):
            stream = io.BytesIO()
            pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
            spool.put([stream.getvalue()], arrival=came)
            completed += 1
    return Transfer(completed, 0)


def send_files(peer: DicomWebPeer, files: Sequence[Path]) -> tuple[Sent, ...]:
    """Send DICOM files, each in a request of its own (STOW-RS).

    Raises
    ------
    DicomError
        Where the service cannot be reached or refuses.
    """
    outcomes = []
    with _client(peer) as client:
        for path in files:
            try:
                dataset = pydicom.dcmread(path)
            except Exception:
                # The parser meets arbitrary bytes here.
                outcomes.append(Sent(path, False, "not a DICOM file that can be read"))
                continue
            answer = client.store_instances([dataset])
            failures = answer.get("FailedSOPSequence") or []
            reason = f"failure 0x{failures[0].get('FailureReason', 0):04X}" if failures else "stored"
            outcomes.append(Sent(path, not failures, reason))
    return tuple(outcomes)


@contextmanager
def _client(peer: DicomWebPeer) -> Iterator[DICOMwebClient]:
    """Yield a client whose errors become `DicomError`."""
    # It logs addresses, which hold identifiers.
    logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL + 1)
    client = DICOMwebClient(peer.url.rstrip("/"), session=peer.session(), timeout=_TIMEOUT_S)
    client.set_http_retry_params(retry=False)
    try:
        with captured_warnings():
            yield client
    except requests.HTTPError as error:
        code = error.response.status_code if error.response is not None else 0
        raise DicomError(
            f"the request failed: HTTP status {code}",
            where=peer.url,
            remedy=_REMEDIES.get(code, "Look at the log of the other system"),
        ) from error
    except requests.exceptions.SSLError as error:
        raise DicomError(
            "its certificate is not believed, or it speaks no TLS",
            where=peer.url,
            remedy="Name the authority that signed it with --tls-authorities",
        ) from error
    except requests.RequestException as error:
        raise DicomError(
            f"it cannot be reached ({type(error).__name__})",
            where=peer.url,
            remedy="Check address and port, and that the system is running",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, pydicom.errors.InvalidDicomError) as error:
        raise DicomError(
            f"the answer is no DICOMweb ({type(error).__name__})",
            where=peer.url,
            remedy="Check the address: DICOMweb may be below another path, such as /dicom-web",
        ) from error
