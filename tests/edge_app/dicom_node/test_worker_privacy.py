"""What names a patient passes through, and is not kept, not logged, not told."""

import logging

import pytest
from pydicom import uid

from edge_retrieve.edge_app.dicom_node.gate import OpenGate, RefusedError, StudyReport
from edge_retrieve.edge_app.dicom_node.pseudonym_gate import PseudonymGate
from edge_retrieve.edge_app.dicom_node.quarantine import Fault, quarantined
from edge_retrieve.edge_app.dicom_node.storing import ObjectStorer
from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.deid.key import read_or_make_key


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


@pytest.fixture
def deidentifier(tmp_path):
    return Deidentifier(read_or_make_key(tmp_path / "key"))


@pytest.fixture
def masking(make_worker, deidentifier):
    return make_worker(PseudonymGate(deidentifier), deidentifier=deidentifier)


def test_nothing_of_an_image_or_a_report_names_the_patient(
    masking, deidentifier, spool, store, make_image, make_report, everything_below
):
    study, marked = uid.generate_uid(), "Quixotefield"
    names = {"patient": marked, "study": study}
    spool.put([make_image(1, **names)])
    said = f"Comparison with the earlier image of {marked}. The lungs are clear."
    spool.put([make_report(study, said, PatientName=f"{marked}^Anna")])
    masking.drain()
    assert quarantined(spool) == ()
    record = store.study(deidentifier.uid(study))
    assert "The lungs are clear." in record.report
    written = everything_below(spool.folder) + record.report.encode()
    assert marked.encode() not in written
    assert study.encode() not in written


def test_nothing_is_left_after_a_crash_in_between(
    masking, spool, store, make_image, everything_below, monkeypatch
):
    def end_here(*arguments):
        raise KeyboardInterrupt

    entry = spool.put([make_image(1, patient="MARKED4711")])
    monkeypatch.setattr(ObjectStorer, "_finish", end_here)
    with pytest.raises(KeyboardInterrupt):
        masking.drain()
    monkeypatch.undo()
    assert store.count() == 1, "the commit stands"
    assert b"MARKED4711" in everything_below(spool.objects)
    assert spool.entries() == [entry.tried(1)]
    masking.drain()
    assert store.count() == 1
    assert b"MARKED4711" not in everything_below(spool.folder)


@pytest.mark.parametrize("order", ["before", "together", "after"])
def test_a_report_finds_its_image_by_the_pseudonym(
    masking, deidentifier, spool, store, make_image, make_report, order
):
    study = uid.generate_uid()
    report, image = make_report(study, "The lungs are clear."), make_image(1, study=study)
    first, second = (image, report) if order == "after" else (report, image)
    spool.put([first])
    if order != "together":
        masking.drain()
    spool.put([second])
    masking.drain()
    assert store.study(deidentifier.uid(study)).report == "FINDINGS: The lungs are clear."
    assert spool.waiting_reports() == 0
    assert spool.entries() == []
