"""From image files and reports to a store: a batch is encoded and committed while the next one is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.ingest_batch import Batch, Pending, new_image
from edge_retrieve.runtime.ingest_ledger import Ledger
from edge_retrieve.runtime.ingest_loading import Loaded, Loader, Seen, Unusable
from edge_retrieve.runtime.ingest_summary import FileOutcome, IngestSummary, Outcome
from edge_retrieve.runtime.preprocess import find_inputs
from edge_retrieve.runtime.preprocess.assemble import uid_from_pixels
from edge_retrieve.runtime.preprocess.types import Flag
from edge_retrieve.runtime.report_encoding import ReportEncoder
from edge_retrieve.runtime.report_sources import ReportSource
from edge_retrieve.runtime.store import Fate, KnownImage, ReadFile, Store

__all__ = ["FileOutcome", "IngestSummary", "Outcome", "ingest"]

Progress = Callable[[int, int, str], None]

_BATCH = 16
_MOST_REPORTS = 256  # that wait for a batch's images
_MOST_FILES = 256  # to be noted that wait for a batch
_DELETED = "its study was deleted from the store; ingest it with --again to bring it in once more"


def ingest(
    store: Store,
    encoder: Encoder,
    paths: Sequence[Path],
    *,
    reports: Path | None = None,
    progress: Progress | None = None,
    refresh_index: bool = True,
    deidentifier: Deidentifier | None = None,
    remember: bool = True,
    again: bool = False,
) -> IngestSummary:
    """Read images and their reports into a store.

    Files that cannot be read, and folders that cannot be listed, are rejected one by one and the rest goes
    on. What a returned batch holds is on disk; a run that was killed is simply repeated, for what is known
    already is left alone: a file whose path, size and time of change are noted in the store is not even
    opened, if its report, the bundle and what cases pass are the same.

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
    remember : bool
        Note files and know them again. Not for files whose paths are made up for each run.
    again : bool
        Open all files, known or not, those of deleted studies, too.

    Raises
    ------
    StoreError
        Where the store is of another bundle or cannot be written; committed batches are kept.
    UnreadableFileError
        Where one of `paths` does not exist or cannot be listed.
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
    unlisted: list[Unusable] = []
    files = list(find_inputs(paths, lambda path, error: unlisted.append(Unusable(path, str(error)))))
    ledger = Ledger(store, source, deidentifier, again=again) if remember else None
    loader = Loader(store, encoder, source, deidentifier, ledger)
    with _Run(store, encoder, loader, ledger) as run:
        for folder in unlisted:
            run.take(folder)
        for done, loaded in enumerate(loader.load_all(files)):
            if progress:
                progress(done, len(files), loaded.path.name)
            run.take(loaded)
        run.finish()
    if progress and files:
        progress(len(files), len(files), files[-1].name)
    outcomes = tuple(run.outcomes[path] for path in (*(each.path for each in unlisted), *files))
    if refresh_index:
        Index(store).refresh(progress)
    return IngestSummary(outcomes)


class _Run:
    """One ingest: its open batch, the one being encoded and committed meanwhile, and its outcomes."""

    def __init__(self, store: Store, encoder: Encoder, loader: Loader, ledger: Ledger | None) -> None:
        self.outcomes: dict[Path, FileOutcome] = {}
        self._store = store
        self._encoder = encoder
        self._loader = loader
        self._ledger = ledger
        self._texts = ReportEncoder(encoder)
        self._open, self._under_way = Batch(), Batch()
        self._commit: Future[None] | None = None
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._said: dict[str, str] = {}  # the first report of each study in this run
        self._settled: set[str] = set()  # studies whose report is that of a file which was not opened

    def __enter__(self) -> _Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._committer.shutdown(wait=True, cancel_futures=True)

    def take(self, loaded: Loaded | Seen | Unusable) -> None:
        """Queue what a file holds, or decide on it at once."""
        if isinstance(loaded, Seen):
            self._take_seen(loaded)
            return
        if isinstance(loaded, Unusable):
            self._decide(loaded.path, Outcome.REJECTED, loaded.reason)
            self._note(loaded.note)
            return
        path, radiograph, entry = loaded.path, loaded.radiograph, loaded.entry
        if self._open.holds(radiograph) or self._under_way.holds(radiograph):
            self.finish()
        known = self._store.find_image(radiograph.sop_instance, radiograph.pixels_sha256)
        if known is not None:
            self._take_known(loaded, known)
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
            Pending(
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
        self._note(self._stored(loaded, study, note))
        if len(self._open.images) >= _BATCH:
            self._hand_over()

    def _take_seen(self, seen: Seen) -> None:
        """Say of a file that was not opened what became of it then."""
        note = seen.note
        if note.fate is Fate.REJECTED:
            self._decide(seen.path, Outcome.REJECTED, f"{seen.path}: {note.reason}")
            return
        self._decide(
            seen.path,
            Outcome.UNCHANGED,
            _DELETED if note.fate is Fate.DELETED else note.reason,
            note.study,
        )
        if note.spoke:
            self._settled.add(note.study)

    def _take_known(self, loaded: Loaded, known: KnownImage) -> None:
        reason = "" if known.same_pixels else "its SOP instance is stored with other pixels, which are kept"
        queued, note = self._queue_report(known.study, loaded.entry.text)
        if queued:
            self._decide(loaded.path, Outcome.ACCEPTED, "report updated", known.study)
        else:
            self._decide(loaded.path, Outcome.UNCHANGED, reason or note, known.study)
        self._note(self._stored(loaded, known.study, reason or note))
        if len(self._open.reports) >= _MOST_REPORTS:
            self._hand_over()

    def _stored(self, loaded: Loaded, study: str, reason: str) -> ReadFile | None:
        if self._ledger is None or loaded.sight is None:
            return None
        return self._ledger.stored(loaded.sight, study, reason, spoke=bool(loaded.entry.text))

    def _note(self, file: ReadFile | None) -> None:
        """Have a file noted, in the transaction of what it holds."""
        if file is not None:
            self._open.files.append(file)
            if len(self._open.files) >= _MOST_FILES:
                self._hand_over()

    def _queue_report(self, study: str, text: str) -> tuple[bool, str]:
        """Queue a study's report where it is new; return whether it was, and what to say of it.

        The first report of a run is kept, so that a repeated run changes nothing.
        """
        if not text:
            return False, ""
        if study not in self._said:
            kept = self._store.report_text(study) if study in self._settled else None
            self._said[study] = text if kept is None else kept
        if self._said[study] != text:
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
        if self._open.images or self._open.reports or self._open.files:
            self._under_way, self._open = self._open, Batch()
            self._commit = self._committer.submit(self._encode, self._under_way)

    def _wait(self) -> None:
        commit, self._commit = self._commit, None
        if commit is not None:
            commit.result()
            self._under_way = Batch()

    def _encode(self, batch: Batch) -> None:
        if not batch.images and not batch.reports:
            assert self._ledger is not None  # files are noted by it alone
            self._ledger.keep(batch.files)
            return
        searched = [item for item in batch.images if Flag.LATERAL_VIEW not in item.radiograph.flags]
        encodings = self._encoder.encode_prepared([item.prepared for item in searched])
        by_path = {item.path: encoding for item, encoding in zip(searched, encodings, strict=True)}
        self._store.add(
            [new_image(item, by_path.get(item.path)) for item in batch.images],
            self._texts.encode(batch.reports),
            batch.files,
        )
