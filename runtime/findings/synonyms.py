"""The words reports use for each finding.

Two tables: phrases that name a finding outright, and qualities that make one only together with a
place ("enlarged" says cardiomegaly of the heart and nothing of the chest wall).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from edge_retrieve.runtime.anatomy.places import Place
from edge_retrieve.runtime.findings.vocabulary import Finding


class Quality(str, Enum):
    """What a report says of a structure, short of naming a finding."""

    ENLARGED = "enlarged"
    WIDENED = "widened"
    TORTUOUS = "tortuous"
    CALCIFIED = "calcified"
    ELEVATED = "elevated"
    BLUNTED = "blunted"
    FRACTURED = "fractured"
    DEGENERATIVE = "degenerative"
    CURVED = "curved"
    THICKENED = "thickened"
    FLATTENED = "flattened"
    DEFORMED = "deformed"
    CONGESTED = "congested"
    BORDERLINE = "borderline"


@dataclass(frozen=True)
class Term:
    """A finding or a quality as named in a text: half-open character range and what it names."""

    start: int
    end: int
    names: Finding | Quality


_CALCIFIED = r"(?:calcified|calcific|densely calcified|dense)"
_TERM_PATTERNS: tuple[tuple[Finding | Quality, str], ...] = (
    (Finding.CALCIFIED_GRANULOMA,
     rf"{_CALCIFIED}(?: [a-z]+){{0,4}}? (?:granulomas?|granulomata|nodules?|nodular (?:density|densities"
     rf"|opacity|opacities))"
     r"|granulomas?|granulomata|granulomatous (?:disease|change|changes|calcifications?)"
     rf"|{_CALCIFIED}(?: [a-z]+){{0,4}}? (?:lymph )?nodes?|calcified (?:adenopathy|lymphadenopathy)"
     rf"|calcified foc(?:us|i)"
     r"|calcified lesions?"),
    (Finding.MASS, r"mass ?like(?: (?:opacity|density|consolidation|lesion))?|mass(?:es)?|neoplasm"
                   r"|tumou?r"),
    (Finding.NODULE, r"(?:pulmonary )?(?:micro)?nodules?|nodular (?:opacity|opacities|density|densities"
                     r"|lesions?|foc(?:us|i))"
                     r"|coin lesion"),
    (Finding.CONSOLIDATION,
     r"(?:airspace )?consolidat(?:ions?|ive)(?: (?:opacity|opacities|changes?|process))?|pneumonias?"
     r"|bronchopneumonia"
     r"|infiltrat(?:es?|ion|ions|ive)|airspace (?:disease|process|filling)"
     r"|alveolar disease"),
    (Finding.INTERSTITIAL_OPACITY,
     r"(?:reticul(?:ar|onodular)|interstitial) (?:[a-z]+ )?(?:opacity|opacities|markings?|prominence"
     r"|pattern|changes?|disease"
     r"|thickening|densities|infiltrates?|abnormality|process|lung disease)|interstitial fibrosis"
     r"|(?:pulmonary )?fibrosis"
     r"|reticulation|septal (?:lines|thickening)|kerley b lines|(?:increased|prominent|coarse"
     r"|coarsened) interstitium"),
    (Finding.OPACITY, r"(?:(?:airspace|alveolar) )?(?:opacity|opacities|opacification|opacified"
                      r"|(?:radio)?densit(?:y|ies)|haziness|haze)"),
    (Finding.ATELECTASIS,
     r"atelecta(?:sis|tic|ses)(?: (?:changes?|bands?|opacity|opacities))?|(?:lobar )?collapsed?(?! of)"
     r"|volume loss|collapse"),
    (Finding.PULMONARY_EDEMA,
     r"(?:(?:interstitial|pulmonary|alveolar|cardiogenic) )*(?:o?edema)|(?:(?:pulmonary|vascular|venous"
     r"|central|mild"
     r"|moderate) )*congestion|(?:pulmonary )?venous hypertension"
     r"|congestive (?:heart )?(?:failure|changes)|chf|fluid overload"),
    (Finding.EMPHYSEMA, r"emphysema(?:tous)?(?: (?:changes?|disease))?|bullous disease|bullae?"
                        r"|chronic obstructive[a-z ]{0,20}disease|copd"),
    (Finding.HYPERINFLATION, r"hyper ?(?:inflat(?:ion|ed)|expan(?:sion|ded)|expanded|lucent|aerat(?:ed"
                             r"|ion))|(?:large|increased) lung volumes"
                             r"|air trapping|over ?(?:expanded|inflated)"),
    (
        Finding.LOW_LUNG_VOLUMES,
        r"(?:low|decreas(?:ed|ing)|diminished|reduced|small) (?:lung|inspiratory) (?:volumes?|lines)"
        r"|hypo ?(?:inflat(?:ion|ed)|ventilat(?:ion|ory|ed))|low volume lungs"
        r"|lung volumes are (?:\w+ )?(?:low|decreased|diminished|reduced|small)"
        r"|(?:shallow|poor|low) inspirat(?:ion|ory)(?: effort)?|hypoaerat(?:ion|ed)|under ?(?:inflated"
        r"|inflation)",
    ),
    (
        Finding.VERTEBRAL_DEFORMITY,
        r"kypho(?:sis|tic)(?: (?:deformity|curvature))?|(?:anterior )?wedg(?:e|ing)(?: (?:deformity"
        r"|deformities|compression|fractures?))+"
        r"|(?:vertebral|compression)(?: body)? (?:fractures?|deformit(?:y|ies)|deformity)",
    ),
    (Finding.SCARRING, r"scar(?:s|ring|red)?|fibro(?:tic|nodular|calcific)(?: (?:changes?|scarring|opacity"
                       r"|opacities|densities))?|cicatri\w+"
                       r"|fibrous (?:changes?|bands?)"),
    (Finding.PLEURAL_THICKENING, r"pleural(?: [a-z]+)? (?:thickening|scarring|plaques?|calcifications?)"
                                 r"|thickening of the pleura"
                                 r"|(?:apical|pleuroparenchymal) (?:cap(?:ping)?|thickening)"),
    (Finding.PLEURAL_EFFUSION, r"(?:pleural |subpulmonic |parapneumonic )?(?:effusions?)|pleural (?:fluid"
                               r"|collections?)|hydrothorax|hemothorax"),
    (Finding.PNEUMOTHORAX, r"(?:hydro)?pneumothora(?:x|ces)(?:es)?"),
    (Finding.ELEVATED_HEMIDIAPHRAGM, r"eventration"),
    (Finding.CARDIOMEGALY, r"cardiomegaly|cardiac enlargement|cardiac hypertrophy|enlarged (?:heart"
                           r"|cardiac silhouette)"),
    (Finding.HILAR_ENLARGEMENT, r"hilar (?:lymph)?adenopathy|hilar (?:enlargement|prominence|fullness)"),
    (Finding.AORTIC_ENLARGEMENT, r"aortic (?:aneurysm|ectasia|enlargement|unfolding|tortuosity)"),
    (Finding.HIATAL_HERNIA, r"(?:hiatal|hiatus|paraesophageal) hernias?"),
    (Finding.SCOLIOSIS, r"(?:levo|dextro|kypho|dextro ?|rotary )?(?:scoliosis|scoliotic)(?: (?:curvature"
                        r"|deformity))?|dextrocurvature|levocurvature"),
    (Finding.DEGENERATIVE_SPINE, r"spondyl(?:osis|otic|itic)(?: changes?)?|osteophyt(?:es?|osis"
                                 r"|ic)(?: (?:formation|changes?|spurring))?"
                                 r"|(?:disc|disk) space narrowing|diffuse idiopathic skeletal hyperostosis"
                                 r"|dish|degenerative disc disease"),
    (Finding.PACEMAKER, r"pace ?makers?|icd|aicd|defibrillators?|cardiac (?:pacing|conduction) device"
                        r"|(?:pulse )?generator"),
    (Finding.CENTRAL_LINE, r"(?:central (?:venous )?|picc |picc|dialysis |venous |subclavian |jugular |ij "
                           r"|infusion |port )(?:lines?|catheters?)?"
                           r"|port ?a ?cath|mediport|chest port|picc|catheters?|central venous access"),
    (Finding.ENDOTRACHEAL_TUBE, r"(?:endotracheal|et) tubes?|tracheostomy(?: tubes?| cannula)?"
                                r"|intubat(?:ed|ion)"),
    (Finding.ENTERIC_TUBE, r"(?:enteric|nasogastric|orogastric|feeding|dobbhoff|gastric|ng"
                           r"|og)(?: feeding)? tubes?"),
    (Finding.CHEST_TUBE, r"(?:chest|thoracostomy|pleural) (?:tubes?|drains?)"
                         r"|pleural pigtail(?: catheter)?"),
    (Finding.STERNAL_WIRES, r"(?:median |midline )?sternotomy(?: wires?| sutures?)?|sternal wires?"),
    (Quality.ENLARGED, r"enlarge(?:d|ment)|prominen(?:t|ce)|dilat(?:ed|ation|ion)|fullness|bulky|bulging"),
    (Quality.WIDENED, r"widen(?:ed|ing)"),
    (Quality.TORTUOUS, r"tortuous|tortuosity|ectatic|ectasia|unfold(?:ed|ing)|uncoiled|uncoiling"
                       r"|aneurysm(?:al)?|elongated"),
    (Quality.CALCIFIED, r"calcifi(?:ed|cations?)|calcific|atherosclero(?:sis|tic)(?: (?:calcifications?"
                        r"|disease|changes?|plaques?))*"),
    (Quality.ELEVATED, r"elevat(?:ed|ion)|raised|high riding"),
    (Quality.BLUNTED, r"blunt(?:ed|ing)"),
    (Quality.FRACTURED, r"fractur(?:es?|ed)"),
    (Quality.DEGENERATIVE, r"(?:degenerative|degeneration|endplate)(?: (?:changes?|disease|spurring"
                           r"|endplate changes?))?|spurring"
                           r"|spurs"),
    (Quality.CURVED, r"curvature|curved"),
    (Quality.FLATTENED, r"flatten(?:ed|ing)"),
    (Quality.DEFORMED, r"deform(?:ity|ities|ed)|wedg(?:ed|ing)|loss of (?:vertebral )?height|compressed"
                       r"|depressions?"),
    (Quality.CONGESTED, r"engorge(?:d|ment)|congest(?:ed|ion)|increased?|indistinct(?:ness)?"
                        r"|cephalization"),
    (Quality.BORDERLINE, r"borderline|(?:is|are|and) large"),
    (Quality.THICKENED, r"thicken(?:ed|ing)"),
)  # fmt: skip
_TERMS = tuple((names, re.compile(rf"\b(?:{pattern})(?![a-z])")) for names, pattern in _TERM_PATTERNS)

_LUNG_PLACES = (Place.UPPER, Place.MID, Place.LOWER, Place.APEX, Place.LUNG, Place.RETROCARDIAC)
COMPOSED: Mapping[Quality, Mapping[Place, Finding]] = {
    Quality.ENLARGED: {
        Place.HEART: Finding.CARDIOMEGALY,
        Place.CARDIOMEDIASTINAL: Finding.CARDIOMEGALY,
        Place.HILUM: Finding.HILAR_ENLARGEMENT,
        Place.MEDIASTINUM: Finding.MEDIASTINAL_WIDENING,
        Place.UPPER_MEDIASTINUM: Finding.MEDIASTINAL_WIDENING,
        Place.AORTA: Finding.AORTIC_ENLARGEMENT,
        Place.PULMONARY_ARTERY: Finding.HILAR_ENLARGEMENT,
        Place.VESSELS: Finding.PULMONARY_EDEMA,
    },
    Quality.WIDENED: {
        Place.MEDIASTINUM: Finding.MEDIASTINAL_WIDENING,
        Place.UPPER_MEDIASTINUM: Finding.MEDIASTINAL_WIDENING,
        Place.CARDIOMEDIASTINAL: Finding.MEDIASTINAL_WIDENING,
        Place.AORTA: Finding.AORTIC_ENLARGEMENT,
    },
    Quality.TORTUOUS: {Place.AORTA: Finding.AORTIC_ENLARGEMENT},
    Quality.CALCIFIED: {
        Place.AORTA: Finding.AORTIC_CALCIFICATION,
        Place.HILUM: Finding.CALCIFIED_GRANULOMA,
        Place.MEDIASTINUM: Finding.CALCIFIED_GRANULOMA,
        **dict.fromkeys(_LUNG_PLACES, Finding.CALCIFIED_GRANULOMA),
    },
    Quality.ELEVATED: {Place.DIAPHRAGM: Finding.ELEVATED_HEMIDIAPHRAGM},
    Quality.BLUNTED: {Place.ANGLE: Finding.PLEURAL_EFFUSION},
    Quality.FRACTURED: {
        Place.RIB: Finding.RIB_FRACTURE,
        Place.CLAVICLE: Finding.CLAVICLE_FRACTURE,
        Place.SPINE: Finding.VERTEBRAL_DEFORMITY,
    },
    Quality.DEGENERATIVE: {Place.SPINE: Finding.DEGENERATIVE_SPINE},
    Quality.CURVED: {Place.SPINE: Finding.SCOLIOSIS},
    Quality.THICKENED: {Place.PLEURA: Finding.PLEURAL_THICKENING},
    Quality.FLATTENED: {Place.DIAPHRAGM: Finding.HYPERINFLATION},
    Quality.DEFORMED: {
        Place.SPINE: Finding.VERTEBRAL_DEFORMITY,
        Place.RIB: Finding.RIB_FRACTURE,
        Place.CLAVICLE: Finding.CLAVICLE_FRACTURE,
    },
    Quality.CONGESTED: {Place.VESSELS: Finding.PULMONARY_EDEMA},
    Quality.BORDERLINE: {Place.HEART: Finding.CARDIOMEGALY, Place.CARDIOMEDIASTINAL: Finding.CARDIOMEGALY},
}


# Phrases that contain the name of a finding and mean something else.
_OTHERWISE = re.compile(
    r"\b(?:pericardial effusions?|mass effect|subcutaneous emphysema"
    r"|soft tissue emphysema|evaluation (?:for|of) [a-z ]{3,40}? (?:is|are) (?:[a-z]+ )?limited)(?![a-z])"
)


def find_terms(text: str) -> tuple[Term, ...]:
    """Return the findings and qualities named in `normalized` text, of two that overlap the longer."""
    taken = [(m.start(), m.end()) for m in _OTHERWISE.finditer(text)]
    terms = [
        Term(m.start(), m.end(), names)
        for names, rule in _TERMS
        for m in rule.finditer(text)
        if not any(start <= m.start() < end for start, end in taken)
    ]
    kept: list[Term] = []
    for term in sorted(terms, key=lambda t: (t.start - t.end, t.start)):
        if all(term.end <= other.start or other.end <= term.start for other in kept):
            kept.append(term)
    return tuple(sorted(kept, key=lambda t: t.start))
