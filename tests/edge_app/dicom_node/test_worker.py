from pathlib import Path

import pytest
from pydicom import uid

from edge_retrieve.edge_app.dicom_node.quarantine import Fault, quarantined
from edge_retrieve.edge_app.dicom_node.spool import Spool
from edge_retrieve.edge_app.labels import ArchiveLabel, read_label, write_label
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.retriever import Retriever

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


def test_a_synthetic_archive_is_none_any_more(worker, spool, store, make_image):
    write_label(store.path, ArchiveLabel("demo", synthetic=True))
    spool.put([make_image(1)[:700]])
    worker.drain()
    assert read_label(store.path).synthetic
    spool.put([make_image(1)])
    worker.drain()
    assert not read_label(store.path).synthetic


def test_the_thread_takes_what_another_process_puts_in(worker, spool, store, make_image, wait_for):
    worker.start()
    try:
        Spool(spool.folder).put([make_image(1)])  # its own event is another one
        wait_for(lambda: store.count() == 1)
    finally:
        worker.stop()


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
