"""Statements of what is not there: normal structures, denials, and words that mean nothing for retrieval."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.phantom.grammar.templates import Templates


class Normal(str, Enum):
    """A structure a report can call normal."""

    LUNGS = "lungs"
    LUNG = "one lung"
    HEART = "heart"
    MEDIASTINUM = "mediastinum"
    HILA = "hila"
    AORTA = "aorta"
    TRACHEA = "trachea"
    ANGLES = "costophrenic angles"
    DIAPHRAGM = "diaphragm"
    BONES = "bones"
    SPINE = "spine"


NORMALS: Mapping[Normal, Templates] = {
    Normal.LUNGS: Templates(
        (
            "The lungs are clear.",
            "Lungs are clear bilaterally.",
            "Both lungs are well expanded and clear.",
            "Clear lungs.",
            "The lungs are well aerated.",
            "Lungs are grossly clear.",
            "The lungs appear normal.",
            "The lungs are unremarkable.",
            "No lung opacity is seen.",
            "The lungs are normally inflated.",
        ),
        (
            "Both lungs appear clear.",
            "The lungs remain clear and well inflated.",
            "Normal appearance of the lungs.",
        ),
    ),
    Normal.LUNG: Templates(
        (
            "The {side} lung is clear.",
            "{side} lung clear.",
            "The {side} lung is well aerated.",
            "The {side} lung is unremarkable.",
            "The {side} lung is normal in appearance.",
        ),
        ("The {side} lung appears clear.", "Normal appearance of the {side} lung."),
    ),
    Normal.HEART: Templates(
        (
            "Heart size is normal.",
            "The heart is normal in size.",
            "Normal heart size.",
            "The cardiac silhouette is within normal limits.",
            "Heart size within normal limits.",
            "Cardiac contours are normal.",
            "The heart is unremarkable.",
            "The heart appears normal.",
            "No cardiac enlargement.",
            "The heart is not dilated.",
        ),
        (
            "The heart is not enlarged.",
            "Cardiac size appears normal.",
            "The cardiac silhouette is unremarkable.",
        ),
    ),
    Normal.MEDIASTINUM: Templates(
        (
            "The mediastinum is unremarkable.",
            "Mediastinal contours are normal.",
            "Normal mediastinal contours.",
            "The mediastinal contour is within normal limits.",
            "No mediastinal widening.",
            "The mediastinum appears normal.",
            "The superior mediastinum is not wide.",
            "No widening of the mediastinum is seen.",
        ),
        ("The mediastinum is not widened.", "The mediastinal silhouette appears normal."),
    ),
    Normal.HILA: Templates(
        (
            "The hila are normal.",
            "Hilar contours are within normal limits.",
            "Normal hilar contours.",
            "The hila are unremarkable.",
            "The hilar structures appear normal.",
            "Neither hilum is prominent.",
            "No hilar fullness is seen.",
        ),
        ("Both hila appear normal.", "No hilar enlargement."),
    ),
    Normal.AORTA: Templates(
        (
            "The aorta is normal.",
            "The aortic contour is within normal limits.",
            "The aorta is unremarkable.",
            "The thoracic aorta appears normal.",
            "The aortic arch is not enlarged.",
            "Normal aortic knob.",
            "No enlargement of the aortic arch is seen.",
        ),
        ("The aortic arch appears normal.",),
    ),
    Normal.TRACHEA: Templates(
        (
            "The trachea is midline.",
            "Trachea is midline and patent.",
            "Midline trachea.",
            "The trachea appears normal.",
            "The trachea is unremarkable.",
        ),
        ("The tracheal air column is normal.",),
    ),
    Normal.ANGLES: Templates(
        (
            "The costophrenic angles are sharp.",
            "Costophrenic angles are clear.",
            "Both costophrenic sulci are sharp.",
            "The costophrenic angles appear normal.",
            "The costophrenic angles are not blunted.",
            "The pleura is unremarkable.",
        ),
        ("The pleural spaces are clear.", "No blunting of the costophrenic angles."),
    ),
    Normal.DIAPHRAGM: Templates(
        (
            "The diaphragm is normal.",
            "The hemidiaphragms are smooth.",
            "Diaphragmatic contours are normal.",
            "The hemidiaphragms appear normal in position.",
            "Neither hemidiaphragm is elevated.",
        ),
        ("Both hemidiaphragms appear normal.",),
    ),
    Normal.BONES: Templates(
        (
            "No acute bony abnormality.",
            "The osseous structures are intact.",
            "Bony structures are unremarkable.",
            "No rib fracture.",
            "Visualized ribs and clavicles are intact.",
            "The ribs appear intact.",
            "No fracture is seen.",
            "No acute rib fracture is seen.",
            "No displaced fracture of the ribs or clavicles.",
        ),
        ("No displaced rib fracture is identified.", "The bones appear intact."),
    ),
    Normal.SPINE: Templates(
        (
            "The thoracic spine is unremarkable.",
            "Thoracic spine alignment is normal.",
            "No scoliosis.",
            "The spine appears normal.",
            "The thoracic spine is straight.",
        ),
        ("Alignment of the spine appears normal.",),
    ),
}

# {list} is an enumeration of absent findings.
DENIALS = Templates(
    (
        "No {list}.",
        "There is no {list}.",
        "No evidence of {list}.",
        "Negative for {list}.",
        "No {list} is seen.",
        "There is no evidence of {list}.",
        "No definite {list}.",
        "No {list} is identified.",
        "The study is negative for {list}.",
        "No residual or new {list}.",
    ),
    ("Neither {list_nor}.", "No sign of {list}.", "The chest is free of {list}."),
)
DENIAL_NAMES: Mapping[Finding, tuple[str, ...]] = {
    Finding.PLEURAL_EFFUSION: ("pleural effusion", "effusion", "pleural fluid"),
    Finding.PNEUMOTHORAX: ("pneumothorax",),
    Finding.CONSOLIDATION: ("focal consolidation", "airspace disease", "pneumonia", "infiltrate"),
    Finding.PULMONARY_EDEMA: ("pulmonary edema", "edema"),
    Finding.NODULE: ("nodule", "suspicious pulmonary nodule"),
    Finding.MASS: ("mass",),
    Finding.ATELECTASIS: ("atelectasis",),
}

RESOLVED = Templates(
    (
        "The previously seen {thing} has resolved.",
        "Interval resolution of the {thing}.",
        "{thing} is no longer seen.",
        "The {thing} has resolved since the prior study.",
        "No residual {thing}.",
    ),
    ("The prior {thing} has cleared.", "The {thing} of the prior study is not seen."),
)
FILLERS = Templates(
    (
        "Frontal view of the chest.",
        "Single frontal radiograph of the chest was obtained.",
        "Comparison is made with the prior study.",
        "No prior studies are available for comparison.",
        "The patient is slightly rotated.",
        "Inspiration is adequate.",
        "Technically adequate study.",
        "Overlying monitoring wires.",
    ),
    ("One frontal chest image.", "No older examination is at hand.", "Rotation limits the examination."),
)
CLEAN_IMPRESSIONS = Templates(
    (
        "No acute cardiopulmonary abnormality.",
        "No acute cardiopulmonary process.",
        "No active disease.",
        "Normal chest.",
        "No acute disease.",
        "No acute findings.",
    ),
    ("Negative chest radiograph.", "No acute cardiopulmonary disease is identified.", "Unremarkable chest."),
)
INDICATIONS = (
    "Cough and fever, evaluate for pneumonia",
    "Shortness of breath",
    "Chest pain, rule out pneumothorax",
    "Preoperative",
    "Follow-up of a nodule",
    "Line placement",
    "Trauma",
    "Weight loss",
)
