"""The text of a structured report, in the order and under the headings that it has."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pydicom
from pydicom import uid

from edge_retrieve.edge_app.dicom_node.gate import StudyReport
from edge_retrieve.runtime.errors import UnreadableFileError, UnsupportedImageError
from edge_retrieve.runtime.preprocess.header import Header
from edge_retrieve.runtime.preprocess.quiet import captured_warnings

_DEEPEST = 16  # nested containers; TID 2000 has three
_LONGEST = 1 << 20  # characters
_LARGEST = 16 << 20  # bytes of a file


def read_report(data: bytes) -> StudyReport:
    """Return the report that a structured report (PS3.3 C.17.3) states.

    A container's concept name becomes a heading, as report texts have them: ``FINDINGS: ...``. Text items are
    taken; codes, measurements and references are not, for the text of a TID 2000 report says what was seen.

    Parameters
    ----------
    data : bytes
        A DICOM file.

    Raises
    ------
    UnreadableFileError
        Not DICOM, or damaged.
    UnsupportedImageError
        Without text, without a study, or preliminary: this program's own drafts come back as such.
    """
    if len(data) > _LARGEST or uid.DeflatedExplicitVRLittleEndian.encode() in data[:1024]:
        # pydicom inflates without a bound.
        raise UnsupportedImageError(
            f"the structured report is deflated, or larger than {_LARGEST >> 20} MiB",
            remedy="Send it as Explicit VR Little Endian",
        )
    with captured_warnings():
        try:
            header = Header(pydicom.dcmread(io.BytesIO(data)))
            study = header.text("StudyInstanceUID")
            lines = list(_lines(header, 0))
        except Exception as error:
            # The parser meets arbitrary bytes here and raises many types.
            raise UnreadableFileError(
                "the structured report cannot be read: it is truncated or damaged", remedy="Send it again"
            ) from error
    if header.word("PreliminaryFlag") == "PRELIMINARY":
        raise UnsupportedImageError("the structured report is preliminary", remedy="Send the final one")
    text = "\n".join(lines)[:_LONGEST].strip()
    if not text:
        raise UnsupportedImageError("the structured report holds no text", remedy="Send reports with text")
    if not study or not study.replace(".", "").isdecimal():
        raise UnsupportedImageError(
            "the structured report names no study", remedy="Send it with its Study Instance UID"
        )
    return StudyReport(study, text)


def _lines(item: Header, depth: int) -> Iterator[str]:
    heading = _concept(item)
    texts = []
    for child in item.items("ContentSequence") if depth < _DEEPEST else ():
        kind = child.word("ValueType")
        if kind == "TEXT":
            texts.append(" ".join(child.text("TextValue").split()))
        elif kind == "CONTAINER":
            if texts:
                yield _paragraph(heading, texts)
                texts, heading = [], ""
            yield from _lines(child, depth + 1)
    if texts:
        yield _paragraph(heading, texts)


def _paragraph(heading: str, texts: list[str]) -> str:
    sentences = " ".join(text if text.endswith((".", "?", "!")) else f"{text}." for text in texts if text)
    return f"{heading.upper()}: {sentences}" if heading else sentences


def _concept(item: Header) -> str:
    names = item.items("ConceptNameCodeSequence")
    return names[0].text("CodeMeaning").strip(" :") if names else ""
