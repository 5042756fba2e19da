"""From image files and reports to a store: a batch is encoded and committed while the next one is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType

from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.encoder import Encoder, ImageEncoding, PreparedImage
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.ingest_loading import Loaded, Loader, Unusable
from edge_retrieve.runtime.preprocess import find_inputs
from edge_retrieve.runtime.preprocess.assemble import patient_from_pixels, uid_from_pixels
from edge_retrieve.runtime.preprocess.grey import GreyScale
from edge_retrieve.runtime.preprocess.types import Flag, Radiograph
from edge_retrieve.runtime.report_encoding import ReportEncoder
from edge_retrieve.runtime.report_sources import ReportEntry, ReportSource
from edge_retrieve.runtime.store import KnownImage, NewEncoding, NewImage, Store

Progress = Callable[[int, int, str], None]

_BATCH = 16
_MOST_REPORTS = 256  # that wait for a batch's images


class Outcome(str, Enum):
    """What became of a file."""

    ACCEPTED = "accepted"
    FLAGGED = "flagged"
    REJECTED = "rejected"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file.

    Parameters
    ----------
    path : Path
    outcome : Outcome
        A flagged file is stored; its reason says what to know of it.
    reason : str
        Empty where there is nothing to say.
    study : str
        What the archive calls its study; empty where the file was rejected.
    """

    path: Path
    outcome: Outcome
    reason: str
    study: str = ""


@dataclass(frozen=True)
class IngestSummary:
    """What became of all files, in the order they were read.

    Parameters
    ----------
    files : tuple of FileOutcome
    """

    files: tuple[FileOutcome, ...]

    def count(self, outcome: Outcome) -> int:
        """Return how many files had an outcome."""
        return sum(item.outcome is outcome for item in self.files)

    @property
    def accepted(self) -> int:
        """Files stored without a doubt, or whose report was updated."""
        return self.count(Outcome.ACCEPTED)

    @property
    def flagged(self) -> int:
        """Files stored with a doubt to know of."""
        return self.count(Outcome.FLAGGED)

    @property
    def rejected(self) -> int:
        """Files not stored."""
        return self.count(Outcome.REJECTED)

    @property
    def unchanged(self) -> int:
        """Files that were in the store already."""
        return self.count(Outcome.UNCHANGED)


def ingest(
    store: Store,
    encoder: Encoder,
    paths: Sequence[Path],
    *,
    reports: Path | None = None,
    progress: Progress | None = None,
    refresh_index: bool = True,
    deidentifier: Deidentifier | None = None,
) -> IngestSummary:
    """Read images and their reports into a store.

    Files that cannot be read are rejected one by one and the rest goes on. What a returned batch holds
    is on disk; a run that was killed is simply repeated, for what is known already is left alone.

    Parameters
    ----------
    store : Store
    encoder : Encoder
        Of the store's bundle.
    paths : sequence of Path
        Files and folders.
    reports : Path, optional
        A folder of texts or a table; see `ReportSource`.
    progress : callable, optional
        Called with files done, their total and the file's name; then, while the index is brought up to
        date, with partitions done, their total and the partition's name.
    refresh_index : bool
        Write the index files anew at the end. Queries find what was committed without it, too; one who
        brings in a few images at a time leaves it to the retriever that serves them.
    deidentifier : Deidentifier, optional
        What every case passes before anything of it is stored; without one, cases are stored as they are.

    Raises
    ------
    StoreError
        Where the store is of another bundle or cannot be written; committed batches are kept.
    UnreadableFileError
        Where one of `paths` does not exist.
    ConfigError
        Where `reports` does not exist or has not the needed columns.
    BackendError
        Where the engine fails.
    """
    if store.bundle_id != encoder.bundle_id:
        raise StoreError(
            "the store's embeddings come from another bundle than the one in use",
            where=str(store.path),
            remedy="Use the store's bundle, or ingest into a new store",
        )
    source = ReportSource(reports)
    files = list(find_inputs(paths))
    loader = Loader(store, encoder, source, deidentifier)
    with _Run(store, encoder, loader) as run:
        for done, loaded in enumerate(loader.load_all(files)):
            if progress:
                progress(done, len(files), loaded.path.name)
            run.take(loaded)
        run.finish()
    if progress and files:
        progress(len(files), len(files), files[-1].name)
    outcomes = tuple(run.outcomes[path] for path in files)
    if refresh_index:
        Index(store).refresh(progress)
    return IngestSummary(outcomes)


@dataclass(frozen=True)
class _Pending:
    """An image that waits for its batch."""

    path: Path
    radiograph: Radiograph
    entry: ReportEntry
    study: str
    prepared: PreparedImage
    preview: bytes
    scale: GreyScale | None
    source: str


@dataclass
class _Batch:
    """Images and reports that are encoded and committed together."""

    images: list[_Pending] = field(default_factory=list)
    reports: dict[str, str] = field(default_factory=dict)

    def holds(self, radiograph: Radiograph) -> bool:
        return any(
            radiograph.sop_instance == item.radiograph.sop_instance
            or radiograph.pixels_sha256 == item.radiograph.pixels_sha256
            for item in self.images
        )


