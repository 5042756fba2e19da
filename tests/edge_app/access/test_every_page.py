"""Every page says what it is not, and which model and archive answer; to strangers no more than that."""

import html
import re

import pytest
from starlette.testclient import TestClient

from edge_retrieve.edge_app.api import create_app
from edge_retrieve.edge_app.api.routers import addresses
from edge_retrieve.edge_app.notice import DISCLAIMER, Notice
from edge_retrieve.edge_app.pages import STATIC
from edge_retrieve.edge_app.settings import ServerSettings

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
MADE_UP = {"study": "no/such study", "upload": "none", "read": "none", "job": "none", "kind": "sr"}


def opened(path):
    """An address as one types it, with made-up names for what it holds."""
    return re.sub(r"{(\w+)(?::path)?}", lambda part: MADE_UP[part[1]], path)


def walked():
    return [opened(path) for method, path in addresses() if method == "GET"] + ["/nowhere", "/api/jobs/1/2"]


def words(answer):
    """What a page shows, without its scripts and styles."""
    text = re.sub(r"<(script|style|noscript|head)\b.*?</\1>", " ", answer.text, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def notice_of(app):
    workspace = app.state.services.workspace
    return (DISCLAIMER, *Notice.of(workspace).words())


@pytest.mark.parametrize("user", [None, "rita", "ada"])
def test_every_page_says_what_it_is_not_and_who_answers(guarded, client, as_user, user):
    asking = client if user is None else as_user(user)
    pages = {}
    for path in walked():
        answer = asking.get(path, headers=BROWSER)
        if answer.headers.get("content-type", "").startswith("text/html"):
            pages[path] = answer
    expected = {"/login", "/nowhere", "/api/studies/no/such study", "/api/jobs/1/2"}
    assert expected | (set() if user is None else {"/", "/docs"}) <= set(pages)
    for path, answer in pages.items():
        for sentence in notice_of(guarded):
            assert sentence in words(answer), path
        assert "content-security-policy" in answer.headers, path
        assert "<!-- " not in re.sub(
            r"<head>.*?</head>|<!-- What may come.*?-->", "", answer.text, flags=re.S
        )


def test_strangers_are_told_nothing_of_what_the_archive_holds(guarded, client):
    """Neither how much, nor whose, nor which bundle to the byte."""
    workspace = guarded.state.services.workspace
    shown = {path: client.get(path, headers=BROWSER) for path in walked()}
    held = workspace.store.studies(limit=500)
    secrets = {workspace.bundle.bundle_id, workspace.bundle.manifest.training_data, str(workspace.store.path)}
    secrets |= {each.study for each in held} | {each.patient for each in held if each.patient}
    for path, answer in shown.items():
        assert not [secret for secret in secrets if secret in answer.text], path
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert "studies" not in words(answer).replace(path, ""), path
    login = words(shown["/login"])
    assert login == f"edge-retrieve Name Password Log in {' '.join(notice_of(guarded))}"


def test_what_an_archive_is_called_is_no_markup():
    told = Notice("<b>1</b>", 'a "b" & <script>', synthetic=True)
    from edge_retrieve.edge_app.pages import page

    text = page("login.html", told).body.decode()
    assert "Model &lt;b&gt;1&lt;/b&gt;" in text
    assert "Archive a &quot;b&quot; &amp; &lt;script&gt; · synthetic phantoms, no patients" in text


def test_programs_get_problem_documents(client):
    for accept in ("*/*", "application/json", "image/png,*/*"):
        answer = client.get("/nowhere", headers={"accept": accept})
        assert answer.headers["content-type"] == "application/problem+json"
    answer = client.post("/nowhere", headers=BROWSER)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_refusal_leads_on_and_keeps_its_headers(client, as_user):
    refused = client.get("/docs", headers=BROWSER)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert refused.headers["vary"] == "accept"
    assert '<a href="/login">Log in</a>' in refused.text
    missing = as_user("rita").get("/api/studies/<i>none</i>", headers=BROWSER)
    assert missing.status_code == 404
    assert "&lt;i&gt;none&lt;/i&gt;" in missing.text
    assert "<i>" not in missing.text
    assert '<a href="/">Open the reading page</a>' in missing.text


def test_below_a_path_a_page_finds_its_styles_and_the_way_back(workspace, monkeypatch):
    app = create_app(workspace, ServerSettings(root_path="/xray"))

    def fails(*_, **__):
        raise RuntimeError("on purpose")

    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        missing = client.get("/xray/api/studies/none", headers=BROWSER)
        monkeypatch.setattr(type(workspace.store), "count", fails)
        failed = client.get("/xray/api/archive", headers=BROWSER)
    for answer, status in ((missing, 404), (failed, 500)):
        assert answer.status_code == status
        assert 'href="/xray/static/base.css"' in answer.text
        assert '<a href="/xray/">Open the reading page</a>' in answer.text
        for sentence in notice_of(app):
            assert sentence in words(answer)
    assert "on purpose" not in failed.text


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.html")), ids=lambda path: path.name)
def test_a_page_as_it_lies_says_it_too(path):
    text = path.read_text()
    assert DISCLAIMER in text
    assert text.count("<!-- model -->") == text.count("<!-- archive -->") == 1
