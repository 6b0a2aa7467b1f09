import torch

from cine3d_core.cameras import move_camera
from cine3d_core.geometry import photo_camera, pixel_centres, project, unproject
from cine3d_core.render.fragments import SplatParams
from cine3d_core.render.place import (
    place_points,
    place_points_torch,
    splat_radius,
    surface_neighbours,
    without_torn,
    without_torn_torch,
)
from cine3d_core.render.splat import composite, rasterize
from cine3d_core.scene import Camera


def test_points_are_placed_where_the_camera_projects_them():
    generator = torch.Generator().manual_seed(12)
    positions = torch.randn(100, 3, generator=generator) + torch.tensor([0.0, 0.0, 3.0])
    camera = move_camera(photo_camera(36, 64), "published-zoom-in", 40, 60)
    alone = torch.full((100, 2), -1, dtype=torch.int32)
    points = place_points(positions, alone, camera, zoom=1.2, params=SplatParams())
    pixels, depth = project(positions, camera)
    radius = splat_radius(positions[:, 2], depth, 1.2, SplatParams())
    torch.testing.assert_close(points.depth, depth)
    ahead = depth > 0.1
    torch.testing.assert_close(points.pixels[ahead], pixels[ahead], atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(points.radius[ahead], radius[ahead])


def slope(steepness: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Points of a 12x16 photo on a slope to the right, and their neighbours."""
    pixels = pixel_centres(12, 16, like=torch.zeros(1))
    depth = 1 / (0.3 + steepness * pixels[:, 0] / 16)
    positions = unproject(pixels, depth, photo_camera(12, 16))
    layer, pixel = torch.zeros(192, dtype=torch.long), torch.arange(192)
    return positions, surface_neighbours(layer, pixel, 12, 16)


def test_neighbours_are_to_the_right_and_below_on_the_same_layer():
    layer, pixel = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 3, 4])
    neighbours = surface_neighbours(layer, pixel, 2, 3)
    assert neighbours.tolist() == [[1, 2], [-1, -1], [-1, -1], [-1, -1]]


def test_of_several_points_in_one_pixel_the_first_is_the_neighbour():
    rows = 300
    surface, hidden = torch.arange(rows * rows), torch.arange(0, rows * rows, 3)
    pixel = torch.cat([surface, hidden])  # as many as torch shares out between threads
    neighbours = surface_neighbours(torch.zeros_like(pixel), pixel, rows, rows)
    assert int(neighbours.max()) < len(surface)


def test_compiled_and_torch_placement_agree():
    positions, neighbours = slope(1.0)
    camera = move_camera(photo_camera(12, 16), "published-side", 0, 60)
    fast = place_points(positions, neighbours, camera, zoom=1.0, params=SplatParams())
    slow = place_points_torch(positions, neighbours, camera, zoom=1.0, params=SplatParams())
    torch.testing.assert_close(fast.pixels, slow.pixels, atol=1e-4, rtol=0)
    torch.testing.assert_close(fast.radius, slow.radius, atol=1e-4, rtol=0)


def test_a_slope_stretched_by_the_camera_stays_closed():
    positions, neighbours = slope(0.6)
    pose = torch.eye(4, dtype=torch.float64)
    pose[0, 3] = 1.0  # far to the side: 0.6 / 16 px of disparity become 0.6 px more per pixel
    camera = Camera(photo_camera(12, 16).intrinsics, pose, 12, 40)
    for stretch, closed in ((3.0, True), (0.0, False)):
        params = SplatParams(max_stretch=stretch, crack_gain=1.0)
        points = place_points(positions, neighbours, camera, zoom=1.0, params=params)
        fragments = rasterize(points, 12, 40, params=params)
        _, alpha = composite(fragments, torch.zeros(192, 1), params)
        seen = alpha[0, 4:8, 8:20]
        assert (float(seen.min()) > 0.99) == closed, (stretch, float(seen.min()))


def test_what_parts_farther_than_the_largest_stretch_tears():
    pixels = torch.tensor([[4.5, 4.5], [5.5, 4.5]])
    positions = unproject(pixels, torch.tensor([1.0, 9.0]), photo_camera(12, 16))
    camera = move_camera(photo_camera(12, 16), "published-side", 0, 60)
    camera.world_to_camera[0, 3] = 1.0
    neighbours = torch.tensor([[1, -1], [-1, -1]], dtype=torch.int32)
    points = place_points(positions, neighbours, camera, zoom=1.0, params=SplatParams())
    assert float(points.radius.max()) == 1.0


def test_what_the_flow_parts_too_far_is_not_drawn():
    """Four points in a line: the flow has parted the second from the third."""
    camera = photo_camera(12, 16)
    across = torch.tensor([2.5, 3.5, 9.5, 10.5])
    pixels = torch.stack([across, torch.full((4,), 4.5)], dim=1)
    positions = unproject(pixels, torch.tensor([2.0, 2.0, 3.0, 3.0]), camera)
    neighbours = torch.tensor([[1, -1], [2, -1], [3, -1], [-1, -1]], dtype=torch.int32)
    points = place_points(positions, neighbours, camera, zoom=1.0, params=SplatParams())
    for limit, left in ((5.0, [True, False, True, True]), (7.0, [True] * 4)):
        for without in (without_torn, without_torn_torch):
            kept = without(points, positions, neighbours, camera, limit_px=limit)
            assert (kept.pixels[:, 0] > 0).tolist() == left
            assert torch.equal(kept.pixels[left], points.pixels[left])


def test_a_camera_alone_takes_no_point_away():
    positions, neighbours = slope(3.0)
    camera = Camera(photo_camera(12, 16).intrinsics, torch.eye(4, dtype=torch.float64), 12, 16)
    camera.world_to_camera[0, 3] = 4.0
    points = place_points(positions, neighbours, camera, zoom=1.0, params=SplatParams())
    spread = (points.pixels[1:16] - points.pixels[:15]).abs().amax(dim=1)
    assert float(spread.max()) > 3
    kept = without_torn(points, positions, neighbours, photo_camera(12, 16), limit_px=3.0)
    assert torch.equal(kept.pixels, points.pixels)
