"""Logging in as a browser does, and what an attacker would try."""

import pytest
from starlette.testclient import TestClient

from edge_retrieve.edge_app.access.accounts import Accounts
from edge_retrieve.edge_app.access.database import AccessDatabase
from edge_retrieve.edge_app.access.roles import Role
from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.bundle import Trust

PASSWORD = "correct horse battery"


def cookies_of(answer):
    return {line.split("=")[0]: line for line in answer.headers.get_list("set-cookie")}


def test_a_log_in_opens_the_archive_and_a_log_out_closes_it(as_user):
    client = as_user("rita")
    me = client.get("/api/me").json()
    assert me["user"] == "rita"
    assert me["login"] is True
    assert me["permissions"] == ["anybody", "read", "identify"]
    assert client.get("/api/studies").status_code == 200
    session = client.cookies["edge_session"]
    assert client.post("/api/logout").status_code == 204
    assert "edge_session" not in client.cookies
    client.cookies.set("edge_session", session)
    assert client.get("/api/studies").status_code == 401


def test_the_log_in_page_and_its_files_need_no_log_in(client):
    page = client.get("/login")
    assert page.status_code == 200
    assert 'type="password"' in page.text
    for name in ("login.js", "login.css", "icon.svg"):
        assert client.get(f"/static/{name}").status_code == 200
    # It loads nothing inline: the policy forbids it.
    assert "<script>" not in page.text
    assert "style=" not in page.text


def test_cookies_are_kept_from_scripts_and_other_sites(client):
    answer = client.post("/api/login", json={"user": "rita", "password": PASSWORD})
    cookies = cookies_of(answer)
    session, csrf = cookies["edge_session"].lower(), cookies["edge_csrf"].lower()
    assert "httponly" in session
    assert "httponly" not in csrf
    for cookie in (session, csrf):
        assert "samesite=strict" in cookie
        assert "path=/" in cookie
        assert "secure" not in cookie
    assert "max-age" in session
    assert answer.headers["cache-control"] == "no-store"


def test_behind_tls_cookies_go_by_https_alone_and_below_the_root_path(toy, store_path, site):
    settings = ServerSettings(tls_proxy=True, root_path="/xray")
    with (
        Workspace(
            store_path, toy.bundle.path, trust=Trust(allow_unsigned=True), site=str(site.path)
        ) as workspace,
        TestClient(create_app(workspace, settings), base_url="http://localhost") as client,
    ):
        answer = client.post("/xray/api/login", json={"user": "rita", "password": PASSWORD})
        for cookie in cookies_of(answer).values():
            assert "; Secure" in cookie
            assert "Path=/xray" in cookie
        assert client.get("/xray/", follow_redirects=False).headers["location"] == "/xray/login"


@pytest.mark.parametrize(
    ("user", "password"), [("rita", "wrong password!"), ("nobody", PASSWORD), ("rita' OR 1=1 --", "x" * 20)]
)
def test_a_wrong_name_and_a_wrong_password_are_not_told_apart(client, user, password):
    answer = client.post("/api/login", json={"user": user, "password": password})
    assert answer.status_code == 401
    assert answer.json()["what"] == "name and password do not belong together"
    assert not answer.headers.get_list("set-cookie")


def test_a_session_identifier_that_somebody_planted_is_not_taken_over(client, as_user):
    planted = "planted-by-somebody-else"
    client.cookies.set("edge_session", planted)
    client.post("/api/login", json={"user": "rita", "password": PASSWORD})
    assert planted not in [
        cookie.value for cookie in client.cookies.jar if cookie.domain == "localhost.local"
    ]
    thief = TestClient(client.app, base_url="http://localhost", cookies={"edge_session": planted})
    assert thief.get("/api/studies").status_code == 401


def test_a_second_log_in_ends_the_session_before(as_user):
    client = as_user("rita")
    before = client.cookies["edge_session"]
    client.post("/api/login", json={"user": "rita", "password": PASSWORD})
    assert client.cookies["edge_session"] != before
    old = TestClient(client.app, base_url="http://localhost", cookies={"edge_session": before})
    assert old.get("/api/studies").status_code == 401


