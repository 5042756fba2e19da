"""Reports of phantom studies, written from a grammar.

A report states every lesion of its study, in words that the parser of `runtime.reports` reads back as
exactly the study's findings and regions; around them stand normal statements, denials, resolved
findings and filler, in varying order and length.
"""

from __future__ import annotations

import numpy as np

from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.phantom.grammar import Templates, as_sentence, bank_of, fill
from edge_retrieve.train.phantom.grammar.normals import (
    CLEAN_IMPRESSIONS,
    DENIAL_NAMES,
    DENIALS,
    FILLERS,
    INDICATIONS,
    NORMALS,
    RESOLVED,
    Normal,
)
from edge_retrieve.train.phantom.spec import PLACEMENTS, CaseSpec, Lesion, Severity

_PARENCHYMA = frozenset({
    Finding.NODULE, Finding.MASS, Finding.CALCIFIED_GRANULOMA, Finding.CONSOLIDATION, Finding.ATELECTASIS,
    Finding.INTERSTITIAL_OPACITY, Finding.PULMONARY_EDEMA, Finding.SCARRING,
})  # fmt: skip
_CONTRADICTS: dict[Normal, frozenset[Finding]] = {
    Normal.LUNGS: _PARENCHYMA | {Finding.PNEUMOTHORAX, Finding.PLEURAL_EFFUSION},
    Normal.HEART: frozenset({Finding.CARDIOMEGALY}),
    Normal.MEDIASTINUM: frozenset({Finding.MEDIASTINAL_WIDENING, Finding.AORTIC_ENLARGEMENT}),
    Normal.HILA: frozenset({Finding.HILAR_ENLARGEMENT}),
    Normal.AORTA: frozenset({Finding.AORTIC_ENLARGEMENT, Finding.MEDIASTINAL_WIDENING}),
    Normal.TRACHEA: frozenset({Finding.ENDOTRACHEAL_TUBE}),
    Normal.ANGLES: frozenset({Finding.PLEURAL_EFFUSION}),
    Normal.DIAPHRAGM: frozenset({Finding.ELEVATED_HEMIDIAPHRAGM, Finding.PLEURAL_EFFUSION}),
    Normal.BONES: frozenset({Finding.RIB_FRACTURE, Finding.CLAVICLE_FRACTURE, Finding.SCOLIOSIS}),
    Normal.SPINE: frozenset({Finding.SCOLIOSIS}),
}
_CAN_RESOLVE = (
    Finding.PLEURAL_EFFUSION, Finding.PNEUMOTHORAX, Finding.CONSOLIDATION, Finding.ATELECTASIS,
)  # fmt: skip


def write_report(spec: CaseSpec, *, rng_seed: int, held_out: bool) -> str:
    """Return a report of a study with a findings and an impression section.

    Parameters
    ----------
    spec : CaseSpec
    rng_seed : int
        Draws words, order and length.
    held_out : bool
        Write with the paraphrases kept for test reports, and only with these.
    """
    return _Writer(spec, np.random.default_rng(rng_seed), held_out).report()


