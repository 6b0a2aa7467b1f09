"""Small scenes made of numbers: a river below a far hill, a post standing in the river."""

import torch
from torch import Tensor

from cine3d_core.geometry import photo_camera
from cine3d_core.layers.cut import LayeringParams, build_layers
from cine3d_core.layers.uncover import InpaintParams, inpaint_layers
from cine3d_core.points.assemble import assemble_scene
from cine3d_core.render.animation import AnimationParams
from cine3d_core.render.stored import animation_record
from cine3d_core.scene import CinemagraphScene, MotionField

HEIGHT, WIDTH = 48, 80


def texture(height: int, width: int, seed: int) -> Tensor:
    """Smooth random colours: [3, H, W] in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 4 + 2, width // 4 + 2, generator=generator)
    return torch.nn.functional.interpolate(
        coarse, (height, width), mode="bicubic", align_corners=False
    )[0].clamp(0, 1)


def river_depth(height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """Water plane from depth 2 at the bottom to 6, a hill at 8, a post at 1.5: [1, H, W]."""
    rows = (torch.arange(height) + 0.5) / height
    water = 1 / (1 / 6 + (1 / 2 - 1 / 6) * ((rows - 0.5) / 0.5).clamp(min=0))
    depth = torch.where(rows < 0.5, torch.tensor(8.0), water)[:, None].repeat(1, width)
    depth[height // 3 :, width // 4 : width // 4 + width // 10] = 1.5
    return depth[None]


def river_motion(
    height: int = HEIGHT, width: int = WIDTH, velocity: tuple[float, float] = (0.4, 0.1)
) -> MotionField:
    """The water flows, hill and post rest."""
    depth = river_depth(height, width)
    moving = (depth >= 2) & (depth < 7)
    flow = torch.tensor(velocity)[:, None, None] * moving
    return MotionField(flow, moving, torch.ones(1, height, width, dtype=torch.int16))


def river_scene(
    *,
    num_frames: int = 12,
    velocity: tuple[float, float] = (0.4, 0.1),
    cycles: int = 1,
    sway: Tensor | None = None,  # [3, H, W]
    region: Tensor | None = None,  # [1, H, W] uint8
) -> CinemagraphScene:
    """The river as a scene, without a margin."""
    motion = river_motion(velocity=velocity)
    in_place = {} if sway is None else {"sway": sway}
    motion = MotionField(motion.velocity, motion.moving, motion.cycles * cycles, in_place, region)
    layers = build_layers(texture(HEIGHT, WIDTH, seed=3), river_depth(), LayeringParams())
    return assemble_scene(
        inpaint_layers(layers, params=InpaintParams()),
        motion,
        photo_camera(HEIGHT, WIDTH),
        margin_px=0,
        num_frames=num_frames,
        fps=25.0,
        photo_sha256="0" * 64,
        models={},
        parameters=animation_record(AnimationParams()),
    )
