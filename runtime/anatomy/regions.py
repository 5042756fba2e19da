"""The 29 anatomical regions of Chest ImaGenome and how they relate."""

from __future__ import annotations

from enum import Enum


class Laterality(str, Enum):
    """The patient's side. On a frontal image the patient's right lies on the image's left."""

    RIGHT = "right"
    LEFT = "left"
    MIDLINE = "midline"

    @property
    def mirrored(self) -> Laterality:
        """The other side; the midline is its own mirror image."""
        return {"right": Laterality.LEFT, "left": Laterality.RIGHT}.get(self.value, Laterality.MIDLINE)


class Region(str, Enum):
    """One of the 29 regions, spelled as in Chest ImaGenome. The order is that of the model's outputs."""

    RIGHT_LUNG = "right lung"
    RIGHT_UPPER_LUNG_ZONE = "right upper lung zone"
    RIGHT_MID_LUNG_ZONE = "right mid lung zone"
    RIGHT_LOWER_LUNG_ZONE = "right lower lung zone"
    RIGHT_HILAR_STRUCTURES = "right hilar structures"
    RIGHT_APICAL_ZONE = "right apical zone"
    RIGHT_COSTOPHRENIC_ANGLE = "right costophrenic angle"
    RIGHT_HEMIDIAPHRAGM = "right hemidiaphragm"
    RIGHT_CLAVICLE = "right clavicle"
    LEFT_LUNG = "left lung"
    LEFT_UPPER_LUNG_ZONE = "left upper lung zone"
    LEFT_MID_LUNG_ZONE = "left mid lung zone"
    LEFT_LOWER_LUNG_ZONE = "left lower lung zone"
    LEFT_HILAR_STRUCTURES = "left hilar structures"
    LEFT_APICAL_ZONE = "left apical zone"
    LEFT_COSTOPHRENIC_ANGLE = "left costophrenic angle"
    LEFT_HEMIDIAPHRAGM = "left hemidiaphragm"
    LEFT_CLAVICLE = "left clavicle"
    TRACHEA = "trachea"
    SPINE = "spine"
    AORTIC_ARCH = "aortic arch"
    MEDIASTINUM = "mediastinum"
    UPPER_MEDIASTINUM = "upper mediastinum"
    SVC = "svc"
    CARDIAC_SILHOUETTE = "cardiac silhouette"
    CAVOATRIAL_JUNCTION = "cavoatrial junction"
    RIGHT_ATRIUM = "right atrium"
    CARINA = "carina"
    ABDOMEN = "abdomen"

    @property
    def position(self) -> int:
        """Position in the model's outputs, 0 to 28."""
        return _POSITION[self]

    @property
    def laterality(self) -> Laterality:
        """The patient's side the region belongs to. The right atrium has no left twin: midline."""
        return _LATERALITY[self]

    @property
    def mirrored(self) -> Region:
        """The same region of the other side; a midline region is its own mirror image."""
        return _MIRRORED[self]


REGIONS: tuple[Region, ...] = tuple(Region)
_POSITION = {region: position for position, region in enumerate(REGIONS)}


def _twin(region: Region) -> Region:
    """Return the region of the same name on the other side, itself where there is none."""
    first, _, rest = region.value.partition(" ")
    other = {"right": f"left {rest}", "left": f"right {rest}"}.get(first, "")
    return next((twin for twin in REGIONS if twin.value == other), region)


_MIRRORED = {region: _twin(region) for region in REGIONS}
_LATERALITY = {
    region: Laterality.MIDLINE if twin is region else Laterality(region.value.partition(" ")[0])
    for region, twin in _MIRRORED.items()
}
