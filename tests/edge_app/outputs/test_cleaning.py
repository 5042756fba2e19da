"""Values of bad headers become values of good ones, or nothing."""

import pytest
from pydicom.dataset import Dataset

from edge_retrieve.edge_app.outputs import cleaning
from edge_retrieve.runtime.preprocess.header import Header


def held(keyword, value):
    dataset = Dataset()
    # A text of any length: pydicom would warn of what these tests are about.
    dataset.add_new(keyword, "UT", value)
    return Header(dataset)


@pytest.mark.parametrize(
    ("read", "keyword", "value", "clean"),
    [
        (cleaning.date, "StudyDate", "20250607", "20250607"),
        (cleaning.date, "StudyDescription", "2025.06.07", "20250607"),
        (cleaning.date, "StudyDescription", "2025-06-07", "20250607"),
        (cleaning.date, "StudyDescription", "20251307", ""),
        (cleaning.date, "StudyDescription", "07/06/2025", ""),
        (cleaning.time, "StudyTime", "101112", "101112"),
        (cleaning.time, "StudyDescription", "10:11:12.5", "101112.5"),
        (cleaning.time, "StudyDescription", "10", "10"),
        (cleaning.time, "StudyDescription", "2510", ""),
        (cleaning.age, "StudyDescription", "065y", "065Y"),
        (cleaning.age, "StudyDescription", "65", ""),
        (cleaning.uid, "StudyDescription", "1.2.840.113619", "1.2.840.113619"),
        (cleaning.uid, "StudyDescription", "1.2.x", ""),
        (cleaning.uid, "StudyDescription", "1." + "2" * 63, ""),
        (cleaning.short_identifier, "StudyDescription", "ACC-1", "ACC-1"),
        (cleaning.short_identifier, "StudyDescription", "A" * 17, ""),
        (cleaning.long_string, "StudyDescription", "x" * 70, "x" * 64),
        (cleaning.long_string, "StudyDescription", "chest\x07 \x1bPA", "chest PA"),
        (cleaning.person_name, "StudyDescription", "Yamada^Tarou=山田^太郎=", "Yamada^Tarou=山田^太郎"),
        (cleaning.person_name, "StudyDescription", "^^^^", ""),
        (cleaning.person_name, "StudyDescription", "a^b^c^d^e^f", "a^b^c^d^e"),
    ],
)  # fmt: skip
def test_a_value_is_brought_into_form_or_left_out(read, keyword, value, clean):
    assert read(held(keyword, value), keyword) == clean


def test_what_is_absent_is_empty():
    for read in (cleaning.date, cleaning.time, cleaning.uid, cleaning.person_name, cleaning.long_string):
        assert read(Header(Dataset()), "StudyDescription") == ""
