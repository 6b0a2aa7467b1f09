import torch

from cine3d_core.geometry import photo_camera, project, unproject
from cine3d_core.render.lift import (
    flowed_positions,
    flowed_positions_torch,
    sample_layers,
    scene_flow,
)


def plane(height: int = 30, width: int = 40) -> torch.Tensor:
    rows = torch.arange(height, dtype=torch.float32)[:, None].expand(height, width)
    return (2 + 0.1 * rows)[None, None]


def test_samples_at_pixel_centres_are_the_pixels():
    maps = torch.rand(3, 1, 5, 7, generator=torch.Generator().manual_seed(1))
    pixels = torch.tensor([[0.5, 0.5], [6.5, 4.5], [3.5, 2.5]])
    layer = torch.tensor([0, 1, 2])
    expected = torch.stack([maps[0, 0, 0, 0], maps[1, 0, 4, 6], maps[2, 0, 2, 3]])
    assert torch.equal(sample_layers(maps, layer, pixels), expected)


def test_samples_between_pixels_are_bilinear_and_hold_beyond_the_border():
    maps = plane()
    layer = torch.zeros(2, dtype=torch.long)
    values = sample_layers(maps, layer, torch.tensor([[10.2, 11.0], [500.0, -90.0]]))
    torch.testing.assert_close(values, torch.tensor([3.05, 2.0]))


def test_no_displacement_is_no_flow():
    pixels = torch.tensor([[3.5, 4.5], [20.5, 11.5]])
    flow = scene_flow(
        pixels, torch.zeros(2).long(), torch.zeros(2, 2), plane(), photo_camera(30, 40)
    )
    assert float(flow.displacement.abs().max()) == 0


def test_points_end_on_the_surface_at_the_pixel_they_flowed_to():
    camera, start = photo_camera(30, 40), torch.tensor([[10.5, 8.5], [20.5, 20.5]])
    move, layer = torch.tensor([[2.5, 6.0], [-3.0, 4.5]]), torch.zeros(2).long()
    flow = scene_flow(start, layer, move, plane(), camera)
    rest = unproject(start, sample_layers(plane(), layer, start), camera)
    pixels, depth = project(rest + flow.displacement, camera)
    torch.testing.assert_close(pixels, start + move, atol=1e-4, rtol=0)
    torch.testing.assert_close(depth, sample_layers(plane(), layer, start + move))


def test_the_lift_of_the_paper_keeps_the_source_depth():
    camera, start = photo_camera(30, 40), torch.tensor([[10.5, 8.5]])
    move, layer = torch.tensor([[0.0, 9.0]]), torch.zeros(1).long()
    flow = scene_flow(start, layer, move, plane(), camera, lift="source")
    assert float(flow.displacement[0, 2]) == 0


def test_the_compiled_flow_equals_its_torch_twin():
    generator = torch.Generator().manual_seed(7)
    start = torch.rand(200, 2, generator=generator) * torch.tensor([40.0, 30.0])
    move = torch.randn(200, 2, generator=generator) * 9
    layer = torch.randint(2, (200,), generator=generator)
    depth = torch.rand(2, 1, 30, 40, generator=generator) + 1
    for lift in ("surface", "source"):
        arguments = (start, layer, move, depth, photo_camera(30, 40))
        torch.testing.assert_close(
            flowed_positions(*arguments, lift=lift),
            flowed_positions_torch(*arguments, lift=lift),
            atol=1e-5,
            rtol=0,
        )
