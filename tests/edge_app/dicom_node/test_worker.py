import logging
import shutil
from pathlib import Path

import pytest
from pydicom import uid

from edge_retrieve.edge_app.dicom_node.gate import OpenGate, RefusedError, StudyReport
from edge_retrieve.edge_app.dicom_node.pseudonym_gate import PseudonymGate
from edge_retrieve.edge_app.dicom_node.quarantine import Fault, quarantined
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.edge_app.dicom_node.storing import ObjectStorer
from edge_retrieve.edge_app.labels import ArchiveLabel, read_label, write_label
from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.deid.key import read_or_make_key
from edge_retrieve.runtime.errors import BackendError, StoreError
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.retriever import Retriever
from edge_retrieve.runtime.store import Store

NODULE = "There is a nodule in the right upper lung zone."


def test_an_object_becomes_a_study_that_queries_find(worker, spool, store, encoder, make_image):
    study = uid.generate_uid()
    seconds = []
    worker._storer._on_searchable = seconds.append
    spool.put([make_image(1, patient="P7", study=study)])
    assert worker.drain()
    assert spool.entries() == []
    record = store.study(study)
    assert (record.patient, record.study_date, record.sex) == ("P7", "20240131", "F")
    (hit,) = Retriever(store, encoder).query(Query(text="nodule")).hits
    assert hit.study == study
    assert len(seconds) == 1
    assert 0 < seconds[0] < 60
    assert worker.status.stored == 1


def test_the_file_stays_where_the_store_says_it_is(worker, spool, store, make_image):
    data = make_image(1)
    spool.put([data])
    worker.drain()
    assert source_of(store).is_relative_to(spool.objects)
    assert source_of(store).read_bytes() == data


def source_of(store):
    (summary,) = store.studies()
    return Path(store.study(summary.study).images[0].source)


def test_the_same_object_again_changes_nothing(worker, spool, store, make_image):
    data = make_image(1)
    for _ in range(3):
        spool.put([data])
    worker.drain()
    spool.put([data])
    worker.drain()
    assert store.count() == 1
    assert (worker.status.stored, worker.status.unchanged) == (1, 3)
    assert len([path for path in spool.objects.rglob("*") if path.is_file()]) == 1


def test_other_pixels_under_a_known_instance_are_not_kept(worker, spool, store, make_image):
    first, second = make_image(1), make_image(2)
    instance = pydicom_instance(first)
    spool.put([first])
    worker.drain()
    spool.put([second.replace(pydicom_instance(second), instance)])
    worker.drain()
    assert store.count() == 1
    assert len([path for path in spool.objects.rglob("*") if path.is_file()]) == 1


def pydicom_instance(data):
    start = data.index(b"\x02\x00\x03\x00UI") + 8
    return data[start : start + int.from_bytes(data[start - 2 : start], "little")]


