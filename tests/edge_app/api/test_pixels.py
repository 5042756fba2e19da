"""Grey values and windows over HTTP, against the formula of docs/http-api.md."""

import gzip
import io
import math

import numpy as np
import pytest
from PIL import Image

NARROW = (2000, 801)


def numbers(answer):
    """The grey values of an answer, shape [rows, columns]."""
    size = int(answer.headers["x-rows"]), int(answer.headers["x-columns"])
    return np.frombuffer(answer.content, "<u2").reshape(size)


def picture(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(answer.content))
    assert image.mode == "L"
    return np.asarray(image)


def by_hand(values, level, window):
    """The formula that a page follows, in plain Python."""
    return [
        [math.floor(255 * min(1.0, max(0.0, (v - level) / window + 0.5)) + 0.5) for v in row]
        for row in values.tolist()
    ]


@pytest.fixture
def narrow(client, dicom_bytes, ramp, send):
    """The address of an upload whose file names a window much narrower than its values."""
    return f"/api/uploads/{send(client, dicom_bytes(ramp(), window=NARROW))['upload']}"


def test_a_stored_picture_is_sent_as_it_is(client, studies, toy):
    answer = client.get(f"/api/studies/{studies[0]}/pixels")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert np.array_equal(numbers(answer), toy.picture(0, right_upper_lung_zone=0.95))


def test_facts_say_what_the_numbers_mean(client, studies):
    values = numbers(client.get(f"/api/studies/{studies[0]}/pixels"))
    facts = client.get(f"/api/studies/{studies[0]}/pixels.json").json()
    assert (facts["rows"], facts["columns"]) == values.shape
    assert (facts["width"], facts["height"]) == (64, 64)
    assert (facts["minimum"], facts["maximum"]) == (values.min(), values.max())
    assert (facts["scale"], facts["bits"], facts["note"]) == ("display", 8, "")
    assert facts["windows"] == [{"name": "as stored", "center": 127.5, "width": 255.0}]


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("br, *;q=0.1", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=x", False),
        ("", False),
    ],
)
def test_gzip_is_used_where_it_is_taken(client, studies, accepted, packed):
    address = f"/api/studies/{studies[0]}/pixels"
    with client.stream("GET", address, headers={"accept-encoding": accepted}) as answer:
        raw = b"".join(answer.iter_raw())
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    assert answer.headers["vary"] == "accept-encoding"
    assert len(gzip.decompress(raw) if packed else raw) == 2 * 64 * 64


def test_the_values_reach_beyond_the_window_of_the_file(client, narrow, ramp):
    values, facts = numbers(client.get(f"{narrow}/pixels")), client.get(f"{narrow}/pixels.json").json()
    assert values.shape == ramp().shape
    assert (facts["scale"], facts["bits"]) == ("values", 12)
    first = facts["windows"][0]
    dark = values < first["center"] - first["width"] / 2
    assert dark.mean() > 0.15
    assert np.unique(values[dark]).size > 300
    assert (picture(client.get(f"{narrow}/image.png"))[dark] <= 1).all()


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_dense_is_bright_whatever_the_photometry(client, dicom_bytes, ramp, send, photometric):
    file = dicom_bytes(ramp(), window=NARROW, photometric=photometric)
    values = numbers(client.get(f"/api/uploads/{send(client, file)['upload']}/pixels"))
    slope = np.corrcoef(values.ravel(), ramp().ravel())[0, 1]
    assert slope == pytest.approx(-1 if photometric == "MONOCHROME1" else 1, abs=0.05)


@pytest.mark.parametrize(("level", "window"), [(1000, 800), (2047.5, 4095), (-20, 1.5), (3000.25, 333.3)])
def test_the_server_shows_what_a_page_computes(client, narrow, level, window):
    values = numbers(client.get(f"{narrow}/pixels"))
    shown = picture(client.get(f"{narrow}/image.png", params={"level": level, "window": window}))
    assert shown.tolist() == by_hand(values, level, window)


def test_the_first_preset_is_the_picture(client, narrow):
    preset = client.get(f"{narrow}/pixels.json").json()["windows"][0]
    chosen = {"level": preset["center"], "window": preset["width"]}
    assert np.array_equal(
        picture(client.get(f"{narrow}/image.png")), picture(client.get(f"{narrow}/image.png", params=chosen))
    )


def test_inverting_turns_bright_and_dark(client, studies):
    address = f"/api/studies/{studies[1]}/image.png"
    plain, inverted = picture(client.get(address)), picture(client.get(address, params={"invert": "true"}))
    assert np.array_equal(255 - plain.astype(int), inverted)


def test_a_window_and_a_side_go_together(client, studies):
    asked = {"level": 100, "window": 50, "side": 32}
    assert picture(client.get(f"/api/studies/{studies[0]}/image.png", params=asked)).shape == (32, 32)


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"level": 100}, "level, window"),
        ({"window": 100}, "level, window"),
        ({"level": 100, "window": 0}, "window"),
        ({"level": 100, "window": -5}, "window"),
        ({"level": "nan", "window": 5}, "level"),
        ({"level": "1e300", "window": 5}, "level"),
        ({"level": 1, "window": "inf"}, "window"),
        ({"side": 15}, "side"),
        ({"invert": "perhaps"}, "invert"),
    ],
)
def test_a_window_that_shows_nothing_is_refused(client, studies, asked, where):
    answer = client.get(f"/api/studies/{studies[0]}/image.png", params=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["where"] == where


@pytest.mark.parametrize("what", ["pixels", "pixels.json", "image.png", "image.png?level=1&window=2"])
@pytest.mark.parametrize("owner", ["studies/nobody", "uploads/nothing"])
def test_pictures_of_nobody_are_not_found(client, owner, what):
    assert client.get(f"/api/{owner}/{what}").status_code == 404


def test_what_was_deleted_is_served_no_more(own):
    study = own.get("/api/studies").json()["studies"][0]["study"]
    addresses = [f"/api/studies/{study}/{what}" for what in ("pixels", "image.png", "image.png?side=32")]
    assert [own.get(address).status_code for address in addresses] == [200] * 3
    own.workspace.store.delete([study])
    assert [own.get(address).status_code for address in addresses] == [404] * 3


def test_an_ingested_file_keeps_its_values_and_its_order(own, dicom_bytes, ramp, tmp_path):
    from edge_retrieve.runtime.ingest import ingest

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "chest.dcm").write_bytes(dicom_bytes(ramp(), window=NARROW))
    ingest(own.workspace.store, own.workspace.encoder, [tmp_path / "in"])
    assert own.get("/api/studies/1.2.3/pixels.json").json()["scale"] == "values"
    listed = own.get("/api/studies", params={"accession": "ACC-7", "date_from": "2024-01-31"}).json()
    assert [(line["study"], line["accession"]) for line in listed["studies"]] == [("1.2.3", "ACC-7")]


def test_pictures_are_kept_out_of_shared_caches(client, narrow):
    for what in ("pixels", "image.png"):
        assert client.get(f"{narrow}/{what}").headers["cache-control"].startswith("private")


def test_an_8_bit_picture_of_an_earlier_version_says_so(own):
    study = own.get("/api/studies").json()["studies"][0]["study"]
    # As a larger X-ray lies in a store of schema 3: reduced to 8 bits, with no word on its values.
    own.workspace.store._db.execute("UPDATE images SET width = 2000, height = 2000")
    facts = own.get(f"/api/studies/{study}/pixels.json").json()
    assert (facts["width"], facts["bits"], facts["scale"]) == (2000, 8, "display")
    assert "earlier version" in facts["note"]
