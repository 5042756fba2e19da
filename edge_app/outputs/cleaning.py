"""Values of a source's header made fit for a new object: of the right form, in Unicode, else left out.

Headers in the field are full of values that their data types forbid. Copied, they would make our object as
wrong as its source. Forms are those of PS3.5 6.2.
"""

from __future__ import annotations

import re

from edge_retrieve.runtime.preprocess.header import Header

LONG_STRING = 64  # characters of LO, and of a component group of PN
SHORT_STRING = 16  # of SH
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_DATE = re.compile(r"(\d{4})[.-]?(0[1-9]|1[0-2])[.-]?(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"([01]\d|2[0-3])(?::?([0-5]\d)(?::?([0-5]\d)(\.\d{1,6})?)?)?")
_AGE = re.compile(r"\d{3}[DWMY]")
# Everything below blank but the escape of ISO 2022, which decoding has used up already.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def string(header: Header, keyword: str) -> str:
    """Return the first value as text without control characters or a backslash."""
    first = next(iter(header.texts(keyword)), "")
    return _CONTROL.sub("", first).replace("\\", " ").strip()


def long_string(header: Header, keyword: str) -> str:
    """Return a description as an LO, cut to its length."""
    return string(header, keyword)[:LONG_STRING].rstrip()


def short_identifier(header: Header, keyword: str) -> str:
    """Return an identifier as an SH; one that is too long is left out, as a part of it names another."""
    value = string(header, keyword)
    return value if len(value) <= SHORT_STRING else ""


def person_name(header: Header, keyword: str) -> str:
    """Return a person's name as a PN, each group of components cut to its length."""
    groups = string(header, keyword).split("=")[:3]
    kept = ["^".join(group.split("^")[:5])[:LONG_STRING].rstrip("^ ") for group in groups]
    return "=".join(kept).rstrip("=")


def date(header: Header, keyword: str) -> str:
    """Return a date as ``YYYYMMDD``; the forms of old writers are read, others left out."""
    match = _DATE.fullmatch(string(header, keyword))
    return "".join(match.groups()) if match else ""


def time(header: Header, keyword: str) -> str:
    """Return a time as ``HHMMSS.FFFFFF``, as far as it is given; other forms are left out."""
    match = _TIME.fullmatch(string(header, keyword))
    return "".join(part or "" for part in match.groups()) if match else ""


def age(header: Header, keyword: str) -> str:
    """Return an age as an AS; other forms are left out."""
    value = string(header, keyword).upper()
    return value if _AGE.fullmatch(value) else ""


def uid(header: Header, keyword: str) -> str:
    """Return a UID, empty where it is none."""
    value = string(header, keyword)
    return value if _UID.fullmatch(value) and len(value) <= LONG_STRING else ""
