"""Where a phrase is, over HTTP."""

import io

import numpy as np
import pytest
from PIL import Image

from edge_retrieve.edge_app.locating import map_png
from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.grounding import boxes_of, phrase_maps
from edge_retrieve.runtime.grounding.report import SEEN_FROM
from edge_retrieve.runtime.preprocess import load_radiograph

ZONE = "right upper lung zone"
PHRASE = "nodule in the right upper lung zone"
SHOWN = "small nodule"  # which the toy model sees, in one place


def ground(client, **asked):
    answer = client.post("/api/ground", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def upload(client, send, query_image):
    return send(client, query_image.read_bytes(), "query.png")["upload"]


def test_the_map_of_an_upload_is_the_models_own(client, workspace, upload, query_image):
    found = ground(client, upload=upload, phrase=PHRASE)
    encoder = workspace.encoder
    encoding = encoder.encode_image(load_radiograph(query_image).pixels)
    texts = encoder.encode_texts([PHRASE])
    (wanted,) = phrase_maps(encoder, encoding, texts, [[Region(ZONE)]], [[]])
    assert (found["regions"], found["findings"]) == ([ZONE], ["nodule"])
    assert np.allclose(found["values"], wanted.values, atol=1e-4)
    assert found["peak"] == pytest.approx(wanted.peak, abs=1e-4)
    assert (found["rows"], found["columns"], found["width"], found["height"]) == (24, 24, 64, 64)


def test_the_best_box_lies_where_was_looked(client, upload, toy):
    found = ground(client, upload=upload, phrase="nodule", regions=[ZONE])
    best = found["boxes"][0]
    assert best["score"] == pytest.approx(found["peak"], abs=1e-4)
    zone = toy.region_box(Region(ZONE))
    x1, y1, x2, y2 = best["box"]
    center = (x1 + x2) / 2, (y1 + y2) / 2
    assert zone.x1 - 3 <= center[0] <= zone.x2 + 3
    assert zone.y1 - 3 <= center[1] <= zone.y2 + 3


def test_a_stored_study_is_grounded_as_its_picture_is(client, studies, archive, send):
    sent = send(client, (archive / "case0.png").read_bytes(), "case0.png")["upload"]
    stored, uploaded = (
        ground(client, phrase=PHRASE, **each) for each in ({"study": studies[0]}, {"upload": sent})
    )
    assert np.allclose(stored["values"], uploaded["values"], atol=1e-3)


def test_regions_asked_for_go_before_those_of_the_phrase(client, upload):
    found = ground(client, upload=upload, phrase=PHRASE, regions=["left_lung"])
    assert found["regions"] == ["left lung"]


@pytest.mark.parametrize(
    ("phrase", "ground_as"),
    [
        (f"No nodule in the {ZONE}.", "denied"),
        ("The heart size is normal.", "denied"),
        ("Thank you for your referral.", "not_visual"),
    ],
)
def test_what_a_sentence_denies_is_nowhere(client, upload, phrase, ground_as):
    assert ground(client, upload=upload, phrase=phrase)["ground"] == ground_as


def test_what_a_sentence_states_is_seen_where_the_map_is_high(client, upload, studies):
    bright = ground(client, upload=upload, phrase=PHRASE)
    assert bright["ground"] == ("seen" if bright["peak"] >= SEEN_FROM else "not_seen")
    dark = ground(client, study=studies[-1], phrase=PHRASE)
    assert dark["ground"] == ("seen" if dark["peak"] >= SEEN_FROM else "not_seen")


def test_the_map_as_a_picture_has_the_images_proportions(client, studies):
    answer = client.get(f"/api/studies/{studies[0]}/ground.png", params={"phrase": SHOWN, "side": 48})
    image = Image.open(io.BytesIO(answer.content))
    assert (image.mode, image.size) == ("LA", (48, 48))
    opacity = np.asarray(image)[..., 1]
    found = ground(client, study=studies[0], phrase=SHOWN)
    row, column = np.unravel_index(np.argmax(found["values"]), (24, 24))
    assert opacity[2 * row, 2 * column] > 200


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"phrase": PHRASE}, 422),
        ({"phrase": PHRASE, "study": "a", "upload": "b"}, 422),
        ({"phrase": "", "study": "a"}, 422),
        ({"phrase": "  ", "study": "a"}, 422),
        ({"phrase": "x" * 1001, "study": "a"}, 422),
        ({"phrase": PHRASE, "study": "a", "regions": ["left elbow"]}, 422),
        ({"phrase": PHRASE, "study": "a", "colour": "red"}, 422),
        ({"phrase": 7, "study": "a"}, 422),
        ({"phrase": PHRASE, "study": "nobody"}, 404),
        ({"phrase": PHRASE, "upload": "nothing"}, 404),
    ],
)
def test_what_cannot_be_found_is_refused(client, asked, status):
    answer = client.post("/api/ground", json=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_boxes_are_around_what_is_connected():
    values = np.zeros((24, 24), np.float32)
    values[2:5, 3:7], values[3, 4] = 0.6, 1.0
    values[10, 10] = values[11, 11] = 0.9  # corners do not connect
    values[20, :] = 0.49
    found = boxes_of(values, 240, 480)
    assert found[0] == (Box(30, 40, 70, 100), 1.0)
    assert [box for box, _ in found[1:]] == [Box(100, 200, 110, 220), Box(110, 220, 120, 240)]


def test_a_map_of_nothing_has_no_box_and_is_transparent():
    nothing = np.zeros((24, 24), np.float32)
    assert boxes_of(nothing, 10, 10) == []
    assert not np.asarray(Image.open(io.BytesIO(map_png(nothing, 30, 60, 40))))[..., 1].any()


@pytest.mark.parametrize("of", ["study", "upload"])
def test_a_report_is_grounded_sentence_by_sentence(client, send, studies, query_image, of):
    name = studies[0] if of == "study" else send(client, query_image.read_bytes(), "q.png")["upload"]
    body = {of: name, "text": "Small nodule. No effusion."}
    plain = client.post("/api/ground/report", json=body)
    assert plain.status_code == 200, plain.text
    stated, denied = plain.json()["sentences"]
    assert (denied["ground"], denied["boxes"]) == ("denied", [])
    assert stated["map"] is None
    assert len(plain.json()["region_boxes"]) == 29
    whole = client.post("/api/ground/report", json={**body, "maps": True}).json()
    assert [len(row) for row in whole["sentences"][0]["map"]] == [24] * 24
    assert whole["sentences"][0]["boxes"] == stated["boxes"]
    for wrong, status in (({**body, "text": "  "}, 422), ({"text": "a"}, 422), ({**body, of: "no"}, 404)):
        assert client.post("/api/ground/report", json=wrong).status_code == status
