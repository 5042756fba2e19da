"""A site's folder end to end: phantoms as PNG files and a table of reports train for an epoch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from edge_retrieve.edge_app.cli import main
from edge_retrieve.runtime.anatomy import REGIONS, Box, Region, boxes_to_array
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import ConfigError, DataSetError
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.train.checkpoint import load_trained
from edge_retrieve.train.config import DataConfig, Source
from edge_retrieve.train.datasets import sources
from edge_retrieve.train.datasets.records import Roots
from edge_retrieve.train.datasets.site import read_site
from edge_retrieve.train.datasets.sources import READERS, load_corpora
from edge_retrieve.train.phantom.dicom import write_dicom
from edge_retrieve.train.phantom.display import display_values
from edge_retrieve.train.phantom.render import render
from edge_retrieve.train.phantom.reports import write_report
from edge_retrieve.train.phantom.sampling import sample_archive
from edge_retrieve.train.run import train

Make = Callable[..., Path]
STUDIES = 24


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 phantoms as a site would keep them: PNG files in folders, and reports.csv."""
    root = tmp_path_factory.mktemp("site")
    lines = ["file,patient,view,report"]
    for n, study in enumerate(sample_archive(STUDIES, 7)):
        folder = root / f"box {n % 3}"
        folder.mkdir(exist_ok=True)
        shown = display_values(render(study.spec, 128))
        Image.fromarray(np.rint(shown * 255).astype(np.uint8)).save(folder / f"{n}.png")
        report = write_report(study.spec, rng_seed=n, held_out=False)
        lines.append(f'box {n % 3}/{n}.png,p{n // 2},{"PA" if n else ""},"{report}"')
    (root / "reports.csv").write_text("\n".join(lines))
    return root


def test_every_data_set_has_a_reader() -> None:
    assert set(READERS) == set(Source) - {Source.PHANTOM}


@pytest.mark.parametrize("find_boxes", [True, False])
def test_a_sites_folder_trains_for_an_epoch(
    site: Path, tmp_path: Path, find_boxes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "Encoder", partial(Encoder, threads=1))
    config = {
        "out": str(tmp_path / "run"),
        "batch": 8,
        "bfloat16": False,
        "threads": 1,
        "device": "cpu",
        "data": {"source": "site", "root": str(site), "decoded": str(tmp_path / "cache"),
                 "validation_share": 0.3, "find_boxes": find_boxes},
        "model": {"image_size": 64, "widths": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "feature_channels": 16,
                  "salience_heads": 4, "projection_width": 16, "embedding_dim": 16, "text_width": 16,
                  "text_layers": 1, "text_heads": 2, "max_text_tokens": 48},
        "tokenizer": {"vocabulary": 200},
        "stages": [{"name": "locate", "epochs": 1, "learning_rate": 0.001, "predicted_boxes": 0.5,
                    "weights": {"location_image_text": 1.0, "location_image_image": 1.0,
                                "finding_map": 1.0}}],
    }  # fmt: skip
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    result = train(path)
    assert not result.synthetic
    assert ("box_iou" in result.validation) is find_boxes
    (entry,) = map(json.loads, (tmp_path / "run/log.jsonl").read_text().splitlines())
    # Masks are not known, and boxes only where they were looked for: what is unknown teaches nothing.
    aligned = {"semantic_global", "region_word", "location_image_text", "location_image_image"}
    assert set(entry["loss"]) == aligned | ({"box", "box_score"} if find_boxes else set())
    assert all(np.isfinite(value) for value in entry["loss"].values())
    assert entry["validation"] == pytest.approx(result.validation, rel=1e-4)
    trained = load_trained(result.checkpoint.parent)
    assert all(torch.isfinite(tensor).all() for tensor in trained.model.state_dict().values())
    assert (tmp_path / "cache/skipped.tsv").read_text() == ""


