"""Radiographic findings: the closed vocabulary, and how a report asserts them."""

from __future__ import annotations

from enum import Enum


class Finding(str, Enum):
    """What a chest X-ray report can speak of. Values are the words shown to users."""

    NODULE = "nodule"
    MASS = "mass"
    CALCIFIED_GRANULOMA = "calcified granuloma"
    CONSOLIDATION = "consolidation"
    OPACITY = "opacity"
    ATELECTASIS = "atelectasis"
    INTERSTITIAL_OPACITY = "interstitial opacity"
    PULMONARY_EDEMA = "pulmonary edema"
    EMPHYSEMA = "emphysema"
    HYPERINFLATION = "hyperinflation"
    LOW_LUNG_VOLUMES = "low lung volumes"
    SCARRING = "scarring"
    PLEURAL_EFFUSION = "pleural effusion"
    PLEURAL_THICKENING = "pleural thickening"
    PNEUMOTHORAX = "pneumothorax"
    ELEVATED_HEMIDIAPHRAGM = "elevated hemidiaphragm"
    CARDIOMEGALY = "cardiomegaly"
    HILAR_ENLARGEMENT = "hilar enlargement"
    MEDIASTINAL_WIDENING = "mediastinal widening"
    AORTIC_ENLARGEMENT = "aortic enlargement"
    AORTIC_CALCIFICATION = "aortic calcification"
    HIATAL_HERNIA = "hiatal hernia"
    RIB_FRACTURE = "rib fracture"
    CLAVICLE_FRACTURE = "clavicle fracture"
    SCOLIOSIS = "scoliosis"
    DEGENERATIVE_SPINE = "degenerative spine"
    VERTEBRAL_DEFORMITY = "vertebral deformity"
    PACEMAKER = "pacemaker"
    CENTRAL_LINE = "central line"
    ENDOTRACHEAL_TUBE = "endotracheal tube"
    ENTERIC_TUBE = "enteric tube"
    CHEST_TUBE = "chest tube"
    STERNAL_WIRES = "sternal wires"


class Assertion(str, Enum):
    """How a sentence asserts a finding."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
