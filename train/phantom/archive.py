"""A phantom archive on disk: DICOM images, reports and truth, written by several processes.

The archive depends on its seed alone: every study is drawn from its own numbers, and the order of the
truth file is that of the plan, whichever process finishes first.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.runtime.errors import ArchiveError, ConfigError, MissingExtraError
from edge_retrieve.train.phantom.dicom import write_dicom
from edge_retrieve.train.phantom.reports import write_report
from edge_retrieve.train.phantom.sampling import PlannedStudy, Split, sample_archive
from edge_retrieve.train.phantom.spec import CaseSpec, PhantomImage
from edge_retrieve.train.phantom.truth import TRUTH_NAME, true_study, truth_line

Render = Callable[[CaseSpec, int], PhantomImage]
# Studies handed to the pool ahead of the one awaited, per process: enough to keep it busy, few enough that
# memory does not grow with the archive.
_AHEAD = 8


@dataclass(frozen=True)
class ArchiveSummary:
    """What was written.

    Parameters
    ----------
    path : str
        The archive's folder.
    studies, patients : int
    clean : int
        Studies without any finding.
    splits : mapping of str to int
        Studies per split.
    findings : mapping of str to int
        Lesions per finding.
    seconds : float
        Wall-clock time.
    """

    path: str
    studies: int
    patients: int
    clean: int
    splits: Mapping[str, int]
    findings: Mapping[str, int]
    seconds: float


def write_archive(
    out: Path,
    studies: int,
    seed: int,
    *,
    split: Split | None = None,
    size: int = 512,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    render: Render | None = None,
) -> ArchiveSummary:
    """Write ``OUT/<patient>/<study>.dcm`` and ``.txt`` for every study, and ``OUT/truth.jsonl``.

    Every file appears whole or not at all, and the truth file last: an archive with one is complete.

    Parameters
    ----------
    out : Path
        A folder that does not exist yet, or is empty.
    studies : int
    seed : int
        Equal seeds give equal files, whatever `workers` is.
    split : Split, optional
        Put every patient in this split; test studies get the paraphrases kept for them.
    size : int
        Pixels a side.
    workers : int, optional
        Processes; as many as there are usable processors by default. One works in this process.
    progress : callable, optional
        Called as ``progress(done, total)`` after each study.
    render : callable, optional
        Makes the images instead of `edge_retrieve.train.phantom.render.render`; must be picklable where
        `workers` is not 1.

    Raises
    ------
    ArchiveError
        The folder is not empty or cannot be written, or a process of the pool died.
    ConfigError
        A number makes no sense.
    MissingExtraError
        The renderer's libraries are not installed.
    """
    started = time.perf_counter()
    if workers is not None and workers < 1:
        raise ConfigError(f"at least one process is needed, not {workers}", where="workers")
    planned = sample_archive(studies, seed, split=split)
    render = render or _renderer()
    _claim(out)
    processes = min(workers or _processors(), len(planned))
    lines = _in_process(out, planned, size, render)
    if processes > 1:
        lines = _in_pool(out, planned, size, render, processes)
    partial = out / f"{TRUTH_NAME}.partial"
    try:
        with partial.open("w", encoding="utf-8") as truth:
            for done, line in enumerate(lines, 1):
                truth.write(line + "\n")
                if progress:
                    progress(done, len(planned))
            truth.flush()
            os.fsync(truth.fileno())
        partial.replace(out / TRUTH_NAME)
    except OSError as error:
        raise ArchiveError(
            f"the archive cannot be written ({error})",
            where=str(out),
            remedy="Free disk space or choose another folder, delete this one, and start again",
        ) from error
    return _summary(out, planned, time.perf_counter() - started)


def write_study(out: Path, planned: PlannedStudy, size: int, render: Render) -> str:
    """Render one study, write its files and return its line of the truth file."""
    image = render(planned.spec, size)
    report = write_report(
        planned.spec, rng_seed=planned.spec.study_seed, held_out=planned.split is Split.TEST
    )
    folder = out / planned.patient
    folder.mkdir(exist_ok=True)
    _write_whole(folder / f"{planned.study}.dcm", write_dicom(planned, image))
    _write_whole(folder / f"{planned.study}.txt", report.encode())
    return truth_line(true_study(planned, image))


def _renderer() -> Render:
    try:
        from edge_retrieve.train.phantom.render import render
    except ImportError as error:
        raise MissingExtraError(
            f"phantoms cannot be rendered ({error})",
            remedy="Install the extra: pip install 'edge-retrieve[app]'",
        ) from error
    return render


def _claim(out: Path) -> None:
    """Make the folder, and refuse one that holds anything."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        occupied = next(out.iterdir(), None)
    except OSError as error:
        raise ArchiveError(
            f"the archive's folder cannot be made ({error})", where=str(out), remedy="Choose another folder"
        ) from error
    if occupied is not None:
        raise ArchiveError(
            f"the folder is not empty (it holds {occupied.name})",
            where=str(out),
            remedy="Choose a new folder, or empty this one: archives are not mixed",
        )


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_process(out: Path, planned: Sequence[PlannedStudy], size: int, render: Render) -> Iterator[str]:
    for study in planned:
        yield write_study(out, study, size, render)


def _in_pool(
    out: Path, planned: Sequence[PlannedStudy], size: int, render: Render, processes: int
) -> Iterator[str]:
    # Spawned, not forked: forking a process with threads (an ONNX session, a server) can deadlock.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_single_threaded) as pool:
        waiting: deque[Future[str]] = deque()
        try:
            for study in planned:
                waiting.append(pool.submit(write_study, out, study, size, render))
                if len(waiting) >= _AHEAD * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise ArchiveError(
                "a process that renders studies was ended from outside",
                where=str(out),
                remedy="Most often memory ran out: use fewer workers, delete the folder, and start again",
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _single_threaded() -> None:
    """Keep each process to one thread: the pool already has one for every processor."""
    try:
        import cv2
    except ImportError:
        return
    cv2.setNumThreads(1)


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)


def _summary(out: Path, planned: Sequence[PlannedStudy], seconds: float) -> ArchiveSummary:
    return ArchiveSummary(
        path=str(out),
        studies=len(planned),
        patients=len({study.patient for study in planned}),
        clean=sum(not study.spec.lesions for study in planned),
        splits=dict(Counter(study.split.value for study in planned)),
        findings=dict(Counter(lesion.finding.value for study in planned for lesion in study.spec.lesions)),
        seconds=round(seconds, 3),
    )
