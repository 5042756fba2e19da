"""Typed errors. Each says what is wrong, where, and what to do about it."""

from __future__ import annotations


class EdgeRetrieveError(Exception):
    """Base of every error this project raises on purpose.

    Parameters
    ----------
    what : str
        What is wrong, as a sentence without a final full stop.
    where : str, optional
        The file, field, setting or argument concerned.
    remedy : str, optional
        What the user can do about it.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        parts = [f"{where}: {what}" if where else what]
        if remedy:
            parts.append(remedy)
        # A remedy may be a question ("Did you mean ...?") and keeps its mark.
        super().__init__(" ".join(part if part.endswith("?") else part.rstrip(".") + "." for part in parts))


def reason_of(error: BaseException) -> str:
    """Return what another's error says, without the number and the file name that Python adds to some.

    Parameters
    ----------
    error : BaseException
        Of the system, a parser or a library.
    """
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class PixelError(EdgeRetrieveError):
    """An image file cannot be turned into pixels of a frontal chest X-ray."""


class UnreadableFileError(PixelError):
    """The file is missing, empty, truncated, or in no format we decode."""


class UnsupportedImageError(PixelError):
    """The file reads well but is not what this project handles (no X-ray, no chest, many frames)."""


class BundleError(EdgeRetrieveError):
    """A model bundle is incomplete, damaged, or does not fit this runtime."""


class BackendError(EdgeRetrieveError):
    """An inference engine cannot be loaded or cannot run a graph."""


class StoreError(EdgeRetrieveError):
    """The case store cannot be opened, read or written."""


class GenerationError(StoreError):
    """The store has been encoded anew, for another bundle, since it was opened."""


class UnknownStudyError(StoreError):
    """The store holds no study with this identifier."""


class QueryError(EdgeRetrieveError):
    """A query is empty, contradicts itself, or names something unknown."""


class ConfigError(EdgeRetrieveError):
    """A configuration file or a setting is wrong."""


class MissingExtraError(EdgeRetrieveError):
    """A command needs an optional part of the package that is not installed."""


class TrainingError(EdgeRetrieveError):
    """Training cannot start or go on (no data, a checkpoint of another model, a diverged loss)."""


class ArchiveError(EdgeRetrieveError):
    """A phantom archive or a public data set cannot be written or read."""


class DataSetError(ArchiveError):
    """A data set on disk is not laid out as its publisher does, or misses a file."""


class ExportError(EdgeRetrieveError):
    """A produced graph fails its checks or misses its parity bound."""


class OutputError(EdgeRetrieveError):
    """A result cannot be written as an object for other systems, as its source lacks what that needs."""


class LanguageModelError(EdgeRetrieveError):
    """A language model cannot be reached, does not answer in time, or answers what is no draft."""
