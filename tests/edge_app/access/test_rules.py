"""The decision table covers the application, and each role may do what it says."""

import pytest
from starlette.routing import BaseRoute, Mount

from edge_retrieve.edge_app.access.roles import GRANTS, Permission, Role
from edge_retrieve.edge_app.access.rules import PUBLIC_FOLDERS, RULES, DecisionTable
from edge_retrieve.edge_app.api.routers import addresses

ROUTES = list(addresses())


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda part: part)
def test_every_route_has_an_entry(method, path):
    assert (method, path) in RULES


def test_no_entry_is_about_a_route_that_does_not_exist():
    assert set(RULES) - set(ROUTES) == set()


def test_the_routes_listed_are_all_that_the_application_answers(guarded):
    """Whatever else is mounted must be in the public folders."""
    mounts = {route.path + "/" for route in guarded.routes if isinstance(route, Mount)}
    assert mounts == set(PUBLIC_FOLDERS)
    assert {route for route in guarded.routes if not isinstance(route, BaseRoute)} == set()
    documented = {
        (method.upper(), path) for path, methods in guarded.openapi()["paths"].items() for method in methods
    }
    assert documented <= {(method, path.replace(":path", "")) for method, path in ROUTES}


def test_only_the_log_in_and_signs_of_life_are_public():
    public = {path for (_, path), rule in RULES.items() if rule.permission is Permission.PUBLIC}
    assert public == {"/login", "/api/login", "/healthz", "/readyz"}


def test_what_changes_something_needs_more_than_nothing():
    for (method, path), rule in RULES.items():
        if method not in ("GET", "HEAD") and path != "/api/login":
            assert rule.permission is not Permission.PUBLIC, path


def test_what_shows_patients_is_audited_or_lists_what_one_has_seen():
    unaudited = {path for (_, path), rule in RULES.items() if rule.of_patients and rule.action is None}
    assert unaudited == {"/api/feedback", "/api/reads", "/api/reads/{read}"}


def test_roles_grow():
    assert GRANTS[Role.READER] < GRANTS[Role.OPERATOR] < GRANTS[Role.ADMIN]
    assert all(Permission.IDENTIFY not in granted for granted in GRANTS.values())


@pytest.mark.parametrize(
    ("method", "path", "pattern", "study"),
    [
        ("GET", "/api/studies/1.2.3", "/api/studies/{study:path}", "1.2.3"),
        ("GET", "/api/studies/ACC/7/image.png", "/api/studies/{study:path}/image.png", "ACC/7"),
        ("GET", "/api/studies/a/pixels.json", "/api/studies/{study:path}/pixels.json", "a"),
        ("GET", "/static/app.js", "/static/", ""),
        ("GET", "/nowhere", "", ""),
        ("POST", "/static/app.js", "", ""),
        ("DELETE", "/api/studies/1", "", ""),
    ],
)
def test_an_address_is_found_as_the_application_finds_it(method, path, pattern, study):
    rule, found, named = DecisionTable(ROUTES).find(method, path)
    assert (found, named) == (pattern, study)
    assert rule is not None


def test_a_route_without_an_entry_is_closed_to_everybody():
    rule, _, _ = DecisionTable([*ROUTES, ("GET", "/forgotten")]).find("GET", "/forgotten")
    assert rule is None


# A request of each kind that every role may try; the answer is 403 or it is not.
TRIES = {
    ("GET", "/api/studies"): None,
    ("GET", "/api/archive"): None,
    ("POST", "/api/query"): {"text": "nodule"},
    ("GET", "/metrics"): None,
    ("GET", "/api/jobs"): None,
    ("GET", "/api/quarantine"): None,
    ("POST", "/api/jobs"): {"kind": "rebuild"},
    ("GET", "/openapi.json"): None,
    ("GET", "/api/audit"): None,
}


@pytest.mark.parametrize(
    ("name", "role"), [("rita", Role.READER), ("otto", Role.OPERATOR), ("ada", Role.ADMIN)]
)
@pytest.mark.parametrize(("method", "path"), TRIES, ids=lambda part: part)
def test_a_role_may_do_what_the_table_says_and_no_more(as_user, name, role, method, path):
    needed = RULES[method, path].permission
    answer = as_user(name).request(method, path, json=TRIES[method, path])
    if needed in GRANTS[role]:
        assert answer.status_code < 400, answer.text
    else:
        assert answer.status_code == 403
        assert answer.json()["what"] == "this user may not do that"


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "{" not in route[1]], ids=str)
def test_nobody_sees_anything_without_a_log_in(client, method, path):
    answer = client.request(method, path)
    if RULES[method, path].permission is Permission.PUBLIC:
        assert answer.status_code in (200, 422, 503)
    elif path == "/":
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login"
    else:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "study" not in answer.text
