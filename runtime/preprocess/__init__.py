"""The only path from a DICOM, PNG or JPEG file to float32 pixels."""

from edge_retrieve.runtime.preprocess.inputs import find_inputs
from edge_retrieve.runtime.preprocess.letterbox import Letterbox, letterbox
from edge_retrieve.runtime.preprocess.load import load_radiograph
from edge_retrieve.runtime.preprocess.render import render_png
from edge_retrieve.runtime.preprocess.types import Flag, FloatImage, Radiograph, View

__all__ = [
    "Flag",
    "FloatImage",
    "Letterbox",
    "Radiograph",
    "View",
    "find_inputs",
    "letterbox",
    "load_radiograph",
    "render_png",
]