def test_known_boxes_alone_teach_boxes(site: Path, tmp_path: Path) -> None:
    from edge_retrieve.train.batches import make_batch
    from edge_retrieve.train.config import LossWeights
    from edge_retrieve.train.image_losses import box_regression
    from edge_retrieve.train.objective import _of_single_images
    from edge_retrieve.train.tokenizer import train_tokenizer

    data = DataConfig(
        source=Source.SITE, root=str(site), decoded=str(tmp_path), validation_share=0.3, find_boxes=False
    )
    corpus, _ = load_corpora(data, 64)
    known = np.zeros((len(corpus), 29), dtype=bool)
    known[0, :5] = known[2, 7] = True
    boxes = np.where(known[..., None], np.float32([0.1, 0.2, 0.5, 0.7]), np.float32(0))
    corpus = replace(corpus, has_boxes=known, boxes=boxes)
    batch = make_batch(corpus, np.arange(4), train_tokenizer(corpus.reports, 200), 32, (1,))
    assert batch.has_boxes is not None
    assert batch.finding_map is None
    np.testing.assert_array_equal(batch.has_boxes.numpy(), known[:4])

    class Boxed:  # what the losses read of an encoding
        boxes = torch.rand(4, 29, 4).sort(dim=-1).values.requires_grad_()
        box_logits = torch.zeros(4, 29, requires_grad=True)
        finding_logits = torch.zeros(4, 1, 8, 8)

    class Seen:
        image = Boxed()

    parts = _of_single_images(Seen(), batch, LossWeights(box=1.0, box_score=1.0))  # type: ignore[arg-type]
    wanted = [box_regression(Boxed.boxes[n, k], batch.boxes[n, k]) for n, k in np.argwhere(known[:4])]
    torch.testing.assert_close(parts["box"], torch.stack(wanted).mean())
    (parts["box"] + parts["box_score"]).backward()
    assert Boxed.boxes.grad is not None
    assert Boxed.box_logits.grad is not None
    for grad in (Boxed.boxes.grad.abs().sum(-1), Boxed.box_logits.grad.abs()):
        assert not grad[~batch.has_boxes].any()
        assert (grad[batch.has_boxes] > 0).all()


def test_found_boxes_fit_the_phantoms_and_are_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = []
    for n, study in enumerate(sample_archive(6, 11)):
        image = render(study.spec, 256)
        Image.fromarray(np.rint(display_values(image) * 255).astype(np.uint8)).save(tmp_path / f"{n}.png")
        truth.append(boxes_to_array([image.boxes[region] for region in REGIONS]) / 256)
        (tmp_path / f"{n}.txt").write_text("FINDINGS: Clear lungs.")
    data = DataConfig(source=Source.SITE, root=str(tmp_path), decoded=str(tmp_path / "cache"))
    data = replace(data, validation_share=0.5)
    # One thread: under load, the engine's own threads wait for each other.
    monkeypatch.setattr(sources, "Encoder", partial(Encoder, threads=1))
    first = load_corpora(data, 64)
    overlaps = []
    for corpus in first:
        assert corpus.has_boxes is not None
        assert corpus.has_boxes.mean() > 0.5
        for pixels, boxes, known in zip(corpus.pixels, corpus.boxes, corpus.has_boxes, strict=True):  # type: ignore[call-overload]
            best = max(
                np.mean([Box(*a).iou(Box(*b)) for a, b in zip(boxes[known], one[known], strict=True)])
                for one in truth
            )
            overlaps.append(best)
            assert pixels.shape == (64, 64)
    assert min(overlaps) > 0.5

    def refuse(*_: object) -> None:
        raise AssertionError("the boxes are known already")

    monkeypatch.setattr(Encoder, "encode_image", refuse)
    for corpus, again in zip(first, load_corpora(data, 64), strict=True):
        np.testing.assert_array_equal(corpus.boxes, again.boxes)


def test_dicom_headers_tell_patient_study_and_view(tmp_path: Path) -> None:
    (study,) = sample_archive(1, 3)
    path = tmp_path / "archive/x.dcm"
    path.parent.mkdir()
    path.write_bytes(write_dicom(study, render(study.spec, 128)))
    found = str(pydicom.dcmread(path).StudyInstanceUID)
    (tmp_path / "reports").mkdir()
    (tmp_path / f"reports/{found}.txt").write_text("FINDINGS: Clear lungs.")
    (tmp_path / "archive/DICOMDIR").write_bytes(b"")
    (record,) = read_site(Roots(tmp_path))
    assert record.study == found
    assert record.patient == study.patient
    assert record.view in (View.PA, View.AP)
    assert record.frontal
    assert record.report == "FINDINGS: Clear lungs."


