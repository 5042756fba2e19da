"""The windows that a DICOM file names (PS3.3 C.11.2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.preprocess.header import Header

Values = npt.NDArray[np.float64]
NamedEdges = tuple[str, float, float]
"""A window's name, and the values that it shows black and white."""

_LONGEST_NAME = 40


def file_windows(header: Header, function: str) -> tuple[NamedEdges, ...]:
    """Return all windows of a file that are straight lines, in its order; none where it asks for a curve.

    Parameters
    ----------
    header : Header
    function : str
        ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID``.
    """
    if function == "SIGMOID":
        return ()
    centers, widths = header.numbers("WindowCenter"), header.numbers("WindowWidth")
    names = header.texts("WindowCenterWidthExplanation")
    found = []
    for n, (center, width) in enumerate(zip(centers, widths, strict=False)):
        if function == "LINEAR":
            center, width = center - 0.5, width - 1.0
        if width > 0:
            name = names[n][:_LONGEST_NAME] if n < len(names) else f"window {n + 1}"
            found.append((name, center - width / 2, center + width / 2))
    return tuple(found)


def window(values: Values, center: float, width: float, function: str) -> Values:
    """Apply a window to values, to the range 0 to 1 (PS3.3 C.11.2.1.2 and C.11.2.1.3).

    Parameters
    ----------
    values : float64 array
    center, width : float
        In units of `values`.
    function : str
        ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID``.
    """
    if function == "SIGMOID":
        exponent = np.clip(-4.0 * (values - center) / width, -700.0, 700.0)
        return np.asarray(1.0 / (1.0 + np.exp(exponent)))
    if function == "LINEAR_EXACT":
        return np.clip((values - center) / width + 0.5, 0.0, 1.0)
    if width == 1.0:
        return np.where(values > center - 0.5, 1.0, 0.0)
    return np.clip((values - (center - 0.5)) / (width - 1.0) + 0.5, 0.0, 1.0)
