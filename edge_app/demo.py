"""The demonstration: a synthetic archive, its store, and a question to begin with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.edge_app.labels import ArchiveLabel, write_label
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.bundle import load_bundle
from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.store import Store

SEED = 7
PIXELS = 512  # side of a phantom
NAME = "demo"

# In this order: common, easily seen, in a region with a twin on the other side.
_WELL_SEEN = (Finding.CONSOLIDATION, Finding.MASS, Finding.PLEURAL_EFFUSION, Finding.NODULE)

Advance = Callable[..., None]
ProgressBar = Callable[[str], AbstractContextManager[Advance]]


@dataclass(frozen=True)
class DemoFolder:
    """Where a demonstration of one size lies.

    Parameters
    ----------
    path : Path
    studies : int
    """

    path: Path
    studies: int

    @property
    def archive(self) -> Path:
        """The phantoms' DICOM files and reports."""
        return self.path / f"archive-{self.studies}"

    @property
    def store(self) -> Path:
        """The case store."""
        return self.path / f"store-{self.studies}"


@dataclass(frozen=True)
class Example:
    """A question worth asking first.

    Parameters
    ----------
    image : Path
        Of the study that is asked about.
    study : str
    region : Region
    finding : Finding
        What its report states there.
    """

    image: Path
    study: str
    region: Region
    finding: Finding


def prepare(folder: DemoFolder, progress_bar: ProgressBar) -> None:
    """Make the archive and the store; what is there already is used again.

    Parameters
    ----------
    folder : DemoFolder
    progress_bar : callable
        Opens a bar for a phase.

    Raises
    ------
    EdgeRetrieveError
        Where a file cannot be written or read.
    """
    _make_archive(folder, progress_bar)
    _drop_foreign_store(folder)
    with Workspace(folder.store, create=True) as workspace:
        if workspace.store.count() < folder.studies:
            with progress_bar("Reading the archive into the store") as advance:
                ingest(workspace.store, workspace.encoder, [folder.archive], progress=advance)
        write_label(folder.store, ArchiveLabel(name=NAME, synthetic=True))


def _make_archive(folder: DemoFolder, progress_bar: ProgressBar) -> None:
    if folder.archive.is_dir():
        return
    # Only the demonstration renders phantoms in this house, and it needs OpenCV to do so.
    from edge_retrieve.train.phantom.archive import write_archive
    from edge_retrieve.train.phantom.sampling import Split

    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder cannot be made ({error.strerror})",
            where=str(folder.path),
            remedy="Name another --dir",
        ) from error
    # Rendered aside and renamed when whole: a run cut short leaves nothing that looks finished.
    unfinished = folder.path / f".{folder.archive.name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    with progress_bar("Rendering synthetic X-rays") as advance:
        write_archive(unfinished, folder.studies, SEED, split=Split.TEST, size=PIXELS, progress=advance)
    unfinished.rename(folder.archive)


def _drop_foreign_store(folder: DemoFolder) -> None:
    """Remove a demonstration store made with another bundle: its phantoms are still there."""
    if not folder.store.is_dir():
        return
    with Store.open(folder.store) as store:
        foreign = store.bundle_id != load_bundle().bundle_id
    if foreign:
        shutil.rmtree(folder.store)


def choose_example(store: Store) -> Example:
    """Return a study with a finding that other patients have in the same region.

    Raises
    ------
    ConfigError
        Where the archive is too small to hold one.
    """
    patients: dict[tuple[Finding, Region], dict[str, str]] = {}
    for summary in store.studies(limit=1_000_000):
        for sentence in store.study(summary.study).parsed.sentences:
            for mention in sentence.mentions:
                if mention.assertion is Assertion.PRESENT and mention.regions:
                    key = (mention.finding, mention.regions[0])
                    patients.setdefault(key, {}).setdefault(summary.patient, summary.study)

    def worth(key: tuple[Finding, Region]) -> tuple[bool, int]:
        finding, region = key
        return finding in _WELL_SEEN and region is not region.mirrored, len(patients[key])

    best = max(patients, key=worth, default=None)
    if best is None or len(patients[best]) < 2:
        raise ConfigError(
            "no two patients of this archive share a finding", where="demo", remedy="Take more --studies"
        )
    study = next(iter(patients[best].values()))
    image = store.study(study).images[0]
    return Example(Path(image.source), study, best[1], best[0])
