from datetime import date

import pytest
from pydicom.uid import UID

from edge_retrieve.runtime.deid import pseudonyms
from edge_retrieve.runtime.deid.key import SiteKey

KEY, OTHER = SiteKey(b"a" * 32), SiteKey(b"b" * 32)


def day(text):
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def test_a_patient_keeps_one_pseudonym_that_another_site_does_not_give():
    first = pseudonyms.patient_pseudonym(KEY, "4471902")
    assert first == pseudonyms.patient_pseudonym(KEY, " 4471902 ")
    assert first != pseudonyms.patient_pseudonym(KEY, "4471903")
    assert first != pseudonyms.patient_pseudonym(OTHER, "4471902")
    assert "4471902" not in first
    assert len({pseudonyms.patient_pseudonym(KEY, str(n)) for n in range(5000)}) == 5000


def test_uids_are_valid_and_always_the_same():
    new = pseudonyms.uid_pseudonym(KEY, "1.2.840.113619.2.1")
    assert UID(new).is_valid
    assert new.startswith("2.25.")
    assert new == pseudonyms.uid_pseudonym(KEY, "1.2.840.113619.2.1")
    assert new != pseudonyms.uid_pseudonym(KEY, "1.2.840.113619.2.2")
    # An accession number is turned into one as well.
    assert UID(pseudonyms.uid_pseudonym(KEY, "ACC/2021/17")).is_valid


def test_dates_of_a_patient_move_together_and_weekdays_stay():
    dates = ["20200229", "20200301", "20211231"]
    moved = [pseudonyms.shifted_date(KEY, "P1", text) for text in dates]
    shifts = {day(old) - day(new) for old, new in zip(dates, moved, strict=True)}
    assert len(shifts) == 1
    (shift,) = shifts
    assert 7 <= shift.days <= 7 * pseudonyms.MOST_WEEKS
    assert [day(text).weekday() for text in dates] == [day(text).weekday() for text in moved]


def test_patients_are_moved_by_different_times():
    assert len({pseudonyms.days_back(KEY, str(n)) for n in range(2000)}) > 200


@pytest.mark.parametrize("text", ["", "2020", "20201340", "00010101", "yesterday"])
def test_what_is_no_date_is_left_out(text):
    assert pseudonyms.shifted_date(KEY, "P1", text) == ""


@pytest.mark.parametrize(("age", "kept"), [(None, None), (0.5, 0.5), (89.0, 89.0), (97.0, 90.0)])
def test_very_old_people_are_not_told_apart(age, kept):
    assert pseudonyms.capped_age(age) == kept