@pytest.mark.parametrize(
    ("spoil", "clue"),
    [
        (lambda data: data[: len(data) // 2], "bytes where Rows x Columns need"),
        (lambda data: b"", "empty"),
        (lambda data: b"not DICOM at all, but some text", "neither DICOM"),
        (lambda data: data.replace(b"CHEST ", b"HAND  "), "HAND"),
        (lambda data: data[:200] + bytes(200) + data[400:], ""),
    ],
    ids=["truncated", "empty", "text", "hand", "zeros"],
)
def test_what_cannot_be_used_goes_into_quarantine_and_the_rest_on(
    worker, spool, store, make_image, spoil, clue
):
    spool.put([make_image(1)])
    bad = spool.put([spoil(make_image(2))])
    spool.put([make_image(3)])
    worker.drain()
    (held,) = quarantined(spool)
    assert held.id == bad.id
    assert held.fault is Fault.UNUSABLE
    assert clue in held.reason
    assert str(spool.folder) not in held.reason
    assert store.count() == 2
    assert spool.entries() == []
    assert worker.status.set_aside == 1
    assert len([path for path in spool.objects.rglob("*") if path.is_file()]) == 2


def test_a_report_that_comes_after_its_image(worker, spool, store, make_image, make_report):
    study = uid.generate_uid()
    spool.put([make_image(1, study=study)])
    worker.drain()
    assert store.study(study).report == ""
    spool.put([make_report(study, NODULE, "Nodule")])
    worker.drain()
    assert store.study(study).report == f"FINDINGS: {NODULE}\nIMPRESSION: Nodule."
    assert [finding.value for finding in store.studies()[0].findings] == ["nodule"]
    spool.put([make_report(study, "The lungs are clear.")])
    worker.drain()
    assert store.study(study).report == "FINDINGS: The lungs are clear."


def test_a_report_that_comes_before_its_image(worker, spool, store, make_image, make_report):
    study = uid.generate_uid()
    spool.put([make_report(study, NODULE)])
    worker.drain()
    assert spool.entries() == []
    assert spool.waiting_reports() == 1
    spool.put([make_image(1, study=study)])
    worker.drain()
    assert store.study(study).report == f"FINDINGS: {NODULE}"
    assert spool.waiting_reports() == 0


def test_a_report_in_the_same_batch_as_its_image(worker, spool, store, make_image, make_report):
    study = uid.generate_uid()
    spool.put([make_report(study, NODULE)])
    spool.put([make_image(1, study=study)])
    worker.drain()
    assert store.study(study).report == f"FINDINGS: {NODULE}"


def test_a_text_that_came_with_an_image(worker, spool, store, make_image):
    study = uid.generate_uid()
    spool.put([make_image(1, study=study)], report=NODULE)
    worker.drain()
    assert store.study(study).report == NODULE
    assert not list(spool.objects.rglob("*.txt"))


@pytest.mark.parametrize(
    ("changes", "clue"),
    [
        ({"PreliminaryFlag": "PRELIMINARY"}, "preliminary"),
        ({"ContentSequence": []}, "no text"),
        ({"StudyInstanceUID": ""}, "names no study"),
    ],
)
def test_a_structured_report_that_is_not_taken(worker, spool, make_report, changes, clue):
    spool.put([make_report(uid.generate_uid(), NODULE, **changes)])
    worker.drain()
    (held,) = quarantined(spool)
    assert clue in held.reason
    assert spool.waiting_reports() == 0


def test_a_truncated_structured_report_is_no_reason_to_stop(worker, spool, store, make_image, make_report):
    report = make_report(uid.generate_uid(), NODULE)
    for end in range(150, len(report) - 1, 97):
        spool.put([report[:end]])
    spool.put([make_image(1)])
    worker.drain()
    assert store.count() == 1
    assert spool.entries() == []


class Renaming(OpenGate):
    """A gate that writes another patient and study into what it lets pass."""

    def __init__(self, study):
        self.study = study

    def image(self, received, kept):
        data = received.read_bytes()
        if b"Doe^SECRET" in data:
            raise RefusedError("the patient asked not to be kept")
        kept.write_bytes(data.replace(b"Doe^P1", b"Roe^XX"))

    def report(self, report):
        return StudyReport(self.study, report.text.replace("Mary", "***"))


def test_everything_passes_the_gate(make_worker, spool, store, make_image, make_report, everything_below):
    study = uid.generate_uid()
    worker = make_worker(Renaming(study))
    spool.put([make_image(1, study=study)], report="Mary has clear lungs.")
    spool.put([make_image(2, patient="SECRET")])
    spool.put([make_report("1.2.3", "Mary has a nodule in the right upper lung zone.")])
    worker.drain()
    (held,) = quarantined(spool)
    assert (held.fault, held.reason) == (Fault.REFUSED, "the patient asked not to be kept.")
    assert store.study(study).report == "FINDINGS: *** has a nodule in the right upper lung zone."
    kept = everything_below(spool.objects) + everything_below(spool.reports)
    assert b"Roe^XX" in kept
    assert b"Doe" not in kept
    assert b"Mary" not in kept


def test_a_synthetic_archive_is_none_any_more(worker, spool, store, make_image):
    write_label(store.path, ArchiveLabel("demo", synthetic=True))
    spool.put([make_image(1)[:700]])
    worker.drain()
    assert read_label(store.path).synthetic
    spool.put([make_image(1)])
    worker.drain()
    assert not read_label(store.path).synthetic


@pytest.mark.parametrize("error", [StoreError("the disk is full"), BackendError("the engine failed")])
def test_failures_of_the_machine_are_tried_again(worker, spool, store, make_image, monkeypatch, error):
    real, calls = Store.add, []

    def add(self, images, reports):
        calls.append(len(images))
        if len(calls) < 4:
            raise error
        real(self, images, reports)

    monkeypatch.setattr(Store, "add", add)
    monkeypatch.setattr("edge_retrieve.edge_app.dicom_node.worker._LONGEST_PAUSE_S", 0.0)
    for seed in range(3):
        spool.put([make_image(seed)])
    worker.drain()
    assert store.count() == 3
    assert quarantined(spool) == ()
    assert spool.entries() == []
    assert calls[0] == 3, "a batch at first"
    assert set(calls[1:]) == {1}, "one by one after it failed"
    assert worker.status.failing == ""


def test_while_it_fails_the_reason_is_told_without_identifiers(
    worker, spool, make_image, monkeypatch, caplog
):
    def add(self, images, reports):
        raise StoreError(f"there is no room for '{images[0].patient}'")

    monkeypatch.setattr(Store, "add", add)
    spool.put([make_image(1, patient="MARKED4711")])
    with caplog.at_level(logging.DEBUG):
        worker.drain()
    (entry,) = spool.entries()
    assert entry.attempts == 0, "it was not the object's fault"
    assert worker.status.failing == "StoreError: there is no room for ..."
    assert "no room" in caplog.text
    assert "MARKED4711" not in caplog.text


def test_an_object_that_alone_fails_again_and_again_goes_into_quarantine(
    worker, spool, store, make_image, monkeypatch
):
    real = Store.add

    def add(self, images, reports):
        if any(image.patient == "POISON" for image in images):
            raise RuntimeError("nobody foresaw this")
        real(self, images, reports)

    monkeypatch.setattr(Store, "add", add)
    monkeypatch.setattr("edge_retrieve.edge_app.dicom_node.worker._LONGEST_PAUSE_S", 0.0)
    spool.put([make_image(1)])
    poison = spool.put([make_image(2, patient="POISON")])
    spool.put([make_image(3)])
    worker.drain()
    (held,) = quarantined(spool)
    assert (held.id, held.fault, held.reason) == (poison.id, Fault.FAILED, "RuntimeError")
    assert store.count() == 2


def test_where_nothing_can_be_stored_nothing_goes_into_quarantine(worker, spool, make_image, monkeypatch):
    calls = []

    def add(self, images, reports):
        calls.append(1)
        if len(calls) > 20:
            worker._spool.incoming.rename(worker._spool.folder / "away")  # ends the loop
        raise StoreError("the disk is full")

    monkeypatch.setattr(Store, "add", add)
    monkeypatch.setattr("edge_retrieve.edge_app.dicom_node.worker._LONGEST_PAUSE_S", 0.0)
    spool.put([make_image(1)])
    with pytest.raises(FileNotFoundError):
        worker.drain()
    assert len(calls) > 20
    assert quarantined(spool) == ()


def test_an_object_that_ends_the_process_is_tried_alone_and_then_set_aside(worker, spool, store, make_image):
    """Its attempts are on disk: this is what a process finds that starts after the third crash."""
    suspect = spool.put([make_image(1)])
    for _ in range(2):
        suspect = spool.begin(suspect)
    spool.put([make_image(2)])
    assert [entry.id for entry in worker._due()] == [suspect.id]
    suspect = spool.begin(suspect)
    worker.drain()
    (held,) = quarantined(spool)
    assert (held.id, held.fault, held.attempts) == (suspect.id, Fault.FAILED, 3)
    assert "ended" in held.reason
    assert store.count() == 1


def test_after_a_crash_between_commit_and_clean_up_nothing_changes(
    make_worker, spool, store, make_image, tmp_path
):
    entry = spool.put([make_image(1)])
    copy = shutil.copy2(entry.path, tmp_path / "copy")
    make_worker().drain()
    # The commit stands; the object is still in the spool, its attempt counted.
    shutil.copy2(copy, entry.tried(1).path)
    again = make_worker()
    again.drain()
    assert store.count() == 1
    assert spool.entries() == []
    assert source_of(store).is_file()
    assert len([path for path in spool.objects.rglob("*") if path.is_file()]) == 1


def test_the_thread_takes_what_another_process_puts_in(worker, spool, store, make_image, wait_for):
    worker.start()
    try:
        Spool(spool.folder).put([make_image(1)])  # its own event is another one
        wait_for(lambda: store.count() == 1)
    finally:
        worker.stop()


def test_logs_and_quarantine_hold_no_identifier(worker, spool, make_image, make_report, caplog):
    marked = "MARKED4711"
    with caplog.at_level(logging.DEBUG):
        spool.put([make_image(1, patient=marked)])
        spool.put([make_image(2, patient=marked, BodyPartExamined="HAND")])
        spool.put([make_image(3, patient=marked)[:900]])
        worker.drain()
    told = caplog.text + "".join(path.read_text() for path in spool.quarantine.glob("*.json"))
    assert len(quarantined(spool)) == 2
    assert marked not in told


def test_deleting_a_study_deletes_the_file_that_was_kept_of_it(
    run, worker, spool, store, make_image, tmp_path
):
    ingested = tmp_path / "archive" / "image.dcm"
    ingested.parent.mkdir()
    ingested.write_bytes(make_image(2))
    first, second = uid.generate_uid(), uid.generate_uid()
    spool.put([make_image(1, study=first)])
    spool.put([make_image(3, study=second)])
    worker.drain()
    ingest(store, worker._storer._encoder, [ingested])
    others = [summary.study for summary in store.studies() if summary.study not in (first, second)]
    done = run("store", "delete", first, *others, "--yes", "--later", "--store", store.path)
    assert done.exit_code == 0, done.output
    left = [path for path in spool.objects.rglob("*") if path.is_file()]
    assert left == [source_of(store)], "that of the study that is left"
    assert ingested.exists(), "not ours to delete"


class TestDeidentified:
    """A store of pseudonyms: what names a patient passes through, and is not kept."""

    @pytest.fixture
    def deidentifier(self, tmp_path):
        return Deidentifier(read_or_make_key(tmp_path / "key"))

    @pytest.fixture
    def worker(self, make_worker, deidentifier):
        return make_worker(PseudonymGate(deidentifier), deidentifier=deidentifier)

    def test_nothing_of_an_image_or_a_report_names_the_patient(
        self, worker, deidentifier, spool, store, make_image, make_report, everything_below
    ):
        study, marked = uid.generate_uid(), "Quixotefield"
        names = {"patient": marked, "study": study}
        spool.put([make_image(1, **names)])
        said = f"Comparison with the earlier image of {marked}. The lungs are clear."
        spool.put([make_report(study, said, PatientName=f"{marked}^Anna")])
        worker.drain()
        assert quarantined(spool) == ()
        record = store.study(deidentifier.uid(study))
        assert "The lungs are clear." in record.report
        written = everything_below(spool.folder) + record.report.encode()
        assert marked.encode() not in written
        assert study.encode() not in written

    def test_nothing_is_left_after_a_crash_between_commit_and_clean_up(
        self, worker, spool, store, make_image, everything_below, monkeypatch
    ):
        def end_here(*arguments):
            raise KeyboardInterrupt

        entry = spool.put([make_image(1, patient="MARKED4711")])
        monkeypatch.setattr(ObjectStorer, "_finish", end_here)
        with pytest.raises(KeyboardInterrupt):
            worker.drain()
        monkeypatch.undo()
        assert store.count() == 1, "the commit stands"
        assert b"MARKED4711" in everything_below(spool.objects)
        assert spool.entries() == [entry.tried(1)]
        worker.drain()
        assert store.count() == 1
        assert b"MARKED4711" not in everything_below(spool.folder)
