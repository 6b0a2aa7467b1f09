"""Synthetic rivers: channels with islands and bends, and rapids that fall and calm down by turns.

Channels are solved for their stream function on the ground and seen in perspective. Rapids follow
the energy of water on a slope that changes at random, one number along their course.
"""

from __future__ import annotations

import cv2
import numpy as np

from cine3d_core.synthetic.flow_solver import Channel, channel_flow
from cine3d_core.synthetic.flows import (
    WATER,
    Array,
    Generator,
    Mask,
    Size,
    Surface,
    heading,
    random_ground,
    smooth_noise,
    wavy,
)


def river(rng: Generator, size: Size) -> Surface:
    """A river with islands and rocks, solved on the ground and seen in perspective."""
    plane, (x, y) = random_ground(rng, size), size.grid()
    channel = random_channel(rng)
    foot_y = rng.uniform(max(plane.horizon, 0) + 0.3 * size.height, 1.05 * size.height)
    foot_y = max(foot_y, plane.horizon + 0.15 * size.height)
    foot = plane.world(np.array(size.width * rng.uniform(0.2, 0.8)), np.array(foot_y))
    half_px = np.exp(rng.uniform(-2.2, -0.1)) * size.width
    angle = heading(rng)
    scale = half_px / plane.below(np.array(foot_y))
    right, forward = (a - b for a, b in zip(plane.world(x, y), foot, strict=True))
    # foreshortened lengths: a channel across the view would otherwise fill it
    scale = float(scale) * (1 + 1.5 * abs(np.cos(angle)) * plane.focal / size.long_side)
    along = (right * np.cos(angle) + forward * np.sin(angle)) / scale
    across = (-right * np.sin(angle) + forward * np.cos(angle)) / scale
    shift, slope = _meander(rng, along)
    velocity, water, stream = sample_channel(channel, along, across - shift)
    sideways = velocity[..., 1] + slope * velocity[..., 0]
    east = velocity[..., 0] * np.cos(angle) - sideways * np.sin(angle)
    north = velocity[..., 0] * np.sin(angle) + sideways * np.cos(angle)
    inside = water & (plane.below(y) > rng.uniform(0.01, 0.08) * size.height)
    streaks = rng.choice([0.4, 1.0, 2.5])
    texture = np.stack([along * streaks, stream * rng.uniform(1, 4)], -1)
    if rng.random() < 0.5:
        texture = np.stack([right, forward], -1) / scale * rng.uniform(0.5, 2)
    flow = plane.flow(x, y, east, north)
    near = plane.nearness(y, size)
    rising = int(rng.random() < 0.5) * int(rng.integers(0, size.height // 16))
    return Surface(inside, flow, WATER, "river", texture, near, rising)


def _meander(rng: Generator, along: Array) -> tuple[Array, Array]:
    """How far a river has turned aside, and its slope; such a shear keeps every area."""
    if rng.random() < 0.4:
        return np.zeros_like(along), np.zeros_like(along)
    wave, phase = 2 * np.pi / rng.uniform(2.5, 8), rng.uniform(0, 2 * np.pi)
    amount = rng.uniform(0, 1.2) / wave
    shift = amount * (np.sin(wave * along + phase) - np.sin(phase))
    return shift, amount * wave * np.cos(wave * along + phase)


def random_channel(rng: Generator) -> Channel:
    """Banks that wander and differ in width, with none to many islands, smooth or ragged."""
    rows, columns, length = 64, 128, 4.0
    waves = int(rng.choice([2, 4, 8]))
    middle = 0.35 * rng.random() * wavy(rng, columns, waves=waves, periodic=True)
    width = rng.uniform(0.35, 0.8) + 0.25 * rng.random() * wavy(
        rng, columns, waves=2 * waves, periodic=True
    )
    width = np.clip(width, 0.2, 0.95)
    low, high = np.clip(middle - width, -0.97, 0.5), np.clip(middle + width, -0.5, 0.97)
    y, x = np.mgrid[-1 : 1 : rows * 1j, 0 : length : columns * 1j]
    islands = np.zeros((rows, columns), bool)
    for _ in range(rng.poisson(rng.choice([1, 3, 7])) if rng.random() < 0.8 else 0):
        centre_x, centre_y = rng.uniform(0, length), rng.uniform(-0.6, 0.6)
        radius, slim, turn = np.exp(rng.uniform(-3.2, -1.1)), rng.uniform(0.4, 1), rng.uniform(0, 3)
        dx = (x - centre_x + length / 2) % length - length / 2
        dy = y - centre_y
        a, b = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        ragged = 0.6 * rng.random() * np.sin(rng.integers(2, 6) * np.arctan2(b, a) + turn)
        islands |= (a / radius) ** 2 + (b / (slim * radius)) ** 2 < (1 + ragged) ** 2
    layer = np.exp(rng.uniform(-4.5, -0.7))
    return channel_flow(
        low, high, islands, length=length, bank_layer=layer, roundness=rng.uniform(0, 1)
    )


def sample_channel(channel: Channel, along: Array, across: Array) -> tuple[Array, Mask, Array]:
    """Velocity, water and stream function at places of a channel ([H, W] each)."""
    rows, columns = channel.water.shape
    at_x = ((along / channel.length) % 1.0 * columns).astype(np.float32)
    at_y = ((np.clip(across, -1.2, 1.2) + 1) / 2 * (rows - 1)).astype(np.float32)
    planes = np.dstack([channel.velocity, channel.water, channel.stream]).astype(np.float32)
    wrapped = np.concatenate([planes, planes[:, :1]], 1)
    found = cv2.remap(wrapped, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    found = found.astype(np.float64)
    return found[..., :2], found[..., 2] > 0.5, found[..., 3]


def rapids(rng: Generator, size: Size) -> Surface:
    """A stream that comes down the picture over steep and level stretches.

    Its energy grows with the slope and is lost to friction (v dv/ds = slope - v^2 / reach), it
    narrows where it is fast (continuity), and level stretches are foreshortened.
    """
    x, y = size.grid()
    rows = size.height
    steep = _slopes(rng, rows)
    speed = speeds_along(
        steep, gain=np.exp(rng.uniform(0.5, 3)), reach=np.exp(rng.uniform(-3, 0.5))
    )
    seen = 1 - (1 - steep) * rng.uniform(0.0, 0.8)  # rows of the picture per length of course
    half = (
        size.width * np.exp(rng.uniform(-2.8, -1.2)) * (speed / speed.mean()) ** -rng.uniform(0, 1)
    )
    half = half * np.exp(0.15 * wavy(rng, rows, waves=8)) * np.linspace(1, rng.uniform(1, 2), rows)
    half = cv2.GaussianBlur(half[:, None], (1, 0), 0.02 * rows, sigmaY=0.02 * rows)
    turn = rng.random() * 0.15 * wavy(rng, rows, waves=int(rng.choice([2, 5])))
    middle = (size.width * (rng.uniform(0.3, 0.7) + turn))[:, None]
    across = (x - middle) / half
    lean = np.gradient(middle[:, 0])[:, None] + across * np.gradient(half[:, 0])[:, None]
    profile = 1 - rng.uniform(0, 0.95) * np.clip(np.abs(across), 0, 1) ** rng.uniform(2, 6)
    down = (speed * seen)[:, None] * profile
    flow = np.stack([down * lean, down], -1)
    top, bottom = rng.uniform(-0.2, 0.3) * rows, rng.uniform(0.75, 1.3) * rows
    inside = (np.abs(across) < 1) & (y > top) & (y < bottom)
    if rng.random() < 0.5:
        inside &= smooth_noise(rng, size, 0.1 * size.long_side) < rng.uniform(1.2, 2.2)
    course = np.cumsum(1 / seen)[:, None] / rows
    texture = np.stack([across * rng.uniform(0.5, 2), course * rng.uniform(1, 3) + 0 * x], -1)
    near = np.cumsum(1 / seen)
    near = np.broadcast_to((near / near[-1])[:, None], x.shape) * rng.uniform(0.4, 1)
    return Surface(inside, flow, WATER, "fall", texture, near)


def _slopes(rng: Generator, rows: int) -> Array:  # [rows] in [0, 1]
    """Level and steep stretches by turns, from none to many."""
    noise = wavy(rng, rows, waves=int(rng.choice([2, 5, 10]))) + 0.3 * rng.normal()
    sharp = np.exp(rng.uniform(0, 3.5))
    return 1 / (1 + np.exp(-np.clip(sharp * noise, -30, 30)))


def speeds_along(steep: Array, *, gain: float, reach: float) -> Array:  # [rows], mean about 1
    """Speed from top to bottom by the energy that slopes (0 to 1) give and friction takes."""
    energy, step = np.zeros(len(steep)), 1 / len(steep)
    now = 0.2 + steep[0] * gain * reach
    for row, slope in enumerate(steep):
        now += step * (2 * gain * slope - (now - 0.1) / reach)
        energy[row] = max(now, 0.05)
    speed = np.sqrt(energy)
    return speed / speed.mean()
