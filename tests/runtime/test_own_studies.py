from dataclasses import replace

import numpy as np
import pytest

from edge_retrieve.runtime.own_studies import own_studies
from edge_retrieve.runtime.preprocess.assemble import patient_from_pixels
from edge_retrieve.runtime.preprocess.types import Radiograph, View

SHA = "5" * 64


@pytest.fixture
def filled(store, maker):
    """Two studies each of three patients; the image of s0 is known by its pixels, too."""
    images = [maker.image(f"s{n}", patient=f"p{n // 2}") for n in range(6)]
    images[0] = replace(images[0], pixels_sha256=SHA)
    store.add(images, [])
    return store


def radiograph(**known):
    values = {"patient": "nobody", "study": "new", "sop_instance": "new", "pixels_sha256": "0" * 64, **known}
    return Radiograph(
        pixels=np.zeros((0, 0), np.float32),
        view=View.PA,
        study_date="",
        sex="",
        age=None,
        applied=(),
        flags=(),
        **values,
    )


@pytest.mark.parametrize(
    ("file", "all_of_patient", "itself"),
    [
        ({}, set(), set()),
        ({"patient": "p1"}, {"s2", "s3"}, set()),
        ({"sop_instance": "sop-s4"}, {"s4", "s5"}, {"s4"}),
        ({"pixels_sha256": SHA}, {"s0", "s1"}, {"s0"}),
        ({"study": "s2"}, {"s2", "s3"}, {"s2"}),
        # A table named the patient when the image came; the file names another.
        ({"sop_instance": "sop-s0", "patient": "p2"}, {"s0", "s1", "s4", "s5"}, {"s0"}),
        ({"patient": ""}, set(), set()),
        ({"pixels_sha256": SHA, "patient": patient_from_pixels(SHA)}, {"s0", "s1"}, {"s0"}),
    ],
)
def test_the_querys_own_studies_are_known_by_patient_study_image_or_pixels(
    filled, file, all_of_patient, itself
):
    for same_patient, wanted in ((False, all_of_patient), (True, itself)):
        found = own_studies(filled, radiograph(**file), same_patient)
        assert found == {filled.study_number(name) for name in wanted}
