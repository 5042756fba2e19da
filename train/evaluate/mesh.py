"""Indiana University annotations read as findings and regions.

The indexers wrote MeSH-like terms, ``heading/location/.../qualifier``, for instance
``Opacity/lung/base/left/mild``. Only what was *seen in the lungs, the heart, the great vessels, the
diaphragm, the pleura and the skeleton of the chest* is scored: headings of devices and surgical material
are indexed too unevenly to serve as truth, and places outside the 29 regions cannot be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_retrieve.runtime.anatomy import Laterality, Region
from edge_retrieve.runtime.anatomy.places import Place, PlacePhrase
from edge_retrieve.runtime.findings import Assertion, Finding
from edge_retrieve.runtime.findings.siting import regions_for


@dataclass(frozen=True)
class Annotation:
    """One indexed term that is scored.

    Parameters
    ----------
    finding : Finding or None
        None where the heading is outside the vocabulary.
    regions : tuple of Region
    """

    finding: Finding | None
    regions: tuple[Region, ...]


_HEADINGS: Mapping[str, Finding] = {
    "opacity": Finding.OPACITY,
    "density": Finding.OPACITY,
    "airspace disease": Finding.CONSOLIDATION,
    "infiltrate": Finding.CONSOLIDATION,
    "pneumonia": Finding.CONSOLIDATION,
    "consolidation": Finding.CONSOLIDATION,
    "pulmonary atelectasis": Finding.ATELECTASIS,
    "volume loss": Finding.ATELECTASIS,
    "calcified granuloma": Finding.CALCIFIED_GRANULOMA,
    "granuloma": Finding.CALCIFIED_GRANULOMA,
    "granulomatous disease": Finding.CALCIFIED_GRANULOMA,
    "cicatrix": Finding.SCARRING,
    "pulmonary fibrosis": Finding.INTERSTITIAL_OPACITY,
    "lung diseases, interstitial": Finding.INTERSTITIAL_OPACITY,
    "nodule": Finding.NODULE,
    "mass": Finding.MASS,
    "cardiomegaly": Finding.CARDIOMEGALY,
    "scoliosis": Finding.SCOLIOSIS,
    "spondylosis": Finding.DEGENERATIVE_SPINE,
    "osteophyte": Finding.DEGENERATIVE_SPINE,
    "hyperostosis, diffuse idiopathic skeletal": Finding.DEGENERATIVE_SPINE,
    "atherosclerosis": Finding.AORTIC_CALCIFICATION,
    "aortic aneurysm": Finding.AORTIC_ENLARGEMENT,
    "pleural effusion": Finding.PLEURAL_EFFUSION,
    "pneumothorax": Finding.PNEUMOTHORAX,
    "hydropneumothorax": Finding.PNEUMOTHORAX,
    "pulmonary edema": Finding.PULMONARY_EDEMA,
    "pulmonary congestion": Finding.PULMONARY_EDEMA,
    "heart failure": Finding.PULMONARY_EDEMA,
    "emphysema": Finding.EMPHYSEMA,
    "pulmonary emphysema": Finding.EMPHYSEMA,
    "bullous emphysema": Finding.EMPHYSEMA,
    "pulmonary disease, chronic obstructive": Finding.EMPHYSEMA,
    "lung, hyperlucent": Finding.HYPERINFLATION,
    "hernia, hiatal": Finding.HIATAL_HERNIA,
    "diaphragmatic eventration": Finding.ELEVATED_HEMIDIAPHRAGM,
    "costophrenic angle": Finding.PLEURAL_EFFUSION,
    "sulcus": Finding.PLEURAL_EFFUSION,
}
# Headings that name a structure: the qualifier says what is wrong with it.
_STRUCTURES: Mapping[str, tuple[Place, Mapping[str, Finding]]] = {
    "aorta": (
        Place.AORTA,
        dict.fromkeys(("tortuous", "prominent", "enlarged", "dilatation"), Finding.AORTIC_ENLARGEMENT),
    ),
    "spine": (Place.SPINE, {"degenerative": Finding.DEGENERATIVE_SPINE}),
    "diaphragm": (
        Place.DIAPHRAGM,
        {"elevated": Finding.ELEVATED_HEMIDIAPHRAGM, "flattened": Finding.HYPERINFLATION},
    ),
    "cardiac shadow": (Place.HEART, dict.fromkeys(("enlarged", "prominent"), Finding.CARDIOMEGALY)),
    "mediastinum": (
        Place.MEDIASTINUM,
        dict.fromkeys(("prominent", "enlarged"), Finding.MEDIASTINAL_WIDENING),
    ),
    "pulmonary artery": (Place.HILUM, dict.fromkeys(("prominent", "enlarged"), Finding.HILAR_ENLARGEMENT)),
    "lung": (
        Place.LUNG,
        {"hyperdistention": Finding.HYPERINFLATION, "hypoinflation": Finding.LOW_LUNG_VOLUMES},
    ),
}
_SAME_STRUCTURE = {
    "aorta, thoracic": "aorta",
    "thoracic vertebrae": "spine",
    "lumbar vertebrae": "spine",
    "heart": "cardiac shadow",
    "heart ventricles": "cardiac shadow",
    "heart atria": "cardiac shadow",
}
_PLACES: Mapping[str, Place] = {
    "base": Place.LOWER,
    "lower lobe": Place.LOWER,
    "upper lobe": Place.UPPER,
    "middle lobe": Place.MID,
    "lingula": Place.MID,
    "apex": Place.APEX,
    "hilum": Place.HILUM,
    "retrocardiac": Place.RETROCARDIAC,
    "paratracheal": Place.UPPER_MEDIASTINUM,
    "mediastinum": Place.MEDIASTINUM,
    "aorta": Place.AORTA,
    "aorta, thoracic": Place.AORTA,
    "ribs": Place.RIB,
    "clavicle": Place.CLAVICLE,
    "pleura": Place.PLEURA,
    "costophrenic angle": Place.ANGLE,
    "sulcus": Place.ANGLE,
    "heart": Place.HEART,
    "spine": Place.SPINE,
    "thoracic vertebrae": Place.SPINE,
    "lumbar vertebrae": Place.SPINE,
    "lung": Place.LUNG,
}
_SIDES = {
    "right": (Laterality.RIGHT,),
    "left": (Laterality.LEFT,),
    "bilateral": (Laterality.RIGHT, Laterality.LEFT),
}
_OUTSIDE = frozenset({
    "humerus", "shoulder", "breast", "neck", "cervical vertebrae", "abdomen", "thorax", "coronary vessels",
    "blood vessels", "mitral valve", "aortic valve", "azygos lobe",
    "obscured",  # the image shows less there, which says nothing of the patient
})  # fmt: skip
# Not seen as a change of the chest's own structures, or not a change at all.
_NOT_SCORED = frozenset({
    "normal", "no indexing", "technical quality of image unsatisfactory", "catheters, indwelling",
    "surgical instruments", "implanted medical device", "medical device", "tube, inserted", "stents",
    "foreign bodies", "spinal fusion", "sutures", "nipple shadow", "contrast media", "breast implants",
    "mastectomy", "shoulder", "humerus", "arthritis", "subcutaneous emphysema", "funnel chest",
    "pectus carinatum", "epicardial fat", "adipose tissue", "bone diseases, metabolic", "osteoporosis",
})  # fmt: skip


def read_annotations(mesh: str) -> tuple[Annotation, ...]:
    """Return the scored annotations of a report's ``MeSH`` field."""
    read = (_read_term([part.strip().lower() for part in term.split("/")]) for term in mesh.split(";"))
    return tuple(annotation for annotation in read if annotation is not None)


