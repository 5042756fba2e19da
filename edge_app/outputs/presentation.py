"""Places drawn on the stored X-ray, of a result or of sentences: a presentation state (PS3.3 A.33.1).

Many viewers leave the outlines of a structured report undrawn; those of a presentation state they show. Its
coordinates are of the stored pixels; rotation, flip and grey scale are those the reader saw here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

import numpy as np
from highdicom import pr
from highdicom.color import CIELabColor
from pydicom.dataset import Dataset

from edge_retrieve.edge_app.outputs.content import DISCLAIMER, PRELIMINARY, Content, Origin
from edge_retrieve.edge_app.outputs.equipment import MANUFACTURER, Identity, identity_of, to_output
from edge_retrieve.edge_app.outputs.greys import add_greys
from edge_retrieve.edge_app.outputs.kinds import Output, OutputKind
from edge_retrieve.edge_app.outputs.source import SourceImage
from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.errors import OutputError
from edge_retrieve.runtime.grounding.report import Grounding
from edge_retrieve.runtime.preprocess.quiet import captured_warnings

_YELLOW = CIELabColor(l_star=93.0, a_star=-15.0, b_star=80.0)
_LONGEST_TEXT = 1024  # characters of an ST
_PIXEL = pr.AnnotationUnitsValues.PIXEL


@dataclass(frozen=True)
class _Sheet:
    """What is drawn: outlines with what is written beside each, and a note in the corner.

    Parameters
    ----------
    title, description : str
        Of the layer.
    note : str
    outlines : tuple of (Box, str)
        In pixels of the image as displayed.
    """

    title: str
    description: str
    note: str
    outlines: tuple[tuple[Box, str], ...]


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
    sheet = _Sheet(
        "SIMILAR CASES",
        "Places compared",
        f"{content.outcome}. {content.status}. {DISCLAIMER}",
        tuple((place.box, place.label) for place in content.places),
    )
    return _drawn(source, content, sheet, identity_of(OutputKind.GSPS, source, content))


def grounding_state(source: SourceImage, grounding: Grounding, origin: Origin, made: datetime) -> Output:
    """Return where the sentences of a text are on an image, as a presentation state.

    Parameters
    ----------
    source : SourceImage
        Of the image that was looked at.
    grounding : Grounding
    origin : Origin
        Of the model; there is no archive.
    made : datetime

    Raises
    ------
    OutputError
        As for `presentation_state`.
    """
    outlines = tuple((box, each.text) for each in grounding.sentences for box, _ in each.boxes)
    note = f"Sentences as the model sees them. {PRELIMINARY}. {DISCLAIMER}"
    sheet = _Sheet("SENTENCES", "Places of sentences", note, outlines)
    content = Content((), (), abstained=False, origin=origin, made=made, acceptance=None)
    identity = identity_of(OutputKind.GSPS, source, content, repr(sheet))
    return _drawn(source, content, sheet, replace(identity, series_description="Sentences (outlines)"))


def _drawn(source: SourceImage, content: Content, sheet: _Sheet, identity: Identity) -> Output:
    if source.reference.SamplesPerPixel != 1:
        raise OutputError(
            "a grayscale presentation state cannot refer to an image in colour",
            where=source.where,
            remedy="Ask for the report or the page instead",
        )
    layer = pr.GraphicLayer(sheet.title, order=1, description=sheet.description, display_color=_YELLOW)
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
            content_label=sheet.title,
            content_description=content.status[:64],
            graphic_layers=[layer],
            graphic_annotations=[_annotation(source, sheet, layer)],
        )
    _place_on_display(state, source)
    add_greys(state, source)
    state.BodyPartExamined = "CHEST"  # no paired part: a series needs no Laterality then
    return to_output(OutputKind.GSPS, state, source, content)


def _annotation(source: SourceImage, sheet: _Sheet, layer: pr.GraphicLayer) -> pr.GraphicAnnotation:
    texts = [_note(source, sheet.note)]
    texts += [_label(source, box, label) for box, label in sheet.outlines]
    return pr.GraphicAnnotation(
        referenced_images=[source.reference],
        graphic_layer=layer,
        graphic_objects=[_outline(source, box) for box, _ in sheet.outlines] or None,
        text_objects=texts,
    )


def _outline(source: SourceImage, shown: Box) -> pr.GraphicObject:
    box = source.geometry.to_stored(shown)
    corners = [(box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2), (box.x1, box.y1)]
    return pr.GraphicObject(pr.GraphicTypeValues.POLYLINE, np.asarray(corners), _PIXEL)


def _label(source: SourceImage, box: Box, label: str) -> pr.TextObject:
    # At the corner that is the upper left one as displayed, wherever that is stored.
    corner = source.geometry.to_stored_point(box.x1, box.y1)
    return pr.TextObject(label[:_LONGEST_TEXT], _PIXEL, anchor_point=corner, anchor_point_visible=False)


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
