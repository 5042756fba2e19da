"""From objects in the spool to studies in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_retrieve.edge_app.dicom_node.accounting import Accounting
from edge_retrieve.edge_app.dicom_node.contexts import REPORT_CLASSES
from edge_retrieve.edge_app.dicom_node.gate import Gate, RefusedError, StudyReport
from edge_retrieve.edge_app.dicom_node.keeping import KeptFile, keep, named_study, sop_class_and_sender
from edge_retrieve.edge_app.dicom_node.quarantine import Fault, set_aside
from edge_retrieve.edge_app.dicom_node.spool import Spool, SpoolEntry, write_durably
from edge_retrieve.edge_app.dicom_node.status import WorkStatus
from edge_retrieve.edge_app.dicom_node.structured_reports import read_report
from edge_retrieve.edge_app.labels import label_after_ingest
from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.deid.header_words import header_words
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import PixelError, UnknownStudyError
from edge_retrieve.runtime.ingest import FileOutcome, Outcome, ingest
from edge_retrieve.runtime.report_encoding import ReportEncoder
from edge_retrieve.runtime.store import Store


@dataclass(frozen=True)
class _Received:
    """An object that is being stored."""

    entry: SpoolEntry
    sop_class: str
    sender: str


class ObjectStorer:
    """Stores objects; what cannot be stored goes into quarantine.

    An object leaves the spool when it is committed to the store, laid by, or in quarantine: until then it
    is simply stored again, for what the store has already is left alone.

    Parameters
    ----------
    spool : Spool
    store : Store
    encoder : Encoder
        Of the store's bundle.
    gate : Gate
        Every object passes it before anything of it is stored.
    deidentifier : Deidentifier, optional
        What every image passes as it is read; no file of it is kept then.
    on_searchable : callable, optional
        Told, for each image stored, how many seconds after its arrival queries find it.
    accounting : Accounting, optional
        Told what became of each object, before it leaves the spool.
    """

    def __init__(
        self,
        spool: Spool,
        store: Store,
        encoder: Encoder,
        gate: Gate,
        on_searchable: Callable[[float], None] | None = None,
        deidentifier: Deidentifier | None = None,
        accounting: Accounting | None = None,
    ) -> None:
        self._spool, self._store, self._encoder, self._gate = spool, store, encoder, gate
        self._deidentifier = deidentifier
        self._texts = ReportEncoder(encoder)
        self._on_searchable = on_searchable
        self._accounting = accounting or Accounting()
        self.status = WorkStatus()

    def use(self, store: Store, encoder: Encoder) -> None:
        """Store with these from now on; what is in hand may fail, and is stored again."""
        self._store, self._encoder, self._texts = store, encoder, ReportEncoder(encoder)

    def store(self, entries: Sequence[SpoolEntry]) -> None:
        """Store objects, images before reports.

        Raises
        ------
        StoreError, BackendError, OSError
            Where the store, the engine or the disk fails; what is in the spool still is to be tried again.
        """
        received = [_Received(entry, *sop_class_and_sender(entry.path)) for entry in entries]
        reports = [each for each in received if each.sop_class in REPORT_CLASSES]
        images = [each for each in received if each.sop_class not in REPORT_CLASSES]
        if images:
            self._store_images(images)
        if reports:
            self._store_reports(reports)

    def set_aside(self, entry: SpoolEntry, fault: Fault, reason: str, sender: str = "") -> None:
        """Move an object into quarantine."""
        sender = sender or (entry.arrival.ae_title if entry.arrival else "")
        # What ended the process is not looked into once more.
        study = "" if fault is Fault.FAILED else self._own(named_study(entry.path))
        self._accounting.set_aside(entry, sender, study, fault)
        set_aside(self._spool, entry, fault, reason, sender)
        self.status = replace(self.status, set_aside=self.status.set_aside + 1)

    def _store_images(self, images: Sequence[_Received]) -> None:
        kept: dict[Path, KeptFile] = {}
        of_path: dict[Path, list[_Received]] = {}
        for each in images:
            try:
                file = keep(self._spool, each.entry, self._gate)
            except RefusedError as error:
                self.set_aside(each.entry, Fault.REFUSED, str(error), each.sender)
                continue
            kept.setdefault(file.path, file)
            of_path.setdefault(file.path, []).append(each)
        was_empty = self._store.count() == 0
        summary = ingest(
            self._store,
            self._encoder,
            list(kept),
            reports=self._spool.reports,
            refresh_index=False,
            deidentifier=self._deidentifier,
            remember=False,  # what is sent once more is meant to be
        )
        if summary.accepted or summary.flagged:
            label_after_ingest(self._store.path, [self._spool.objects], was_empty=was_empty)
        for outcome in summary.files:
            self._finish(outcome, kept[outcome.path], of_path[outcome.path])

    def _finish(self, outcome: FileOutcome, kept: KeptFile, images: Sequence[_Received]) -> None:
        if outcome.outcome is Outcome.REJECTED:
            told = outcome.reason.removeprefix(f"{kept.path}: ")
            for each in images:
                self.set_aside(each.entry, Fault.UNUSABLE, told, each.sender)
            self._clean_up(kept, needed=False)
            return
        new = outcome.outcome is not Outcome.UNCHANGED
        for each in images:
            what = "stored" if new else "unchanged"
            self._accounting.stored(each.entry, each.sender, outcome.study, what)
        # A sender may have written anything there; no report waits under another name than a UID.
        if new and outcome.study.replace(".", "").isdecimal():
            (self._spool.reports / f"{outcome.study}.txt").unlink(missing_ok=True)
        self._clean_up(kept, needed=new)
        for each in images:
            if self._on_searchable and new:
                self._on_searchable(each.entry.waiting_s)
            self._spool.remove(each.entry)
        status = self.status
        self.status = replace(
            status,
            stored=status.stored + int(new),
            unchanged=status.unchanged + len(images) - int(new),
        )

    def _clean_up(self, kept: KeptFile, *, needed: bool) -> None:
        """Delete what the store does not refer to, or what names a patient whom it shall not know."""
        if self._deidentifier is not None:
            kept.path.unlink(missing_ok=True)
        if needed:
            kept.report.unlink(missing_ok=True)
        else:
            kept.forget()

    def _store_reports(self, received: Sequence[_Received]) -> None:
        texts: dict[str, str] = {}
        done: list[tuple[_Received, str]] = []
        for each in received:
            try:
                read = read_report(each.entry.path.read_bytes())
                report = self._gate.report(replace(read, known=header_words(each.entry.path)))
            except PixelError as error:
                self.set_aside(each.entry, Fault.UNUSABLE, str(error), each.sender)
            except RefusedError as error:
                self.set_aside(each.entry, Fault.REFUSED, str(error), each.sender)
            else:
                done.append((each, report.study))
                if self._knows(report):
                    texts[report.study] = report.text
                else:
                    # Ingest finds it here, by its study, when the image comes.
                    write_durably(self._spool.reports / f"{report.study}.txt", [report.text.encode()])
        if texts:
            self._store.add([], self._texts.encode(texts))
        for each, study in done:
            what = "report stored" if study in texts else "report laid by"
            self._accounting.stored(each.entry, each.sender, study, what)
            self._spool.remove(each.entry)
        self.status = replace(self.status, reports=self.status.reports + len(done))

    def _own(self, study: str) -> str:
        """Return what the archive calls a study, by what its sender does."""
        return study if self._deidentifier is None or not study else self._deidentifier.uid(study)

    def _knows(self, report: StudyReport) -> bool:
        try:
            self._store.study_number(report.study)
        except UnknownStudyError:
            return False
        return True