class _Writer:
    def __init__(self, spec: CaseSpec, rng: np.random.Generator, held_out: bool) -> None:
        self.spec, self.rng, self.held_out = spec, rng, held_out
        self.present = {lesion.finding for lesion in spec.lesions}

    def report(self) -> str:
        lines = []
        if self.rng.random() < 0.5:
            lines.append(f"INDICATION: {self._pick(INDICATIONS)}.")
        lines.append("FINDINGS: " + " ".join(self._findings()))
        if self.rng.random() < 0.85:
            lines.append("IMPRESSION: " + self._impression())
        return "\n\n".join(lines) + "\n"

    def _pick(self, options: tuple[str, ...]) -> str:
        return options[int(self.rng.integers(len(options)))]

    def _template(self, templates: Templates) -> str:
        return self._pick(templates.choices(self.held_out))

    def _findings(self) -> list[str]:
        verbosity = self.rng.random()
        stated = [fill(self._template(bank_of(x.finding).statements), x, self.rng) for x in self.spec.lesions]
        normal = self._normals(verbosity) + self._denials(verbosity)
        if self.rng.random() < 0.10:
            normal += self._resolved()
        order = self.rng.permutation(len(stated) + len(normal))
        if self.rng.random() < 0.4:  # abnormal first, as many radiologists do
            order = np.concatenate([order[order < len(stated)], order[order >= len(stated)]])
        sentences = [(stated + normal)[i] for i in order]
        if self.rng.random() < 0.35:
            sentences.insert(0, self._template(FILLERS))
        return sentences or [self._template(NORMALS[Normal.HEART])]

    def _normals(self, verbosity: float) -> list[str]:
        sentences = [
            as_sentence(self._template(NORMALS[normal]))
            for normal, contradicted in _CONTRADICTS.items()
            if not contradicted & self.present and self.rng.random() < 0.15 + 0.6 * verbosity
        ]
        return sentences + self._clear_lung(verbosity)

    def _clear_lung(self, verbosity: float) -> list[str]:
        """Return a statement that one lung is clear, where only the other has a lesion."""
        sides = {
            lesion.region.laterality
            for lesion in self.spec.lesions
            if lesion.finding in _CONTRADICTS[Normal.LUNGS]
        }
        if len(sides) != 1 or Finding.PULMONARY_EDEMA in self.present or self.rng.random() > verbosity:
            return []
        template = self._template(NORMALS[Normal.LUNG])
        return [as_sentence(template.replace("{side}", sides.pop().mirrored.value))]

    def _denials(self, verbosity: float) -> list[str]:
        absent = [finding for finding in DENIAL_NAMES if finding not in self.present]
        self.rng.shuffle(absent)
        sentences = []
        while absent and self.rng.random() < 0.35 + 0.5 * verbosity:
            count = int(self.rng.integers(1, 4))
            names = [self._pick(DENIAL_NAMES[finding]) for finding in absent[:count]]
            absent = absent[count:]
            template = self._template(DENIALS)
            if "{list_nor}" in template:
                if len(names) < 2:
                    continue
                text = template.replace("{list_nor}", " nor ".join(names) + " is seen")
            else:
                text = template.replace("{list}", _enumerated(names))
            sentences.append(as_sentence(text))
        return sentences

    def _resolved(self) -> list[str]:
        options = [finding for finding in _CAN_RESOLVE if finding not in self.present]
        if not options:
            return []
        finding = options[int(self.rng.integers(len(options)))]
        places = PLACEMENTS[finding]
        region = places[int(self.rng.integers(len(places)))]
        thing = fill(
            self._pick(bank_of(finding).short.seen[:1]), Lesion(finding, region, Severity.MILD, 0), self.rng
        )
        thing = thing.rstrip(".")
        template = self._template(RESOLVED)
        if not template.startswith("{"):
            thing = thing[0].lower() + thing[1:]
        return [as_sentence(template.replace("{thing}", thing))]

    def _impression(self) -> str:
        if not self.spec.lesions:
            return as_sentence(self._template(CLEAN_IMPRESSIONS))
        order = self.rng.permutation(len(self.spec.lesions))
        kept = order[: max(1, int(self.rng.integers(1, len(order), endpoint=True)))]
        phrases = []
        for index in kept:
            lesion = self.spec.lesions[index]
            phrases.append(fill(self._template(bank_of(lesion.finding).short), lesion, self.rng))
        if len(phrases) > 1 and self.rng.random() < 0.5:
            return " ".join(f"{number}. {phrase}" for number, phrase in enumerate(phrases, 1))
        return " ".join(phrases)


def _enumerated(names: list[str]) -> str:
    if len(names) < 3:
        return " or ".join(names)
    return ", ".join(names[:-1]) + ", or " + names[-1]
