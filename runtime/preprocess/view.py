"""Which projection an image is: what the header declares, checked against what its descriptions say.

View Position is often missing and sometimes wrong. A view is taken only where no statement contradicts
another one; otherwise it is unknown, and the record names the statements.
"""

from __future__ import annotations

import re

from edge_retrieve.runtime.preprocess.header import Header
from edge_retrieve.runtime.preprocess.types import View

# DICOM CID 4010 "DX View", in SNOMED CT and in the older SRT codes.
_VIEW_CODES = {
    "272479007": View.PA,
    "R-10214": View.PA,
    "399348003": View.AP,
    "R-10206": View.AP,
    "399173006": View.LATERAL,
    "R-10236": View.LATERAL,
    "399198007": View.LATERAL,
    "R-10232": View.LATERAL,
    "399067008": View.LATERAL,
}

# Words for a view in View Position and in free descriptions. LLD and RLD (decubitus) are frontal.
_PA = re.compile(r"(?<![A-Z])(P\.?A\.?|POSTERO-?\s?ANTERIOR)(?![A-Z])")
_AP = re.compile(r"(?<![A-Z])(A\.?P\.?|ANTERO-?\s?POSTERIOR)(?![A-Z])")
_LATERAL = re.compile(r"(?<![A-Z])(LATERAL|LAT|LL|RL|LLAT|RLAT)(?![A-Z])(?!\s+DECUB)")

_DECLARED = ("ViewPosition",)
_DESCRIBED = (
    "SeriesDescription",
    "ProtocolName",
    "PerformedProcedureStepDescription",
    "AcquisitionDeviceProcessingDescription",
)


def view_in_words(text: str) -> View | None:
    """Return the one view that a text names, None where it names none or several.

    Examples
    --------
    >>> view_in_words("CHEST PA")
    <View.PA: 'PA'>
    >>> view_in_words("CHEST PA AND LATERAL") is None
    True
    """
    upper = text.upper().replace("_", " ")
    named = [
        view
        for view, words in ((View.PA, _PA), (View.AP, _AP), (View.LATERAL, _LATERAL))
        if words.search(upper)
    ]
    return named[0] if len(named) == 1 else None


def find_view(header: Header) -> tuple[View, str]:
    """Return the view of a DICOM image and how it was found, for the record.

    Declared statements (View Code Sequence, View Position) go before descriptions; an image whose rows run
    front to back is lateral. PA against AP in a description does not unsettle a declaration; lateral
    against frontal does.
    """
    declared = _statements(header, _DECLARED)
    for item in header.items("ViewCodeSequence"):
        code = _VIEW_CODES.get(item.text("CodeValue"))
        if code is not None:
            declared.insert(0, (code, "View Code Sequence"))
    described = _statements(header, _DESCRIBED)
    if header.word("PatientOrientation")[:1] in {"A", "P"}:
        described.append((View.LATERAL, "Patient Orientation"))
    statements = declared or described
    if not statements:
        return View.UNKNOWN, "view: not stated"
    view, source = statements[0]
    lateral = view is View.LATERAL
    for other, other_source in declared + described:
        clash = other is not view if (other, other_source) in statements else False
        if clash or (other is View.LATERAL) is not lateral:
            return (
                View.UNKNOWN,
                f"view: {source} says {view.value}, {other_source} says {other.value}",
            )
    return view, f"view: {view.value} from {source}"


def _statements(header: Header, keywords: tuple[str, ...]) -> list[tuple[View, str]]:
    found = []
    for keyword in keywords:
        view = view_in_words(header.text(keyword))
        if view is not None:
            found.append((view, re.sub(r"(?<=[a-z])(?=[A-Z])", " ", keyword)))
    return found
