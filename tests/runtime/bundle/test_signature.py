"""Who is trusted: keys, signatures, and bundles that bear none."""

import json
import shutil
import stat
import subprocess
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from edge_retrieve.runtime.bundle import (
    DEMO_BUNDLE,
    MANIFEST_NAME,
    Trust,
    generate_keys,
    load_bundle,
    loading,
    read_signing_key,
    read_trust,
    read_trusted_keys,
    sign_bundle,
    write_bundle,
)
from edge_retrieve.runtime.errors import BundleError, ConfigError


def change(folder, **changes):
    path = folder / MANIFEST_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def other_key(tmp_path):
    return read_signing_key(generate_keys(tmp_path / "others", "mallory").private)


def test_a_signed_bundle_loads_with_its_key_and_keeps_its_identifier(folder, toy, key):
    signed = sign_bundle(folder, key)
    loaded = load_bundle(folder, Trust((key.trusted,)))
    assert loaded.signed_by == "st-anna"
    assert loaded.bundle_id == signed.bundle_id == toy.bundle.bundle_id
    assert replace(loaded.manifest, signature=None) == toy.bundle.manifest


def test_the_signature_verifies_by_the_documented_recipe(folder, key):
    """docs/bundle.md says what is signed: checked here with the library and `json` alone."""
    import base64

    sign_bundle(folder, key)
    document = json.loads((folder / MANIFEST_NAME).read_text())
    signature = document.pop("signature")
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    message = b"edge-retrieve bundle manifest\x00" + text.encode()
    key.private.public_key().verify(base64.b64decode(signature["value"]), message)


def test_an_unsigned_bundle_needs_leave(folder, key):
    for trust in (Trust(), Trust((key.trusted,))):
        with pytest.raises(BundleError, match=r"the bundle is not signed.*--allow-unsigned"):
            load_bundle(folder, trust)
    assert load_bundle(folder, Trust(allow_unsigned=True)).signed_by == ""


def test_a_key_that_is_not_trusted_is_refused(folder, key, tmp_path):
    mallory = other_key(tmp_path)
    sign_bundle(folder, mallory)
    for trust in (Trust(), Trust((key.trusted,)), Trust((key.trusted,), allow_unsigned=True)):
        with pytest.raises(BundleError, match="which is not trusted") as caught:
            load_bundle(folder, trust)
        assert mallory.trusted.fingerprint in str(caught.value)


def test_a_signature_under_anothers_name_is_refused(folder, key, tmp_path):
    sign_bundle(folder, other_key(tmp_path))
    theirs = json.loads((folder / MANIFEST_NAME).read_text())["signature"]
    change(folder, signature={**theirs, "key": key.trusted.fingerprint})
    with pytest.raises(BundleError, match="the signature of 'st-anna' does not match"):
        load_bundle(folder, Trust((key.trusted,), allow_unsigned=True))


def test_a_manifest_changed_after_signing_is_refused(folder, key):
    sign_bundle(folder, key)
    change(folder, training_data="a hundred thousand real patients")
    with pytest.raises(BundleError, match="does not match: the manifest was altered after signing"):
        load_bundle(folder, Trust((key.trusted,)))


def test_a_swapped_graph_is_refused_even_with_its_digest_put_right(folder, key):
    sign_bundle(folder, key)
    signature = json.loads((folder / MANIFEST_NAME).read_text())["signature"]
    (folder / "text_encoder.onnx").write_bytes(b"another graph")
    write_bundle(folder, load_bundle(DEMO_BUNDLE).manifest)
    change(folder, signature=signature)
    with pytest.raises(BundleError, match="altered after signing"):
        load_bundle(folder, Trust((key.trusted,)))


def test_writing_a_bundle_drops_a_signature_over_other_files(folder, key):
    manifest = sign_bundle(folder, key).manifest
    assert manifest.signature is not None
    (folder / "more.bin").write_bytes(b"x")
    assert write_bundle(folder, manifest).manifest.signature is None


def test_the_shipped_bundle_is_trusted_where_it_lies_and_nowhere_else(tmp_path):
    assert load_bundle().signed_by == load_bundle(DEMO_BUNDLE).signed_by == ""
    with pytest.raises(BundleError, match="not signed"):
        load_bundle(shutil.copytree(DEMO_BUNDLE, tmp_path / "copy"))


