"""Pretrained vision models as image towers: shapes, pixel values, freezing, sizes, refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from edge_retrieve.runtime.errors import ConfigError
from edge_retrieve.train.model.image_backbone import BackboneTower
from edge_retrieve.train.model.towers import build_image_tower, feature_stride

Folders = Callable[[str], Any]
KINDS = ("vit", "dinov2", "convnext", "resnet", "swin")


def tower_of(config: Any) -> BackboneTower:
    tower = build_image_tower(config)
    assert isinstance(tower, BackboneTower)
    return tower


def pixels(size: int, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 1, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_backbone_gives_the_library_models_maps_and_one_feature_map(
    vision_folder: Folders, kind: str
) -> None:
    folder = vision_folder(kind)
    tower = tower_of(folder.config()).eval()
    seen = pixels(folder.image_size)
    mean, std = (np.array(values).reshape(1, 3, 1, 1) for values in ([0.5, 0.4, 0.3], [0.2, 0.3, 0.25]))
    normal = torch.from_numpy((np.repeat(seen.numpy(), 3, axis=1) - mean) / std).float()
    with torch.no_grad():
        levels = tower.backbone(seen)
        expected = folder.model(pixel_values=normal, output_hidden_states=True)
        features = tower(seen)
    if kind in ("vit", "dinov2"):
        last = expected.last_hidden_state[:, 1:].transpose(1, 2).reshape(levels[-1].shape)
    else:
        last = (getattr(expected, "reshaped_hidden_states", None) or expected.hidden_states)[-1]
    torch.testing.assert_close(levels[-1], last, rtol=1e-4, atol=1e-5)
    assert features.shape == (2, 16, 8, 8)
    assert feature_stride(tower) == {"dinov2": 7}.get(kind, 8)
    assert not features.isnan().any()


@pytest.mark.parametrize(
    ("kind", "wanted", "stride"),
    [("vit", 16, 8), ("dinov2", 16, 14), ("convnext", 16, 16), ("resnet", 16, 16), ("swin", 16, 16)],
)
def test_a_coarser_map_on_request(vision_folder: Folders, kind: str, wanted: int, stride: int) -> None:
    folder = vision_folder(kind)
    tower = tower_of(folder.config(feature_stride=wanted)).eval()
    side = folder.image_size // stride
    assert tower(pixels(folder.image_size)).shape == (2, 16, side, side)
    assert feature_stride(tower) == stride


@pytest.mark.parametrize("rescale", [{}, {"do_rescale": False}, {"rescale_factor": 1 / 127.5}])
@pytest.mark.parametrize("normalise", [True, False])
def test_pixel_values_are_those_of_the_models_own_processor(
    vision_folder: Folders, tmp_path: Path, rescale: dict[str, Any], normalise: bool
) -> None:
    folder = vision_folder("vit")
    copy = tmp_path / "model"
    shutil.copytree(folder.path, copy)
    processor = transformers.ViTImageProcessorPil(
        do_resize=False,
        do_normalize=normalise,
        image_mean=[0.5, 0.4, 0.3],
        image_std=[0.2, 0.3, 0.25],
        **rescale,
    )
    processor.save_pretrained(copy)
    stored = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    expected = processor(np.repeat(stored[..., None], 3, axis=2), return_tensors="np")["pixel_values"]
    tower = tower_of(replace(folder.config(), image_backbone=str(copy)))
    found = tower.backbone.normalise(torch.from_numpy(stored / np.float32(255))[None, None])
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=2e-5)


def test_a_model_of_one_channel_gets_one(tmp_path: Path, vision_folder: Folders) -> None:
    sizes = {"hidden_sizes": [8, 8], "depths": [1, 1], "embedding_size": 8, "num_channels": 1}
    path = tmp_path / "model"
    transformers.ResNetModel(transformers.ResNetConfig(**sizes, layer_type="basic")).save_pretrained(path)
    (path / "preprocessor_config.json").write_text('{"image_mean": 0.5, "image_std": [0.25]}')
    tower = tower_of(replace(vision_folder("resnet").config(), image_backbone=str(path)))
    seen = pixels(64)
    torch.testing.assert_close(tower.backbone.normalise(seen), (seen - 0.5) / 0.25)
    assert tower(seen).shape == (2, 16, 8, 8)


@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_backbone_neither_learns_nor_leaves_evaluation(vision_folder: Folders, kind: str) -> None:
    folder = vision_folder(kind)
    tower = tower_of(folder.config()).train()
    before = {name: value.clone() for name, value in tower.backbone.state_dict().items()}
    tower(pixels(folder.image_size)).sum().backward()
    assert all(value.grad is None for value in tower.backbone.parameters())
    assert not any(module.training for module in tower.backbone.model.modules())
    assert tower.neck.training
    assert all(value.grad is not None for value in tower.neck.parameters())
    after = tower.backbone.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize("kind", KINDS)
def test_a_tuned_backbone_learns_with_all_that_features_depend_on(vision_folder: Folders, kind: str) -> None:
    folder = vision_folder(kind)
    tower = tower_of(folder.config(image_backbone_frozen=False)).train()
    # A weighted sum: the plain one is constant under the layer norms.
    features = tower(pixels(folder.image_size))
    (features * torch.randn(features.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    for name, value in tower.named_parameters():
        assert (value.grad is not None) == value.requires_grad, name
    tuned = [value for value in tower.backbone.parameters() if value.requires_grad]
    assert len(tuned) > 0.8 * len(list(tower.backbone.parameters()))
    assert any(value.grad is not None and value.grad.abs().max() > 0 for value in tuned)


@pytest.mark.parametrize("kind", ["vit", "dinov2", "convnext", "swin"])
def test_two_passes_agree_in_training_too(vision_folder: Folders, kind: str) -> None:
    folder = vision_folder(kind)
    tower = tower_of(folder.config(image_backbone_frozen=False)).train()
    seen = pixels(folder.image_size)
    assert torch.equal(tower(seen), tower(seen))


@pytest.mark.parametrize(("kind", "size"), [("vit", 96), ("dinov2", 84)])
def test_positions_are_interpolated_for_another_image_size(
    vision_folder: Folders, kind: str, size: int
) -> None:
    folder = vision_folder(kind)
    tower = tower_of(replace(folder.config(), image_size=size)).eval()
    seen = pixels(size)
    further = {"interpolate_pos_encoding": True} if kind == "vit" else {}
    with torch.no_grad():
        expected = folder.model(pixel_values=tower.backbone.normalise(seen), **further).last_hidden_state
        found = tower.backbone(seen)[-1]
    torch.testing.assert_close(found.flatten(2).transpose(1, 2), expected[:, 1:], rtol=1e-4, atol=1e-5)


def test_images_that_patches_do_not_tile_are_refused(vision_folder: Folders) -> None:
    config = replace(vision_folder("dinov2").config(), image_size=64)
    with pytest.raises(ConfigError, match=r"model\.image_size: must be a multiple of 14"):
        build_image_tower(config)
    with pytest.raises(ConfigError, match="multiple of 32"):
        build_image_tower(replace(vision_folder("convnext").config(), image_size=100))


def test_a_name_of_a_hub_is_not_looked_up(vision_folder: Folders) -> None:
    config = replace(vision_folder("vit").config(), image_backbone="microsoft/rad-dino")
    with pytest.raises(ConfigError, match=r"not a folder on this machine\. Nothing is downloaded") as caught:
        build_image_tower(config)
    assert "on another machine" in str(caught.value)


def test_what_is_wrong_with_a_folder_is_said(
    vision_folder: Folders, text_folder: Folders, tmp_path: Path
) -> None:
    def refusal(change: Callable[[Path], object]) -> str:
        folder = tmp_path / "model"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(vision_folder("vit").path, folder)
        change(folder)
        with pytest.raises(ConfigError) as caught:
            build_image_tower(replace(vision_folder("vit").config(), image_backbone=str(folder)))
        return str(caught.value)

    def edit(folder: Path, name: str, **entries: object) -> None:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**content, **entries}))

    def drop_weights(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        kept = {name: value for name, value in weights.items() if ".2." not in name}
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})

    processor = "preprocessor_config.json"
    weights = "model.safetensors"
    assert "has no config.json" in refusal(lambda folder: (folder / "config.json").unlink())
    assert "not readable as JSON" in refusal(lambda folder: (folder / "config.json").write_text("{"))
    assert "type 'eye'" in refusal(lambda folder: edit(folder, "config.json", model_type="eye"))
    assert "cannot be loaded" in refusal(lambda folder: (folder / weights).unlink())
    assert "cannot be loaded" in refusal(lambda folder: (folder / weights).write_bytes(b"\x00" * 40))
    assert "cannot be loaded" in refusal(lambda folder: edit(folder, "config.json", hidden_size=32))
    assert "of the model's weights" in refusal(drop_weights)
    assert f"has no {processor}" in refusal(lambda folder: (folder / processor).unlink())
    assert "image_mean is no list" in refusal(lambda folder: edit(folder, processor, image_mean="grey"))
    assert "2 values" in refusal(lambda folder: edit(folder, processor, image_std=[0.1, 0.2]))
    assert "above 0" in refusal(lambda folder: edit(folder, processor, image_std=[0.1, 0.0, 0.2]))
    with pytest.raises(ConfigError, match="reads input_ids, not pixel_values"):
        build_image_tower(
            replace(vision_folder("vit").config(), image_backbone=str(text_folder("bert").path))
        )


def test_a_window_larger_than_the_last_map_is_refused(tmp_path: Path, vision_folder: Folders) -> None:
    config = json.loads((vision_folder("swin").path / "config.json").read_text())
    folder = tmp_path / "model"
    wide = transformers.SwinConfig(**{**config, "window_size": 4})
    transformers.SwinModel(wide).save_pretrained(folder)
    shutil.copy(vision_folder("swin").path / "preprocessor_config.json", folder)
    with pytest.raises(ConfigError, match="SwinModel does not take images of 64 x 64"):
        build_image_tower(replace(vision_folder("swin").config(), image_backbone=str(folder)))
