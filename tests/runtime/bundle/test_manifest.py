"""The manifest's types, its JSON Schema, and that both refuse the same."""

import copy
import hashlib
import json
from dataclasses import replace

import jsonschema
import pytest

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.bundle import (
    DEMO_BUNDLE,
    FormParity,
    Precision,
    Trust,
    calibrate_bundle,
    inspect_bundle,
    load_bundle,
    sign_bundle,
    write_bundle,
)
from edge_retrieve.runtime.bundle.parsing import manifest_json, parse_manifest, signed_content
from edge_retrieve.runtime.errors import BundleError

SCHEMA = json.loads((DEMO_BUNDLE.parent / "bundle" / "manifest.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
REPLACEMENTS = (
    None,
    True,
    0,
    1,
    -1,
    1.5,
    2.0,
    "",
    "x",
    "fp16",
    "../x",
    "a\n",
    [],
    ["x"],
    [1],
    {},
    {"x": 1},
    {"": "x"},
)
MANIFEST = "manifest.json"


def accepted(document):
    try:
        parse_manifest(json.dumps(document).encode(), MANIFEST)
    except BundleError:
        return False
    return True


def places(document, path=()):
    """Yield the path of every value in a JSON document."""
    yield path
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from places(value, (*path, key))


def holder(document, path):
    for key in path[:-1]:
        document = document[key]
    return document


@pytest.fixture
def signed(full, key):
    """The JSON of a manifest with every entry there is."""
    sign_bundle(full.path, key)
    return json.loads((full.path / MANIFEST).read_text())


def test_the_schema_is_one_and_knows_every_region():
    VALIDATOR.check_schema(SCHEMA)
    assert SCHEMA["properties"]["regions"]["const"] == [region.value for region in REGIONS]


def test_schema_and_types_accept_what_is_written(signed):
    VALIDATOR.validate(signed)
    assert signed.keys() == SCHEMA["properties"].keys()
    assert manifest_json(parse_manifest(json.dumps(signed).encode(), MANIFEST)).decode() == (
        json.dumps(signed, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    )


def test_the_shipped_manifest_from_before_the_optional_entries_loads():
    document = json.loads((DEMO_BUNDLE / MANIFEST).read_text())
    VALIDATOR.validate(document)
    for name in ("forms", "parity", "calibration", "engines", "signature"):
        document.pop(name, None)
    assert accepted(document)


def test_schema_and_types_agree_on_every_mutation(signed):
    refused = kept = 0
    # Of the 29 regions the first stands for all.
    for path in [path for path in places(signed) if path[:1] != ("regions",) or path[1:] in ((), (0,))]:
        for value in (*REPLACEMENTS, "delete", "add"):
            document = copy.deepcopy(signed)
            if value == "delete" and path:
                del holder(document, path)[path[-1]]
            elif value == "add":
                target = holder(document, (*path, None))
                if not isinstance(target, dict):
                    continue
                target["surprise"] = 1
            elif path:
                holder(document, path)[path[-1]] = copy.deepcopy(value)
            else:
                document = value
            valid = VALIDATOR.is_valid(document)
            assert accepted(document) == valid, (path, value)
            refused, kept = refused + (not valid), kept + valid
    assert refused > 1000
    assert kept > 100


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema_version": 1, "schema_version": 1}', "'schema_version' stands twice"),
        ('{"schema_version": 1, "thresholds": {"a": NaN}}', "NaN is not a number of JSON"),
        ('{"schema_version": 1, "thresholds": {"a": 1e999}}', "1e999 is not a number of JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"model_id": "\\ud800"}', "not JSON"),
        ('{"schema_version": 0}', "bundle schema 0 is unknown"),
        ('{"schema_version": 99}', "bundle schema 99 is too new.*Install the version"),
        ('{"schema_version": true}', "bundle schema True is unknown"),
        (" " * (5 << 20), "larger than 4 MiB"),
    ],
)
def test_odd_json_is_refused_with_its_reason(text, message):
    with pytest.raises(BundleError, match=message):
        parse_manifest(text.encode(), MANIFEST)


def test_a_figure_beyond_a_float_is_refused(signed):
    signed["thresholds"] = {"abstain_below": 10**400}
    with pytest.raises(BundleError, match=r"'thresholds\.abstain_below' is beyond all measure"):
        parse_manifest(json.dumps(signed).encode(), MANIFEST)


def test_what_is_signed_is_the_manifest_without_the_signature(signed):
    raw = json.dumps(signed).encode()
    signed.pop("signature")
    assert json.loads(signed_content(raw, MANIFEST)) == signed
    assert signed_content(json.dumps(signed).encode(), MANIFEST) == signed_content(raw, MANIFEST)


def test_an_unsigned_manifest_is_its_own_canonical_form(full):
    write_bundle(full.path, replace(full.manifest, score_calibration=None, fusion=None))
    raw = (full.path / MANIFEST).read_bytes()
    assert signed_content(raw, MANIFEST) == raw
    assert inspect_bundle(full.path).bundle_id == hashlib.sha256(raw).hexdigest()


def test_a_calibrated_bundle_is_the_same_bundle_and_another_text_to_sign(full, key):
    calibration = full.manifest.score_calibration
    plain = write_bundle(full.path, replace(full.manifest, score_calibration=None))
    sign_bundle(full.path, key)
    calibrated = calibrate_bundle(full.path, calibration)
    assert calibrated.bundle_id == plain.bundle_id == full.bundle_id
    assert calibrated.manifest == replace(plain.manifest, score_calibration=calibration)
    raw = (full.path / MANIFEST).read_bytes()
    assert json.loads(signed_content(raw, MANIFEST))["score_calibration"]["method"] == "isotonic"
    resigned = calibrate_bundle(full.path, replace(calibration, hits=5), key)
    assert resigned.manifest.score_calibration.hits == 5
    assert load_bundle(full.path, Trust((key.trusted,))).signed_by == key.trusted.name
    document = json.loads((full.path / MANIFEST).read_text())
    document["score_calibration"]["hits"] = 10
    (full.path / MANIFEST).write_text(json.dumps(document))
    with pytest.raises(BundleError, match="altered after signing"):
        load_bundle(full.path, Trust((key.trusted,)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": (0.5, 0.5)}, "scores that do not rise"),
        ({"scores": (0.5,)}, "1 scores and 2 probabilities"),
        ({"scores": (), "probabilities": ()}, "0 scores and 0 probabilities"),
        ({"probabilities": (0.5, 0.25)}, "probabilities that fall"),
        ({"probabilities": (0.5, 1.5)}, "a probability that is none"),
    ],
)
def test_a_curve_that_is_none_is_refused(full, change, message):
    calibration = full.manifest.score_calibration
    (curve,) = calibration.curves
    with pytest.raises(BundleError, match=message):
        calibrate_bundle(full.path, replace(calibration, curves=(replace(curve, **change),)))
    with pytest.raises(BundleError, match="stands twice"):
        calibrate_bundle(full.path, replace(calibration, curves=(curve, curve)))
    with pytest.raises(BundleError, match="share of unanswerable queries, 1,"):
        calibrate_bundle(full.path, replace(calibration, unanswerable=1.0))
    assert inspect_bundle(full.path).manifest == full.manifest


def test_a_parity_result_is_true_or_false():
    assert FormParity(Precision.INT8, True, {}, {})
    assert not FormParity(Precision.INT8, False, {"cosine": 0.5}, {"cosine": 0.99})


def test_a_form_or_engine_that_is_not_in_the_bundle_is_refused(full):
    for change, message in (
        ({"forms": full.manifest.forms * 2}, "two forms are of region_encoder in fp32"),
        ({"engines": (replace(full.manifest.engines[0], file="gone"),)}, "engine 'gone' is not in the"),
        ({"forms": (replace(full.manifest.forms[0], file="gone"),)}, "graph 'gone' is not in the bundle"),
    ):
        with pytest.raises(BundleError, match=message):
            write_bundle(full.path, replace(full.manifest, **change))
