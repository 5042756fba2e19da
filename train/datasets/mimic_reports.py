"""Sections of a MIMIC-CXR report file."""

from __future__ import annotations

import re

# Capital words and a colon at the start of a line. The files indent every line by one blank or more.
_HEADER = re.compile(r"^[ \t]*(?P<name>[A-Z][A-Z0-9 /,&()\-]*[A-Z)])[ \t]*:", re.MULTILINE)
_IMPRESSION = re.compile(r"IMPRESSION|CONCLUSION")
_FINDINGS = re.compile(r"FINDINGS|^CHEST|^PA AND LATERAL|^AP (?:CHEST|VIEW)|^(?:SINGLE |PORTABLE )")
_NOT_READ = re.compile(r"INDICATION|HISTORY|REASON|COMPARISON|TECHNIQUE|EXAM|NOTIFICATION|CLINICAL|WET READ")
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")


def report_of(text: str) -> str:
    """Return findings and impression of a report file, as ``FINDINGS: ...`` and ``IMPRESSION: ...``.

    A header that comes twice (an addendum repeats the report) counts where it stands last. Where there is
    neither section, the last paragraph that is no header stands for the findings: older reports are one
    paragraph below the history.

    Parameters
    ----------
    text : str
        The whole file.
    """
    headers = list(_HEADER.finditer(text))
    ends = [*(header.start() for header in headers), len(text)][1:]
    found: dict[str, str] = {}
    for header, end in zip(headers, ends, strict=bool(headers)):
        body = " ".join(text[header.end() : end].split())
        if not body:
            continue
        if _IMPRESSION.search(header["name"]) and "FINDINGS" not in header["name"]:
            found["IMPRESSION"] = body
        elif _FINDINGS.search(header["name"]):
            found["FINDINGS"] = body
    if not found:
        body = _last_paragraph(text)
        return f"FINDINGS: {body}" if body else ""
    return "\n".join(f"{name}: {found[name]}" for name in ("FINDINGS", "IMPRESSION") if name in found)


def _last_paragraph(text: str) -> str:
    """Return the last paragraph of running text that no header of another section opens."""
    for part in reversed(_PARAGRAPHS.split(text)):
        paragraph = " ".join(part.split())
        header = _HEADER.match(paragraph)
        body = paragraph[header.end() :].strip() if header else paragraph
        if re.search(r"[a-z]{2}", body) and not (header and _NOT_READ.search(header["name"])):
            return body
    return ""
