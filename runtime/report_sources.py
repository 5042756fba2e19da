"""Where the reports of images come from: a text beside the image, a folder of texts, or a table."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.runtime.preprocess.types import View

_FILE_COLUMNS = ("file", "path", "image")
_STUDY_COLUMN = "study"
_TEXT_COLUMNS = ("report", "text", "notes")
_SECTION_COLUMNS = ("findings", "impression")
_LONGEST_REPORT = 1 << 20


@dataclass(frozen=True)
class ReportEntry:
    """What is known of an image apart from its file.

    Parameters
    ----------
    text : str
        The report; empty where there is none.
    study, patient, sex, study_date : str
        Empty where not said. `study_date` is ``YYYYMMDD``.
    view : View or None
    age : float or None
        Years.
    """

    text: str
    study: str = ""
    patient: str = ""
    sex: str = ""
    study_date: str = ""
    view: View | None = None
    age: float | None = None


NOTHING = ReportEntry("")


class ReportSource:
    """Finds the report of an image; the text file beside it where nothing else is named.

    Parameters
    ----------
    reports : Path, optional
        A folder with ``<stem>.txt`` or ``<StudyInstanceUID>.txt``, or a CSV file with a column ``file``,
        ``path``, ``image`` or ``study`` and a column ``report``, ``text`` or ``notes``, or
        ``findings`` and/or ``impression``; further columns ``patient``, ``view``, ``sex``, ``age``,
        ``date`` fill in what an image file lacks.

    Raises
    ------
    ConfigError
        Where it does not exist, cannot be read, or lacks these columns.
    """

    def __init__(self, reports: Path | None = None) -> None:
        self._folder: Path | None = None
        self._table: _Table | None = None
        if reports is None:
            return
        if reports.is_dir():
            self._folder = reports
        elif reports.is_file():
            self._table = _Table(reports)
        else:
            raise ConfigError(
                "there is no such file or folder",
                where=f"--reports {reports}",
                remedy="Name a folder of text files, or a CSV file",
            )

    def for_file(self, path: Path) -> ReportEntry | None:
        """Return what is said of an image file, judged by its name; None where nothing is.

        Raises
        ------
        ConfigError
            Where its report cannot be read.
        """
        entry = self._table.for_file(path) if self._table is not None else None
        if entry is not None and entry.text:
            return entry
        # A row without a report still tells view and patient; the text may lie beside the image.
        for folder in (self._folder, path.parent):
            text = _read_report(folder / f"{path.stem}.txt") if folder is not None else None
            if text is not None:
                return replace(entry or NOTHING, text=text)
        return entry

    def digest(self) -> str:
        """Return a SHA-256 that changes with the table, or with the folder's files, their sizes or times."""
        found = hashlib.sha256()
        if self._table is not None:
            found.update(self._table.sha256)
        if self._folder is not None:
            with os.scandir(self._folder) as entries:
                texts = sorted((entry.name, entry.stat()) for entry in entries if entry.name.endswith(".txt"))
            for name, state in texts:
                found.update(f"{name!a} {state.st_size} {state.st_mtime_ns}\n".encode())
        return found.hexdigest()

    def for_study(self, study: str) -> ReportEntry | None:
        """Return what is said of a study by its identifier; None where nothing is."""
        if self._table is not None:
            return self._table.for_study(study)
        # An identifier from a file must not lead out of the folder.
        if self._folder is not None and study == PurePosixPath(study).name:
            text = _read_report(self._folder / f"{study}.txt")
            return None if text is None else ReportEntry(text)
        return None


