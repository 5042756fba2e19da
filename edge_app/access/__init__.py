"""Who may do what: users and their roles, sessions, tokens, and the table that decides."""

from edge_retrieve.edge_app.access.accounts import Account, Accounts
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.errors import (
    AccountError,
    CredentialsError,
    ForbiddenError,
    LoginRequiredError,
    TooManyAttemptsError,
)
from edge_retrieve.edge_app.access.roles import Permission, Role
from edge_retrieve.edge_app.access.site import Site

__all__ = [
    "AccessDatabase",
    "Account",
    "AccountError",
    "Accounts",
    "CredentialsError",
    "ForbiddenError",
    "LoginRequiredError",
    "Permission",
    "Role",
    "Site",
    "TooManyAttemptsError",
]
