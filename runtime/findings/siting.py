"""Where a finding counts as present, given the places a sentence names for it.

The same finding shows in different regions: an effusion "at the left base" pools in the left
costophrenic angle, a pneumothorax "on the right" rises to the right apex. The rules agree with
`implied_regions` of the phantom archive, so that report and truth speak of the same regions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from edge_retrieve.runtime.anatomy import Laterality, Region
from edge_retrieve.runtime.anatomy.places import Place, PlacePhrase, is_paired, regions_of
from edge_retrieve.runtime.findings.vocabulary import Assertion, Finding

# Findings of one structure: the structure, whatever else the sentence names.
_FIXED: Mapping[Finding, tuple[Region, ...]] = {
    Finding.CARDIOMEGALY: (Region.CARDIAC_SILHOUETTE,),
    Finding.AORTIC_ENLARGEMENT: (Region.AORTIC_ARCH,),
    Finding.AORTIC_CALCIFICATION: (Region.AORTIC_ARCH,),
    Finding.MEDIASTINAL_WIDENING: (Region.UPPER_MEDIASTINUM, Region.MEDIASTINUM),
    Finding.HIATAL_HERNIA: (Region.MEDIASTINUM,),
    Finding.STERNAL_WIRES: (Region.MEDIASTINUM,),
    Finding.SCOLIOSIS: (Region.SPINE,),
    Finding.DEGENERATIVE_SPINE: (Region.SPINE,),
    Finding.VERTEBRAL_DEFORMITY: (Region.SPINE,),
    Finding.ENDOTRACHEAL_TUBE: (Region.TRACHEA,),
    Finding.ENTERIC_TUBE: (Region.ABDOMEN,),
}
# Findings of one paired structure: the sentence only chooses the side.
_SIDED: Mapping[Finding, tuple[Place, ...]] = {
    Finding.PLEURAL_EFFUSION: (Place.ANGLE,),
    Finding.PNEUMOTHORAX: (Place.APEX, Place.LUNG),
    Finding.ELEVATED_HEMIDIAPHRAGM: (Place.DIAPHRAGM,),
    Finding.HILAR_ENLARGEMENT: (Place.HILUM,),
    Finding.CLAVICLE_FRACTURE: (Place.CLAVICLE,),
    Finding.RIB_FRACTURE: (Place.LUNG,),
    Finding.PACEMAKER: (Place.UPPER,),
    Finding.CHEST_TUBE: (Place.LUNG,),
    Finding.PULMONARY_EDEMA: (Place.LUNG,),
    Finding.HYPERINFLATION: (Place.LUNG,),
    Finding.LOW_LUNG_VOLUMES: (Place.LUNG,),
}
# Devices with no side in the sentence are somewhere, not on both sides.
_NEEDS_SIDE = frozenset(
    {Finding.PACEMAKER, Finding.CHEST_TUBE, Finding.RIB_FRACTURE, Finding.CLAVICLE_FRACTURE}
)
_LINE_TIPS = (Place.SVC, Place.CAVOATRIAL, Place.RIGHT_ATRIUM)
# Seen throughout both lungs unless a place is named.
_DIFFUSE = frozenset({Finding.INTERSTITIAL_OPACITY, Finding.EMPHYSEMA, Finding.PLEURAL_THICKENING})
_WHOLE_LUNG = frozenset({Place.LUNG, Place.SIDE, Place.PLEURA})
_HOLDS_LUNG_FINDINGS = frozenset({
    Place.UPPER, Place.MID, Place.LOWER, Place.APEX, Place.HILUM, Place.LUNG, Place.SIDE, Place.RETROCARDIAC,
    Place.ANGLE, Place.PLEURA, Place.MEDIASTINUM, Place.UPPER_MEDIASTINUM,
})  # fmt: skip


def regions_for(finding: Finding, assertion: Assertion, places: Sequence[PlacePhrase]) -> tuple[Region, ...]:
    """Return the regions in which a mention places a finding.

    Parameters
    ----------
    finding : Finding
    assertion : Assertion
        A denial without a place is a denial everywhere; a statement without one says no place.
    places : sequence of PlacePhrase
        The places the sentence names for this finding.

    Returns
    -------
    tuple of Region
        Without duplicates, in the order of the rules; empty where the sentence does not say.
    """
    if finding in _FIXED:
        return _FIXED[finding]
    if finding is Finding.CENTRAL_LINE:
        # The tip counts, not the vein the line came through.
        return _unique(region for place in places if place.place in _LINE_TIPS for region in place.regions)
    if finding is Finding.HYPERINFLATION and any(place.place is Place.DIAPHRAGM for place in places):
        return regions_of(Place.DIAPHRAGM, _sides(places))  # a flattened diaphragm
    if finding in _SIDED:
        sides = _sides(places)
        if not sides and finding in _NEEDS_SIDE and assertion is not Assertion.ABSENT:
            return ()
        return _unique(region for place in _SIDED[finding] for region in regions_of(place, sides))
    held = [place for place in places if place.place in _HOLDS_LUNG_FINDINGS]
    zones = _unique(region for place in held if place.place not in _WHOLE_LUNG for region in _in_lungs(place))
    lungs = _unique(region for place in held if place.place in _WHOLE_LUNG for region in _in_lungs(place))
    if zones:
        # Lungs named as a whole next to a zone say its side, and count where no zone of theirs is named.
        named = {
            region
            for place in held
            if place.place is Place.LUNG and place.sides
            for region in _in_lungs(place)
        }
        zoned = {region.laterality for region in zones}
        lungs = tuple(region for region in lungs if region in named and region.laterality not in zoned)
    regions = (*zones, *lungs)
    if regions:
        return regions
    if assertion is Assertion.ABSENT or finding in _DIFFUSE:
        return regions_of(Place.LUNG)
    return ()


def _in_lungs(place: PlacePhrase) -> tuple[Region, ...]:
    """Return where a finding of the lung lies that is seen at a place."""
    if place.place is Place.RETROCARDIAC:
        return (Region.LEFT_LOWER_LUNG_ZONE,)
    if place.place is Place.PLEURA:
        return regions_of(Place.LUNG, place.sides)
    return place.regions


def _sides(places: Sequence[PlacePhrase]) -> tuple[Laterality, ...]:
    """Return the sides that the places name, the left for what lies behind the heart."""
    sides = [
        side
        for place in places
        if is_paired(place.place) or place.place is Place.ELSEWHERE
        for side in place.sides
    ]
    sides += [Laterality.LEFT for place in places if place.place is Place.RETROCARDIAC]
    return tuple(side for side in (Laterality.RIGHT, Laterality.LEFT) if side in sides)


def _unique(regions: Iterable[Region]) -> tuple[Region, ...]:
    return tuple(dict.fromkeys(regions))
