"""pynetdicom, told to log nothing that names a patient."""

from __future__ import annotations

import logging

from pynetdicom import _config


def quieten() -> None:
    """Keep what pynetdicom would log to itself: its lines quote identifiers, data sets and addresses.

    What an operator needs to know, this room logs itself, by AE title and count.
    """
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
