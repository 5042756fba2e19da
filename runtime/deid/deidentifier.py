"""What passes into a de-identified archive: one case at a time, before anything of it is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edge_retrieve.runtime.deid import pseudonyms
from edge_retrieve.runtime.deid.burnt_in import cover, covered_share, find_text
from edge_retrieve.runtime.deid.header_words import header_words
from edge_retrieve.runtime.deid.key import SiteKey
from edge_retrieve.runtime.deid.text import scrub
from edge_retrieve.runtime.errors import UnsupportedImageError
from edge_retrieve.runtime.preprocess.assemble import patient_from_pixels, pixels_digest, uid_from_pixels
from edge_retrieve.runtime.preprocess.types import Flag, Radiograph
from edge_retrieve.runtime.report_sources import ReportEntry

MOST_TEXT = 0.1
"""Share of a picture that text may cover; one with more is a screen or a page, and is not taken in."""


@dataclass(frozen=True)
class CleanCase:
    """An image and what is known of it, without whom it is of.

    Parameters
    ----------
    radiograph : Radiograph
    entry : ReportEntry
    """

    radiograph: Radiograph
    entry: ReportEntry


class Deidentifier:
    """Replaces identifiers by pseudonyms, moves dates, scrubs reports, covers text in pictures.

    A store keeps nothing of a file's header but what `Radiograph` holds, so these are all the attributes of
    PS3.15 Annex E that there are; `runtime.deid.profile` lists each with what is done to it. The same case
    always becomes the same one: ingesting it twice changes nothing, and a patient's studies stay together.

    Parameters
    ----------
    key : SiteKey
    """

    def __init__(self, key: SiteKey) -> None:
        self._key = key

    @property
    def key(self) -> SiteKey:
        """The site's key."""
        return self._key

    def patient(self, patient: str) -> str:
        """Return what stands for a patient."""
        return pseudonyms.patient_pseudonym(self._key, patient)

    def uid(self, identifier: str) -> str:
        """Return what stands for a study or an image."""
        return pseudonyms.uid_pseudonym(self._key, identifier)

    def report(self, text: str, known: tuple[str, ...] = ()) -> str:
        """Return a report without persons."""
        return scrub(text, known).text

    def case(self, path: Path, radiograph: Radiograph, entry: ReportEntry) -> CleanCase:
        """Return a case as it may be stored.

        Parameters
        ----------
        path : Path
            The image's file; names in its header are looked for in the report.
        radiograph : Radiograph
        entry : ReportEntry
            What else is known of the image: its report, a row of a table.

        Raises
        ------
        UnsupportedImageError
            Where so much of the picture is text that nothing would be left of it.
        """
        digest = radiograph.pixels_sha256
        # Identifiers made up from the pixels are nobody's and stay, unless a table knows better.
        unnamed = radiograph.patient == patient_from_pixels(digest)
        patient = entry.patient if unnamed else radiograph.patient
        unnumbered = radiograph.study == uid_from_pixels(digest, "study")
        study = entry.study if unnumbered else radiograph.study
        made_up_image = radiograph.sop_instance == uid_from_pixels(digest, "instance")
        whose = patient or radiograph.patient
        known = (*header_words(path), patient, study, radiograph.accession)
        clean_patient = self.patient(patient) if patient else radiograph.patient
        clean_study = self.uid(study) if study else radiograph.study
        clean = replace(
            self._covered(path, radiograph),
            patient=clean_patient,
            study=clean_study,
            sop_instance=radiograph.sop_instance if made_up_image else self.uid(radiograph.sop_instance),
            study_date=pseudonyms.shifted_date(self._key, whose, radiograph.study_date),
            age=pseudonyms.capped_age(radiograph.age),
            accession="",
        )
        return CleanCase(
            clean,
            replace(
                entry,
                text=self.report(entry.text, known),
                study=clean_study,
                patient=clean_patient,
                study_date=pseudonyms.shifted_date(self._key, whose, entry.study_date),
                age=pseudonyms.capped_age(entry.age),
            ),
        )

    def _covered(self, path: Path, radiograph: Radiograph) -> Radiograph:
        """Return a radiograph with the text in its picture covered, on record in `applied` and `flags`."""
        boxes = find_text(radiograph.pixels)
        if not boxes:
            return radiograph
        if covered_share(boxes, radiograph.pixels.shape) > MOST_TEXT:
            raise UnsupportedImageError(
                "the picture bears so much text that it cannot be de-identified",
                where=str(path),
                remedy="Look at it; a site that may keep identities ingests it with --keep-identities",
            )
        pixels = cover(radiograph.pixels, boxes)
        pixels.flags.writeable = False
        grey = radiograph.grey
        return replace(
            radiograph,
            pixels=pixels,
            pixels_sha256=pixels_digest(pixels),
            grey=grey and replace(grey, values=cover(grey.values, boxes)),
            applied=(*radiograph.applied, f"de-identified: {len(boxes)} places with text covered"),
            flags=(*radiograph.flags, Flag.TEXT_COVERED),
        )
