"""From a result to the objects that leave: one call for the command line, the HTTP interface and the node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edge_retrieve.edge_app.outputs.capture import secondary_capture
from edge_retrieve.edge_app.outputs.content import Content
from edge_retrieve.edge_app.outputs.fhir import fhir_bundle
from edge_retrieve.edge_app.outputs.kinds import Output, OutputKind
from edge_retrieve.edge_app.outputs.presentation import presentation_state
from edge_retrieve.edge_app.outputs.report import structured_report
from edge_retrieve.edge_app.outputs.source import SourceImage

_MAKERS: Mapping[OutputKind, Callable[[SourceImage, Content], Output]] = {
    OutputKind.SR: structured_report,
    OutputKind.GSPS: presentation_state,
    OutputKind.SC: secondary_capture,
    OutputKind.FHIR: fhir_bundle,
}


def make_outputs(
    source: SourceImage, content: Content, kinds: Sequence[OutputKind] = ()
) -> tuple[Output, ...]:
    """Return a result as objects for other systems.

    Parameters
    ----------
    source : SourceImage
        The X-ray asked about (`read_source`).
    content : Content
        What is said of it (`content_of`).
    kinds : sequence of OutputKind
        Which; all that the source allows where empty (a presentation state needs an image in grey).

    Raises
    ------
    OutputError
        Where one that was asked for cannot be made of this source.
    """
    wanted = tuple(dict.fromkeys(kinds)) or tuple(
        kind for kind in OutputKind if kind is not OutputKind.GSPS or source.reference.SamplesPerPixel == 1
    )
    return tuple(_MAKERS[kind](source, content) for kind in wanted)
