"""Which studies of the archive are the query's own, to be set apart: nobody looks for the case in hand."""

from __future__ import annotations

from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.errors import UnknownStudyError
from edge_retrieve.runtime.preprocess.assemble import patient_from_pixels
from edge_retrieve.runtime.preprocess.types import Radiograph
from edge_retrieve.runtime.store import Store


def own_studies(
    store: Store, radiograph: Radiograph, same_patient: bool, deidentifier: Deidentifier | None = None
) -> frozenset[int]:
    """Return the numbers of the studies that an image from outside is of.

    Parameters
    ----------
    store : Store
    radiograph : Radiograph
        Its pixels are not needed.
    same_patient : bool
        Leave the patient's other studies where they are: only the study that the image belongs to is its own.
    deidentifier : Deidentifier, optional
        Knows the file's patient and study by the names that a de-identified store has for them.

    Returns
    -------
    frozenset of int
        The study with the file's identifier and the one that holds the same image (by SOP instance or by
        pixels); without `same_patient` also all of the patients whom these, or the file, name.
    """
    # A name made up of the pixels is nobody's but this image's; an empty one is no name.
    patients = {radiograph.patient} - {"", patient_from_pixels(radiograph.pixels_sha256)}
    names, images = {radiograph.study}, [radiograph.sop_instance]
    if deidentifier is not None:
        patients |= {deidentifier.patient(patient) for patient in patients}
        names.add(deidentifier.uid(radiograph.study))
        images.append(deidentifier.uid(radiograph.sop_instance))
    for image in images:
        known = store.find_image(image, radiograph.pixels_sha256)
        if known is not None:
            names.add(known.study)
    own: set[int] = set()
    for name in names:
        try:
            own.add(store.study_number(name))
            patients.add(store.study(name).patient)
        except UnknownStudyError:
            continue
    patients -= {"", patient_from_pixels(radiograph.pixels_sha256)}
    for patient in () if same_patient else patients:
        own |= store.patient_numbers(patient)
    return frozenset(own)
