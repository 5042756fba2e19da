"""``edge-retrieve store``: figures, check and rebuild of a store."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar
from edge_retrieve.edge_app.cli.group import WORK_FAILED
from edge_retrieve.edge_app.cli.options import json_option, store_option
from edge_retrieve.runtime.index import FileState, Index
from edge_retrieve.runtime.store import Store

# What an index file may be without harm: the store holds the rest.
_SOUND = {FileState.CURRENT, FileState.BEHIND}


@click.group()
def store() -> None:
    """Look after a case store."""


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
    """Check every index file against the store. Exits with 1 where one is not sound."""
    with Store.open(store_path) as opened:
        states = Index(opened).check()
    unsound = [state for state in states if state.state not in _SOUND]
    if as_json:
        partitions = [{"partition": state.key.name, "state": state.state.value} for state in states]
        print_json({"sound": not unsound, "partitions": partitions})
    else:
        console = answers()
        for state, count in Counter(entry.state for entry in states).items():
            console.print(f"{count} of {len(states)} index partitions: {state.value}", soft_wrap=True)
        if unsound:
            console.print(f"Run: edge-retrieve store rebuild --store {store_path}", soft_wrap=True)
    if unsound:
        sys.exit(WORK_FAILED)


@store.command()
@store_option
@json_option
def rebuild(store_path: Path, as_json: bool) -> None:
    """Build the index anew from the store."""
    with Store.open(store_path) as opened, progress_bar("Rebuilding the index") as progress:
        index = Index(opened)
        index.rebuild(progress)
        partitions = len(index.check())
    if as_json:
        print_json({"rebuilt": partitions})
    else:
        answers().print(f"{partitions} index partitions rebuilt.")
