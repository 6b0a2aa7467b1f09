import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from cine3d_core.depth.refine import DepthParams
from cine3d_core.depth.sources import (
    is_metric,
    metric_to_disparity,
    open_depth_source,
    stretched,
)
from cine3d_core.errors import InputError
from cine3d_core.files.models.networks import Networks
from cine3d_core.scene import FLUIDS

PARAMS = DepthParams()
SQUARE = {"height": 64, "width": 64}  # what DPT takes, whatever the photo's aspect


def photo(height: int = 36, width: int = 64) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))


def ramp(height: int = 36, width: int = 64) -> np.ndarray:
    """Grows to the right; [H, W] from 0 to 1."""
    return np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))


def save_model(model: Any, folder: Path, **processing: Any) -> Path:
    model.save_pretrained(folder)
    content = {"image_processor_type": "DPTImageProcessor"} | processing
    (folder / "preprocessor_config.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def dpt_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.DPTConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        is_hybrid=False,
    )
    model = transformers.DPTForDepthEstimation(config)
    return save_model(model, tmp_path_factory.mktemp("tiny-dpt"), size=SQUARE)


def depth_anything_folder(folder: Path, *, kind: str) -> Path:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    backbone = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=56,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=80,
    )
    model = transformers.DepthAnythingForDepthEstimation(config)
    small = {"height": 56, "width": 56}
    return save_model(model, folder, size=small, keep_aspect_ratio=True, ensure_multiple_of=14)


def test_the_bundled_network_gives_depth_sky_and_what_flows_at_the_photos_size():
    source = open_depth_source(None, Networks())
    result = source(photo(), params=PARAMS)
    assert result.depth.shape == result.sky.shape == (1, 36, 64)
    assert 1 <= result.depth.min() and result.depth.max() <= 40.001
    assert result.fluid is not None and result.fluid.shape == (len(FLUIDS), 36, 64)
    assert result.direction is not None and result.direction.shape[0] == 2
    assert list(source.checksums) == ["see"] and len(source.checksums["see"]) == 64


def test_a_bright_pixel_of_a_depth_picture_is_near(tmp_path: Path):
    path = tmp_path / "depth.png"
    cv2.imwrite(str(path), (ramp() * 65535).astype(np.uint16))
    depth = open_depth_source(str(path), Networks())(photo(), params=PARAMS).depth
    torch.testing.assert_close(depth[0, :, -1], torch.ones(36), atol=1e-3, rtol=0)
    torch.testing.assert_close(depth[0, :, 0], torch.full((36,), 40.0), atol=1e-2, rtol=0)


def test_an_inverted_picture_is_the_other_way_round(tmp_path: Path):
    path = tmp_path / "depth.npy"
    np.save(path, ramp())
    np.save(tmp_path / "flipped.npy", 1 - ramp())
    inverted = open_depth_source(f"inverted:{path}", Networks())(photo(), params=PARAMS)
    expected = open_depth_source(str(tmp_path / "flipped.npy"), Networks())(photo(), params=PARAMS)
    torch.testing.assert_close(inverted.depth, expected.depth)


def test_metric_distances_keep_their_ratios(tmp_path: Path):
    path = tmp_path / "metres.npy"
    distance = 5 + 10 * ramp()
    np.save(path, distance)
    depth = open_depth_source(f"metric:{path}", Networks())(photo(), params=PARAMS).depth
    torch.testing.assert_close(depth[0], torch.from_numpy(distance / 5), rtol=1e-3, atol=0)


def test_distances_that_are_not_positive_are_refused(tmp_path: Path):
    np.save(tmp_path / "zero.npy", ramp())
    source = open_depth_source(f"metric:{tmp_path / 'zero.npy'}", Networks())
    with pytest.raises(InputError, match="greater than 0"):
        source(photo(), params=PARAMS)


def test_a_picture_of_another_shape_than_the_photo_is_refused(tmp_path: Path):
    np.save(tmp_path / "square.npy", ramp(64, 64))
    source = open_depth_source(str(tmp_path / "square.npy"), Networks())
    with pytest.raises(InputError, match="another shape"):
        source(photo(), params=PARAMS)


def test_a_flat_picture_is_one_plane_at_depth_one(tmp_path: Path):
    np.save(tmp_path / "flat.npy", np.full((36, 64), 7.0, np.float32))
    depth = open_depth_source(str(tmp_path / "flat.npy"), Networks())(photo(), params=PARAMS).depth
    torch.testing.assert_close(depth, torch.ones(1, 36, 64))


@pytest.mark.parametrize("name", ["midas", "no/such/folder", "nowhere/depth.png", ""])
def test_unknown_names_are_refused_in_one_sentence(name: str):
    with pytest.raises(InputError) as refusal:
        open_depth_source(name, Networks())
    assert "\n" not in str(refusal.value)


def test_a_folder_without_a_model_is_refused_in_one_sentence(tmp_path: Path):
    pytest.importorskip("transformers")
    with pytest.raises(InputError, match="cannot be loaded") as refusal:
        open_depth_source(str(tmp_path), Networks())
    assert "\n" not in str(refusal.value)


def test_a_local_dpt_folder_gives_relative_depth(dpt_folder: Path):
    source = open_depth_source(str(dpt_folder), Networks())
    result = source(photo(), params=PARAMS)
    assert result.depth.shape == (1, 36, 64) and not result.sky.any()
    assert 1 <= result.depth.min() and result.depth.max() <= 40.001
    assert "relative" in source.description and len(source.checksums[dpt_folder.name]) == 64


@pytest.mark.parametrize("kind", ["relative", "metric"])
def test_a_local_depth_anything_folder_is_read_as_it_declares(tmp_path: Path, kind: str):
    source = open_depth_source(str(depth_anything_folder(tmp_path, kind=kind)), Networks())
    result = source(photo(), params=PARAMS)
    assert kind in source.description
    assert result.depth.shape == (1, 36, 64) and torch.isfinite(result.depth).all()


def test_a_dpt_tuned_on_distances_is_known_by_its_name(dpt_folder: Path):
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(dpt_folder)
    assert is_metric(config, "facebook/dpt-dinov2-small-nyu")
    assert not is_metric(config, "Intel/dpt-large")


def test_relative_values_are_stretched_over_the_whole_range():
    values = torch.tensor([[[-3.0, 0.0, 5.0]]])
    torch.testing.assert_close(stretched(values), torch.tensor([[[0.0, 0.375, 1.0]]]))


def test_metric_distances_become_disparity_relative_to_the_nearest():
    disparity = metric_to_disparity(torch.tensor([[[2.0, 80.0, 1e9]]]), params=PARAMS)
    torch.testing.assert_close(disparity, torch.tensor([[[1.0, 0.0, 0.0]]]))
