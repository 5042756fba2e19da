"""Which studies somebody means who names patients and studies as their own hospital does."""

from __future__ import annotations

from collections.abc import Sequence

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.privacy import deidentifier_of
from edge_retrieve.runtime.deid.pseudonyms import PATIENT_PREFIX
from edge_retrieve.runtime.errors import UnknownStudyError
from edge_retrieve.runtime.store import Store


def chosen_studies(store: Store, site: Site, studies: Sequence[str], patients: Sequence[str]) -> list[str]:
    """Return the identifiers in the store of the studies named and of all studies of the patients named.

    In a de-identified store both may be named as in the hospital or by their pseudonyms.

    Parameters
    ----------
    store : Store
    site : Site
        Where the key of the pseudonyms is.
    studies, patients : sequence of str

    Raises
    ------
    UnknownStudyError
        Where the store has no study of a patient.
    ConfigError
        Where a hospital's identifiers are named and the key is missing.
    """
    chosen: list[str] = []
    for study in studies:
        chosen.append(study if _is_stored(store, study) else _pseudonym_of_study(store, site, study))
    for patient in patients:
        owned = store.patient_studies(patient)
        if not owned and not patient.startswith(PATIENT_PREFIX):
            deidentifier = deidentifier_of(store, site)
            owned = store.patient_studies(deidentifier.patient(patient)) if deidentifier else owned
        if not owned:
            raise UnknownStudyError(f"the store has no studies of patient '{patient}'", where=str(store.path))
        chosen += owned
    return list(dict.fromkeys(chosen))


def _pseudonym_of_study(store: Store, site: Site, study: str) -> str:
    deidentifier = deidentifier_of(store, site)
    if deidentifier is None:
        return study
    pseudonym = deidentifier.uid(study)
    # What is unknown is told of by the name it was given.
    return pseudonym if _is_stored(store, pseudonym) else study


def _is_stored(store: Store, study: str) -> bool:
    try:
        store.study_number(study)
    except UnknownStudyError:
        return False
    return True
