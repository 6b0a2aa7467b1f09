from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from cine3d_core.motion.directions import guess_directions
from cine3d_core.motion.flow import motion_from_hints
from cine3d_core.motion.guess import SKY, WATER, guess_mask, offered_regions
from cine3d_core.scene import FLUIDS, DepthMap, MotionHint

HEIGHT, WIDTH = 180, 320
HORIZON, SHORE = 80, 96


def landscape(*, water: bool) -> tuple[torch.Tensor, DepthMap]:
    """Bluish sky with clouds, a dark wooded far shore, and a lake or a meadow before it."""
    noise = np.random.default_rng(3)
    rows = np.arange(HEIGHT, dtype=np.float32)[:, None, None]
    picture = np.full((HEIGHT, WIDTH, 3), (0.55, 0.7, 0.9), np.float32)
    clouds = cv2.GaussianBlur(noise.standard_normal((HEIGHT, WIDTH)).astype("f4"), (0, 0), 12)
    picture += 2 * np.clip(clouds, 0, 1)[..., None] * (rows < HORIZON)
    grain = noise.standard_normal((HEIGHT, WIDTH, 1)).astype(np.float32)
    picture[HORIZON:SHORE] = (0.12, 0.2, 0.1) + 0.05 * grain[HORIZON:SHORE]
    if water:
        streaks = cv2.GaussianBlur(grain[SHORE:], (0, 0), sigmaX=20, sigmaY=0.7)
        picture[SHORE:] = np.array((0.45, 0.6, 0.8)) + 0.1 * streaks[..., None]
    else:
        picture[SHORE:] = (0.3, 0.5, 0.15) + 0.1 * grain[SHORE:]
    rgb = torch.from_numpy(picture).permute(2, 0, 1).clamp(0, 1).contiguous()
    down = torch.arange(HEIGHT)[:, None].expand(HEIGHT, WIDTH)[None].float()
    disparity = 0.02 + ((down - HORIZON).clamp(min=0) / (HEIGHT - HORIZON))
    return rgb, DepthMap(depth=1 / disparity, sky=(down < HORIZON).float())


def overlap(mask: torch.Tensor, rows: slice) -> float:
    wanted = torch.zeros_like(mask)
    wanted[:, rows] = True
    return ((mask & wanted).sum() / (mask | wanted).sum()).item()


def test_sky_and_lake_are_found_along_their_borders():
    guess = guess_mask(*landscape(water=True))
    assert overlap(guess.kind == SKY, slice(0, HORIZON)) > 0.95
    assert overlap(guess.kind == WATER, slice(SHORE, HEIGHT)) > 0.9
    assert "sky" in guess.description and "water" in guess.description


def test_a_meadow_does_not_move():
    guess = guess_mask(*landscape(water=False))
    assert guess.mask[:, SHORE + 2 :].float().mean() < 0.01


def test_nothing_is_found_in_noise_and_that_is_said():
    rgb = torch.rand(3, 90, 120, generator=torch.Generator().manual_seed(1))
    depth = DepthMap(depth=torch.ones(1, 90, 120), sky=torch.zeros(1, 90, 120))
    guess = guess_mask(rgb, depth)
    assert not guess.mask.any()
    assert guess.description == "found neither sky nor water"
    assert guess_directions(rgb, depth, guess).hints == ()


def test_sky_is_found_by_position_when_the_depth_knows_nothing_of_it():
    rgb, depth = landscape(water=True)
    blind = DepthMap(depth=depth.depth, sky=torch.zeros_like(depth.sky))
    assert overlap(guess_mask(rgb, blind).mask[:, :HORIZON], slice(0, HORIZON)) > 0.85


@pytest.mark.usefixtures("two_threads")
def test_guesses_are_the_same_bits_twice():
    rgb, depth = landscape(water=True)
    first, second = guess_mask(rgb, depth), guess_mask(rgb, depth)
    assert torch.equal(first.kind, second.kind)
    hints = [guess_directions(rgb, depth, g).hints for g in (first, second)]
    assert hints[0] == hints[1]


