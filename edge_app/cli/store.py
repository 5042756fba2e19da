"""``edge-retrieve store``: figures, check, rebuild, deletion and copies of a store."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from edge_retrieve.edge_app.access.site import Site
from edge_retrieve.edge_app.audit.commands import audited
from edge_retrieve.edge_app.audit.events import Action
from edge_retrieve.edge_app.choosing import chosen_studies
from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar, say
from edge_retrieve.edge_app.cli.group import WORK_FAILED
from edge_retrieve.edge_app.cli.options import (
    MODEL_SETTINGS,
    bundle_option,
    json_option,
    setting_options,
    store_option,
)
from edge_retrieve.edge_app.cli.store_upgrade import upgrade
from edge_retrieve.edge_app.copies import copy_archive, restore_archive
from edge_retrieve.edge_app.dicom_node.kept_files import delete_files, kept_files
from edge_retrieve.edge_app.feedback.database import FeedbackDatabase
from edge_retrieve.edge_app.feedback.forgetting import forget
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import PrecisionChoice, load_bundle, read_trust
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.erasure import rebuild as rebuild_files
from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.index import FileState, Index
from edge_retrieve.runtime.reencode import reencode as run_reencode
from edge_retrieve.runtime.store import Store, schema_version
from edge_retrieve.runtime.store.privacy import Identities

# What an index file may be without harm: the store holds the rest.
_SOUND = {FileState.CURRENT, FileState.BEHIND}

_folder = click.Path(path_type=Path, file_okay=False)


@click.group()
def store() -> None:
    """Look after a case store."""


store.add_command(upgrade)


@store.command()
@store_option
@json_option
def stats(store_path: Path, as_json: bool) -> None:
    """Count what is in a store."""
    with Store.open(store_path) as opened:
        found = asdict(opened.stats())
    if as_json:
        print_json(found)
        return
    console = answers()
    for name, value in found.items():
        console.print(f"{name.replace('_', ' ')}: {value}", soft_wrap=True)


@store.command()
@store_option
@json_option
def check(store_path: Path, as_json: bool) -> None:
    """Read the whole database and every index file. Exits with 1 where something is not sound."""
    with Store.open(store_path) as opened:
        damage = opened.damage()
        states = Index(opened).check()
        unerased = opened.stats().unerased
    unsound = [state for state in states if state.state not in _SOUND]
    if as_json:
        partitions = [{"partition": state.key.name, "state": state.state.value} for state in states]
        sound = not unsound and not damage
        print_json({"sound": sound, "database": damage, "partitions": partitions, "unerased": unerased})
    else:
        console = answers()
        console.print("The database is sound." if not damage else "The database is damaged:")
        for line in damage:
            console.print(f"  {line}", soft_wrap=True)
        for state, count in Counter(entry.state for entry in states).items():
            console.print(f"{count} of {len(states)} index partitions: {state.value}", soft_wrap=True)
        if unerased:
            console.print(f"{unerased} deleted studies have left traces in the files.", soft_wrap=True)
        if unsound or unerased:
            console.print(f"Run: edge-retrieve store rebuild --store {store_path}", soft_wrap=True)
        if damage:
            console.print("Restore the database from a backup: edge-retrieve store restore", soft_wrap=True)
    if unsound or damage:
        sys.exit(WORK_FAILED)


@store.command()
@store_option
@json_option
def rebuild(store_path: Path, as_json: bool) -> None:
    """Build the index anew from the store; traces of deleted studies leave the files."""
    with Store.open(store_path) as opened, progress_bar("Rebuilding the index") as progress:
        index = Index(opened)
        erased = rebuild_files(opened, index, progress)
        partitions = len(index.check())
    if as_json:
        print_json({"rebuilt": partitions, "erased": erased})
    else:
        answers().print(f"{partitions} index partitions rebuilt.")
    _fail_unless(erased)


@store.command()
@click.argument("studies", metavar="[STUDY]...", nargs=-1)
@click.option(
    "--patient", "patients", metavar="P", multiple=True, help="All studies of a patient; may be repeated."
)
@click.option("--later", is_flag=True, help="Leave the traces in the files until the next `store rebuild`.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_option
@setting_options("site")
@json_option
def delete(
    studies: tuple[str, ...],
    patients: tuple[str, ...],
    later: bool,
    yes: bool,
    store_path: Path,
    site: str,
    as_json: bool,
) -> None:
    """Delete studies: no query finds them from then on, and no vector, pixel or word stays in the files."""
    if not studies and not patients:
        raise click.UsageError("Name a STUDY or a --patient.")
    with Store.open(store_path) as opened:
        own = Site.of(store_path, site)
        chosen = chosen_studies(opened, own, studies, patients)
        if not yes:
            click.confirm(f"Delete {_counted(chosen)} for good?", abort=True, err=True)
        with audited(own, Action.DELETE, studies=chosen, required=True):
            kept = kept_files(opened, chosen)
            opened.delete(chosen)
            delete_files(kept)
            forget(FeedbackDatabase(store_path), chosen)
        erased = False
        if not later:
            erased = _erase(opened)
    if as_json:
        print_json({"deleted": chosen, "erased": erased})
    else:
        answers().print(f"{_counted(chosen)} deleted.")
    say("Backups taken before still hold them.")
    _fail_unless(erased or later)


@store.command()
@click.argument("destination", metavar="DEST", type=_folder)
@store_option
@json_option
def backup(destination: Path, store_path: Path, as_json: bool) -> None:
    """Copy a store into the new folder DEST, also while it is being served and written to."""
    schema_version(store_path)  # says so where there is no store; an earlier version's is copied as it is
    with progress_bar("Copying the store") as progress, audited(Site.of(store_path), Action.BACK_UP):
        written = copy_archive(store_path, destination, progress)
    if as_json:
        print_json({"path": destination, **asdict(written)})
    else:
        answers().print(f"{written.studies} studies, {written.bytes} bytes: {destination}", soft_wrap=True)


@store.command()
@click.argument("source", metavar="SRC", type=_folder)
@store_option
@json_option
def restore(source: Path, store_path: Path, as_json: bool) -> None:
    """Make a new store from the backup SRC, verified from end to end, and build its index."""
    with progress_bar("Copying the backup") as progress:
        restored = restore_archive(source, store_path, progress)
    with Store.open(store_path) as opened, progress_bar("Building the index") as progress:
        Index(opened).rebuild(progress)
        replaced = opened.privacy().identities is Identities.REPLACED
    key = Site.of(store_path).key
    if replaced and not key.exists():
        # Before anything is served or ingested: that would make a key of its own.
        say(f"The store holds pseudonyms, and backups leave their key out: bring it back, as {key}.")
    if as_json:
        print_json({"path": store_path, **asdict(restored)})
    else:
        answers().print(f"{restored.studies} studies restored: {store_path}", soft_wrap=True)


@store.command()
@store_option
@bundle_option
@setting_options(*MODEL_SETTINGS)
@json_option
def reencode(
    store_path: Path,
    bundle_path: Path | None,
    backend: str,
    precision: str,
    require_gpu: bool,
    engines: str,
    trusted_keys: str,
    allow_unsigned: bool,
    as_json: bool,
) -> None:
    """Encode a store anew for another bundle, while it is being served with the one it has."""
    Store.open(store_path).close()
    bundle = load_bundle(bundle_path, read_trust(trusted_keys, allow_unsigned))
    with (
        Encoder(
            bundle,
            Backend(backend),
            require_gpu,
            engines=Path(engines) if engines else None,
            precision=PrecisionChoice(precision),
        ) as encoder,
        progress_bar("Encoding the store") as progress,
    ):
        done = run_reencode(store_path, encoder, progress)
    if as_json:
        print_json({**asdict(done), "bundle_id": bundle.bundle_id, "model_id": bundle.manifest.model_id})
        return
    answers().print(
        f"{done.images} images ({done.from_previews} of them from their stored pictures) and {done.reports} "
        f"reports encoded; the store is now of {bundle.manifest.model_id}.",
        soft_wrap=True,
    )
    say("Servers take that bundle up where their --bundle leads to it; start others again with it.")


def _counted(studies: Sequence[str]) -> str:
    return "1 study" if len(studies) == 1 else f"{len(studies)} studies"


def _erase(opened: Store) -> bool:
    try:
        with progress_bar("Erasing their traces") as progress:
            return rebuild_files(opened, Index(opened), progress)
    except StoreError as error:
        raise StoreError(
            f"the studies are deleted, but traces are left in the files: {error}",
            remedy="Then run: edge-retrieve store rebuild",
        ) from error


def _fail_unless(erased: bool) -> None:
    if not erased:
        say("Others were reading the database: run 'edge-retrieve store rebuild' again to erase all traces.")
        sys.exit(WORK_FAILED)
