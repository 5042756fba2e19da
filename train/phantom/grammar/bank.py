"""All statements by finding, and the short forms that an impression uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.phantom.grammar.chest import CHEST
from edge_retrieve.train.phantom.grammar.devices import DEVICES
from edge_retrieve.train.phantom.grammar.lungs import LUNGS
from edge_retrieve.train.phantom.grammar.templates import Templates

_STATEMENTS: Mapping[Finding, Templates] = {**LUNGS, **CHEST, **DEVICES}
_SHORT: Mapping[Finding, Templates] = {
    Finding.NODULE: Templates(("{loc} nodule.", "Nodule {in}."), ("Pulmonary nodule {in}.",)),
    Finding.MASS: Templates(("{loc} mass.", "Mass {in}."), ("Mass lesion {in}.",)),
    Finding.CALCIFIED_GRANULOMA: Templates(
        ("{loc} calcified granuloma.", "Calcified granuloma {in}."), ("Old calcified granuloma {in}.",)
    ),
    Finding.CONSOLIDATION: Templates(
        ("{loc} consolidation.", "{loc} pneumonia.", "Airspace disease {in}."), ("Consolidation {in}.",)
    ),
    Finding.ATELECTASIS: Templates(("{loc} atelectasis.", "{sev} atelectasis {in}."), ("Atelectasis {in}.",)),
    Finding.INTERSTITIAL_OPACITY: Templates(
        ("{loc} interstitial opacities.", "Reticular opacities {in}."), ("Interstitial opacities {in}.",)
    ),
    Finding.PULMONARY_EDEMA: Templates(
        ("{sev} pulmonary edema.", "Pulmonary edema."), ("Edema of the lungs.",)
    ),
    Finding.SCARRING: Templates(("{loc} scarring.", "Scarring {in}."), ("Old scarring {in}.",)),
    Finding.PLEURAL_EFFUSION: Templates(
        ("{amount} {side} pleural effusion.", "{side} effusion."), ("Pleural effusion on the {side}.",)
    ),
    Finding.PNEUMOTHORAX: Templates(
        ("{amount} {side} pneumothorax.", "{side} pneumothorax."), ("Pneumothorax on the {side}.",)
    ),
    Finding.CARDIOMEGALY: Templates(("Cardiomegaly.", "Enlarged heart."), ("{sev} cardiac enlargement.",)),
    Finding.HILAR_ENLARGEMENT: Templates(
        ("{side} hilar enlargement.", "Enlarged {side} hilum."), ("Enlargement of the {side} hilum.",)
    ),
    Finding.MEDIASTINAL_WIDENING: Templates(
        ("Mediastinal widening.", "Widened mediastinum."), ("Widening of the mediastinum.",)
    ),
    Finding.AORTIC_ENLARGEMENT: Templates(
        ("Enlarged aorta.", "Tortuous aorta."), ("Enlargement of the aorta.",)
    ),
    Finding.ELEVATED_HEMIDIAPHRAGM: Templates(
        ("Elevated {side} hemidiaphragm.", "Elevation of the {side} hemidiaphragm."),
        ("{side} hemidiaphragm elevation.",),
    ),
    Finding.RIB_FRACTURE: Templates(("{side} rib fracture.",), ("Fractured {side} rib.",)),
    Finding.CLAVICLE_FRACTURE: Templates(("{side} clavicle fracture.",), ("Fractured {side} clavicle.",)),
    Finding.SCOLIOSIS: Templates(("Scoliosis.", "{sev} scoliosis."), ("Scoliosis of the spine.",)),
    Finding.PACEMAKER: Templates(("{side} pacemaker in place.",), ("Pacemaker on the {side}.",)),
    Finding.CENTRAL_LINE: Templates(
        ("Central line tip in the {tip}.", "Central venous catheter in the {tip}."),
        ("Tip of the central line in the {tip}.",),
    ),
    Finding.ENDOTRACHEAL_TUBE: Templates(("Endotracheal tube in place.",), ("Endotracheal tube present.",)),
    Finding.ENTERIC_TUBE: Templates(("Enteric tube in place.",), ("Enteric tube present.",)),
}


@dataclass(frozen=True)
class Bank:
    """The paraphrases of a finding.

    Parameters
    ----------
    statements : Templates
        Full sentences for the findings section.
    short : Templates
        Phrases for the impression.
    """

    statements: Templates
    short: Templates


def bank_of(finding: Finding) -> Bank:
    """Return the paraphrases of a finding that phantoms can show."""
    return Bank(_STATEMENTS[finding], _SHORT[finding])