def test_guessed_directions_make_everything_found_move():
    rgb, depth = landscape(water=True)
    guess = guess_mask(rgb, depth)
    directions = guess_directions(rgb, depth, guess)
    field = motion_from_hints(guess.mask, directions.hints)
    assert (field.velocity.norm(dim=0)[guess.mask[0]] > 0).float().mean() > 0.98
    assert field.velocity[0, HORIZON // 2].min() > 0  # the sky drifts right
    assert "sky drifts right" in directions.description


def test_a_drawn_mask_is_kept_and_its_regions_named():
    rgb, depth = landscape(water=True)
    drawn = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    drawn[:, 10:40, 20:200] = True
    drawn[:, 120:170, 50:300] = True
    guess = guess_mask(rgb, depth, mask=drawn)
    assert torch.equal(guess.mask, drawn)
    assert (guess.kind[:, 20, 30] == SKY).all() and (guess.kind[:, 130, 60] == WATER).all()


@pytest.mark.parametrize(
    ("foot", "inside", "outside"), [((160, 30), 20, 150), ((160, 140), 150, 20)]
)
def test_an_arrow_without_a_mask_moves_what_it_stands_on(foot, inside, outside):
    rgb, depth = landscape(water=True)
    hint = MotionHint(foot, (foot[0] + 20, foot[1]))
    mask = guess_mask(rgb, depth, hints=[hint]).mask[0]
    assert mask[inside].float().mean() > 0.9
    assert not mask[outside].any()


def test_an_arrow_on_something_unknown_grows_a_region_of_its_colour():
    rgb, depth = landscape(water=False)
    rgb[:, 120:160, 100:220] = torch.tensor([0.8, 0.3, 0.2])[:, None, None]
    mask = guess_mask(rgb, depth, hints=[MotionHint((130, 140), (180, 140))]).mask
    wanted = torch.zeros_like(mask)
    wanted[:, 120:160, 100:220] = True
    assert (mask & wanted).sum() / (mask | wanted).sum() > 0.8


def test_the_sky_over_a_close_up_is_refused_when_it_is_nearer_than_the_rest():
    rgb, depth = landscape(water=False)
    upside = DepthMap(depth=depth.depth.flip(1), sky=depth.sky)
    assert not guess_mask(rgb, upside).mask.any()


def test_what_may_be_water_rests_and_is_offered_with_its_place():
    depth = landscape(water=False)[1]
    fluid = torch.zeros(len(FLUIDS), HEIGHT, WIDTH)
    fluid[FLUIDS.index("water"), -HEIGHT // 4 :, : WIDTH // 4] = 0.35
    fluid[FLUIDS.index("sky"), : HEIGHT // 4] = 0.9
    seen = replace(depth, fluid=fluid)
    guess = guess_mask(torch.full((3, HEIGHT, WIDTH), 0.5), seen)
    assert not guess.mask[:, HEIGHT // 2 :].any()
    assert "maybe water at the bottom left (6% of the picture)" in guess.description
    (offered,) = offered_regions(seen, guess.kind[0].numpy())
    assert offered.kind == "water"
    assert offered.probability == pytest.approx(0.35)
    assert offered.x < 0.25 and offered.y > 0.75, "an arrow can start there"


def test_hills_that_pass_for_sky_do_not_drift_with_it():
    rows = torch.arange(HEIGHT)[:, None].expand(HEIGHT, WIDTH)
    sky, hills = rows < HEIGHT // 4, (rows >= HEIGHT // 4) & (rows < HEIGHT // 2)
    fluid = torch.zeros(len(FLUIDS), HEIGHT, WIDTH)
    fluid[FLUIDS.index("sky")] = torch.where(sky, 0.9, torch.where(hills, 0.6, 0.0))
    depth = torch.where(sky, 40.0, torch.where(hills, 12.0, 3.0))[None]
    seen = DepthMap(depth=depth, sky=fluid[:1], fluid=fluid)
    assert torch.equal(guess_mask(torch.full((3, HEIGHT, WIDTH), 0.5), seen).mask[0], sky)


def test_what_nobody_looked_for_is_not_offered():
    depth = landscape(water=False)[1]
    assert offered_regions(depth, np.zeros((HEIGHT, WIDTH), np.uint8)) == []
