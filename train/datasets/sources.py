"""Which loader reads which data set, and the one place that turns a configuration into corpora."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.runtime.bundle import load_bundle
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import ConfigError, DataSetError
from edge_retrieve.train.config import DataConfig, Source
from edge_retrieve.train.datasets import chest_imagenome, ms_cxr
from edge_retrieve.train.datasets.building import CorpusWriter, Skipped
from edge_retrieve.train.datasets.chexpert import read_chexpert, read_chexpert_5x200
from edge_retrieve.train.datasets.corpus import Corpus
from edge_retrieve.train.datasets.decoded import DecodedCache
from edge_retrieve.train.datasets.found_boxes import BoxFinder
from edge_retrieve.train.datasets.iu_xray import read_iu_xray
from edge_retrieve.train.datasets.mimic_cxr import read_mimic_cxr
from edge_retrieve.train.datasets.nih import read_nih
from edge_retrieve.train.datasets.padchest_gr import read_padchest_gr
from edge_retrieve.train.datasets.records import Loader, Roots, StudyRecord, exclude_patients, split_of
from edge_retrieve.train.datasets.site import read_site
from edge_retrieve.train.datasets.vindr_cxr import read_vindr_cxr
from edge_retrieve.train.phantom.sampling import Split

Progress = Callable[[str, int, int], None]
SKIPPED = "skipped.tsv"


@dataclass(frozen=True)
class Reader:
    """How a source is read.

    Parameters
    ----------
    load : Loader
    evaluation_only : str
        Why it is not trained on; empty where it is.
    keep_unknown_views : bool
        As for `CorpusWriter`.
    """

    load: Loader
    evaluation_only: str = ""
    keep_unknown_views: bool = False


_NO_REPORTS = "it has no reports"
_TEST_SET = "it is a test set"
READERS: Mapping[Source, Reader] = {
    Source.MIMIC_CXR: Reader(read_mimic_cxr),
    Source.CHEST_IMAGENOME: Reader(chest_imagenome.read_chest_imagenome),
    Source.CHEST_IMAGENOME_GOLD: Reader(chest_imagenome.read_chest_imagenome_gold, _TEST_SET),
    Source.MS_CXR: Reader(ms_cxr.read_ms_cxr, _TEST_SET),
    Source.CHEXPERT: Reader(read_chexpert),
    Source.CHEXPERT_5X200: Reader(read_chexpert_5x200, _TEST_SET),
    Source.PADCHEST_GR: Reader(read_padchest_gr),
    Source.VINDR_CXR: Reader(read_vindr_cxr, _NO_REPORTS),
    Source.NIH: Reader(read_nih, _NO_REPORTS),
    Source.IU_XRAY: Reader(read_iu_xray),
    Source.SITE: Reader(read_site, keep_unknown_views=True),
}


def read_records(source: Source, roots: Roots) -> Iterator[StudyRecord]:
    """Yield the records of a data set, one after the other.

    Raises
    ------
    ConfigError
        For phantoms, which are made and not read.
    DataSetError
        Where a file is missing or damaged; at once for tables and folders, later for single files.
    """
    if source is Source.PHANTOM:
        raise ConfigError(
            "phantoms are made, not read", where=source.value, remedy="Name a data set that is on disk"
        )
    return READERS[source].load(roots)


def held_out_patients(folder: Path) -> frozenset[str]:
    """Return the patients of a test set, by the folder of MS-CXR or of Chest ImaGenome.

    Raises
    ------
    DataSetError
        It is the folder of neither, or incomplete.
    """
    if (folder / chest_imagenome.SPLITS).is_dir():
        return chest_imagenome.held_out_patients(folder)
    return ms_cxr.held_out_patients(folder)


def load_corpora(
    config: DataConfig, image_size: int, progress: Progress | None = None
) -> tuple[Corpus, Corpus]:
    """Return the studies to train on and those to watch.

    Images that cannot be used are left out and listed in ``skipped.tsv`` in the cache of decoded images.

    Parameters
    ----------
    config : DataConfig
    image_size : int
        Side of the square the model takes, pixels.
    progress : callable, optional
        Called with a phase's name, images done and images in all, as far as known.

    Raises
    ------
    ConfigError
        The source is for evaluation only, or has no root.
    BackendError
        Boxes are to be found and no engine is installed.
    DataSetError
        A file is missing or damaged, or nothing is left to train on.
    """
    if config.source is Source.PHANTOM:
        from edge_retrieve.train.datasets.phantom import load_phantom_corpus

        def rendering(done: int, total: int) -> None:
            if progress:
                progress("render phantoms", done, total)

        training, validation = (
            load_phantom_corpus(config, image_size, split, rendering) for split in (Split.TRAIN, Split.VAL)
        )
        return training, validation
    return _load_read(config, image_size, progress)


def _load_read(config: DataConfig, image_size: int, progress: Progress | None) -> tuple[Corpus, Corpus]:
    reader = READERS[config.source]
    if reader.evaluation_only:
        raise ConfigError(
            f"{config.source.value} is not trained on: {reader.evaluation_only}",
            where="config.data.source",
            remedy="Train on another source",
        )
    if not config.root:
        raise ConfigError(
            "missing setting root", where="config.data.root", remedy="Name the folder of the data set"
        )
    folders = [Path(folder).expanduser() for folder in config.held_out]
    if config.source is Source.CHEST_IMAGENOME:
        folders.append(Path(config.root).expanduser())
    excluded = frozenset[str]().union(*(held_out_patients(folder) for folder in folders))
    records = exclude_patients(reader.load(_roots(config)), excluded)
    with ExitStack() as stack:
        cache = stack.enter_context(DecodedCache(Path(config.decoded), image_size))
        listed = stack.enter_context((cache.folder / SKIPPED).open("w", encoding="utf-8"))

        def skip(skipped: Skipped) -> None:
            reason = skipped.reason.replace("\n", " ")
            listed.write(f"{skipped.image}\t{reason}\n")

        finder = None
        if config.find_boxes:
            finder = BoxFinder(cache, lambda: stack.enter_context(Encoder(load_bundle())))
        writers = {
            split: stack.enter_context(
                CorpusWriter(cache, keep_unknown_views=reader.keep_unknown_views, finder=finder, on_skip=skip)
            )
            for split in (Split.TRAIN, Split.VAL)
        }
        most = {Split.TRAIN: config.limit, Split.VAL: config.validation_studies}
        for done, record in enumerate(records, start=1):
            split = split_of(record, config.validation_share)
            if split in writers and not _full(writers[split], most[split]):
                writers[split].add(record)
            if progress:
                progress("read and decode images", done, max(done, config.limit))
            if all(_full(writers[one], most[one]) for one in writers):
                break
        where = f"{config.source.value}, {config.root}"
        if not len(writers[Split.VAL]) and len(writers[Split.TRAIN]):
            raise DataSetError(
                "no image is left to validate on",
                where=where,
                remedy="Raise data.validation_share, or give more patients",
            )
        return writers[Split.TRAIN].finish(where), writers[Split.VAL].finish(where)


def _full(writer: CorpusWriter, most: int) -> bool:
    return bool(most) and len(writer) >= most


def _roots(config: DataConfig) -> Roots:
    def named(folder: str) -> Path | None:
        return Path(folder).expanduser() if folder else None

    return Roots(Path(config.root).expanduser(), named(config.images), named(config.reports))
