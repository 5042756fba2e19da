from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_retrieve.runtime.filters import Filters
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess.types import View

TEXTS = {
    "": (),
    "Nodule in the right upper lung zone.": (Finding.NODULE,),
    "No nodule. Cardiomegaly.": (Finding.CARDIOMEGALY,),
    "Possible nodule.": (),
    "Mass in the left lung. Nodule in the left lung.": (Finding.MASS, Finding.NODULE),
}
DATES = ("", "20200101", "20210630", "20240229")
AGES = (None, 0.0, 40.0, 61.5)
SEXES = ("F", "M", "O", "")
VIEWS = (View.PA, View.AP, View.LATERAL)


@pytest.fixture
def filled(store, maker):
    """Sixty studies of every kind, and what each is, by its number."""
    random = np.random.default_rng(3)
    images, reports, known = [], [], []
    for n in range(60):
        texts = list(TEXTS)
        text = texts[random.integers(len(texts))]
        view = VIEWS[random.integers(len(VIEWS))]
        made = replace(
            maker.image(f"s{n}", patient=f"p{n % 17}", lateral=view is View.LATERAL),
            study_date=DATES[random.integers(len(DATES))],
            age=AGES[random.integers(len(AGES))],
            sex=SEXES[random.integers(len(SEXES))],
            view=view,
        )
        images.append(made)
        if text:
            reports.append(maker.report(f"s{n}", text))
        known.append((made, TEXTS[text]))
    store.add(images, reports)
    return store, {store.study_number(made.study): (made, findings) for made, findings in known}


def meets(study, findings, filters):
    return (
        (not filters.findings or bool(set(findings) & set(filters.findings)))
        and (not filters.sexes or study.sex in filters.sexes)
        and (filters.age_from is None or (study.age is not None and study.age >= filters.age_from))
        and (filters.age_to is None or (study.age is not None and study.age <= filters.age_to))
        and (not filters.date_from or (bool(study.study_date) and study.study_date >= filters.date_from))
        and (not filters.date_to or (bool(study.study_date) and study.study_date <= filters.date_to))
        and (not filters.views or study.view in filters.views)
        and study.patient not in filters.exclude_patients
    )


def some(values, most=2):
    return st.lists(st.sampled_from(values), max_size=most, unique=True).map(tuple)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    some((Finding.NODULE, Finding.MASS, Finding.CARDIOMEGALY)),
    some(("F", "M", "O")),
    st.sampled_from((None, 0.0, 40.0)),
    st.sampled_from((None, 40.0, 150.0)),
    st.sampled_from(("", "20200102", "20210630")),
    st.sampled_from(("", "20210630", "20991231")),
    some(VIEWS),
    some(tuple(f"p{n}" for n in range(17)), most=5),
)
def test_the_studies_found_are_those_that_meet_every_filter(
    filled, findings, sexes, age_from, age_to, date_from, date_to, views, patients
):
    store, known = filled
    filters = Filters(findings, sexes, age_from, age_to, date_from, date_to, views, patients)
    wanted = [number for number, (study, stated) in known.items() if meets(study, stated, filters)]
    assert store.matching(filters).tolist() == wanted


def test_studies_are_told_by_patient_in_any_number(filled):
    store, known = filled
    numbers = np.array([*known, 10**6] * 20, np.int64)
    patients = store.patients_of(numbers)
    assert patients == tuple([*(study.patient for study, _ in known.values()), ""] * 20)
    assert store.patients_of(np.zeros(0, np.int64)) == ()


def test_a_deleted_study_meets_no_filter(filled):
    store, known = filled
    gone, *rest = known
    store.delete([known[gone][0].study])
    assert store.matching(Filters()).tolist() == rest