def test_what_is_not_trained_on_says_so(site: Path, tmp_path: Path) -> None:
    data = DataConfig(source=Source.VINDR_CXR, root=str(tmp_path), decoded=str(tmp_path))
    with pytest.raises(ConfigError, match="vindr_cxr is not trained on: it has no reports"):
        load_corpora(data, 64)
    with pytest.raises(ConfigError, match="missing setting root"):
        load_corpora(DataConfig(source=Source.SITE, decoded=str(tmp_path)), 64)
    with pytest.raises(DataSetError, match="no DICOM, PNG or JPEG"):
        load_corpora(DataConfig(source=Source.SITE, root=str(tmp_path), decoded=str(tmp_path / "c")), 64)
    small = DataConfig(source=Source.SITE, root=str(site), decoded=str(tmp_path / "c"), validation_share=1e-9)
    small = replace(small, find_boxes=False)
    with pytest.raises(DataSetError, match="no image is left to validate on"):
        load_corpora(small, 64)


def test_annotated_boxes_reach_the_corpus_and_test_patients_do_not(
    mimic: Path, imagenome: Path, tmp_path: Path, ms_cxr_csv: Callable[[Path], Path]
) -> None:
    data = DataConfig(
        source=Source.CHEST_IMAGENOME, root=str(imagenome), images=str(mimic), decoded=str(tmp_path / "cache")
    )
    training, validation = load_corpora(data, 64)
    assert (len(training), len(validation)) == (1, 1)
    assert training.has_boxes is not None
    assert training.has_boxes.sum() == 5
    # 60 x 80 on a square: 0.75 wide behind 0.125 of padding.
    wanted = [0.125 + 0.75 * 5 / 60, 10 / 80, 0.125 + 0.75 * 25 / 60, 60 / 80]
    np.testing.assert_allclose(training.boxes[0, Region.RIGHT_LUNG.position], wanted, atol=1e-6)
    # The one patient trained on has an annotated image in MS-CXR.
    with pytest.raises(DataSetError, match=r"no image is left to train on \(0 left out\)"):
        load_corpora(replace(data, held_out=(str(ms_cxr_csv(tmp_path / "ms")),)), 64)


def test_dataset_check_counts_and_names(mimic: Path, imagenome: Path, site: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    told = run(
        main, ["dataset", "check", "chest_imagenome", str(imagenome), "--images", str(mimic), "--json"]
    )
    assert told.exit_code == 0
    counts = json.loads(told.stdout)
    assert counts["splits"] == {"test": 1, "train": 1, "val": 1}
    assert (counts["images"], counts["patients"], counts["reports"]) == (3, 3, 3)
    assert (counts["images_with_boxes"], counts["region_boxes"], counts["further_boxes"]) == (3, 15, 9)
    told = run(main, ["dataset", "check", "site", str(site)])
    assert told.exit_code == 0
    assert "reports: 24" in told.stdout
    told = run(main, ["dataset", "check", "mimic_cxr", str(imagenome)])
    assert told.exit_code == 1
    assert "there is no files" in told.stderr
    assert run(main, ["dataset", "check", "mimic", str(mimic)]).exit_code == 2


def test_dataset_check_fails_where_an_image_is_missing(tmp_path: Path, table: Make, picture: Make) -> None:
    header = ("uid", "findings", "impression")
    table(tmp_path / "indiana_reports.csv", header, [(1, "Clear lungs.", "")])
    rows = [(1, f"{n}.png", "Frontal" if n else "Lateral") for n in range(3)]
    table(tmp_path / "indiana_projections.csv", ("uid", "filename", "projection"), rows)
    picture(tmp_path / "images/0.png")
    told = CliRunner().invoke(main, ["dataset", "check", "iu_xray", str(tmp_path)])
    assert told.exit_code == 1
    assert "missing images: 2" in told.stdout
    assert f"missing: {tmp_path}/images/1.png" in told.stdout
    assert "frontal: 2" in told.stdout
