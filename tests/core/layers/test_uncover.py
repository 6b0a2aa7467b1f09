import cv2
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.imaging.nearest import nearest_pixel
from cine3d_core.imaging.push_pull import push_pull
from cine3d_core.layers.cut import LayeringParams, build_layers
from cine3d_core.layers.fill import FilledPicture, analytic_fill
from cine3d_core.layers.uncover import InpaintParams, extend_canvas, inpaint_layers
from cine3d_core.scene import LayeredDepthImage

PARAMS = InpaintParams()
RED, BLUE = torch.tensor([0.9, 0.1, 0.1]), torch.tensor([0.1, 0.2, 0.8])
HEIGHT, WIDTH = 120, 200


def noise(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def box(height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """True in the middle ninth and down to the lower border: [1, H, W]."""
    inside = torch.zeros(1, height, width, dtype=torch.bool)
    inside[:, height // 3 :, width // 3 : 2 * width // 3] = True
    return inside


def red_before_blue(height: int = HEIGHT, width: int = WIDTH) -> LayeredDepthImage:
    near = box(height, width)
    rgb = torch.where(near, RED[:, None, None], BLUE[:, None, None])
    return layers_of(rgb, torch.where(near, 1.5, 6.0))


def layers_of(rgb: Tensor, depth: Tensor) -> LayeredDepthImage:
    return build_layers(rgb, depth, LayeringParams())


def gaussian_blur(rgb: Tensor, sigma: float) -> Tensor:
    picture = cv2.GaussianBlur(rgb.permute(1, 2, 0).contiguous().numpy(), (0, 0), sigma)
    return torch.from_numpy(picture).permute(2, 0, 1).contiguous()


def visible(ldi: LayeredDepthImage) -> Tensor:
    return (ldi.rgba[:, 3:] > 0) & ~ldi.inpainted


def depth_behind(ldi: LayeredDepthImage) -> Tensor:
    """Depth of what is visible, at every layer: [1, 1, H, W]."""
    return (ldi.depth * visible(ldi)).sum(dim=0, keepdim=True)


def test_no_foreground_colour_leaks_into_what_is_filled():
    filled = inpaint_layers(red_before_blue(), params=PARAMS)
    colours = filled.rgba[:, :3].permute(0, 2, 3, 1)[filled.inpainted[:, 0]]
    assert len(colours) > 1000
    torch.testing.assert_close(colours, BLUE.expand_as(colours), atol=1e-4, rtol=0)


def test_a_constant_background_goes_on_at_its_own_depth():
    filled = inpaint_layers(red_before_blue(), params=PARAMS)
    depth = filled.depth[filled.inpainted & box()]
    torch.testing.assert_close(depth, torch.full_like(depth, 6.0), atol=1e-3, rtol=0)
    # what goes on behind what is seen beside the box lies just behind it
    beside = filled.depth[filled.inpainted & ~box()]
    assert (beside > 6.0).all() and (beside < 6.0 * 1.06).all()


def test_the_band_has_no_holes():
    filled = inpaint_layers(red_before_blue(), params=PARAMS)
    far_side = ~box()[None].float().bool()
    reach = round(PARAMS.parallax * (1 / 1.5 - 1 / 6) * WIDTH)
    near_edge = F.max_pool2d(far_side.float(), 2 * reach - 1, 1, reach - 1) > 0
    wanted = near_edge & box()
    assert (filled.rgba[1:, 3:] > 0).any(dim=0)[wanted[0]].all()


def test_what_is_filled_lies_behind_what_is_visible():
    rgb, depth = (
        noise(0, 3, HEIGHT, WIDTH),
        torch.where(box(), 2.0, 2.0 + 4 * noise(1, 1, 1, WIDTH)),
    )
    filled = inpaint_layers(layers_of(rgb, depth), params=PARAMS)
    margin = filled.depth / depth_behind(filled)
    assert margin[filled.inpainted].min() >= 1 + PARAMS.clearance - 1e-4


def test_the_visible_picture_is_untouched():
    near = box()
    mixture = F.avg_pool2d(near[None].float(), 5, 1, 2, count_include_pad=False)[0]
    rgb = (RED[:, None, None] * mixture + BLUE[:, None, None] * (1 - mixture)).clamp(0, 1)
    rgb = (rgb + 0.1 * noise(2, 3, HEIGHT, WIDTH)).clamp(0, 1)
    filled = inpaint_layers(layers_of(rgb, torch.where(near, 1.5, 6.0)), params=PARAMS)
    assert torch.equal(visible(filled).sum(dim=0), torch.ones(1, HEIGHT, WIDTH, dtype=torch.int64))
    assert torch.equal((filled.rgba[:, :3] * visible(filled)).sum(dim=0), rgb)


def test_pixels_mixed_with_foreground_move_to_the_foreground():
    near = box(240, 400)
    mixture = F.avg_pool2d(near[None].float(), 5, 1, 2, count_include_pad=False)[0]
    rgb = RED[:, None, None] * mixture + BLUE[:, None, None] * (1 - mixture)
    filled = inpaint_layers(layers_of(rgb, torch.where(near, 1.5, 6.0)), params=PARAMS)
    background = filled.rgba[1, :3][:, filled.rgba[1, 3] > 0]
    assert (background[0] - BLUE[0]).max() < PARAMS.fringe_share * float(RED[0] - BLUE[0])
    mixed = (mixture > 0.35)[0]
    assert (filled.rgba[0, 3] > 0)[mixed].all()


def test_a_rim_moves_with_the_foreground_and_all_else_by_itself():
    near = box(240, 400)
    mixture = F.avg_pool2d(near[None].float(), 5, 1, 2, count_include_pad=False)[0]
    rgb = RED[:, None, None] * mixture + BLUE[:, None, None] * (1 - mixture)
    filled = inpaint_layers(layers_of(rgb, torch.where(near, 1.5, 6.0)), params=PARAMS)
    assert filled.moves_with is not None
    own = torch.arange(near.numel()).view(240, 400)
    rim = (filled.rgba[0, 3] > 0) & ~near[0]
    assert rim.any()
    assert near[0].flatten()[filled.moves_with[rim]].all()
    assert torch.equal(filled.moves_with[~rim], own[~rim])


def test_a_ramp_cut_into_layers_is_not_continued():
    rows = torch.linspace(0.05, 1, HEIGHT)[:, None].expand(HEIGHT, WIDTH)
    ldi = layers_of(noise(3, 3, HEIGHT, WIDTH), 1 / rows[None])
    assert len(ldi.rgba) > 1
    filled = inpaint_layers(ldi, params=PARAMS)
    assert not filled.inpainted.any() and torch.equal(filled.rgba, ldi.rgba)


def test_one_plane_stays_one_layer():
    ldi = layers_of(noise(3, 3, HEIGHT, WIDTH), torch.full((1, HEIGHT, WIDTH), 3.0))
    filled = inpaint_layers(ldi, params=PARAMS)
    assert len(filled.rgba) == 1 and not filled.inpainted.any()


def test_a_jump_within_one_layer_is_filled_in_a_layer_behind():
    near = box()
    depth = torch.where(near, 1.5, 6.0)
    one = torch.ones(1, 1, HEIGHT, WIDTH)
    rgb = torch.where(near, RED[:, None, None], BLUE[:, None, None])
    ldi = LayeredDepthImage(torch.cat([rgb[None], one], 1), depth[None], one < 0)
    filled = inpaint_layers(ldi, params=PARAMS)
    assert len(filled.rgba) == 2 and filled.inpainted[1].sum() > 1000
    assert torch.equal(filled.rgba[:1], ldi.rgba)


def test_texture_goes_on_and_is_not_smeared():
    near = box()
    stripes = (0.5 + 0.4 * torch.sin(torch.arange(HEIGHT) * 1.2))[:, None].expand(HEIGHT, WIDTH)
    rgb = torch.where(near, RED[:, None, None], stripes.expand(3, -1, -1))
    filled = inpaint_layers(layers_of(rgb, torch.where(near, 1.5, 6.0)), params=PARAMS)
    beside = filled.rgba[1, 0, 60:115, WIDTH // 3 : WIDTH // 3 + 4]
    assert filled.inpainted[1, 0, 60:115, WIDTH // 3 : WIDTH // 3 + 4].all()
    assert (beside - stripes[60:115, :4]).abs().mean() < 0.08


def test_a_slanted_cable_goes_on_straight_behind_something():
    y, x = torch.meshgrid(torch.arange(240), torch.arange(400), indexing="ij")
    cable = ((y - 150 - 0.6 * (x - 400 / 3)).abs() < 4).float()  # 6.9 px across
    rgb = (0.7 - 0.5 * cable).expand(3, -1, -1)
    near = box(240, 400)
    rgb = torch.where(near, RED[:, None, None], rgb)
    filled = analytic_fill(rgb, torch.ones(1, 240, 400), ~near, near).rgb
    beside = (slice(120, 200), slice(400 // 3 + 1, 400 // 3 + 14))
    truth = (0.7 - 0.5 * cable)[beside]
    assert (filled[0][beside] - truth).abs().mean() < 0.02  # a mirror image: 0.08


def test_filling_follows_a_resize_of_everything():
    shares = [
        float(inpaint_layers(red_before_blue(h, w), params=PARAMS).inpainted.float().mean())
        for h, w in ((120, 200), (240, 400), (480, 800))
    ]
    assert max(shares) < 1.15 * min(shares)


@pytest.mark.usefixtures("two_threads")
def test_filling_gives_the_same_bits_twice_and_keeps_its_input():
    ldi = layers_of(noise(4, 3, HEIGHT, WIDTH), torch.where(box(), 1.5, 6.0))
    before = ldi.rgba.clone()
    first, second = (inpaint_layers(ldi, params=PARAMS) for _ in range(2))
    assert torch.equal(first.rgba, second.rgba) and torch.equal(first.depth, second.depth)
    assert torch.equal(ldi.rgba, before)


def test_another_fill_function_is_used_for_the_hole_and_sees_no_foreground():
    def green(rgb: Tensor, depth: Tensor, context: Tensor, hole: Tensor) -> FilledPicture:
        assert not (context & box()).any() and not (context & hole).any()
        return FilledPicture(torch.tensor([0.0, 1.0, 0.0])[:, None, None].expand_as(rgb), depth * 9)

    filled = inpaint_layers(red_before_blue(), params=PARAMS, fill=green)
    colours = filled.rgba[:, :3].permute(0, 2, 3, 1)[filled.inpainted[:, 0]]
    assert torch.equal(colours.unique(dim=0), torch.tensor([[0.0, 1.0, 0.0]]))


def test_the_analytic_fill_looks_at_the_context_only():
    context, hole = ~box(), box()
    rgb, depth = noise(5, 3, HEIGHT, WIDTH), 1 + noise(6, 1, HEIGHT, WIDTH)
    other = torch.where(context, rgb, noise(7, 3, HEIGHT, WIDTH))
    first = analytic_fill(rgb, depth, context, hole)
    second = analytic_fill(other, torch.where(context, depth, 9.0), context, hole)
    assert torch.equal(first.rgb, second.rgb) and torch.equal(first.depth, second.depth)


@pytest.mark.parametrize("margin", [0, 3, 30])
def test_the_canvas_holds_the_photo_and_its_continuation(margin: int):
    rgb, depth = noise(8, 3, 7, 9), 1 + noise(9, 1, 7, 9)
    canvas = extend_canvas(rgb, depth, margin)
    inside = (slice(None), slice(margin, margin + 7), slice(margin, margin + 9))
    assert canvas.rgb.shape == (3, 7 + 2 * margin, 9 + 2 * margin)
    assert torch.equal(canvas.rgb[inside], rgb) and torch.equal(canvas.depth[inside], depth)
    assert not canvas.inpainted[inside].any()
    assert canvas.inpainted.sum() == canvas.inpainted.numel() - 63
    if margin:
        beside = canvas.source[margin - 1, inside[2]]  # of the row right above the photo
        assert int((beside // 9).max()) == 0
    assert torch.equal(canvas.rgb, rgb.flatten(1)[:, canvas.source])
    assert torch.equal(canvas.depth, depth.flatten(1)[:, canvas.source])


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (33, 20)])
def test_push_pull_keeps_what_is_known_and_stays_in_its_range(size: tuple[int, int]):
    values, known = noise(10, 2, *size), (noise(11, 1, *size) < 0.2).float()
    known[:, 0, 0] = 1
    filled = push_pull(values, known)
    assert torch.equal(filled * known, values * known)
    seen = values[:, known[0] > 0]
    low, high = seen.amin(1)[:, None, None], seen.amax(1)[:, None, None]
    assert ((filled >= low - 1e-5) & (filled <= high + 1e-5)).all()


def test_push_pull_continues_a_constant_and_gives_zero_for_nothing():
    known = (noise(12, 1, 21, 34) < 0.05).float()
    constant = push_pull(torch.full((1, 21, 34), 0.7) * known, known)
    torch.testing.assert_close(constant, torch.full((1, 21, 34), 0.7))
    assert not push_pull(constant, torch.zeros_like(known)).any()


def test_the_nearest_pixel_is_nearest_by_brute_force():
    mask = noise(13, 20, 30).numpy() < 0.03
    distance, nearest = nearest_pixel(mask)
    places = torch.nonzero(torch.from_numpy(mask)).float()
    pixels = torch.cartesian_prod(torch.arange(20.0), torch.arange(30.0))
    shortest = torch.cdist(pixels, places).amin(1).reshape(20, 30)
    chosen = torch.from_numpy(nearest).reshape(-1)
    found = torch.stack([chosen // 30, chosen % 30], dim=1).float()
    torch.testing.assert_close(torch.from_numpy(distance), shortest, rtol=0.03, atol=0)
    torch.testing.assert_close(
        (pixels - found).norm(dim=1).reshape(20, 30), shortest, rtol=0.03, atol=0.2
    )


def test_steep_ground_behind_something_goes_on_behind_it():
    """It is no second near thing whose far side alone would be continued."""
    near = box()
    away = torch.arange(WIDTH, dtype=torch.float32) - 2 * WIDTH // 3
    disparity = (0.3 - 0.06 * away.clamp(min=0)).clamp(min=0.05).expand(1, HEIGHT, WIDTH)
    rgb = torch.where(near, RED[:, None, None], BLUE[:, None, None])
    depth = torch.where(near, 1.5, 1 / disparity)
    filled = inpaint_layers(layers_of(rgb, depth), params=PARAMS)
    edge = slice(2 * WIDTH // 3 - 4, 2 * WIDTH // 3)
    assert filled.inpainted[:, 0, HEIGHT // 2 :, edge].any(dim=0).all()


def test_what_is_filled_goes_on_a_little_behind_what_is_seen_beside_it():
    near = box(240, 400)
    rgb = torch.where(near, RED[:, None, None], BLUE[:, None, None])
    filled = inpaint_layers(layers_of(rgb, torch.where(near, 1.5, 6.0)), params=PARAMS)
    beside = slice(2 * 400 // 3, 2 * 400 // 3 + 2)
    assert filled.inpainted[:, 0, 120:200, beside].any(dim=0).all()
    assert (filled.rgba[0, 3, 120:200, beside] == 0).all()  # and is seen in no frame at rest


def test_a_sharpened_photos_bright_line_goes_with_the_thing_it_surrounds():
    near = box(240, 400)
    grown = F.max_pool2d(near[None].float(), 3, 1, 1)[0] > 0
    line = grown & ~near
    rgb = torch.where(near, RED[:, None, None], BLUE[:, None, None])
    rgb = torch.where(line, (BLUE + 0.12 * (BLUE - RED))[:, None, None].clamp(0, 1), rgb)
    filled = inpaint_layers(layers_of(rgb, torch.where(near, 1.5, 6.0)), params=PARAMS)
    assert (filled.rgba[0, 3] > 0)[line[0]].float().mean() > 0.9
    behind = filled.rgba[1, :3][:, filled.rgba[1, 3] > 0]
    left = (behind - BLUE[:, None]).abs().amax(dim=0) > 0.02
    assert left.sum() < 10  # of 1,000, at the corners


@pytest.mark.parametrize("sigma", [1.5, 3.0, 5.0])
def test_the_blur_of_a_thing_out_of_focus_goes_with_the_thing(sigma: float):
    height, width = 240, 640
    near = box(height, width)
    rgb = torch.where(near, RED[:, None, None], BLUE[:, None, None])
    rgb = gaussian_blur(rgb, sigma)
    filled = inpaint_layers(layers_of(rgb, torch.where(near, 1.5, 6.0)), params=PARAMS)
    behind = filled.rgba[1:].permute(0, 2, 3, 1)
    colours = behind[behind[..., 3] > 0][:, :3]  # what is seen far off, and what is filled
    tint = ((colours - BLUE) @ (RED - BLUE)) / (RED - BLUE).square().sum()
    assert tint.max() < 0.08 and (tint > 0.06).float().mean() < 0.001  # .15 to .31 without care


def test_what_lies_behind_a_sharp_edge_stays_there_though_it_fades_towards_the_thing():
    """A wide gradient of the background's own is no blur of the foreground."""
    height, width = 240, 640
    near = box(height, width)
    away = torch.linspace(0, 1, width)[None, None].expand(1, height, width)
    ground = torch.lerp(RED[:, None, None], BLUE[:, None, None], (2 * (away - 0.5).abs()))
    rgb = torch.where(near, RED[:, None, None], ground)
    layers = layers_of(rgb, torch.where(near, 1.5, 6.0))
    filled = inpaint_layers(layers, params=PARAMS)
    left = (layers.rgba[1, 3] > 0) & (filled.rgba[1, 3] == 0)
    assert left.sum() < 0.01 * (layers.rgba[1, 3] > 0).sum()
