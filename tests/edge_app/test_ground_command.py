"""edge-retrieve ground: what it answers, writes and refuses."""

import io
import json

import pytest
from PIL import Image

from edge_retrieve.runtime.anatomy import Region


@pytest.fixture
def ground(run, toy, query_image):
    def call(*arguments):
        return run("ground", query_image, "--bundle", toy.bundle.path, "--allow-unsigned", *arguments)

    return call


def test_sentences_come_with_what_became_of_them(ground):
    told = json.loads(
        ground("--text", "No pleural effusion. Nodule in the right upper lung zone.", "--json").stdout
    )
    denied, stated = told["sentences"]
    assert denied["ground"] == "denied"
    assert denied["boxes"] == []
    assert stated["ground"] in ("seen", "not_seen")
    assert stated["findings"] == ["nodule"]
    assert stated["regions"] == ["right upper lung zone"]
    assert bool(stated["boxes"]) == (stated["ground"] == "seen")


def test_a_text_without_a_sentence_is_said_to_have_none(ground):
    result = ground("--text", "\U0001fac1")
    assert result.exit_code == 0
    assert "no sentence to look for" in result.stderr


def test_a_report_is_read_from_a_file_and_written_as_picture_and_maps(ground, tmp_path, query_image):
    report = tmp_path / "report.txt"
    report.write_text("FINDINGS: Nodule in the right upper lung zone. The heart is normal.")
    result = ground("--report", report, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "The heart is normal. [nothing to see" in result.stdout
    picture = Image.open(io.BytesIO((tmp_path / "out" / f"{query_image.stem}.png").read_bytes()))
    maps = json.loads((tmp_path / "out" / f"{query_image.stem}.json").read_text())
    assert picture.size == (maps["width"], maps["height"])
    first, second = maps["sentences"]
    assert [len(row) for row in first["map"]] == [24] * 24
    assert second["map"] is None


def test_a_hit_is_looked_at_beside_the_query(ground, run, toy, store_path, query_image, tmp_path):
    text = ("--text", "small nodule")  # which the toy model sees, in one place
    listed = run(
        *("query", query_image, "--store", store_path, "--json", "--region", "right upper lung zone"),
        *("--bundle", toy.bundle.path, "--allow-unsigned"),
    )
    study = json.loads(listed.stdout)["hits"][0]["study"]
    result = ground(*text, "--beside", study, "--store", store_path, "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [each["text"] for each in told["beside"]["sentences"]] == [text[1]]
    assert told["sentences"][0]["ground"] == "seen"
    (pair,) = told["correspondences"]
    box = list(toy.region_box(Region("right upper lung zone")).as_tuple())
    assert pair == {"region": "right upper lung zone", "first": box, "second": box}
    with Image.open(tmp_path / f"{query_image.stem}-beside.png") as both:
        assert both.size == (told["width"] + told["beside"]["width"], told["height"])
    again = ground(*text, "--beside", query_image)
    assert again.stdout.splitlines()[0] == again.stdout.splitlines()[2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Give --text or --report"),
        (("--text", "a", "--report", "b"), "Give --text or --report"),
        (("--text", "  "), "Write a phrase or a report"),
        (("--text", "a", "--beside", "nobody"), "or a study and --store"),
        (("--report", "/nowhere/report.txt"), "Give a text file"),
    ],
)
def test_wrong_use_is_told(ground, arguments, says):
    result = ground(*arguments)
    assert result.exit_code in (1, 2)
    assert says in result.stderr
    assert "Traceback" not in result.output
