"""The places of a result drawn on the stored X-ray: a Grayscale Softcopy Presentation State (PS3.3 A.33.1).

Many viewers leave the outlines of a structured report undrawn; those of a presentation state they show. Its
coordinates are of the stored pixels; rotation, flip and grey scale are those the reader saw here.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from highdicom import pr
from highdicom.color import CIELabColor
from pydicom.dataset import Dataset

from edge_retrieve.edge_app.outputs.content import DISCLAIMER, Content, Place
from edge_retrieve.edge_app.outputs.equipment import MANUFACTURER, identity_of, to_output
from edge_retrieve.edge_app.outputs.greys import add_greys
from edge_retrieve.edge_app.outputs.kinds import Output, OutputKind
from edge_retrieve.edge_app.outputs.source import SourceImage
from edge_retrieve.runtime.errors import OutputError
from edge_retrieve.runtime.preprocess.quiet import captured_warnings

_YELLOW = CIELabColor(l_star=93.0, a_star=-15.0, b_star=80.0)
_PIXEL = pr.AnnotationUnitsValues.PIXEL


def presentation_state(source: SourceImage, content: Content) -> Output:
    """Return the outlines and labels of a result as a presentation state.

    Parameters
    ----------
    source : SourceImage
    content : Content

    Raises
    ------
    OutputError
        Where the X-ray is stored in colour, to which grey-scale states do not apply.
    """
    if source.reference.SamplesPerPixel != 1:
        raise OutputError(
            "a grayscale presentation state cannot refer to an image in colour",
            where=source.where,
            remedy="Ask for the report or the page instead",
        )
    identity = identity_of(OutputKind.GSPS, source, content)
    layer = pr.GraphicLayer("SIMILAR CASES", order=1, description="Places compared", display_color=_YELLOW)
    with captured_warnings():
        state = pr.GrayscaleSoftcopyPresentationState(
            referenced_images=[source.reference],
            series_instance_uid=identity.series_uid,
            series_number=identity.series_number,
            series_description=identity.series_description,
            sop_instance_uid=identity.sop_uid,
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=identity.model_name,
            software_versions=identity.software,
            device_serial_number=identity.serial_number,
            content_label="SIMILAR CASES",
            content_description=content.status[:64],
            graphic_layers=[layer],
            graphic_annotations=[_annotation(source, content, layer)],
        )
    _place_on_display(state, source)
    add_greys(state, source)
    state.BodyPartExamined = "CHEST"  # no paired part: a series needs no Laterality then
    return to_output(OutputKind.GSPS, state, source, content)


def _annotation(source: SourceImage, content: Content, layer: pr.GraphicLayer) -> pr.GraphicAnnotation:
    texts = [_note(source, f"{content.outcome}. {content.status}. {DISCLAIMER}")]
    texts += [_label(source, place) for place in content.places]
    return pr.GraphicAnnotation(
        referenced_images=[source.reference],
        graphic_layer=layer,
        graphic_objects=[_outline(source, place) for place in content.places] or None,
        text_objects=texts,
    )


def _outline(source: SourceImage, place: Place) -> pr.GraphicObject:
    box = source.geometry.to_stored(place.box)
    corners = [(box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2), (box.x1, box.y1)]
    return pr.GraphicObject(pr.GraphicTypeValues.POLYLINE, np.asarray(corners), _PIXEL)


def _label(source: SourceImage, place: Place) -> pr.TextObject:
    # At the corner that is the upper left one as displayed, wherever that is stored.
    corner = source.geometry.to_stored_point(place.box.x1, place.box.y1)
    return pr.TextObject(place.label, _PIXEL, anchor_point=corner, anchor_point_visible=False)


def _note(source: SourceImage, text: str) -> pr.TextObject:
    corner = source.geometry.to_stored_point(0.0, 0.0)
    return pr.TextObject(text, _PIXEL, anchor_point=corner, anchor_point_visible=False)


def _place_on_display(state: Dataset, source: SourceImage) -> None:
    """Turn and stretch as the display did (PS3.3 C.10.4 and C.10.6), which highdicom leaves out."""
    geometry = source.geometry
    area = state.DisplayedAreaSelectionSequence[0]
    first, last = geometry.displayed_corners()
    area.DisplayedAreaTopLeftHandCorner = list(first)
    area.DisplayedAreaBottomRightHandCorner = list(last)
    ratio = Fraction(geometry.aspect).limit_denominator(1000)
    area.PresentationPixelAspectRatio = [ratio.numerator, ratio.denominator]
    if geometry.rotation or geometry.mirrored:
        state.ImageRotation = geometry.rotation
        state.ImageHorizontalFlip = "Y" if geometry.mirrored else "N"
