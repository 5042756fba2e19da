"""Roles, and what each may do."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Permission(str, Enum):
    """What a request needs."""

    PUBLIC = "anybody"
    """Needs no log-in: the log-in page, its files, and whether the server is alive."""
    READ = "read"
    """See the archive and ask it."""
    IDENTIFY = "identify"
    """See who the patients are, where the store keeps that."""
    OPERATE = "operate"
    """Add studies, run jobs, send results, read figures of the server."""
    ADMINISTER = "administer"
    """Delete studies, look after users, read the audit trail."""


class Role(str, Enum):
    """What a person is to the archive."""

    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"


GRANTS: Mapping[Role, frozenset[Permission]] = {
    Role.READER: frozenset({Permission.PUBLIC, Permission.READ}),
    Role.OPERATOR: frozenset({Permission.PUBLIC, Permission.READ, Permission.OPERATE}),
    Role.ADMIN: frozenset({Permission.PUBLIC, Permission.READ, Permission.OPERATE, Permission.ADMINISTER}),
}
"""`Permission.IDENTIFY` is nobody's by role: it is granted person by person."""


def permissions(role: Role, identities: bool) -> frozenset[Permission]:
    """Return all that a role may do, with or without the right to see identities."""
    return GRANTS[role] | {Permission.IDENTIFY} if identities else GRANTS[role]
