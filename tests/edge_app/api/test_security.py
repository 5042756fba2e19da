"""What an attacker would try on the interface: each tried, each refused."""

import gzip
import io
import zipfile
import zlib
from urllib.parse import quote

import pytest
from pydicom import uid

BOMB = 600 * 2**20  # more than any file may unpack to


PATHS = (
    "../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd",
    "....//....//etc/passwd", "..\\..\\etc\\passwd", "%00", "..%c0%af..%c0%afetc/passwd",
)  # fmt: skip


@pytest.mark.parametrize("base", ["/static/", "/api/studies/", "/api/uploads/", "/api/jobs/", "/api/reads/"])
def test_no_path_leads_out(client, base):
    for path in PATHS:
        for tail in ("", "/image.png", "/pixels"):
            answer = client.get(base + path + tail)
            assert answer.status_code in (404, 422), (path, answer.text)
            assert "root:" not in answer.text


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/evil.png", "..\\evil.png", "a\x00b.png", "x" * 500, "é\u202e.png"]
)
def test_an_uploads_name_is_only_shown(client, query_image, name):
    answer = client.post("/api/encode", files={"image": (name, query_image.read_bytes())})
    assert answer.status_code == 200
    shown = answer.json()["file_name"]
    assert not {"/", "\\"} & set(shown)
    assert client.get(f"/api/uploads/{answer.json()['upload']}/pixels").status_code == 200


def deflated_bomb():
    """A DICOM file whose deflated data set unpacks without end."""
    syntax = uid.DeflatedExplicitVRLittleEndian.encode() + b"\0"
    meta = b"\x02\x00\x10\x00UI" + len(syntax).to_bytes(2, "little") + syntax
    head = b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + len(meta).to_bytes(4, "little") + meta
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100" + b"".join(
        packer.compress(b"\0" * 2**20) for _ in range(BOMB >> 20)
    )
    return head + packer.compress(body[:18]) + body[18:] + packer.flush()


def png_bomb():
    """A PNG that claims to be a gigantic picture."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = (60_000).to_bytes(4, "big")
    header = chunk(b"IHDR", size + size + bytes([8, 0, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 2**20)) + chunk(b"IEND", b"")


def zip_bomb():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("chest.dcm", b"\0" * 50 * 2**20)
    return stream.getvalue()


XXE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'


@pytest.mark.parametrize(
    "make",
    [png_bomb, zip_bomb, deflated_bomb, lambda: gzip.compress(b"\0" * 2**26), lambda: XXE, lambda: b""],
)
def test_what_unpacks_without_end_or_is_no_picture_is_refused(client, make):
    answer = client.post("/api/encode", files={"image": ("chest.dcm", make())})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["remedy"]
    assert "root:" not in answer.text


def test_a_request_that_is_packed_is_not_unpacked(client):
    body = gzip.compress(b'{"text": "nodule"}')
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert client.post("/api/query", content=body, headers=headers).status_code == 422


@pytest.mark.parametrize("address", ["/api/query", "/api/ground", "/api/feedback", "/api/reads", "/api/jobs"])
def test_too_large_a_body_is_refused_wherever_it_is_sent(make_client, address):
    client = make_client(max_upload_mib=1)

    def stream():
        for _ in range(40):
            yield b" " * (1 << 16)

    for body in (b" " * (2 << 20), stream()):
        answer = client.post(address, content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, "--max-upload-mib" in answer.json()["remedy"]) == (413, True)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"text": ' * 50_000, b"\xff\xfe", b"", b"null", b"{"])
def test_json_that_is_none_is_refused(client, body):
    for address in ("query", "ground", "feedback", "reads", "jobs"):
        headers = {"content-type": "application/json"}
        answer = client.post(f"/api/{address}", content=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(
    "document",
    [
        '{"text": "half \\ud800 a letter"}',
        '{"text": "a", "regions": ["\\udfff"]}',
        '{"study": "\\ud800"}',
        '{"\\ud800": 1}',
        '{"upload": "x", "boxes": [[1, 2, 1%s, 4]]}' % ("0" * 400),
        '{"text": "a", "k": 1%s}' % ("0" * 5000),
    ],
)
@pytest.mark.parametrize("address", ["/api/query", "/api/explain", "/api/reads"])
def test_what_no_file_can_hold_and_numbers_beyond_all_are_refused(client, address, document):
    if address == "/api/reads":
        document = f'{{"impression": "x", "query": {document}}}'
    answer = client.post(address, content=document, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["remedy"]


def test_a_number_without_end_in_a_form_is_refused(client):
    answer = client.post("/api/query", files={"text": (None, "a"), "k": (None, "9" * 5000)})
    assert answer.status_code == 422
    assert "1 to 100" in answer.json()["remedy"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_what_a_foreign_page_can_send_without_asking_is_no_query(client, kind):
    answer = client.post("/api/query", content=b'{"text": "nodule"}', headers={"content-type": kind})
    assert answer.status_code == 415


@pytest.mark.parametrize("study", ["x\r\nset-cookie: a=b", "x%0d%0aset-cookie:%20a=b", "x\u2028y"])
def test_no_header_can_be_injected(client, study):
    for answer in (
        client.get(f"/api/studies/{quote(study)}/image.png"),
        client.post("/api/query", json={"study": study}),
        client.get("/api/feedback", params={"study": study}),
    ):
        assert "set-cookie" not in answer.headers
        assert "\n" not in "".join(f"{name}{value}" for name, value in answer.headers.items())


def test_a_forwarded_host_is_not_believed(client):
    answer = client.get("/", headers={"host": "evil.example", "x-forwarded-host": "localhost"})
    assert answer.status_code == 421


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
def test_other_methods_are_refused_with_those_that_there_are(client, method):
    answer = client.request(method, "/api/studies")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_failure_tells_nothing_of_the_inside(client, monkeypatch, workspace, caplog):
    def broken(*_, **__):
        raise RuntimeError("/secret/path of SMITH^JOHN")

    monkeypatch.setattr(workspace.store, "study", broken)
    answer = client.get("/api/studies/any")
    assert (answer.status_code, "SMITH" in answer.text, "/secret" in answer.text) == (500, False, False)
