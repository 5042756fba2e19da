"""``edge-retrieve bundle``: look at a model bundle, check it, tune and calibrate it, sign it, pack it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, say
from edge_retrieve.edge_app.cli.fitting import calibrate, tune
from edge_retrieve.edge_app.cli.options import json_option, key_option, setting_options
from edge_retrieve.runtime.bundle import (
    generate_keys,
    inspect_bundle,
    load_bundle,
    pack_bundle,
    read_signing_key,
    read_trust,
    sign_bundle,
)

_bundle_argument = click.argument(
    "bundle_path", metavar="[BUNDLE]", required=False, type=click.Path(path_type=Path)
)
_folder_argument = click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))


@click.group()
def bundle() -> None:
    """Look at a model bundle, check it, tune and calibrate it, sign it, pack it."""


bundle.add_command(tune)
bundle.add_command(calibrate)


@bundle.command()
@_bundle_argument
@json_option
def show(bundle_path: Path | None, as_json: bool) -> None:
    """Show a bundle's manifest; the shipped demo bundle's without BUNDLE.

    Its files are checked against it; who signed it is not asked.
    """
    found = inspect_bundle(bundle_path)
    document = {"path": str(found.path), "bundle_id": found.bundle_id, **asdict(found.manifest)}
    if as_json:
        print_json(document)
        return
    console = answers()
    for name, value in document.items():
        if isinstance(value, dict):
            console.print(f"{name}:")
            for key, entry in value.items():
                console.print(f"  {key}: {_plain(entry)}", soft_wrap=True)
        elif isinstance(value, tuple):
            console.print(f"{name}: {', '.join(map(_plain, value)) or '-'}", soft_wrap=True)
        else:
            console.print(f"{name}: {_plain(value)}", soft_wrap=True)


@bundle.command()
@_bundle_argument
@setting_options("trusted_keys", "allow_unsigned")
@json_option
def verify(bundle_path: Path | None, trusted_keys: str, allow_unsigned: bool, as_json: bool) -> None:
    """Check who signed a bundle and every file in it, and load its graphs."""
    from edge_retrieve.runtime.backends import Backend
    from edge_retrieve.runtime.encoder import Encoder

    found = load_bundle(bundle_path, read_trust(trusted_keys, allow_unsigned))
    with Encoder(found, Backend.CPU):
        pass
    document = {
        "path": str(found.path),
        "bundle_id": found.bundle_id,
        "files": len(found.manifest.files),
        "signed_by": found.signed_by or None,
        "verified": True,
    }
    if as_json:
        print_json(document)
        return
    signer = f"signed by {found.signed_by}" if found.signed_by else "no signature asked for"
    answers().print(
        f"{bundle_path or found.path}: {len(found.manifest.files)} files verified, {signer}, graphs load.",
        soft_wrap=True,
    )


@bundle.command()
@_folder_argument
@click.option(
    "--out",
    metavar="X.tar",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The archive; beside FOLDER, with its name and .tar, if left out.",
)
@key_option
@json_option
def pack(folder: Path, out: Path | None, key: Path | None, as_json: bool) -> None:
    """Write a bundle as one file: the same bundle gives the same bytes."""
    signing = read_signing_key(key) if key else None
    target = out or folder.resolve().with_name(folder.resolve().name + ".tar")
    packed = pack_bundle(folder, target, signing)
    signature = packed.manifest.signature
    if as_json:
        print_json(
            {
                "path": str(target),
                "bundle_id": packed.bundle_id,
                "bytes": target.stat().st_size,
                "key": signature.key if signature else None,
            }
        )
        return
    told = f"signed with {signature.key}" if signature else "not signed"
    answers().print(f"{target}: {len(packed.manifest.files) + 1} files, {told}.", soft_wrap=True)


@bundle.command()
@_folder_argument
@click.option(
    "--key",
    metavar="KEY",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The private key to sign with.",
)
@json_option
def sign(folder: Path, key: Path, as_json: bool) -> None:
    """Sign a bundle in its folder, in the place of any signature it had."""
    signing = read_signing_key(key)
    signed = sign_bundle(folder, signing)
    if as_json:
        print_json({"path": str(folder), "bundle_id": signed.bundle_id, "key": signing.trusted.fingerprint})
        return
    answers().print(f"{folder}: signed with {signing.trusted.fingerprint}.", soft_wrap=True)


@bundle.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", metavar="N", default="bundle", show_default=True, help="Names the key and its files.")
@json_option
def keygen(folder: Path, name: str, as_json: bool) -> None:
    """Make a pair of keys in DIR: N.key signs bundles, N.pub goes to those who shall trust them."""
    made = generate_keys(folder, name)
    if as_json:
        print_json({"private": str(made.private), "public": str(made.public), "key": made.fingerprint})
        return
    console = answers()
    console.print(
        f"{made.public}: {made.fingerprint}; give it to those who use your bundles.", soft_wrap=True
    )
    console.print(f"{made.private}: signs bundles; keep it to yourself.", soft_wrap=True)
    say("The private key is not encrypted: whoever can read the file can sign in your name.")


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {_plain(entry)}" for key, entry in value.items() if entry not in (None, ()))
    if isinstance(value, tuple):
        return " ".join(map(_plain, value))
    if value is None:
        return "-"
    return str(getattr(value, "value", value))