def _read_term(parts: list[str]) -> Annotation | None:
    heading, rest = parts[0], parts[1:]
    if not heading or heading in _NOT_SCORED or _OUTSIDE & set(rest):
        return None
    sides = tuple(side for part in rest for side in _SIDES.get(part, ()))
    if "lingula" in rest:
        sides = (Laterality.LEFT,)
    if "middle lobe" in rest and not sides:
        sides = (Laterality.RIGHT,)
    named = [_PLACES[part] for part in rest if part in _PLACES]
    places = [PlacePhrase(0, 0, place, sides) for place in named]
    if not places and sides:
        places = [PlacePhrase(0, 0, Place.SIDE, sides)]
    finding = _finding(heading, rest, named)
    structure = _STRUCTURES.get(_SAME_STRUCTURE.get(heading, heading))
    if structure and structure[0] is Place.HEART:
        places = [PlacePhrase(0, 0, Place.HEART, ())]  # the heart's apex is no lung apex
    elif structure:
        places = [
            *(place for place in places if place.place is not Place.SIDE),
            PlacePhrase(0, 0, structure[0], sides),
        ]
    if finding is not None:
        return Annotation(finding, regions_for(finding, Assertion.PRESENT, places))
    places = [place for place in places if place.place is not Place.SIDE]
    specific = [place for place in places if place.place is not Place.LUNG]
    return Annotation(
        None, tuple(dict.fromkeys(region for place in specific or places for region in place.regions))
    )


def _finding(heading: str, rest: list[str], places: list[Place]) -> Finding | None:
    structure = _STRUCTURES.get(_SAME_STRUCTURE.get(heading, heading))
    if heading == "lung" and Place.HILUM in places:
        return Finding.HILAR_ENLARGEMENT if {"prominent", "enlarged"} & set(rest) else None
    if structure:
        return next((finding for qualifier, finding in structure[1].items() if qualifier in rest), None)
    if heading == "calcinosis":
        if Place.AORTA in places:
            return Finding.AORTIC_CALCIFICATION
        return Finding.CALCIFIED_GRANULOMA if places or "lymph nodes" in rest else None
    if heading == "fractures, bone":
        if Place.SPINE in places:
            return Finding.VERTEBRAL_DEFORMITY
        return Finding.CLAVICLE_FRACTURE if Place.CLAVICLE in places else Finding.RIB_FRACTURE
    if heading in ("deformity", "kyphosis"):
        if Place.RIB in places or Place.CLAVICLE in places:
            return Finding.RIB_FRACTURE if Place.RIB in places else Finding.CLAVICLE_FRACTURE
        return Finding.VERTEBRAL_DEFORMITY if Place.SPINE in places or heading == "kyphosis" else None
    if heading == "thickening":
        return Finding.PLEURAL_THICKENING if Place.PLEURA in places else None
    if heading == "cicatrix" and Place.PLEURA in places:
        return Finding.PLEURAL_THICKENING
    if heading == "markings":
        return Finding.INTERSTITIAL_OPACITY if "interstitial" in rest else None
    if heading in ("opacity", "infiltrate", "density") and {"interstitial", "reticular"} & set(rest):
        return Finding.INTERSTITIAL_OPACITY
    return _HEADINGS.get(heading)
