"""What can go wrong between a person and what they want to see."""

from __future__ import annotations

from edge_retrieve.runtime.errors import ConfigError, EdgeRetrieveError


class AccountError(ConfigError):
    """A user or a token cannot be made, changed or found as asked."""


class LoginRequiredError(EdgeRetrieveError):
    """A request bears no valid session and no valid token."""


class CredentialsError(EdgeRetrieveError):
    """A name and a password do not belong together; which of the two is wrong is not said."""


class ForbiddenError(EdgeRetrieveError):
    """A request is known to come from somebody who may not do what it asks, or may be forged."""


class TooManyAttemptsError(EdgeRetrieveError):
    """Too many log-ins failed.

    Parameters
    ----------
    wait_s : int
        Seconds until the next attempt is looked at.
    """

    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__("too many log-ins failed", where="log-in", remedy=f"Try again in {wait_s} seconds")