def test_the_shipped_bundle_is_compared_with_its_manifest(folder, monkeypatch):
    (folder / "tokenizer.json").write_text("{}")
    monkeypatch.setattr(loading, "DEMO_BUNDLE", folder)
    with pytest.raises(BundleError, match=r"tokenizer\.json: the file's SHA-256"):
        load_bundle()


def test_a_private_key_is_its_owners_and_is_never_replaced(tmp_path):
    made = generate_keys(tmp_path / "keys", "me@site")
    assert stat.S_IMODE(made.private.stat().st_mode) == 0o600
    before = made.private.read_bytes()
    with pytest.raises(ConfigError, match="no key is ever replaced"):
        generate_keys(tmp_path / "keys", "me@site")
    assert made.private.read_bytes() == before
    made.private.unlink()
    with pytest.raises(ConfigError, match="no key is ever replaced"):
        generate_keys(tmp_path / "keys", "me@site")
    assert not made.private.exists()
    with pytest.raises(ConfigError, match="no name for a key"):
        generate_keys(tmp_path, "../me")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_openssh_agrees_on_keys_and_fingerprints(tmp_path):
    made = generate_keys(tmp_path, "ours")
    told = subprocess.check_output(["ssh-keygen", "-lf", made.public], text=True)
    assert told.split() == ["256", made.fingerprint, "ours", "(ED25519)"]
    subprocess.check_call(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "theirs", "-f", tmp_path / "id"]
    )
    (trusted,) = read_trusted_keys(tmp_path / "id.pub")
    assert trusted.name == "theirs"
    assert read_signing_key(tmp_path / "id").trusted.public == trusted.public
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "locked"]
    subprocess.check_call(command)
    with pytest.raises(ConfigError, match="this is no private key"):
        read_signing_key(tmp_path / "locked")


def test_a_list_of_keys_is_a_file_or_a_folder(tmp_path, key):
    first, second = (generate_keys(tmp_path / "keys", name) for name in ("first", "second"))
    (tmp_path / "keys" / "notes.txt").write_text("not a key")
    assert [found.name for found in read_trusted_keys(tmp_path / "keys")] == ["first", "second"]
    bare = " ".join(second.public.read_text().split()[:2])
    listed = tmp_path / "trusted"
    listed.write_text(f"# our makers\n\n{first.public.read_text()}{bare}\n")
    assert [(found.name, found.fingerprint) for found in read_trusted_keys(listed)] == [
        ("first", first.fingerprint),
        ("trusted", second.fingerprint),
    ]
    assert read_trust(listed, False).keys == read_trusted_keys(listed)
    assert read_trust("", True) == Trust(allow_unsigned=True)


def test_what_is_no_key_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="there is no public key here"):
        read_trusted_keys(tmp_path / "empty")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_trusted_keys(tmp_path / "none")
    (tmp_path / "list").write_text("# a comment\nssh-ed25519 AAAA broken\n")
    with pytest.raises(ConfigError, match="list:2: this is no public key"):
        read_trusted_keys(tmp_path / "list")
    with pytest.raises(ConfigError, match="this is no private key"):
        read_signing_key(tmp_path / "list")
    (tmp_path / "large").write_bytes(bytes(2 << 20))
    with pytest.raises(ConfigError, match="too large"):
        read_signing_key(tmp_path / "large")


def test_keys_of_another_kind_are_refused(tmp_path):
    rsa = generate_private_key(65537, 2048)
    (tmp_path / "rsa").write_bytes(
        rsa.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (tmp_path / "rsa.pub").write_bytes(
        rsa.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    )
    with pytest.raises(ConfigError, match="not an Ed25519 key"):
        read_signing_key(tmp_path / "rsa")
    with pytest.raises(ConfigError, match="not an Ed25519 key"):
        read_trusted_keys(tmp_path)


def test_a_pkcs8_key_signs_as_well(folder, tmp_path):
    private = Ed25519PrivateKey.generate()
    (tmp_path / "key.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    key = read_signing_key(tmp_path / "key.pem")
    sign_bundle(folder, key)
    assert load_bundle(folder, Trust((key.trusted,))).signed_by == "key"
