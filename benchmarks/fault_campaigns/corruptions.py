"""Random damage to every file of a store: flips, truncations, zeroed pages, swapped files.

A store that was damaged may answer right (the damage lies where nobody looks, or in a file that is made
anew), or refuse with an error of ours. It may not answer wrong, crash, or hang.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_retrieve.runtime.errors import EdgeRetrieveError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.index.switch_points import SwitchPoints, save_switch_points
from edge_retrieve.runtime.probe import Probe
from edge_retrieve.runtime.query import BOTH
from edge_retrieve.runtime.search import search
from edge_retrieve.runtime.store import Store, restore_backup, write_backup
from fault_campaigns.archive import DIM, NO_REPORT, Archive, made_bundle
from fault_campaigns.campaign import Budget
from fault_campaigns.looking import PLACES, K
from fault_campaigns.processes import Child, Say

OTHER = 2  # the template that files are swapped with
KINDS = ("flip a bit", "flip bytes", "truncate", "zero a page", "overwrite", "swap", "empty")
STUDIES = 120
_PAGE = 4096
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class CorruptionReport:
    """What became of the stores.

    Parameters
    ----------
    corruptions : int
    right : int
        Answered as before the damage.
    noticed : int
        Of these, those in the database where ``store check`` names something; elsewhere what was damaged
        held nothing.
    refused : int
        Answered with an error of ours, which says that the store is damaged, or what it is not.
    by_kind, by_file : dict of str to int
    faults : tuple of str
        Wrong answers, crashes, hangs, exceptions that are not ours.
    """

    corruptions: int
    right: int
    noticed: int
    refused: int
    by_kind: dict[str, int]
    by_file: dict[str, int]
    faults: tuple[str, ...]


def corruption_campaign(folder: Path, budget: Budget, seed: int) -> CorruptionReport:
    """Damage a fresh copy each time, and ask it in a process of its own."""
    random = np.random.default_rng(seed)
    templates = [
        _make(folder / name, Archive(n), name) for n, name in enumerate(("closed", "killed", "other"))
    ]
    results: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    files: Counter[str] = Counter()
    faults: list[str] = []
    for number in budget.spend():
        which = number % 2  # closed properly, or left by a kill with its log
        copy = folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(templates[which].folder, copy)
        path = _choose(copy, random)
        kind = str(random.choice(KINDS))
        _damage(path, kind, _other(path, copy, templates[OTHER].folder, random), random)
        kinds[kind] += 1
        files[_group(path)] += 1
        is_backup = path.is_relative_to(copy / "backup")

        is_database = path.parent == copy / "store" and path.name == "store.sqlite"

        def work(
            say: Say, copy: Path = copy, is_backup: bool = is_backup, is_database: bool = is_database
        ) -> None:
            try:
                if is_backup:
                    restore_backup(copy / "backup", copy / "restored")
                answer = _ask(copy / ("restored" if is_backup else "store"))
                say([answer, is_database and _noticed(copy / "store")])
            except EdgeRetrieveError as error:
                say(str(error))

        said, status = Child(work).wait(_TIMEOUT_S)
        what = f"{number}: {kind} in {path.relative_to(copy)}"
        if status or len(said) != 1:
            faults.append(f"{what}: ended with status {status}")
        elif isinstance(said[0], str):
            results["refused"] += 1
        else:
            answer, noticed = said[0]
            if answer in _allowed(templates, which, path, kind):
                results["right"] += 1
                results["noticed"] += noticed
            else:
                faults.append(f"{what}: a wrong answer, and nobody said so")
        results["done"] += 1
    return CorruptionReport(
        results["done"],
        results["right"],
        results["noticed"],
        results["refused"],
        dict(kinds),
        dict(files),
        tuple(faults),
    )


@dataclass(frozen=True)
class Template:
    """A store to be damaged, and what it answers.

    Parameters
    ----------
    folder : Path
        Holds ``store`` and ``backup``.
    truths : list
        Answers after each of its transactions.
    """

    folder: Path
    truths: list[Any]


def _allowed(templates: Sequence[Template], which: int, path: Path, kind: str) -> list[Any]:
    """Return the answers that are right after damage."""
    truths = templates[which].truths
    if path.name == "store.sqlite-wal":
        # What is wrong in the log ends it, as a power cut does: SQLite cannot tell the two apart.
        return truths
    if kind == "swap" and path.name == "store.sqlite":
        # A whole sound database is another store, whatever its folder was called.
        return [truths[-1], *templates[OTHER].truths]
    return truths[-1:]


def _make(folder: Path, archive: Archive, name: str) -> Template:
    """Make a store: closed, or as a kill leaves it while a reader keeps its log from being emptied."""

    def fill(say: Say) -> None:
        store = Store.open(folder / "store", bundle=made_bundle(), create=True)
        save_switch_points(store.path, SwitchPoints(20, 10**9 if name == "closed" else 60))
        first, last = range(STUDIES - 10), range(STUDIES - 10, STUDIES)
        store.add(
            [archive.image(n) for n in first],
            [archive.report(n, 0) for n in first if n % 5],
            [archive.file(n, 0 if n % 5 else NO_REPORT) for n in first],
        )
        Index(store).refresh()
        shutil.copytree(store.path, folder / "state-0")
        reader = sqlite3.connect(store.path / "store.sqlite", isolation_level=None)
        if name != "closed":
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM studies").fetchone()
        store.add(
            [archive.image(n) for n in last],
            [archive.report(3, 1), archive.report(STUDIES - 1, 0)],
            [archive.file(3, 1)] + [archive.file(n, 0 if n == STUDIES - 1 else NO_REPORT) for n in last],
        )
        shutil.copytree(store.path, folder / "state-1")
        store.delete([archive.name(7)])
        shutil.copytree(store.path, folder / "state-2")
        if name != "closed":
            os._exit(0)
        reader.close()
        store.close()

    folder.mkdir()
    _, status = Child(fill).wait(_TIMEOUT_S)
    assert status == 0
    states = [folder / f"state-{number}" for number in range(3)]
    truths = [_ask(state) for state in states]
    write_backup(states[-1], folder / "backup")
    for state in states:
        shutil.rmtree(state)
    return Template(folder, truths)


def _ask(path: Path) -> Any:
    """Return what a user sees: hits by image, by text and by both, their evidence, the list."""
    random = np.random.default_rng(0)
    asked = []
    with Store.open(path, bundle=made_bundle()) as store:
        index = Index(store)
        for modalities in ((Modality.IMAGE,), (Modality.TEXT,), BOTH):
            for region in PLACES:
                vector = random.normal(size=DIM).astype(np.float32)
                probe = Probe(region, vector / np.linalg.norm(vector))
                ranked = search(index, [probe], K, modalities=modalities)
                hits = []
                for number, score in zip(ranked.studies.tolist(), ranked.scores.tolist(), strict=True):
                    record = store.study(store.study_id(number))
                    picture = zlib.crc32(store.preview(record.study))
                    hits.append([repr(record), picture, round(score, 3)])
                asked.append(hits)
        asked.append([[repr(item) for item in store.studies(limit=1000)], store.count()])
        index.wait_for_merges()
    return json.loads(json.dumps(asked))


def _noticed(path: Path) -> bool:
    """Return whether ``store check`` names damage to the database."""
    with Store.open(path, bundle=made_bundle()) as store:
        return bool(store.damage())


def _choose(copy: Path, random: np.random.Generator) -> Path:
    """Choose a file: half of the time the database, seldom its copy, else any other."""
    every = [path for path in sorted(copy.rglob("*")) if path.is_file()]
    database = [
        path for path in every if path.name.startswith("store.sqlite") and path.parent.name == "store"
    ]
    backup = [path for path in every if path.parent.name == "backup"]
    rest = [path for path in every if path not in database and path not in backup]
    group = (database, backup, rest)[int(random.choice(3, p=[0.5, 0.1, 0.4]))]
    return group[int(random.integers(len(group)))]


def _group(path: Path) -> str:
    if path.parent.name == "backup":
        return f"backup/{path.name}"
    return f"index/*{path.suffix}" if path.parent.name == "index" else path.name


def _damage(path: Path, kind: str, other: Path, random: np.random.Generator) -> None:
    """Damage a file; `other` is what it may be swapped with."""
    data = bytearray(path.read_bytes())
    if kind == "swap":
        path.write_bytes(other.read_bytes())
        return
    at = int(random.integers(max(1, len(data))))
    if kind == "flip a bit" and data:
        data[at] ^= 1 << int(random.integers(8))
    elif kind == "flip bytes":
        for place in random.integers(max(1, len(data)), size=8 if data else 0):
            data[place] ^= int(random.integers(1, 256))
    elif kind in ("truncate", "empty"):
        # Whole pages gone are harder to see than a torn one.
        keep = 0 if kind == "empty" else at // _PAGE * _PAGE if random.random() < 0.5 else at
        data = data[:keep]
    elif kind in ("zero a page", "overwrite"):
        start = at // _PAGE * _PAGE
        size = min(_PAGE, len(data) - start)
        data[start : start + size] = bytes(size) if kind == "zero a page" else random.bytes(size)
    path.write_bytes(bytes(data))


def _other(path: Path, copy: Path, other: Path, random: np.random.Generator) -> Path:
    """Return the same file of another archive, or another one of this folder that is of the same sort."""
    same = other / path.relative_to(copy)
    near = [p for p in sorted(path.parent.iterdir()) if p.suffix == path.suffix and p != path]
    if path.parent.name == "index" and near:
        return near[int(random.integers(len(near)))]
    return same if same.is_file() else path
