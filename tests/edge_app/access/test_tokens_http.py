"""Programs log in with tokens, which do no more than they were made for."""

import time

import pytest

from edge_retrieve.edge_app.access.accounts import Accounts
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.errors import AccountError
from edge_retrieve.edge_app.access.roles import Role
from edge_retrieve.edge_app.access.tokens import Tokens


def bearer(text):
    return {"authorization": f"Bearer {text}"}


def test_a_token_needs_no_cookie_and_no_csrf_word(client, make_token):
    _, text = make_token("rita", Role.READER, identities=True)
    assert client.get("/api/studies", headers=bearer(text)).status_code == 200
    assert client.post("/api/query", json={"text": "nodule"}, headers=bearer(text)).status_code == 200


def test_a_token_does_what_its_role_may_not_what_its_user_may(client, make_token):
    _, text = make_token("ada", Role.READER)
    assert client.get("/metrics", headers=bearer(text)).status_code == 403
    assert client.get("/api/studies", headers=bearer(text)).status_code == 403  # no identities
    _, wider = make_token("ada", Role.OPERATOR, identities=True)
    assert client.get("/metrics", headers=bearer(wider)).status_code == 200


def test_a_token_is_not_made_for_more_than_its_user_may(make_token):
    with pytest.raises(AccountError, match="no more than its user"):
        make_token("rita", Role.ADMIN)
    with pytest.raises(AccountError, match="no more than its user"):
        make_token("blind", Role.READER, identities=True)


def test_a_request_with_a_bad_token_is_not_judged_by_its_cookie(as_user, make_token):
    client = as_user("ada")
    assert client.get("/api/studies", headers=bearer("ert_0_nonsense")).status_code == 401


def test_expired_changed_and_foreign_tokens_are_refused(client, site, make_token):
    token, text = make_token("rita", Role.READER, identities=True)
    prefix, name, secret = text.split("_", 2)
    for wrong in (
        "",
        text[:-1],
        text + "x",
        f"{prefix}_{name}_",
        f"{prefix}_{'0' * 16}_{secret}",
        f"x_{name}_{secret}",
        secret,
    ):
        assert client.get("/api/studies", headers=bearer(wrong)).status_code == 401, wrong
    assert client.get("/api/studies", headers={"authorization": f"Basic {text}"}).status_code == 401
    with AccessDatabase(site.database) as database:
        later = Tokens(database, clock=lambda: time.time() + 86_401)
        assert Tokens(database).find(text) is not None
        assert later.find(text) is None
        Tokens(database).revoke(token.id)
    assert client.get("/api/studies", headers=bearer(text)).status_code == 401


def test_a_user_who_may_less_takes_the_tokens_along(client, site):
    with AccessDatabase(site.database) as database:
        Accounts(database).add("temp", "correct horse battery", Role.OPERATOR, identities=True)
        _, text = Tokens(database).make("temp", Role.OPERATOR, 1)
        assert client.get("/metrics", headers=bearer(text)).status_code == 200
        Accounts(database).change("temp", role=Role.READER)
        assert client.get("/metrics", headers=bearer(text)).status_code == 401
        _, text = Tokens(database).make("temp", Role.READER, 1)
        Accounts(database).remove("temp")
    assert client.get("/api/archive", headers=bearer(text)).status_code == 401


def test_what_is_kept_of_a_token_is_no_token(client, site, make_token):
    _, text = make_token("rita", Role.READER)
    secret = text.split("_", 2)[2]
    assert secret.encode() not in b"".join(path.read_bytes() for path in site.path.glob("access.sqlite*"))
