"""Which studies of the archive are the query's own, to be set apart: nobody looks for the case in hand."""

from __future__ import annotations

from edge_retrieve.runtime.errors import UnknownStudyError
from edge_retrieve.runtime.preprocess.assemble import patient_from_pixels
from edge_retrieve.runtime.preprocess.types import Radiograph
from edge_retrieve.runtime.store import Store


def own_studies(store: Store, radiograph: Radiograph, same_patient: bool) -> frozenset[int]:
    """Return the numbers of the studies that an image from outside is of.

    Parameters
    ----------
    store : Store
    radiograph : Radiograph
        Its pixels are not needed.
    same_patient : bool
        Leave the patient's other studies where they are: only the study that the image belongs to is its own.

    Returns
    -------
    frozenset of int
        The study with the file's identifier and the one that holds the same image (by SOP instance or by
        pixels); without `same_patient` also all of the patients whom these, or the file, name.
    """
    known = store.find_image(radiograph.sop_instance, radiograph.pixels_sha256)
    names = {radiograph.study} if known is None else {radiograph.study, known.study}
    patients = {radiograph.patient}
    own: set[int] = set()
    for name in names:
        try:
            own.add(store.study_number(name))
            patients.add(store.study(name).patient)
        except UnknownStudyError:
            continue
    # A name made up of the pixels is nobody's but this image's; an empty one is no name.
    patients -= {"", patient_from_pixels(radiograph.pixels_sha256)}
    for patient in () if same_patient else patients:
        own |= store.patient_numbers(patient)
    return frozenset(own)
