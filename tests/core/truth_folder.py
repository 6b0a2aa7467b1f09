"""A truth scene made of numbers: a river to a far wall, a post standing in it, ray by ray.

The river's texture scrolls by a whole number of its periods in a loop, so that the loop is exact.
"""

import json
from pathlib import Path

import cv2
import numpy as np

BANK = 0.5  # y of the water plane, below the camera
WALL = 6.0  # z
POST = 1.5  # z
POST_X = (-0.15, 0.15)
WATER, FAR_WALL, STANDING = 0, 1, 2
MOVES = {"side": (0.09, 0, 0), "zoom-in": (0, 0, -0.2)}  # translation at the last frame


def sample(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Bilinear with wrapping; u and v in periods: [..., 3]."""
    size = texture.shape[0]
    x, y = u * size - 0.5, v * size - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    corner = [texture[(top + dy) % size, (left + dx) % size] for dy in (0, 1) for dx in (0, 1)]
    upper, lower = corner[0] * (1 - fx) + corner[1] * fx, corner[2] * (1 - fx) + corner[3] * fx
    return upper * (1 - fy) + lower * fy


class River:
    """Textures, camera and motion of the made-up scene."""

    def __init__(self, height, width, *, num_frames=12, seed=5, period=2.0, textures=None):
        self.height, self.width, self.num_frames, self.period = height, width, num_frames, period
        self.focal = float(max(height, width))
        generator = np.random.default_rng(seed)
        if textures is None:
            coarse = [generator.random((16, 16, 3)).astype(np.float32) for _ in range(3)]
            textures = [cv2.resize(c, (64, 64), interpolation=cv2.INTER_CUBIC) for c in coarse]
        self.textures = [np.clip(t, 0, 1) for t in textures]
        self.velocity = np.array([period / num_frames, 0.0, 0.0])  # world units per frame

    def hit(self, translation, offset=(0.5, 0.5)):
        """Points [H, W, 3] and surfaces [H, W] that the pixels of a moved camera see."""
        ys, xs = np.mgrid[: self.height, : self.width].astype(np.float64)
        ray = np.stack(
            [
                (xs + offset[0] - self.width / 2) / self.focal,
                (ys + offset[1] - self.height / 2) / self.focal,
                np.ones_like(xs),
            ],
            axis=-1,
        )
        origin = -np.asarray(translation, np.float64)
        surface = np.full(xs.shape, FAR_WALL)
        depth = np.full(xs.shape, WALL - origin[2])
        with np.errstate(divide="ignore"):
            water = np.where(ray[..., 1] > 0, (BANK - origin[1]) / ray[..., 1], np.inf)
        surface[water < depth], depth = WATER, np.minimum(depth, water)
        post = POST - origin[2]
        x = origin[0] + ray[..., 0] * post
        stands = (x > POST_X[0]) & (x < POST_X[1]) & (post < depth)
        surface[stands], depth[stands] = STANDING, post
        return origin + ray * depth[..., None], surface

    def colour(self, points, surface, frame):
        """What is seen of the surfaces at a frame: [H, W, 3]."""
        shift = self.velocity * frame
        u = (points[..., 0] - np.where(surface == WATER, shift[0], 0)) / self.period
        v = np.where(surface == WATER, points[..., 2], points[..., 1]) / self.period
        pictures = [sample(texture, u, v) for texture in self.textures]
        return np.choose(surface[..., None], pictures)

    def picture(self, translation, frame, samples=3):
        """A frame, mean of samples x samples rays a pixel: [H, W, 3]."""
        steps = (np.arange(samples) + 0.5) / samples
        pictures = [
            self.colour(*self.hit(translation, (dx, dy)), frame) for dx in steps for dy in steps
        ]
        return np.mean(pictures, axis=0)

    def pixel(self, points):
        """Where the still's camera sees points: [..., 2] px, and their depth."""
        depth = points[..., 2]
        centre = np.array([self.width / 2, self.height / 2])
        return points[..., :2] / depth[..., None] * self.focal + centre, depth

    def regions(self, translation):
        """Static, fluid, disoccluded and outside: [H, W] uint8."""
        points, surface = self.hit(translation)
        pixel, depth = self.pixel(points)
        _, still = self.pixel(self.hit((0, 0, 0))[0])
        column, row = np.floor(pixel).astype(int)[..., 0], np.floor(pixel).astype(int)[..., 1]
        outside = (column < 0) | (column >= self.width) | (row < 0) | (row >= self.height)
        seen = still[row.clip(0, self.height - 1), column.clip(0, self.width - 1)]
        region = np.where(surface == WATER, 1, 0)
        region[depth > seen * 1.05] = 2
        return np.where(outside, 255, region).astype(np.uint8)


def write_truth(folder: Path, river: River, *, frames=(0, 5, 11), name="river") -> Path:
    """Writes one scene in the format that `synthetic.truth_folder` reads; returns its folder."""
    place = folder / name
    place.mkdir(parents=True)
    points, surface = river.hit((0, 0, 0))
    start, depth = river.pixel(points)
    flow = river.pixel(points + river.velocity)[0] - start
    moving = surface == WATER
    np.save(place / "depth.npy", depth.astype(np.float32))
    np.save(place / "flow.npy", (flow * moving[..., None]).transpose(2, 0, 1).astype(np.float32))
    cv2.imwrite(str(place / "moving.png"), moving.astype(np.uint8) * 255)
    _write(place / "still.png", river.picture((0, 0, 0), 0))
    poses: dict[str, dict[str, list]] = {}
    for move, end in MOVES.items():
        (place / "views" / move).mkdir(parents=True)
        for frame in frames:
            translation = np.array(end) * frame / (river.num_frames - 1)
            pose = np.eye(4)
            pose[:3, 3] = translation
            poses.setdefault(move, {})[str(frame)] = pose.tolist()
            view = place / "views" / move / f"{frame:04d}.png"
            _write(view, river.picture(translation, frame))
            cv2.imwrite(str(view.with_suffix(".regions.png")), river.regions(translation))
    (place / "scene.json").write_text(json.dumps(_facts(river, poses, frames, name)))
    return place


def _facts(river, poses, frames, name):
    centre_x, centre_y, focal = river.width / 2, river.height / 2, river.focal
    return {
        "format": 1,
        "name": name,
        "split": "test",
        "seed": 5,
        "family": "river",
        "textures": [],
        "width": river.width,
        "height": river.height,
        "num_frames": river.num_frames,
        "fps": 25,
        "intrinsics": [[focal, 0, centre_x], [0, focal, centre_y], [0, 0, 1]],
        "disparity_range": [1 / WALL, 1],
        "trajectories": {move: list(frames) for move in MOVES},
        "poses": poses,
    }


def _write(path: Path, rgb: np.ndarray) -> None:
    values = np.clip(np.rint(rgb[..., ::-1] * 255), 0, 255).astype(np.uint8)
    cv2.imwrite(str(path), values)
