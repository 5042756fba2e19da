"""The browser of this machine, for measuring the page and for pictures of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edge_retrieve.runtime.errors import MissingExtraError

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing of its own may ask the network, and colours are those of the files.
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
)  # fmt: skip


def find_chromium() -> str | None:
    """Return where Chromium is, None where there is none."""
    return next((found for found in map(shutil.which, _NAMES) if found), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """Run Chromium without a window; gives Playwright's browser.

    Raises
    ------
    MissingExtraError
        Where Playwright or Chromium is not installed.
    """
    where = find_chromium()
    if where is None:
        raise MissingExtraError(
            "there is no Chromium", where="search path", remedy="Install it (apt-get install chromium)"
        )
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise MissingExtraError(
            "Playwright is not installed", where="edge_app", remedy='pip install "edge-retrieve[dev]"'
        ) from error
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=where, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()
