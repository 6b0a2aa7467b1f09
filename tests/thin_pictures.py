"""Made-up pictures of thin and blurred things before a sky, with their true outline and depth.

What the network would say of them is the truth at an eighth of the size: it does not see what is
thinner, and its borders are soft.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cine3d_core.depth.refine import DepthParams, depth_to_disparity, refine_depth
from cine3d_core.scene import FLUIDS
from cine3d_core.see.regions import SKY, sharpen

Array = NDArray[Any]
HEIGHT, WIDTH = 240, 360
FINE = 4  # drawn so many times as large
GROUND = 190  # row where the ground begins
NEARNESS = 0.4  # disparity of all that stands on the ground
PARAMS = DepthParams()


@dataclass(frozen=True)
class ThinPicture:
    """One picture and what is true of it."""

    colour: Array  # [H, W, 3]
    alpha: Array  # [H, W] share of a pixel that is no sky


@dataclass(frozen=True)
class Misplaced:
    """Shares of pixels at the wrong depth."""

    things: float  # of those more than half thing, above the ground: at the sky's depth
    sky: float  # of the clear sky within 12 px of a thing: at the thing's


def thin_picture(draw: Callable[[Array], None], *, cloudy: bool, seed: int = 0) -> ThinPicture:
    """What `draw` paints in 255 on a mask `FINE` times as large, before a sky and over a ground."""
    mask = np.zeros((HEIGHT * FINE, WIDTH * FINE), np.uint8)
    mask[GROUND * FINE :] = 255
    draw(mask)
    alpha = cv2.resize(mask, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    rng = np.random.default_rng(seed)
    thing = np.array([0.16, 0.14, 0.1], np.float32) + _noise(rng, 1.0, 0.03)[..., None]
    share = alpha[..., None]
    colour = thing * share + _sky(rng, cloudy) * (1 - share)
    colour = cv2.GaussianBlur(colour, (0, 0), 0.5) + rng.normal(0, 0.006, colour.shape)
    return ThinPicture(np.clip(colour, 0, 1).astype(np.float32), alpha)


def _sky(rng: np.random.Generator, cloudy: bool) -> Array:
    down = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]
    blue, pale = np.array([[0.3, 0.5, 0.85], [0.75, 0.8, 0.88]], np.float32)
    sky = np.broadcast_to(blue + (pale - blue) * down, (HEIGHT, WIDTH, 3))
    if not cloudy:
        return sky
    cloud = np.clip(_noise(rng, 18.0, 1.0) + _noise(rng, 5.0, 0.3), 0, 1)[..., None]
    return sky + (0.95 - sky) * cloud * 0.7


def _noise(rng: np.random.Generator, softness: float, spread: float) -> Array:
    noise = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)), (0, 0), softness)
    return (noise * spread / noise.std()).astype(np.float32)


def line(mask: Array, start: tuple[float, float], end: tuple[float, float], width: float) -> None:
    """A stroke in pixels of the picture, x and y."""
    first, last = ((round(x * FINE), round(y * FINE)) for x, y in (start, end))
    cv2.line(mask, first, last, 255, max(1, round(width * FINE)), cv2.LINE_AA)


def masts(mask: Array) -> None:
    """Four masts of 1 to 3 px, the rightmost with a yard."""
    for x, top, width in ((60, 40, 1.2), (130, 70, 1.6), (220, 30, 2.2), (300, 50, 3.0)):
        line(mask, (x, GROUND + 4), (x + 4, top), width)
    line(mask, (280, 90), (324, 86), 1.4)


def wires(mask: Array) -> None:
    """Two posts with three wires between them."""
    for x in (40, 310):
        line(mask, (x, GROUND + 4), (x, 60), 5.0)
    for row in (66, 82, 98):
        line(mask, (40, row), (180, row + 12), 1.2)
        line(mask, (180, row + 12), (310, row), 1.2)


def tree(mask: Array) -> None:
    """A trunk that forks seven times, the last twigs about 1 px wide."""
    rng = np.random.default_rng(5)

    def branch(x: float, y: float, angle: float, length: float, width: float, forks: int) -> None:
        end = (x + length * np.sin(angle), y - length * np.cos(angle))
        line(mask, (x, y), end, width)
        if forks:
            for side in (-1, 1):
                turn = angle + side * rng.uniform(0.25, 0.6)
                branch(*end, turn, length * 0.76, max(1.1, width * 0.66), forks - 1)

    branch(180, GROUND + 4, 0.05, 46, 11, 7)


def ridge(mask: Array) -> None:
    """Out-of-focus rocks: an outline soft over 8 px."""
    rows = 150 + 18 * np.sin(np.arange(mask.shape[1]) / FINE / 25)
    mask[np.arange(mask.shape[0])[:, None] > rows * FINE] = 255
    mask[:] = cv2.GaussianBlur(mask, (0, 0), 2.0 * FINE)


THINGS: dict[str, Callable[[Array], None]] = {
    "masts": masts,
    "wires": wires,
    "tree": tree,
    "ridge": ridge,
}


def misplaced(picture: ThinPicture) -> Misplaced:
    """What the depth of a picture makes of it, from what a network would say roughly."""
    small = (WIDTH // 8, HEIGHT // 8)
    seen = cv2.GaussianBlur(picture.alpha, (0, 0), 3.0)
    rough = cv2.resize(seen, small, interpolation=cv2.INTER_AREA)
    planes = np.zeros((len(FLUIDS), *rough.shape), np.float32)
    planes[SKY] = np.clip(1.1 - 1.2 * rough, 0.01, 0.99)
    sky = torch.from_numpy(sharpen(planes, picture.colour))[SKY : SKY + 1]
    disparity = torch.from_numpy(rough * NEARNESS)[None]
    disparity[:, -3:] = 1.0
    rgb = torch.from_numpy(picture.colour).permute(2, 0, 1).contiguous()
    depth = refine_depth(disparity, sky, rgb, params=PARAMS).depth
    near = depth_to_disparity(depth, params=PARAMS)[0].numpy()
    is_thing, is_sky = picture.alpha > 0.5, picture.alpha < 0.1
    above = np.arange(HEIGHT)[:, None] < GROUND - 4
    around = cv2.dilate(is_thing.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    as_near = near > NEARNESS / 4
    things = float((~as_near)[is_thing & above].mean())
    return Misplaced(things, float(as_near[is_sky & above & around].mean()))


def main() -> None:
    """The table: mean over three seeds."""
    for name, draw in THINGS.items():
        for cloudy in (False, True):
            found = [misplaced(thin_picture(draw, cloudy=cloudy, seed=s)) for s in range(3)]
            things = np.mean([one.things for one in found])
            sky = np.mean([one.sky for one in found])
            print(f"{name:6} {'clouds' if cloudy else 'clear':6} {things:.3f} {sky:.3f}")


if __name__ == "__main__":
    main()
