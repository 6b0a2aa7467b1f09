"""What the worker answers to a build, made of numbers: no torch, no photo."""

import struct
import zlib
from pathlib import Path

import numpy as np

from blender_addon.scene import photo_scene

NUM_FRAMES, KEYS = 12, 5


def worker_answer(
    num_static=400, moving=((1, 300), (3, 200)), seed=0, width=160, height=90, regions=None
):
    """Value and arrays like those of the worker's `build`."""
    generator = np.random.default_rng(seed)
    arrays = {"photo": png_bytes(generator.integers(0, 255, (height, width, 3), np.uint8))}
    groups = [(0, num_static), *moving]
    for number, (cycles, count) in enumerate(groups):
        keys = KEYS if cycles else 0
        direction = generator.normal(0, 0.05, (1, count, 3)).astype(np.float32)
        steps = np.linspace(0, 1, keys, dtype=np.float32)[:, None, None]
        positions = generator.uniform(-1, 1, (count, 3)).astype(np.float32)
        positions[:, 2] += 3
        arrays |= {
            f"positions_{number}": positions,
            f"rgb_{number}": generator.integers(0, 255, (count, 3), np.uint8),
            f"layer_{number}": generator.integers(0, 3, count, np.int16),
            f"radius_{number}": np.full(count, 0.01, np.float32),
            f"forward_{number}": direction * steps**2,
            f"backward_{number}": -direction * steps,
        }
    camera = {
        "K": [[200.0, 0, width / 2], [0, 200.0, height / 2], [0, 0, 1]],
        "world_to_camera": np.eye(4).tolist(),
        "height": height,
        "width": width,
    }
    value = {
        "regions": list(regions or [0] * len(groups)),
        "cycles": [cycles for cycles, _ in groups],
        "camera": camera,
        "framing": {"near": 1.0, "far": 0.1, "reach": 0.7},
        "num_frames": NUM_FRAMES,
        "fps": 25.0,
        "assumed": [],
        "photo_sha256": "a" * 64,
        "scene_sha256": "b" * 64,
        "models": {"compact-depth": "c" * 64},
    }
    return value, arrays


def png_bytes(rgb):
    """The bytes of a PNG file of [H, W, 3] uint8."""

    def chunk(kind, data):
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    height, width, _ = rgb.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = np.pad(rgb.reshape(height, -1), ((0, 0), (1, 0)))  # each row says: no filter
    body = chunk(b"IDAT", zlib.compress(rows.tobytes())) + chunk(b"IEND", b"")
    return np.frombuffer(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body, np.uint8)


def show(scene, *, photo="lake.jpg", options=None, **answer):
    """A synthetic photo in a Blender scene; gives its root, and the worker's answer."""
    value, arrays = worker_answer(**answer)
    options = options or photo_scene.SceneOptions()
    path = Path("/photos") / photo
    root = photo_scene.show_photo(scene, path, path.with_suffix(".cine3d"), value, arrays, options)
    return root, value, arrays


def expected_points(value, arrays, number, frame):
    """Positions in Blender's axes of one object's vertices at a scene frame, and their weights."""
    positions, cycles = arrays[f"positions_{number}"], value["cycles"][number]
    weight = np.ones(len(positions))
    if cycles:
        phase = (frame - 1) * cycles % value["num_frames"] / value["num_frames"]
        copies = [
            positions + _between(arrays[f"{name}_{number}"], share)
            for name, share in (("forward", phase), ("backward", 1 - phase))
        ]
        weight = np.concatenate([weight * (1 - phase), weight * phase])
        positions = np.concatenate(copies)
    return np.stack([positions[:, 0], positions[:, 2], -positions[:, 1]], axis=1), weight


def _between(keys, share):
    place = share * (len(keys) - 1)
    low = min(int(place), len(keys) - 2)
    return keys[low] * (1 - (place - low)) + keys[low + 1] * (place - low)
