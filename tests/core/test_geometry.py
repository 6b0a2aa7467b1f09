import math

import torch

from cine3d_core.geometry import (
    default_intrinsics,
    padded_camera,
    photo_camera,
    pixel_centres,
    project,
    unproject,
)
from cine3d_core.scene import Camera, resized_camera
from tests.tolerances import PIXELS


def turned_camera(height: int = 40, width: int = 60) -> Camera:
    angle = 0.3
    pose = torch.eye(4, dtype=torch.float64)
    pose[0, 0] = pose[2, 2] = math.cos(angle)
    pose[0, 2], pose[2, 0] = math.sin(angle), -math.sin(angle)
    pose[:3, 3] = torch.tensor([0.2, -0.1, 0.4])
    return Camera(default_intrinsics(height, width, 70.0), pose, height, width)


def test_projecting_what_was_unprojected_returns_the_pixel_and_its_depth():
    generator = torch.Generator().manual_seed(1)
    for dtype in (torch.float32, torch.float64):
        pixels = torch.rand(50, 2, generator=generator, dtype=dtype) * 60
        depth = torch.rand(50, generator=generator, dtype=dtype) * 9 + 1
        back, back_depth = project(unproject(pixels, depth, turned_camera()), turned_camera())
        torch.testing.assert_close(back, pixels, atol=PIXELS[dtype], rtol=0)
        torch.testing.assert_close(back_depth, depth, atol=PIXELS[dtype], rtol=0)


def test_the_principal_ray_hits_the_middle_of_the_picture():
    camera = photo_camera(40, 60)
    pixel, depth = project(torch.tensor([[0.0, 0.0, 3.0]]), camera)
    assert pixel.tolist() == [[30.0, 20.0]]
    assert depth.tolist() == [3.0]


def test_pixel_centres_lie_at_half():
    centres = pixel_centres(2, 3, like=torch.zeros(1))
    assert centres[0].tolist() == [0.5, 0.5]
    assert centres[-1].tolist() == [2.5, 1.5]


def test_a_padded_camera_sees_the_same_point_moved_by_the_margin():
    point = torch.tensor([[0.3, -0.2, 2.0]])
    before, _ = project(point, photo_camera(40, 60))
    after, _ = project(point, padded_camera(photo_camera(40, 60), 7))
    torch.testing.assert_close(after, before + 7)


def test_a_resized_camera_scales_the_picture():
    point = torch.tensor([[0.3, -0.2, 2.0]])
    before, _ = project(point, photo_camera(40, 60))
    after, _ = project(point, resized_camera(photo_camera(40, 60), 80, 90))
    torch.testing.assert_close(after, before * torch.tensor([1.5, 2.0]))


def test_points_behind_the_camera_give_finite_pixels():
    pixels, depth = project(torch.tensor([[1.0, 1.0, -2.0], [0.0, 0.0, 0.0]]), photo_camera(4, 4))
    assert bool(torch.isfinite(pixels).all())
    assert depth.tolist() == [-2.0, 0.0]
