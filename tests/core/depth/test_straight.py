"""Straight edges of a photo stay straight when the camera moves."""

import numpy as np
import torch
from torch import Tensor

from cine3d_core.depth.refine import DepthParams, depth_to_disparity
from cine3d_core.depth.sources import open_depth_source
from cine3d_core.depth.straight import straighten
from cine3d_core.files.models.networks import Networks
from cine3d_core.imaging.vanishing import find_lines
from cine3d_core.moves import TRAVEL
from tests.core.imaging.made_up_places import make_place

WIDTH = 1280  # px at which bends are told
BESIDE = 0.004  # of the long side: where they are measured
LONG = 0.12  # of the long side: lines that are measured


def bends(disparity: Tensor, colour: np.ndarray) -> np.ndarray:
    """How far each side of each long line bends at the end of a slide, px of a wide picture."""
    values = disparity[0].numpy()
    height, width = values.shape
    side = max(height, width)
    lines = find_lines(colour)
    found = []
    for start, end in zip(lines.start, lines.end, strict=True):
        way = (end - start) / np.linalg.norm(end - start)
        if np.linalg.norm(end - start) < LONG:
            continue
        along = np.linspace(0.03, 0.97, 200)
        for normal in (np.array([-way[1], way[0]]), np.array([way[1], -way[0]])):
            at = start + (end - start) * along[:, None] + BESIDE * normal
            column = np.clip(at[:, 0] * side + width / 2, 0, width - 1).astype(int)
            row = np.clip(at[:, 1] * side + height / 2, 0, height - 1).astype(int)
            seen = values[row, column]
            departure = seen - np.polyval(np.polyfit(along, seen, 1), along)
            found.append(np.abs(departure).max() * abs(normal[0]) * TRAVEL * WIDTH)
    return np.array(found)


def wavy_wall() -> tuple[Tensor, Tensor]:
    """A wall that goes away to the right and its windows, and an estimate of it that waves."""
    colour = np.full((240, 320, 3), 0.7, np.float32)
    for top in (40, 110, 180):
        colour[top : top + 30, 20:300] = 0.2
    rows, columns = np.mgrid[:240, :320].astype(np.float32)
    true = 0.8 - 0.4 * columns / 320
    estimate = true + 0.03 * np.sin(columns / 25) * np.cos(rows / 40)
    return torch.from_numpy(colour).permute(2, 0, 1), torch.from_numpy(estimate)[None]


def test_a_wall_that_waves_gets_straight_along_its_lines():
    rgb, estimate = (plane.transpose(1, 2).contiguous() for plane in wavy_wall())  # upright lines
    colour = np.ascontiguousarray(rgb.permute(1, 2, 0).numpy())
    before, after = bends(estimate, colour), bends(straighten(estimate, rgb), colour)
    assert np.median(before) > 0.7 and np.median(after) < 0.4 * np.median(before)


def test_without_lines_nothing_changes():
    estimate = wavy_wall()[1]
    assert torch.equal(straighten(estimate, torch.full((3, 240, 320), 0.5)), estimate)


def test_a_step_beside_a_line_stays_a_step():
    rgb, _ = wavy_wall()
    estimate = torch.full((1, 240, 320), 0.3)
    estimate[:, :110] = 0.7  # the upper edge of the second window is where something ends
    straight = straighten(estimate, rgb)
    assert (straight - estimate).abs().max() < 1e-3


def test_a_wire_thinner_than_its_side_keeps_its_depth():
    rgb, _ = wavy_wall()
    estimate = torch.full((1, 240, 320), 0.3)
    estimate[:, 107:109, 20:300] = 0.36
    straight = straighten(estimate, rgb)
    assert (straight[0, 107:109, 40:280] > 0.34).all()


def test_streets_and_rooms_stay_straight():
    source, params, bent = open_depth_source("compact", Networks()), DepthParams(), []
    for seed in range(12, 17):  # not those on which the parameters were chosen
        colour = make_place(seed).colour
        rgb = torch.from_numpy(np.ascontiguousarray(colour)).permute(2, 0, 1)
        found = source(rgb, params=params)
        bent.append(bends(depth_to_disparity(found.depth, params=params), colour))
    assert (np.concatenate(bent) < 1.5).mean() > 0.9
