"""The browser of this machine, for measuring the page and for pictures of it."""

from __future__ import annotations

import shutil
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


def launch_chromium(driver: Any) -> Any:
    """Start Chromium without a window.

    Parameters
    ----------
    driver : playwright.sync_api.Playwright
        What ``sync_playwright()`` gives; it closes the browser when it ends. Playwright is a tool of
        developers, which this package does not import.

    Returns
    -------
    playwright.sync_api.Browser

    Raises
    ------
    MissingExtraError
        Where Chromium is not installed.
    """
    where = find_chromium()
    if where is None:
        raise MissingExtraError(
            "there is no Chromium", where="search path", remedy="Install it (apt-get install chromium)"
        )
    return driver.chromium.launch(executable_path=where, args=list(_FLAGS))
