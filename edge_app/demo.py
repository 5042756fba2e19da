"""The demonstration: a synthetic archive, its store, and a question to begin with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.edge_app.labels import ArchiveLabel, read_label, write_label
from edge_retrieve.edge_app.privacy import prepare_ingest
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.bundle import load_bundle
from edge_retrieve.runtime.errors import ConfigError, StoreError
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.reports import ParsedReport, parse_report
from edge_retrieve.runtime.store import Store
from edge_retrieve.runtime.store.opening import make_folder

SEED = 7
NEW_CASES_SEED = 8
NEW_CASES = 16  # studies of other patients, to ask with
PIXELS = 512  # side of a phantom

_LABEL = ArchiveLabel(name="demo", synthetic=True)

# Easily seen, and in regions that have a twin on the other side.
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

    @property
    def new_cases(self) -> Path:
        """Studies that are not in the store, of patients it has never seen."""
        return self.path / "new-cases"


@dataclass(frozen=True)
class Example:
    """A question worth asking first.

    Parameters
    ----------
    image : Path
        Of a patient the store has never seen.
    region : Region
    finding : Finding
        What its report states there.
    """

    image: Path
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
    _render(folder.archive, folder.studies, SEED, "Rendering synthetic X-rays", progress_bar)
    # So few that starting processes for them would take longer than rendering them.
    _render(folder.new_cases, NEW_CASES, NEW_CASES_SEED, "Rendering new cases", progress_bar, workers=1)
    _clear_store(folder)
    with Workspace(folder.store, create=True) as workspace:
        if workspace.store.count() < folder.studies:
            with progress_bar("Reading the archive into the store") as advance:
                prepare_ingest(workspace.store, workspace.site, [folder.archive])
                ingest(workspace.store, workspace.encoder, [folder.archive], progress=advance)


def _render(
    out: Path,
    studies: int,
    seed: int,
    description: str,
    progress_bar: ProgressBar,
    workers: int | None = None,
) -> None:
    if out.is_dir():
        return
    # Only the demonstration renders phantoms in this house, and it needs OpenCV to do so.
    from edge_retrieve.train.phantom.archive import write_archive
    from edge_retrieve.train.phantom.sampling import Split

    # Rendered aside and renamed when whole: a run cut short leaves nothing that looks finished.
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if unfinished.exists():
            shutil.rmtree(unfinished)
    except OSError as error:
        raise ConfigError(
            f"the folder cannot be written ({error.strerror})",
            where=str(out.parent),
            remedy="Name another --dir",
        ) from error
    with progress_bar(description) as advance:
        write_archive(
            unfinished, studies, seed, split=Split.TEST, size=PIXELS, workers=workers, progress=advance
        )
    unfinished.rename(out)


def _clear_store(folder: DemoFolder) -> None:
    """Leave a labelled folder whose store, if it has one, fits the bundle: phantoms are read again soon."""
    if folder.store.exists() and read_label(folder.store) != _LABEL:
        raise ConfigError(
            "this is not a demonstration's store, and is left alone",
            where=str(folder.store),
            remedy="Name another --dir",
        )
    try:
        Store.open(folder.store, bundle=load_bundle()).close()
    except StoreError:
        # Of another bundle, or cut short before it was a store.
        shutil.rmtree(folder.store, ignore_errors=True)
        make_folder(folder.store)
        write_label(folder.store, _LABEL)


def choose_example(store: Store, new_cases: Path) -> Example:
    """Return a new case with a finding that many patients of the store have in the same region.

    Raises
    ------
    ConfigError
        Where no new case has a finding.
    """
    seen: dict[tuple[Finding, Region], set[str]] = {}
    for summary in store.studies(limit=store.count()):
        for key in _stated(store.study(summary.study).parsed):
            seen.setdefault(key, set()).add(summary.patient)

    def worth(candidate: tuple[Path, Finding, Region]) -> tuple[bool, bool, int]:
        _, finding, region = candidate
        count = len(seen.get((finding, region), ()))
        return count > 1, finding in _WELL_SEEN and region is not region.mirrored, count

    candidates = [
        (report.with_suffix(".dcm"), finding, region)
        for report in sorted(new_cases.rglob("*.txt"))
        for finding, region in _stated(parse_report(report.read_text(encoding="utf-8")))
    ]
    if not candidates:
        raise ConfigError(
            "no new case has a finding", where=str(new_cases), remedy="Delete this folder and run again"
        )
    image, finding, region = max(candidates, key=worth)
    return Example(image, region, finding)


def _stated(report: ParsedReport) -> list[tuple[Finding, Region]]:
    """Return what a report states as present, each with the first region it names."""
    return [
        (mention.finding, mention.regions[0])
        for sentence in report.sentences
        for mention in sentence.mentions
        if mention.assertion is Assertion.PRESENT and mention.regions
    ]
