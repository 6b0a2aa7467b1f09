"""Tiny scenes that hold every kind of value a scene file stores."""

from __future__ import annotations

import torch

from cine3d_core.scene import Camera, CinemagraphScene, FeaturePointCloud


def tiny_camera(height: int, width: int) -> Camera:
    intrinsics = torch.tensor(
        [[width, 0.0, width / 2], [0.0, width, height / 2], [0.0, 0.0, 1.0]], dtype=torch.float64
    )
    return Camera(intrinsics, torch.eye(4, dtype=torch.float64), height, width)


def tiny_scene(*, seed: int = 0, points: int = 40, layers: int = 2) -> CinemagraphScene:
    """Random points on a 6x9 canvas around a 4x7 photo."""
    generator = torch.Generator().manual_seed(seed)
    height, width = 6, 9

    def rand(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    return CinemagraphScene(
        camera=tiny_camera(4, 7),
        canvas_camera=tiny_camera(height, width),
        cloud=FeaturePointCloud(
            positions=rand(points, 3),
            rgb=rand(points, 3),
            features=rand(points, 2).half().float(),  # as precise as they are stored
            layer=torch.randint(layers, (points,), generator=generator).to(torch.int16),
            pixel=torch.randint(height * width, (points,), generator=generator),
            inpainted=rand(points) > 0.5,
        ),
        layer_depth=rand(layers, 1, height, width) + 1,
        velocity=rand(layers, 2, height, width),
        cycles=torch.ones(layers, 1, height, width, dtype=torch.int16),
        num_frames=60,
        fps=25.0,
        disparity_range=(0.1, 1.0),
        photo_sha256="0" * 64,
        models={"compact-depth": "1" * 64},
        parameters={"size": 1280, "nested": [1, 2.5, None, "é"]},
    )
