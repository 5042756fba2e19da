"""edge-retrieve query: what it answers, and what it refuses."""

import json

import pytest

ZONE = "right upper lung zone"
KEYS = {"rank", "study", "patient", "score", "probability", "regions", "sentences"}
MATCH_KEYS = {
    "region",
    "score",
    "finding",
    "laterality",
    "box",
    "image_score",
    "text_score",
    "drawn",
    "mismatch",
    "probability",
}


def test_query_answers_as_the_retriever_does(run, toy, store_path, query_image):
    result = run(
        "query",
        query_image,
        "--store",
        store_path,
        "--region",
        ZONE.upper(),
        "-k",
        3,
        "--bundle",
        toy.bundle.path,
        "--allow-unsigned",
        "--json",
    )
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert len(answer["hits"]) == 3
    assert answer["abstained"] is False
    for hit in answer["hits"]:
        assert hit.keys() == KEYS
        assert hit["regions"][0].keys() == MATCH_KEYS
    assert answer["regions"] == [ZONE]


def test_query_pages_filters_and_weighs(run, toy, store_path, query_image):
    def hits(*options):
        bundle = ("--bundle", toy.bundle.path, "--allow-unsigned")
        result = run("query", query_image, "--store", store_path, *bundle, *options, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    whole = hits("--region", ZONE, "-k", 6)
    page = hits("--region", ZONE, "-k", 2, "--offset", 3)
    assert page["hits"] == whole["hits"][3:5]
    assert page["more"] is True
    assert {
        hit["regions"][0]["finding"] for hit in hits("--region", ZONE, "--finding", "nodule")["hits"]
    } == {"nodule"}
    assert hits("--date-from", "2024-01-31")["hits"] == []
    pair = ("--region", f"{ZONE}=3", "--region", "carina")
    for hit in hits(*pair)["hits"]:
        scores = {match["region"]: match["score"] for match in hit["regions"]}
        assert hit["score"] == pytest.approx((3 * scores[ZONE] + scores["carina"]) / 4, abs=2e-4)
    for hit in hits("--region", ZONE, "--region", "carina", "--combine", "all")["hits"]:
        assert hit["score"] == min(match["score"] for match in hit["regions"])
    only_images = hits("--fusion", "1,0,0,0")["hits"]
    assert [hit["study"] for hit in hits("--side", "image")["hits"]] == [hit["study"] for hit in only_images]


@pytest.mark.parametrize(
    ("options", "clue"),
    [
        (("--finding", "nodul"), "Did you mean: nodule"),
        (("--date-from", "soon"), "no date"),
        (("--age-from", "60", "--age-to", "50"), "lower age first"),
        (("--region", f"{ZONE}=much"), "no weight"),
        (("--region", f"{ZONE}=-1"), "not above zero"),
        (("--box", "1,2,3=2"), "is no box"),
        (("--fusion", "1,2"), "not four numbers"),
        (("--fusion", "1,1,1,-1"), "make no mean"),
        (("--sex", "X"), "'X'"),
    ],
)
def test_a_wrong_wish_is_told_without_a_traceback(run, toy, store_path, query_image, options, clue):
    bundle = ("--bundle", toy.bundle.path, "--allow-unsigned")
    result = run("query", query_image, "--store", store_path, *bundle, *options)
    assert result.exit_code in (1, 2)
    assert clue in result.stderr
    assert "Traceback" not in result.stderr


def test_query_prints_a_table_for_people(run, toy, store_path, query_image):
    box = ",".join(map(str, (8, 0, 16, 8)))
    result = run(
        "query",
        query_image,
        "--store",
        store_path,
        "--box",
        box,
        "--bundle",
        toy.bundle.path,
        "--allow-unsigned",
    )
    assert result.exit_code == 0
    assert "Similar cases (right upper lung zone)" in result.stdout
    assert "nodule" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "clue"),
    [
        ((), 2, "empty"),
        (("--text", "nodule", "--region", "rihgt lung"), 2, "Did you mean: right lung"),
        (("--text", "nodule", "--box", "1,2,3"), 2, "x1,y1,x2,y2"),
        (("--text", "nodule", "--box", "1,2,3,4"), 2, "a box needs an image"),
        (("--text", "nodule", "-k", "0"), 2, "-k"),
        (("missing.png",), 1, "missing.png"),
        (("--text", "nodule", "--colour", "blue"), 2, "--colour"),
        (("--text", "nodule", "--backend", "tensorrt"), 1, "tensorrt"),
    ],
)
def test_a_wrong_query_ends_with_one_message_and_the_exit_code(run, toy, store_path, arguments, code, clue):
    result = run("query", "--store", store_path, "--bundle", toy.bundle.path, "--allow-unsigned", *arguments)
    assert result.exit_code == code
    assert clue in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
