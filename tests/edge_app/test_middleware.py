"""Host check, root path, size limit, headers, as a browser or a proxy meets them."""

import pytest


def test_another_name_is_refused_and_the_remedy_named(client):
    response = client.get("/", headers={"host": "rebound.example"})
    assert response.status_code == 421
    assert "--allowed-hosts" in response.json()["remedy"]


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:9", "[::1]:8080", "LOCALHOST"])
def test_this_machine_is_answered(client, host):
    assert client.get("/healthz", headers={"host": host}).status_code == 200


def test_an_allowed_name_is_answered(make_client):
    client = make_client(allowed_hosts="pacs.hospital.local")
    assert client.get("/", headers={"host": "pacs.hospital.local:443"}).status_code == 200


@pytest.mark.parametrize("prefix", ["", "/xray"])
def test_a_proxy_may_keep_or_remove_the_root_path(make_client, prefix):
    client = make_client(root_path="/xray")
    page = client.get(f"{prefix}/")
    assert page.status_code == 200
    assert "<title>edge-retrieve</title>" in page.text
    assert client.get(f"{prefix}/static/app.js").status_code == 200
    assert client.get(f"{prefix}/api/regions").status_code == 200
    study = client.get(f"{prefix}/api/studies").json()["studies"][0]["study"]
    assert client.get(f"{prefix}/api/studies/{study}/image.png").status_code == 200


def test_the_root_path_gets_its_slash(make_client):
    response = make_client(root_path="/xray").get("/xray", follow_redirects=False)
    assert response.status_code == 307
    assert response.headers["location"] == "/xray/"


def test_every_address_in_the_page_is_relative(client):
    page = client.get("/").text
    for quote in ('href="/', 'src="/', "http://", "https://", "//cdn"):
        assert quote not in page


def test_a_large_body_is_refused_by_its_announcement(make_client):
    response = make_client(max_upload_mib=1).post("/api/encode", files={"image": ("a.png", b"0" * (2 << 20))})
    assert response.status_code == 413
    assert "1 MiB" in response.json()["what"]


def test_a_large_body_is_refused_while_it_comes(make_client):
    def stream():
        for _ in range(32):
            yield b"0" * (1 << 16)

    headers = {"content-type": "application/json"}
    response = make_client(max_upload_mib=1).post("/api/query", content=stream(), headers=headers)
    assert response.status_code == 413


def test_headers_forbid_foreign_content_and_shared_caches(client):
    page = client.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert page.headers["x-content-type-options"] == "nosniff"
    study = client.get("/api/studies").json()["studies"][0]["study"]
    assert client.get(f"/api/studies/{study}").headers["cache-control"] == "no-store"
    assert client.get(f"/api/studies/{study}/image.png").headers["cache-control"].startswith("private")
