"""Which projection an image is taken for."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from edge_retrieve.runtime.preprocess import Flag, View, load_radiograph
from edge_retrieve.runtime.preprocess.view import view_in_words


def code(value: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "a view"
    return item


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("PA", View.PA),
        ("AP", View.AP),
        ("ap supine", View.AP),
        ("AP LLD", View.AP),
        ("AP_AXIAL", View.AP),
        ("postero-anterior", View.PA),
        ("LL", View.LATERAL),
        ("LATERAL", View.LATERAL),
        ("Chest Lat", View.LATERAL),
        ("W033 Chest P.A.", View.PA),
        ("PA AP", None),
        ("CHEST PA & LAT", None),
        ("LLD", None),
        ("LEFT LATERAL DECUBITUS", None),
        ("LAO", None),
        ("PORTABLE", None),
        ("SPACE MAP", None),
        ("", None),
    ],
)
def test_words(text, view) -> None:
    assert view_in_words(text) is view


@pytest.mark.parametrize(
    ("attributes", "view", "note"),
    [
        ({}, View.PA, "PA from View Position"),
        ({"ViewPosition": "AP"}, View.AP, "AP from View Position"),
        ({"ViewPosition": "LL"}, View.LATERAL, "LATERAL from View Position"),
        ({"ViewPosition": None}, View.UNKNOWN, "not stated"),
        ({"ViewPosition": ""}, View.UNKNOWN, "not stated"),
        ({"ViewPosition": "", "SeriesDescription": "view: PA"}, View.PA, "PA from Series Description"),
        ({"ViewPosition": "", "ProtocolName": "CHEST LAT"}, View.LATERAL, "LATERAL from Protocol Name"),
        ({"ViewPosition": "", "SeriesDescription": "CHEST PA LAT"}, View.UNKNOWN, "not stated"),
        (
            {"ViewPosition": "PA", "SeriesDescription": "Thorax lateral"},
            View.UNKNOWN,
            "View Position says PA, Series Description says LATERAL",
        ),
        ({"ViewPosition": "PA", "SeriesDescription": "AP chest"}, View.PA, "PA from View Position"),
        (
            {"ViewPosition": "", "SeriesDescription": "AP chest", "ProtocolName": "PA chest"},
            View.UNKNOWN,
            "Series Description says AP, Protocol Name says PA",
        ),
        (
            {"ViewPosition": "", "ViewCodeSequence": Sequence([code("272479007")])},
            View.PA,
            "View Code Sequence",
        ),
        (
            {"ViewPosition": "", "ViewCodeSequence": Sequence([code("R-10206")])},
            View.AP,
            "View Code Sequence",
        ),
        ({"ViewPosition": "", "ViewCodeSequence": Sequence([code("399173006")])}, View.LATERAL, "View Code"),
        (
            {"ViewPosition": "PA", "ViewCodeSequence": Sequence([code("R-10236")])},
            View.UNKNOWN,
            "View Code Sequence says LATERAL, View Position says PA",
        ),
        ({"ViewPosition": "", "PatientOrientation": ["A", "F"]}, View.LATERAL, "Patient Orientation"),
        (
            {"ViewPosition": "PA", "PatientOrientation": ["P", "F"]},
            View.UNKNOWN,
            "Patient Orientation says LATERAL",
        ),
    ],
)
def test_headers(chest, dicom, write, attributes, view, note) -> None:
    data = dicom(chest())
    for keyword, value in attributes.items():
        if value is None:
            del data[keyword]
        else:
            setattr(data, keyword, value)
    got = load_radiograph(write(data))
    assert got.view is view
    assert note in got.applied[-1]
    assert (Flag.LATERAL_VIEW in got.flags) is (view is View.LATERAL)
    assert (Flag.UNKNOWN_VIEW in got.flags) is (view is View.UNKNOWN)


def test_the_caller_goes_first(chest, dicom, write) -> None:
    got = load_radiograph(write(dicom(chest(), ViewPosition="LL")), view=View.PA)
    assert got.view is View.PA
    assert Flag.LATERAL_VIEW not in got.flags
    assert got.applied[-1] == "view: PA given by the caller"
