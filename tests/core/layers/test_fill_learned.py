from pathlib import Path

import pytest
import torch

from cine3d_core.build import PRESETS, SceneParts, scene_from_parts
from cine3d_core.files.models.store import save_network
from cine3d_core.geometry import photo_camera
from cine3d_core.layers.fill import analytic_fill
from cine3d_core.layers.fill_learned import correct, learned_fill
from cine3d_core.networks import inpainting
from cine3d_core.scene import DepthMap
from tests.river import HEIGHT, WIDTH, river_depth, river_motion, texture


def picture(height: int, width: int, seed: int) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def half_covered(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Context on the left; a hole beside it; on the right what nobody may look at."""
    columns = torch.arange(width).expand(1, height, width)
    return columns < width // 2, (columns >= width // 2) & (columns < width // 2 + 9)


def trained(seed: int) -> inpainting.InpaintingNetwork:
    """A small network whose last layer does something."""
    torch.manual_seed(seed)
    network = inpainting.build(widths=(8, 12, 16, 16, 16)).eval()
    torch.nn.init.normal_(network.last.weight, std=0.1)
    return network


def test_an_untrained_network_leaves_the_analytic_fill_as_it_is():
    rgb, (context, hole) = picture(60, 84, seed=1), half_covered(60, 84)
    depth = torch.ones(1, 60, 84)
    network = inpainting.build(widths=(8, 12, 16, 16, 16)).eval()
    filled = learned_fill(network)(rgb, depth, context, hole)
    assert torch.equal(filled.rgb, analytic_fill(rgb, depth, context, hole).rgb)


def test_only_the_hole_is_painted():
    rgb, (context, hole) = picture(50, 70, seed=2), half_covered(50, 70)
    painted = correct(trained(3), rgb, context, hole)
    assert torch.equal(painted[:, ~hole[0]], rgb[:, ~hole[0]])
    assert not torch.equal(painted[:, hole[0]], rgb[:, hole[0]])
    assert painted.amin() >= 0 and painted.amax() <= 1


def test_what_covers_the_hole_has_no_say():
    rgb, (context, hole) = picture(64, 64, seed=4), half_covered(64, 64)
    other = torch.where(context | hole, rgb, 1 - rgb)
    network = trained(5)
    first, second = (correct(network, image, context, hole) for image in (rgb, other))
    assert torch.equal(first[:, hole[0]], second[:, hole[0]])


@pytest.mark.usefixtures("two_threads")
def test_painting_twice_gives_the_same_bits():
    rgb, (context, hole) = picture(40, 90, seed=6), half_covered(40, 90)
    network = trained(7)
    assert torch.equal(correct(network, rgb, context, hole), correct(network, rgb, context, hole))


def test_an_installed_network_fills_what_a_scene_hides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    depth = DepthMap(river_depth(), torch.zeros_like(river_depth()))
    rgb = texture(HEIGHT, WIDTH, seed=3)
    parts = SceneParts(rgb, depth, river_motion(), photo_camera(HEIGHT, WIDTH))
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path))
    plain = scene_from_parts(parts, PRESETS["default"], num_frames=8, fps=25.0)
    assert "inpainting" not in plain.models
    save_network(
        tmp_path / "inpainting",
        trained(3),
        kind="inpainting",
        architecture={"widths": [8, 12, 16, 16, 16]},
        license="CC0-1.0",
        description="A test",
    )
    painted = scene_from_parts(parts, PRESETS["default"], num_frames=8, fps=25.0)
    assert "inpainting" in painted.models
    # In one order: a mixed pixel moves to the foreground's layer by what is painted behind it.
    seen, hidden = (
        [one.cloud.rgb[one.cloud.inpainted == side].unique(dim=0) for one in (plain, painted)]
        for side in (False, True)
    )
    assert torch.equal(*seen)
    before, after = ({tuple(colour) for colour in colours.tolist()} for colours in hidden)
    assert len(after - before) > 0.2 * len(after)  # the margin, too, counts as hidden
