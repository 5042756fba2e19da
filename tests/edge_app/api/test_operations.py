"""Figures for Prometheus, and the description of the interface."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

ZONE = "right upper lung zone"


def figures(client):
    """Every sample of /metrics by name and labels."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_queries_are_counted_with_their_hits_and_scores(client, send, query_image):
    before = figures(client)
    upload = send(client, query_image.read_bytes())["upload"]
    answer = client.post("/api/query", json={"upload": upload, "regions": [ZONE], "k": 3}).json()
    after = figures(client)

    def grown(*name):
        return after[name] - before.get(name, 0.0)

    assert grown("edge_retrieve_hits_count") == 1
    assert grown("edge_retrieve_hits_sum") == len(answer["hits"]) == 3
    best = answer["hits"][0]["score"]
    for name in after:
        if name[0] == "edge_retrieve_best_score_bucket":
            assert grown(*name) == (float(name[1]) >= best)
    assert grown("edge_retrieve_region_confidence_count") == 29
    assert grown("edge_retrieve_region_confidence_sum") == pytest.approx(29 * 0.9, abs=0.01)
    assert grown("edge_retrieve_abstentions_total") == float(answer["abstained"])
    for stage in ("decode", "encode", "search", "render"):
        assert grown("edge_retrieve_stage_seconds_count", stage) == 1
        assert 0 < grown("edge_retrieve_stage_seconds_sum", stage) < 30


def test_the_state_of_the_server_is_told(client):
    found = figures(client)
    assert found["edge_retrieve_studies",] == 6
    assert found["edge_retrieve_waiting",] == 0
    assert {name[1] for name in found if name[0] == "edge_retrieve_jobs"} == {
        "queued", "running", "done", "failed", "cancelled",
    }  # fmt: skip


def test_requests_go_by_the_form_of_their_address_and_hold_no_identifier(client, studies):
    client.get(f"/api/studies/{studies[0]}")
    client.get("/api/studies/SECRET-PATIENT-9")
    client.request("BREW", "/api/studies/SECRET-POT")
    text = client.get("/metrics").text
    assert "SECRET" not in text
    assert studies[0] not in text
    counted = figures(client)
    name = "edge_retrieve_request_seconds_count"
    # Labels by name: address, method, status.
    assert counted[name, "/api/studies/{study:path}", "GET", "200"] == 1
    assert counted[name, "/api/studies/{study:path}", "GET", "404"] == 1
    assert not any("BREW" in part for labels in counted for part in labels)


def test_the_description_is_openapi_3_1_and_complete(client):
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    used = set(re.findall(r'"#/components/schemas/(\w+)"', client.get("/openapi.json").text))
    assert used <= set(described["components"]["schemas"])
    for path, item in described["paths"].items():
        for method, operation in item.items():
            assert operation["description"], f"{method} {path}"
            assert operation["tags"], f"{method} {path}"
            assert "default" in operation["responses"], f"{method} {path}"


def test_the_query_is_described_as_it_is_read(client):
    from edge_retrieve.edge_app.api.query_schema import QUERY_SCHEMA
    from edge_retrieve.edge_app.asking import FILTER_NAMES, KEYS

    assert set(QUERY_SCHEMA["properties"]) == set(KEYS)
    (filters,) = (each for each in QUERY_SCHEMA["properties"]["filters"]["anyOf"] if "properties" in each)
    assert set(filters["properties"]) == set(FILTER_NAMES)


def test_the_documentation_page_uses_shipped_files_alone(client):
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    named = re.findall(r'(?:href|src)="([^"#]+)"', page.text)
    assert len(named) >= 4
    for address in named:
        assert "//" not in address
        assert client.get(f"/{address}").status_code == 200, address


@pytest.mark.parametrize(
    ("address", "where"),
    [("/api/studies?serach=x", "serach"), ("/api/studies?limit=1&limit=2", "limit"), ("/healthz?a=1", "a")],
)
def test_parameters_that_are_unknown_or_repeated_are_refused(client, address, where):
    answer = client.get(address)
    assert (answer.status_code, answer.json()["where"]) == (422, where)
