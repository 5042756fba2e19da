"""The HTTP interface over a real store."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.findings import Finding

ZONE = "right upper lung zone"


def post_image(client, address, path, **fields):
    with path.open("rb") as stream:
        return client.post(address, files={"image": (path.name, stream)}, data=fields)


def first_study(client):
    return client.get("/api/studies", params={"order": "stored"}).json()["studies"][0]


def test_health_and_readiness(client):
    assert client.get("/healthz").json() == {"status": "alive"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["studies"] == 6


def test_the_archive_says_what_it_is(client, toy):
    about = client.get("/api/archive").json()
    assert about["studies"] == 6
    assert about["synthetic"] is False
    assert about["model"]["bundle"] == toy.bundle.bundle_id
    assert "Not a medical device" in about["disclaimer"]


def test_regions_are_those_of_the_model_in_its_order(client):
    regions = client.get("/api/regions").json()["regions"]
    assert [region["name"] for region in regions] == [region.value for region in REGIONS]
    assert regions[0] == {"name": "right lung", "laterality": "right", "position": 0}


def test_findings_are_those_that_hits_can_be_narrowed_to(client):
    findings = client.get("/api/findings").json()["findings"]
    assert findings == [finding.value for finding in Finding]
    asked = {"text": "nodule", "filters": {"findings": findings}}
    assert client.post("/api/query", json=asked).status_code == 200


def test_studies_are_paged_and_searched(client):
    everything = client.get("/api/studies").json()
    assert everything["total"] == 6
    page = client.get("/api/studies", params={"limit": 2, "offset": 4}).json()
    assert [s["study"] for s in page["studies"]] == [s["study"] for s in everything["studies"]][4:]
    found = client.get("/api/studies", params={"search": "nodule"}).json()
    assert found["total"] == 4
    assert all("nodule" in study["findings"] for study in found["studies"])


def test_a_study_has_report_sentences_and_29_boxes_in_its_own_pixels(client, toy):
    study = client.get(f"/api/studies/{first_study(client)['study']}").json()
    assert (study["width"], study["height"]) == (64, 64)
    assert study["findings"] == ["nodule"]
    assert len(study["boxes"]) == 29
    zone = next(box for box in study["boxes"] if box["region"] == ZONE)
    assert zone["box"] == pytest.approx(toy.region_box(Region(ZONE)).as_tuple(), abs=0.01)
    assert zone["score"] == pytest.approx(0.9)
    mentions = [mention for sentence in study["sentences"] for mention in sentence["mentions"]]
    assert {"finding": "nodule", "assertion": "present", "regions": [ZONE]} in mentions


def test_a_picture_is_the_stored_one_and_reduced_on_demand(client, toy):
    address = f"/api/studies/{first_study(client)['study']}/image.png"
    whole = client.get(address)
    assert whole.headers["content-type"] == "image/png"
    stored = np.asarray(Image.open(io.BytesIO(whole.content)))
    assert np.array_equal(stored, toy.picture(0, right_upper_lung_zone=0.95))
    small = Image.open(io.BytesIO(client.get(address, params={"side": 32}).content))
    assert small.size == (32, 32)
    assert client.get(address, params={"side": 5000}).status_code == 422


def test_encode_tells_where_the_regions_are(client, query_image, toy):
    read = post_image(client, "/api/encode", query_image).json()
    assert read["file_name"] == "query.png"
    assert (read["width"], read["height"]) == (64, 64)
    assert [box["region"] for box in read["boxes"]] == [region.value for region in REGIONS]
    assert client.get(f"/api/uploads/{read['upload']}").json() == read
    picture = client.get(f"/api/uploads/{read['upload']}/image.png")
    assert Image.open(io.BytesIO(picture.content)).size == (64, 64)


def test_an_uploaded_image_and_a_region_find_the_bright_zones(client, query_image):
    answer = post_image(client, "/api/query", query_image, regions=ZONE, k="4").json()
    assert answer["regions"] == [ZONE]
    assert [box["region"] for box in answer["query_boxes"]] == [ZONE]
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2, 3, 4]
    scores = [hit["score"] for hit in answer["hits"]]
    assert scores == sorted(scores, reverse=True)
    for hit in answer["hits"]:
        assert hit["regions"][0]["region"] == ZONE
        assert hit["regions"][0]["laterality"] == "right"
        assert len(hit["regions"][0]["box"]) == 4
        assert hit["report"]
        assert hit["width"] == 64
    assert any("nodule" in sentence for hit in answer["hits"] for sentence in hit["sentences"])


def test_an_upload_can_be_asked_about_again_and_gives_the_same_answer(client, query_image):
    upload = post_image(client, "/api/encode", query_image).json()["upload"]
    once = post_image(client, "/api/query", query_image, regions=ZONE).json()
    again = client.post("/api/query", json={"upload": upload, "regions": [ZONE]}).json()
    assert again["hits"] == once["hits"]


def test_a_drawn_box_is_searched_in_the_region_it_falls_into(client, query_image, toy):
    box = ",".join(str(edge) for edge in toy.region_box(Region(ZONE)).as_tuple())
    drawn = post_image(client, "/api/query", query_image, boxes=box).json()
    named = post_image(client, "/api/query", query_image, regions=ZONE).json()
    assert drawn["regions"] == [ZONE]
    assert [hit["study"] for hit in drawn["hits"]] == [hit["study"] for hit in named["hits"]]


def test_a_stored_study_is_never_its_own_hit(client):
    study = first_study(client)["study"]
    answer = client.post("/api/query", json={"study": study, "regions": [ZONE], "k": 50}).json()
    assert study not in [hit["study"] for hit in answer["hits"]]
    assert len(answer["hits"]) == 5


def test_words_alone_are_a_query(client):
    answer = client.post("/api/query", json={"text": "nodule in the right upper lung zone", "k": 2}).json()
    assert len(answer["hits"]) == 2
    assert answer["regions"] == []
    assert answer["query_boxes"] == []


@pytest.mark.parametrize(
    ("request_body", "status", "clue"),
    [
        ({}, 422, "empty"),
        ({"text": "nodule", "k": 0}, 422, "k"),
        ({"text": "nodule", "regions": ["elbow"]}, 422, "elbow"),
        ({"text": "nodule", "boxes": [[0, 0, 9, 9]]}, 422, "image"),
        ({"study": "nobody"}, 404, "nobody"),
        ({"upload": "gone"}, 404, "no longer kept"),
    ],
)
def test_a_wrong_query_is_a_problem_with_what_where_and_remedy(client, request_body, status, clue):
    response = client.post("/api/query", json=request_body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert clue in problem["detail"]
    assert {"type", "title", "status", "what", "where", "remedy"} <= problem.keys()


def test_a_box_outside_the_image_is_refused(client, query_image):
    response = post_image(client, "/api/query", query_image, boxes="100,100,120,120")
    assert response.status_code == 422
    assert "outside the image" in response.json()["what"]


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 64])
def test_a_file_that_is_no_image_is_refused_by_the_senders_name(client, tmp_path, content):
    path = tmp_path / "scan.png"
    path.write_bytes(content)
    response = post_image(client, "/api/encode", path)
    assert response.status_code == 422
    problem = response.json()
    assert problem["where"] == "scan.png"
    assert "edge-retrieve-" not in json.dumps(problem)


@pytest.mark.parametrize(
    "send",
    [
        lambda client: client.post(
            "/api/query", content=b"{broken", headers={"content-type": "application/json"}
        ),
        lambda client: client.post(
            "/api/query", content=b"\xff\xfe", headers={"content-type": "application/json"}
        ),
        lambda client: client.post("/api/encode", content=b"{}"),
        lambda client: client.post("/api/encode", data={"image": "text"}),
        lambda client: client.post(
            "/api/encode", content=b"x", headers={"content-type": "multipart/form-data"}
        ),
        lambda client: client.get("/api/studies", params={"limit": "many"}),
        lambda client: client.get("/api/studies", params={"offset": "-1"}),
    ],
)
def test_broken_requests_are_the_senders_fault(client, send):
    response = send(client)
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "address", ["/nothing", "/api/nothing", "/static/nothing.js", "/static/../settings.py"]
)
def test_unknown_addresses_are_not_found(client, address):
    response = client.get(address)
    assert response.status_code == 404
    assert response.json()["title"] == "Not Found"


def test_a_failure_of_ours_is_told_without_its_inside(make_client, workspace, monkeypatch):
    def fail(*arguments, **options):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(workspace.retriever, "query", fail)
    response = make_client().post("/api/query", json={"text": "nodule"})
    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.json()["remedy"]


def test_pages_filters_and_parts_of_the_score_over_http(client, query_image):
    whole = post_image(client, "/api/query", query_image, regions=ZONE, k="6").json()
    assert whole["more"] is False
    second = post_image(client, "/api/query", query_image, regions=ZONE, k="2", offset="2").json()
    assert second["hits"] == whole["hits"][2:4]
    assert (second["offset"], second["more"]) == (2, True)
    nodules = post_image(client, "/api/query", query_image, regions=ZONE, finding="nodule").json()
    assert [hit["study"] for hit in nodules["hits"]] == [
        hit["study"] for hit in whole["hits"] if "nodule" in hit["findings"]
    ]
    assert len(nodules["hits"]) == 4
    for hit in whole["hits"]:
        (match,) = hit["regions"]
        assert match["image_score"] is not None
        assert (match["text_score"] is None) == ("nodule" not in hit["findings"])
    assert whole["fusion"] == dict.fromkeys(whole["fusion"], 0.25)
    least = whole["hits"][2]["score"] - 1e-4
    assert (
        len(post_image(client, "/api/query", query_image, regions=ZONE, min_score=str(least)).json()["hits"])
        == 3
    )


def test_an_upload_that_is_in_the_archive_is_not_its_own_hit(client, archive):
    answer = post_image(client, "/api/query", archive / "case0.png", regions=ZONE, k="6").json()
    study = first_study(client)["study"]
    assert study not in [hit["study"] for hit in answer["hits"]]
    assert (len(answer["hits"]), answer["set_apart"]) == (5, 1)


def test_what_lies_on_the_other_side_is_named_over_http(client):
    body = {"text": "nodule", "regions": ["left upper lung zone"], "k": 6}
    named = [hit["regions"][0]["mismatch"] for hit in client.post("/api/query", json=body).json()["hits"]]
    assert named.count({"kind": "other side", "finding": "nodule", "region": ZONE}) == 4
    assert named.count(None) == 2