class _Table:
    """A CSV file of reports, by the file or study each row names."""

    def __init__(self, path: Path) -> None:
        self._rows: dict[str, list[tuple[PurePosixPath, ReportEntry]]] = defaultdict(list)
        self._studies: dict[str, ReportEntry] = {}
        try:
            data = path.read_bytes()
            self.sha256 = hashlib.sha256(data).digest()
            text = _decode(data)
            reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
            header = [(name or "").strip().lower() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            self._check(header, path)
            for row in reader:
                self._take({name: (row[name] or "").strip() for name in header}, path, reader.line_num)
        except OSError as error:
            raise ConfigError(f"the table cannot be read ({error.strerror})", where=str(path)) from error
        except csv.Error as error:
            raise ConfigError(
                f"the table is not valid CSV ({error})", where=str(path), remedy="Check its quotes"
            ) from error

    @staticmethod
    def _check(header: Sequence[str], path: Path) -> None:
        if not any(name in header for name in (*_FILE_COLUMNS, _STUDY_COLUMN)):
            raise ConfigError(
                f"the table has no column that names an image or a study (it has {', '.join(header)})",
                where=str(path),
                remedy="Add a column 'file' or 'study'",
            )
        if not any(name in header for name in (*_TEXT_COLUMNS, *_SECTION_COLUMNS)):
            raise ConfigError(
                f"the table has no column with reports (it has {', '.join(header)})",
                where=str(path),
                remedy="Add a column 'report', or 'findings' and 'impression'",
            )

    def _take(self, row: Mapping[str, str], path: Path, line: int) -> None:
        entry = ReportEntry(
            text=_report_of(row),
            study=row.get(_STUDY_COLUMN, ""),
            patient=row.get("patient", ""),
            sex=row.get("sex", "")[:1].upper(),
            study_date=row.get("date", "").replace("-", "").replace(".", "").replace("/", ""),
            view=_view_of(row.get("view", "")),
            age=_age_of(row.get("age", ""), path, line),
        )
        for column in _FILE_COLUMNS:
            if row.get(column):
                named = PurePosixPath(row[column].replace("\\", "/"))
                self._rows[named.stem].append((named, entry))
                break
        if entry.study:
            self._studies.setdefault(entry.study, entry)

    def for_file(self, path: Path) -> ReportEntry | None:
        """Return the row that names a file: by relative path, by name, or by stem."""
        own = path.absolute().parts
        best: tuple[int, ReportEntry] | None = None
        for named, entry in self._rows.get(path.stem, ()):
            parts = tuple(part for part in named.parts if part not in (".", ".."))
            given = (*parts[:-1], path.name) if not named.suffix else parts
            if own[-len(given) :] == given and (best is None or len(given) > best[0]):
                best = len(given), entry
        if best is not None:
            return best[1]
        return self._studies.get(path.stem)

    def for_study(self, study: str) -> ReportEntry | None:
        """Return the first row that names a study."""
        return self._studies.get(study)


def _report_of(row: Mapping[str, str]) -> str:
    for column in _TEXT_COLUMNS:
        if row.get(column):
            return row[column]
    return "\n".join(f"{name.upper()}: {row[name]}" for name in _SECTION_COLUMNS if row.get(name))


def _view_of(text: str) -> View | None:
    words = text.upper().split()
    if not words:
        return None
    if words[0] in {"PA", "AP"}:
        return View(words[0])
    return View.LATERAL if words[0] in {"L", "LL", "LAT", "LATERAL"} else None


def _age_of(text: str, path: Path, line: int) -> float | None:
    if not text:
        return None
    try:
        age = float(text.rstrip("Yy"))
    except ValueError:
        age = -1.0
    if not 0 <= age < 150:
        raise ConfigError(
            f"the age '{text}' is no number of years",
            where=f"{path}, line {line}",
            remedy="Correct or clear it",
        )
    return age


def _read_report(path: Path) -> str | None:
    """Return a report file's text, None where there is no such file."""
    try:
        if path.stat().st_size > _LONGEST_REPORT:
            raise ConfigError(
                "the report is longer than 1 MiB", where=str(path), remedy="Is it really a report?"
            )
        return _decode(path.read_bytes()).strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"the report cannot be read ({error})", where=str(path)) from error


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Older reporting systems write ISO 8859-1, in which every byte is a character.
        return data.decode("latin-1")
