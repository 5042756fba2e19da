"""Kinds of places that reports name, and the regions each stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from edge_retrieve.runtime.anatomy.regions import Laterality, Region


class Place(str, Enum):
    """A kind of place a report names. Paired places take the value as the name of their two regions."""

    UPPER = "upper lung zone"
    MID = "mid lung zone"
    LOWER = "lower lung zone"
    APEX = "apical zone"
    HILUM = "hilar structures"
    ANGLE = "costophrenic angle"
    DIAPHRAGM = "hemidiaphragm"
    CLAVICLE = "clavicle"
    LUNG = "lung"
    RIB = "rib"
    PLEURA = "pleura"
    SIDE = "a side and nothing else"
    RETROCARDIAC = "retrocardiac"
    HEART = "heart"
    CARDIOMEDIASTINAL = "cardiomediastinal silhouette"
    CARDIOPULMONARY = "heart and lungs"
    MEDIASTINUM = "mediastinum"
    UPPER_MEDIASTINUM = "upper mediastinum"
    AORTA = "aorta"
    TRACHEA = "trachea"
    CARINA = "carina"
    SVC = "superior vena cava"
    CAVOATRIAL = "cavoatrial junction"
    RIGHT_ATRIUM = "right atrium"
    VESSELS = "pulmonary vessels"
    PULMONARY_ARTERY = "pulmonary artery"
    SPINE = "spine"
    ABDOMEN = "abdomen"
    ELSEWHERE = "outside the 29 regions"


@dataclass(frozen=True)
class PlacePhrase:
    """A place as named in a text.

    Parameters
    ----------
    start, end : int
        Half-open character range in the text searched.
    place : Place
    sides : tuple of Laterality
        Sides stated, or meant by the place itself (the lingula is left); empty where none is.
    """

    start: int
    end: int
    place: Place
    sides: tuple[Laterality, ...]

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions the phrase points at; both sides where a paired place comes with no side."""
        return regions_of(self.place, self.sides)


RIGHT, LEFT = Laterality.RIGHT, Laterality.LEFT
BOTH = (RIGHT, LEFT)

# A rib crosses a lung and has no region of its own; pleural space shows first at its lowest point.
_PAIRED_AS: Mapping[Place, str] = {
    **{place: place.value for place in (
        Place.UPPER, Place.MID, Place.LOWER, Place.APEX, Place.HILUM, Place.ANGLE, Place.DIAPHRAGM,
        Place.CLAVICLE, Place.LUNG,
    )},
    Place.RIB: "lung",
    Place.SIDE: "lung",
    Place.PLEURA: "costophrenic angle",
}  # fmt: skip

_UNPAIRED: Mapping[Place, tuple[Region, ...]] = {
    Place.RETROCARDIAC: (Region.LEFT_LOWER_LUNG_ZONE, Region.CARDIAC_SILHOUETTE),
    Place.HEART: (Region.CARDIAC_SILHOUETTE,),
    Place.CARDIOMEDIASTINAL: (Region.CARDIAC_SILHOUETTE, Region.MEDIASTINUM),
    Place.CARDIOPULMONARY: (Region.CARDIAC_SILHOUETTE, Region.RIGHT_LUNG, Region.LEFT_LUNG),
    Place.MEDIASTINUM: (Region.MEDIASTINUM,),
    Place.UPPER_MEDIASTINUM: (Region.UPPER_MEDIASTINUM,),
    Place.AORTA: (Region.AORTIC_ARCH,),
    Place.TRACHEA: (Region.TRACHEA,),
    Place.CARINA: (Region.CARINA,),
    Place.SVC: (Region.SVC,),
    Place.CAVOATRIAL: (Region.CAVOATRIAL_JUNCTION,),
    Place.RIGHT_ATRIUM: (Region.RIGHT_ATRIUM,),
    Place.VESSELS: (Region.RIGHT_LUNG, Region.LEFT_LUNG),
    Place.PULMONARY_ARTERY: (Region.RIGHT_HILAR_STRUCTURES, Region.LEFT_HILAR_STRUCTURES),
    Place.SPINE: (Region.SPINE,),
    Place.ABDOMEN: (Region.ABDOMEN,),
    Place.ELSEWHERE: (),
}


def is_paired(place: Place) -> bool:
    """Return whether a place exists on both sides."""
    return place in _PAIRED_AS


def regions_of(place: Place, sides: Sequence[Laterality] = ()) -> tuple[Region, ...]:
    """Return the regions of a place on the given sides, on both where none is given."""
    if place in _UNPAIRED:
        return _UNPAIRED[place]
    return tuple(Region(f"{side.value} {_PAIRED_AS[place]}") for side in (sides or BOTH))
