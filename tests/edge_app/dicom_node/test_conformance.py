"""docs/dicom-conformance.md says what the code does."""

import re
from pathlib import Path

from pydicom import uid

from edge_retrieve.edge_app.dicom_node import scp, scu
from edge_retrieve.edge_app.dicom_node.contexts import (
    IMAGE_CLASSES,
    REPORT_CLASSES,
    REPORT_SYNTAXES,
    SYNTAXES,
    storage_contexts,
)
from edge_retrieve.edge_app.dicom_node.scp import StorageScp
from edge_retrieve.edge_app.dicom_node.scp_settings import ScpSettings
from edge_retrieve.edge_app.dicom_node.spool import Spool

TEXT = (Path(__file__).parents[3] / "docs" / "dicom-conformance.md").read_text()


def rows(columns):
    found = [line.strip("|").split("|") for line in TEXT.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in row) for row in found if len(row) == columns]


def test_the_classes_received_are_those_of_the_table(tmp_path):
    documented = {row[1]: row[0] for row in rows(3) if row[2] == "SCP"}
    assert set(documented) == {"1.2.840.10008.1.1", *IMAGE_CLASSES, *REPORT_CLASSES}
    for identifier, name in documented.items():
        assert uid.UID(identifier).name.replace(" SOP Class", "") == name
    listening = StorageScp(Spool(tmp_path), ScpSettings())
    supported = {context.abstract_syntax for context in listening._ae.supported_contexts}
    assert supported == set(documented)


def test_the_syntaxes_are_those_of_the_table():
    documented = {row[1]: (row[2], row[3]) for row in rows(4) if row[1].startswith("1.2.840")}
    assert set(documented) == set(SYNTAXES) | set(REPORT_SYNTAXES)
    for syntax, (images, reports) in documented.items():
        assert (images == "yes") == (syntax in SYNTAXES), syntax
        assert (reports == "yes") == (syntax in REPORT_SYNTAXES), syntax


def test_reports_are_offered_in_their_syntaxes_alone():
    contexts = storage_contexts()
    assert all(contexts[each] == REPORT_SYNTAXES for each in REPORT_CLASSES)
    assert uid.DeflatedExplicitVRLittleEndian not in REPORT_SYNTAXES, "pydicom inflates without a bound"


def test_what_is_asked_with_is_in_the_table():
    documented = {row[1] for row in rows(3) if row[2].startswith("SCU")}
    assert {scu._FIND, scu._GET, scu._MOVE, "1.2.840.10008.1.1"} <= documented


def test_a_retrieval_fits_into_one_association():
    contexts = sum(len(syntaxes) for syntaxes in storage_contexts().values()) + 1
    assert contexts <= 128, "PS3.8, 9.3.2.2: identifiers are odd numbers below 256"


def test_figures_of_the_text():
    assert f"{scp._LARGEST_PDU:,} bytes" in TEXT
    assert re.search(r"--dicom-tls-authorities", TEXT)
