"""A server with users, in front of the toy archive."""

import shutil

import pytest
from starlette.testclient import TestClient

from edge_retrieve.edge_app.access import passwords
from edge_retrieve.edge_app.access.accounts import Accounts
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.roles import Role
from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.access.tokens import Tokens
from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust

PASSWORD = "correct horse battery"
ROLES = {"rita": Role.READER, "otto": Role.OPERATOR, "ada": Role.ADMIN}


@pytest.fixture(scope="session", autouse=True)
def cheap_digests():
    """Digests of the real kind at a fraction of their cost; `test_accounts` looks at the real cost."""
    from argon2 import PasswordHasher

    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        real = passwords._hasher
        patch.setattr(passwords, "_hasher", lambda: cheap)
        yield real


@pytest.fixture(scope="module")
def own_store(store_path, tmp_path_factory):
    """A copy of the archive: what users write stays out of the one that all tests share."""
    return shutil.copytree(store_path, tmp_path_factory.mktemp("own") / "store")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Rita (reader), Otto (operator), Ada (admin), who may all see identities; blind, who may not."""
    made = Site(tmp_path_factory.mktemp("site") / "site")
    with AccessDatabase(made.database) as database:
        for name, role in ROLES.items():
            Accounts(database).add(name, PASSWORD, role, identities=True)
        Accounts(database).add("blind", PASSWORD, Role.READER)
    return made


@pytest.fixture(scope="module")
def guarded(toy, own_store, site):
    """The application behind its users; `client` and `as_user` talk to it."""
    with Workspace(
        own_store, toy.bundle.path, trust=Trust(allow_unsigned=True), site=str(site.path)
    ) as workspace:
        app = create_app(workspace, ServerSettings())
        with TestClient(app, base_url="http://localhost"):
            assert app.state.warm_up.wait(60)
            yield app


def bare_client(app):
    """A client without cookies. The application is running already."""
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def client(guarded):
    return bare_client(guarded)


@pytest.fixture
def as_user(guarded):
    """Return a function that gives a client logged in as a user, which repeats its CSRF word by itself."""

    def log_in(name, password=PASSWORD):
        client = bare_client(guarded)
        answer = client.post("/api/login", json={"user": name, "password": password})
        assert answer.status_code == 200, answer.text
        client.headers["x-csrf-token"] = client.cookies["edge_csrf"]
        return client

    return log_in


@pytest.fixture
def make_token(site):
    def make(name, role, **kind):
        with AccessDatabase(site.database) as database:
            return Tokens(database).make(name, role, kind.pop("days", 1), **kind)

    return make