@pytest.mark.parametrize("word", ["", "wrong", "ü"])
def test_a_request_that_changes_something_repeats_its_sessions_word(as_user, word):
    client = as_user("rita")
    headers = {"x-csrf-token": word.encode()}
    answer = client.post("/api/query", json={"text": "nodule"}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["where"] == "X-CSRF-Token"
    assert client.get("/api/studies", headers=headers).status_code == 200


def test_the_word_of_another_session_does_not_count(as_user):
    client, other = as_user("rita"), as_user("otto")
    headers = {"x-csrf-token": other.cookies["edge_csrf"]}
    assert client.post("/api/query", json={"text": "nodule"}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://localhost"},
    ],
    ids=str,
)
def test_another_sites_page_changes_nothing_with_or_without_users(as_user, make_client, headers):
    for client in (as_user("rita"), make_client()):
        answer = client.post("/api/query", json={"text": "nodule"}, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["where"] == "Origin"
    assert (
        make_client().post("/api/login", json={"user": "a", "password": "b"}, headers=headers).status_code
        == 403
    )


@pytest.mark.parametrize("headers", [{"origin": "http://localhost"}, {"sec-fetch-site": "same-origin"}, {}])
def test_this_servers_own_page_is_let_through(as_user, headers):
    answer = as_user("rita").post("/api/query", json={"text": "nodule"}, headers=headers)
    assert answer.status_code == 200


def test_guessing_is_slowed_down(toy, store_path, tmp_path):
    site = Site(tmp_path / "site")
    with AccessDatabase(site.database) as database:
        Accounts(database).add("rita", PASSWORD, Role.READER)
        Accounts(database).add("ada", PASSWORD, Role.ADMIN)
    with (
        Workspace(
            store_path, toy.bundle.path, trust=Trust(allow_unsigned=True), site=str(site.path)
        ) as workspace,
        TestClient(create_app(workspace), base_url="http://localhost") as client,
    ):
        answers = [
            client.post("/api/login", json={"user": "rita", "password": f"guess number {n}"})
            for n in range(6)
        ]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        # The right password has to wait as well, and others are not locked out.
        assert client.post("/api/login", json={"user": "RITA", "password": PASSWORD}).status_code == 429
        assert client.post("/api/login", json={"user": "ada", "password": PASSWORD}).status_code == 200


def test_a_removed_user_is_out_at_once(toy, store_path, tmp_path):
    site = Site(tmp_path / "site")
    with AccessDatabase(site.database) as database:
        accounts = Accounts(database)
        accounts.add("ada", PASSWORD, Role.ADMIN, identities=True)
        accounts.add("rita", PASSWORD, Role.READER, identities=True)
        with (
            Workspace(
                store_path, toy.bundle.path, trust=Trust(allow_unsigned=True), site=str(site.path)
            ) as workspace,
            TestClient(create_app(workspace), base_url="http://localhost") as client,
        ):
            client.post("/api/login", json={"user": "rita", "password": PASSWORD})
            assert client.get("/api/studies").status_code == 200
            accounts.remove("rita")
            assert client.get("/api/studies").status_code == 401
            # Nor is the archive open once all are gone.
            accounts.remove("ada")
            assert client.get("/api/studies").status_code == 401


def test_identities_are_shown_to_those_who_may_see_them(as_user):
    """The toy archive comes from an ingest that nobody decided on: it may hold identities."""
    blind = as_user("blind")
    for path in ("/api/studies", "/api/studies/1.2.3", "/api/studies/1.2.3/image.png"):
        answer = blind.get(path)
        assert answer.status_code == 403
        assert "identities" in answer.json()["what"]
    assert blind.post("/api/query", json={"text": "nodule"}).status_code == 403
    assert blind.get("/api/archive").status_code == 200


def test_without_users_nothing_is_asked(make_client):
    client = make_client()
    assert client.get("/").status_code == 200
    assert client.get("/api/studies").status_code == 200
    me = client.get("/api/me").json()
    assert me["login"] is False
    assert me["user"] == "local"
    assert client.post("/api/query", json={"text": "nodule"}).status_code == 200
    assert client.post("/api/login", json={"user": "a", "password": "b"}).status_code == 200


def test_an_upload_is_its_owners_alone(as_user, toy, tmp_path):
    rita, ada = as_user("rita"), as_user("ada")
    picture = toy.save(tmp_path / "a.png", seed=3).read_bytes()
    upload = rita.post("/api/encode", files={"image": ("a.png", picture)}).json()["upload"]
    assert rita.get(f"/api/uploads/{upload}").status_code == 200
    assert as_user("rita").get(f"/api/uploads/{upload}/image.png").status_code == 200
    for path in ("", "/image.png", "/pixels", "/pixels.json", "/ground.png?phrase=nodule"):
        assert ada.get(f"/api/uploads/{upload}{path}").status_code == 404, path
    assert ada.post("/api/query", json={"upload": upload}).status_code == 404
    assert rita.post("/api/query", json={"upload": upload}).status_code == 200


def test_a_read_is_its_readers_alone(as_user):
    rita, ada = as_user("rita"), as_user("ada")
    asked = {"query": {"text": "nodule"}, "impression": "A nodule, I think."}
    begun = rita.post("/api/reads", json=asked)
    assert begun.status_code == 201, begun.text
    read = begun.json()["read"]
    final = {"impression": "Not hers."}
    assert ada.get(f"/api/reads/{read}").status_code == 404
    assert ada.post(f"/api/reads/{read}/reveal").status_code == 404
    assert ada.post(f"/api/reads/{read}/final", json=final).status_code == 404
    assert read not in [each["read"] for each in ada.get("/api/reads").json()["reads"]]
    assert rita.get(f"/api/reads/{read}").json()["impression"] == "A nodule, I think."
    assert rita.post(f"/api/reads/{read}/reveal").status_code == 200
    assert rita.get("/api/reads").json()["total"] >= 1
