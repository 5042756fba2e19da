"""Our table against that of PS3.15 as another library ships it, and against what is read."""

import ast
from pathlib import Path

import pytest
from pydicom.datadict import keyword_for_tag, tag_for_keyword

from edge_retrieve.runtime.deid.profile import PROFILE, Treatment

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def standard():
    """The actions of Table E.1-1 (2026c), by tag."""
    table = pytest.importorskip("dicomanonymizer.dicom_anonymization_databases.dicomfields_2026c")
    return {
        group << 16 | element: name.removesuffix("_TAGS")
        for name in dir(table)
        if name.endswith("_TAGS") and isinstance(getattr(table, name), list)
        for group, element, *_ in getattr(table, name)
        if isinstance(group, int)
    }


def test_every_attribute_is_what_it_is_called():
    for attribute in PROFILE:
        assert keyword_for_tag(attribute.tag) == attribute.keyword


def test_what_is_done_is_what_the_table_asks(standard):
    """The profile asks for removal (X), emptying (Z) or replacing (D, U); what is kept names its option."""
    allowed = {
        Treatment.REPLACED: {"D", "Z", "Z_D", "X_D", "X_Z_D"},
        Treatment.UID: {"U", "X_Z_U_STAR"},
        Treatment.EMPTIED: {"Z", "Z_D", "X_Z"},
        Treatment.USED: set("XZD") | {"X_Z", "X_D", "X_Z_D", "Z_D", "X_Z_U_STAR"},
    }
    for attribute in PROFILE:
        action = standard[attribute.tag]
        if attribute.treatment is Treatment.MODIFIED:
            assert attribute.option, attribute
        else:
            assert action in allowed[attribute.treatment], (attribute.keyword, action)


def test_whatever_of_the_table_the_pixel_path_reads_is_listed(standard):
    """Every string in the pixel path that is the keyword of an attribute in the standard's table."""
    read = set()
    for path in (ROOT / "runtime" / "preprocess").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isalnum():
                tag = tag_for_keyword(node.value)
                if tag is not None and int(tag) in standard:
                    read.add(node.value)
    listed = {attribute.keyword for attribute in PROFILE}
    assert "PatientID" in read
    assert read - listed == set()
