"""The command group: our errors become one message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from edge_retrieve.runtime.errors import ConfigError, EdgeRetrieveError, MissingExtraError, QueryError

WORK_FAILED = 1
WRONG_USE = 2
DEBUG_VARIABLE = "EDGE_RETRIEVE_DEBUG"

# Which extra brings a module (pyproject.toml).
_EXTRAS = {
    "cv2": "app",
    "fastapi": "app",
    "prometheus_client": "app",
    "pydantic": "app",
    "starlette": "app",
    "uvicorn": "app",
    "multipart": "app",
    "python_multipart": "app",
    "anyio": "app",
    "argon2": "app",
    "highdicom": "dicom",
    "pynetdicom": "dicom",
    "dicomweb_client": "dicom",
    "requests": "dicom",
    "watchfiles": "dicom",
    "torch": "train",
    "transformers": "train",
    "safetensors": "train",
    "onnx": "export",
    "onnxscript": "export",
    "onnxruntime": "cpu",
    "openvino": "openvino",
}


class SafeGroup(click.Group):
    """A group whose commands end with a message instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn an error into its message and exit code."""
        try:
            with named_extras():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except EdgeRetrieveError as error:
            _fail(str(error), WRONG_USE if isinstance(error, ConfigError | QueryError) else WORK_FAILED)
        except BrokenPipeError:
            # The reader of our output went away (as `head` does): nothing to tell it.
            sys.stderr.close()
            sys.exit(WORK_FAILED)
        except Exception as error:
            if os.environ.get(DEBUG_VARIABLE):
                raise
            _fail(
                f"{type(error).__name__}: {error}. This should have been told better: please report it, "
                f"with what {DEBUG_VARIABLE}=1 shows.",
                WORK_FAILED,
            )


@contextmanager
def named_extras(extra: str = "") -> Iterator[None]:
    """Turn the absence of an optional package into `MissingExtraError`.

    Parameters
    ----------
    extra : str
        The extra that brings all a command needs; by default the one that brings the package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        raise MissingExtraError(
            f"this command needs the package '{package}', which is not installed",
            remedy=f'Run: pip install "edge-retrieve[{extra or _EXTRAS[package]}]"',
        ) from error


def _fail(message: str, code: int) -> None:
    click.echo(f"Error: {message}", err=True)
    sys.exit(code)
