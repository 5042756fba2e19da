"""Which studies of the archive a query may find at all: filters on what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess.types import View

SEXES = ("F", "M", "O")
"""As DICOM's (0010,0040) spells them."""

_OLDEST = 150.0  # years


@dataclass(frozen=True)
class Filters:
    """What a study must meet to be found; everything left out lets every study through.

    A study of which the archive does not know what is asked for does not meet it: a study without a date is
    outside of every range of dates.

    Parameters
    ----------
    findings : tuple of Finding
        Its report states at least one of them as present, anywhere.
    sexes : tuple of str
        Of `SEXES`.
    age_from, age_to : float, optional
        Years, both included.
    date_from, date_to : str
        ``YYYYMMDD``, both included; empty for an open end.
    views : tuple of View
        One of its images has one of these.
    exclude_patients : tuple of str
        It is of none of these patients.

    Raises
    ------
    QueryError
        Where a value is of no known kind, or a range has its end before its beginning.
    """

    findings: tuple[Finding, ...] = ()
    sexes: tuple[str, ...] = ()
    age_from: float | None = None
    age_to: float | None = None
    date_from: str = ""
    date_to: str = ""
    views: tuple[View, ...] = ()
    exclude_patients: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for sex in self.sexes:
            if sex not in SEXES:
                raise QueryError(f"'{sex}' is no sex", where="sex", remedy=f"Give one of {', '.join(SEXES)}")
        for age in (self.age_from, self.age_to):
            if age is not None and not 0 <= age <= _OLDEST:
                raise QueryError(f"{age:g} is no age in years", where="age", remedy="Give 0 to 150")
        for date in (self.date_from, self.date_to):
            if date and (len(date) != 8 or date != date_named(date)):
                raise QueryError(f"'{date}' is no date", where="date", remedy="Write it as 20240131")
        if self.age_from is not None and self.age_to is not None and self.age_from > self.age_to:
            raise QueryError(
                f"no age is from {self.age_from:g} to {self.age_to:g}",
                where="age",
                remedy="Give the lower age first",
            )
        if self.date_from and self.date_to and self.date_from > self.date_to:
            raise QueryError(
                f"no date is from {self.date_from} to {self.date_to}",
                where="date",
                remedy="Give the earlier date first",
            )

    def __bool__(self) -> bool:
        return self != Filters()


def date_named(text: str) -> str:
    """Return a date written ``YYYY-MM-DD`` or ``YYYYMMDD`` as ``YYYYMMDD``.

    Raises
    ------
    QueryError
        Where it is neither, or no day of the calendar.
    """
    for form in ("%Y-%m-%d", "%Y%m%d"):
        try:
            return datetime.strptime(text.strip(), form).strftime("%Y%m%d")
        except ValueError:
            continue
    raise QueryError(f"'{text}' is no date", where="date", remedy="Write it as 2024-01-31")


def view_named(text: str) -> View:
    """Return the view with a name, in capitals or not.

    Raises
    ------
    QueryError
        Where there is none.
    """
    try:
        return View(text.strip().upper())
    except ValueError:
        raise QueryError(
            f"'{text}' is no view",
            where="view",
            remedy=f"Give one of {', '.join(view.value for view in View)}",
        ) from None
