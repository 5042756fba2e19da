"""A lateral view asks nothing: the regions are those of a frontal one."""

import pytest


@pytest.fixture
def lateral(client, send, dicom_bytes, ramp):
    return send(client, dicom_bytes(ramp(), ViewPosition="LL", SeriesInstanceUID="1.2.3.9"))


def test_an_upload_is_shown_with_what_it_is(lateral):
    assert "lateral view" in lateral["flags"]
    assert (lateral["view"], lateral["boxes"]) == ("LATERAL", [])


@pytest.mark.parametrize("address", ["/api/query", "/api/explain", "/api/draft", "/api/results/sr"])
def test_it_is_refused_with_what_to_do(client, lateral, address):
    query = {"upload": lateral["upload"], "regions": ["right lung"]}
    body = {"query": query} if "results" in address else query
    answer = client.post(address, json=body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert "lateral view" in problem["detail"]
    assert "frontal" in str(problem)