class _Run:
    """One ingest: its open batch, the one being encoded and committed meanwhile, and its outcomes."""

    def __init__(self, store: Store, encoder: Encoder, loader: Loader) -> None:
        self.outcomes: dict[Path, FileOutcome] = {}
        self._store = store
        self._encoder = encoder
        self._loader = loader
        self._texts = ReportEncoder(encoder)
        self._open, self._under_way = _Batch(), _Batch()
        self._commit: Future[None] | None = None
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._said: dict[str, str] = {}  # the first report of each study in this run

    def __enter__(self) -> _Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._committer.shutdown(wait=True, cancel_futures=True)

    def take(self, loaded: Loaded | Unusable) -> None:
        """Queue what a file holds, or decide on it at once."""
        if isinstance(loaded, Unusable):
            self._decide(loaded.path, Outcome.REJECTED, loaded.reason)
            return
        path, radiograph, entry = loaded.path, loaded.radiograph, loaded.entry
        if self._open.holds(radiograph) or self._under_way.holds(radiograph):
            self.finish()
        known = self._store.find_image(radiograph.sop_instance, radiograph.pixels_sha256)
        if known is not None:
            self._take_known(path, known, entry)
            return
        if loaded.prepared is None:
            # Deleted since the file was read.
            self.take(self._loader.load(path, known_too=True))
            return
        # Identifiers made up from the pixels give way to those of a table.
        made_up = radiograph.study == uid_from_pixels(radiograph.pixels_sha256, "study")
        study = (made_up and entry.study) or radiograph.study
        _, note = self._queue_report(study, entry.text)
        self._open.images.append(
            _Pending(
                path, radiograph, entry, study, loaded.prepared, loaded.preview, loaded.scale, loaded.source
            )
        )
        doubts = [flag.value for flag in radiograph.flags]
        if Flag.LATERAL_VIEW in radiograph.flags:
            doubts.append("stored, but not searched by image")
        if note:
            doubts.append(note)
        outcome = Outcome.FLAGGED if doubts else Outcome.ACCEPTED
        self._decide(path, outcome, "; ".join(doubts) or ("" if entry.text else "no report"), study)
        if len(self._open.images) >= _BATCH:
            self._hand_over()

    def _take_known(self, path: Path, known: KnownImage, entry: ReportEntry) -> None:
        reason = "" if known.same_pixels else "its SOP instance is stored with other pixels, which are kept"
        queued, note = self._queue_report(known.study, entry.text)
        if queued:
            self._decide(path, Outcome.ACCEPTED, "report updated", known.study)
        else:
            self._decide(path, Outcome.UNCHANGED, reason or note, known.study)
        if len(self._open.reports) >= _MOST_REPORTS:
            self._hand_over()

    def _queue_report(self, study: str, text: str) -> tuple[bool, str]:
        """Queue a study's report where it is new; return whether it was, and what to say of it.

        The first report of a run is kept, so that a repeated run changes nothing.
        """
        if not text:
            return False, ""
        if self._said.setdefault(study, text) != text:
            return False, "another file gave its study a different report, which is kept"
        queued = study in self._open.reports or study in self._under_way.reports
        if queued or text == self._store.report_text(study):
            return False, ""
        self._open.reports[study] = text
        return True, ""

    def _decide(self, path: Path, outcome: Outcome, reason: str, study: str = "") -> None:
        self.outcomes[path] = FileOutcome(path, outcome, reason, study)

    def finish(self) -> None:
        """Commit all that is queued; on return it is on disk."""
        self._hand_over()
        self._wait()

    def _hand_over(self) -> None:
        """Have the open batch encoded and committed while the next files are read."""
        self._wait()
        if self._open.images or self._open.reports:
            self._under_way, self._open = self._open, _Batch()
            self._commit = self._committer.submit(self._encode, self._under_way)

    def _wait(self) -> None:
        commit, self._commit = self._commit, None
        if commit is not None:
            commit.result()
            self._under_way = _Batch()

    def _encode(self, batch: _Batch) -> None:
        searched = [item for item in batch.images if Flag.LATERAL_VIEW not in item.radiograph.flags]
        encodings = self._encoder.encode_prepared([item.prepared for item in searched])
        by_path = {item.path: encoding for item, encoding in zip(searched, encodings, strict=True)}
        self._store.add(
            [_new_image(item, by_path.get(item.path)) for item in batch.images],
            self._texts.encode(batch.reports),
        )


def _new_image(item: _Pending, encoding: ImageEncoding | None) -> NewImage:
    radiograph, entry = item.radiograph, item.entry
    made_up = radiograph.patient == patient_from_pixels(radiograph.pixels_sha256)
    return NewImage(
        study=item.study,
        patient=(made_up and entry.patient) or radiograph.patient,
        study_date=radiograph.study_date or entry.study_date,
        sex=radiograph.sex or entry.sex,
        age=entry.age if radiograph.age is None else radiograph.age,
        sop_instance=radiograph.sop_instance,
        pixels_sha256=radiograph.pixels_sha256,
        source=item.source,
        view=radiograph.view,
        width=item.prepared.width,
        height=item.prepared.height,
        flags=radiograph.flags,
        applied=radiograph.applied,
        preview=item.preview,
        accession=radiograph.accession,
        scale=item.scale,
        encoding=None
        if encoding is None
        else NewEncoding(
            boxes=encoding.boxes,
            box_scores=encoding.box_scores,
            regions=encoding.regions,
            global_embedding=encoding.global_embedding,
        ),
    )
