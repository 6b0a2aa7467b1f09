"""Training of the renderer: warped views, pairs, losses, a few steps of both families."""

import csv
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.files.models.store import load_network
from cine3d_core.files.pictures.flow import write_flow
from cine3d_core.networks.features import pixel_grid
from cine3d_core.render.animation import AnimationParams, Shot, prepare
from cine3d_core.training.render import clips, families, train, warped_views
from cine3d_core.training.render import data as render_data
from cine3d_core.training.render import pairs as render_pairs
from cine3d_core.training.render.pairs import FrameSetup, PairParams
from cine3d_core.training.render.scores import score
from cine3d_core.training.trainer import shipped
from tests.river import HEIGHT, WIDTH, river_depth, river_scene, texture

CPU = torch.device("cpu")
PARAMS = PairParams(window=(40, 64), patch=32, num_frames=6, least_seen=0.5)
TINY = train.RenderTrainingConfig(
    steps=4,
    batch=2,
    warmup_steps=1,
    gan_from=0.5,
    gan_width=4,
    perceptual_every=2,
    checkpoint_steps=2,
    validation=("held",),
    bfloat16=False,
)


class Judge(torch.nn.Module):
    """A perceptual distance without a network."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).square().mean()


def photograph() -> warped_views.Photograph:
    fine = texture(2 * HEIGHT, 2 * WIDTH, seed=5).permute(1, 2, 0)
    return warped_views.Photograph((fine * 255).round().byte().numpy(), river_depth())


def river_pairs() -> list[render_data.RenderPair]:
    prepared = prepare(river_scene())
    camera = prepared.scene.camera
    setup = FrameSetup(prepared, prepared, Shot(camera, camera, camera), 5, AnimationParams())
    frame, target = render_pairs.splatted(setup), texture(HEIGHT, WIDTH, seed=3)
    return list(render_pairs.patches(setup, frame, target, PARAMS, np.random.default_rng(0)))


def written(folder: Path) -> Path:
    """Pairs of a held-out picture, of another and of a scene in a folder."""
    for name in ("held", "river", "scene-a"):
        (folder / name).mkdir()
        for number, pair in enumerate(river_pairs()):
            render_data.write_pair(folder / name / f"{number:03d}.npz", pair)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return written(tmp_path)


# warped views


def test_a_camera_that_does_not_move_sees_the_photograph():
    photo = photograph()
    view = warped_views.view_from(photo, warped_views.Window(4, 8, 40, 64), (0.0, 0.0, 0.0))
    assert np.abs(view.fine.astype(int) - photo.fine[8:88, 16:144]).max() <= 1
    away = (view.depth - photo.depth[:, 4:44, 8:72]).abs() / view.depth
    assert (away < 0.02).float().mean() > 0.9  # all but what the median has smoothed


def test_what_is_farther_moves_less():
    photo = photograph()
    near = replace(photo, depth=torch.full_like(photo.depth, 2.0))
    far = replace(photo, depth=torch.full_like(photo.depth, 8.0))
    window, move = warped_views.Window(4, 8, 40, 64), (0.1, 0.0, 0.0)
    shifts = []
    for one in (near, far):
        seen = warped_views.view_from(one, window, move).fine[:, 20:100].astype(int)
        errors = [np.abs(seen - one.fine[8:88, 36 + s : 116 + s]).mean() for s in range(12)]
        shifts.append(int(np.argmin(errors)))
    assert shifts == [8, 2]  # 0.1 * 160 px / depth, on the fine picture


def test_a_flow_brings_the_earlier_picture_to_the_present_one():
    photo = photograph()
    view = warped_views.view_from(photo, warped_views.Window(0, 0, HEIGHT, WIDTH), (0.0, 0.0, 0.0))
    moving = torch.ones(1, HEIGHT, WIDTH, dtype=torch.bool)
    velocity = torch.zeros(2, HEIGHT, WIDTH)
    velocity[0] = 1.0
    motion = warped_views.MotionField(velocity, moving, moving.to(torch.int16))
    earlier = warped_views.flowed(view, motion, 3).astype(int)
    assert np.abs(earlier[:, 8:100] - view.fine[:, 14:106]).max() <= 1


def test_random_flow_keeps_off_jumps_and_within_its_length():
    motion = warped_views.random_flow(
        river_depth(), 6.0, 12, np.random.default_rng(1), warped_views.Blobs()
    )
    speed = motion.velocity.norm(dim=0)
    assert speed.max() <= 0.5 + 1e-5
    assert not speed[~motion.moving[0]].any()
    jump = (river_depth()[0, :, 1:] - river_depth()[0, :, :-1]).abs() > 0.5
    assert not (motion.moving[0, :, 1:] & jump).any()


def test_a_random_setup_gives_pairs_near_the_photograph():
    photo = photograph()
    generator = np.random.default_rng(2)
    setup = render_pairs.random_setup(photo, warped_views.Window(4, 8, 40, 64), PARAMS, generator)
    frame = render_pairs.splatted(setup)
    target = warped_views.averaged_down(photo.fine[8:88, 16:144])
    seen = frame.seen[0] > 0.95
    assert seen.float().mean() > 0.3
    assert (frame.planes[:3] - target)[:, seen].abs().mean() < 0.1


# pairs


def test_points_and_shares_of_a_pair_give_its_splat():
    for pair in river_pairs():
        batch = render_data.to_batch([pair])
        colours = render_data.splat_features(batch.layers[0][:, :3], batch.point[0], batch.share[0])
        marks = pixel_grid(batch.layers[0])
        strength = render_data.splat_features(marks, batch.point[0], batch.share[0]).abs()
        static = (batch.planes[0, 5] == 0) & (batch.weight[0, 0] > 0.99)
        sharp = static & (strength.amin(dim=0) > 0.8)  # elsewhere the plane has more detail
        away = (colours - batch.planes[0, :3]).abs().amax(dim=0)[sharp]
        assert sharp.any()
        assert away.quantile(0.95) < 0.02


def test_turned_pairs_still_fit_together():
    pair = river_pairs()[0]
    turned = render_data.to_batch([render_data.transposed(render_data.mirrored(pair))])
    plain = render_data.to_batch([pair])
    own, other = (
        render_data.splat_features(b.layers[0], b.point[0], b.share[0]) for b in (turned, plain)
    )
    assert torch.equal(own, other.flip(-1).transpose(1, 2))


def test_pairs_come_back_from_disk(tmp_path: Path):
    pair = river_pairs()[0]
    render_data.write_pair(tmp_path / "p.npz", pair)
    back = render_data.read_pair(tmp_path / "p.npz")
    assert all(np.array_equal(getattr(back, n), v) for n, v in vars(pair).items())


def test_a_folder_without_pairs_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="holds no pairs"):
        render_data.find_pairs(tmp_path)


# losses and runs


def test_what_was_invented_counts_little():
    batch = render_data.to_batch([river_pairs()[0]])
    wrong = batch.target + torch.where(batch.weight > 0.5, 0.0, 0.5)
    assert train.weighted_error(wrong, batch, 0.0) <= train.weighted_error(wrong, batch, 1.0)
    assert train.weighted_error(batch.target, batch, 0.15) == 0


def test_an_untrained_compact_renderer_gives_the_splat():
    batch = render_data.to_batch(river_pairs()[:1])
    network = families.build("compact", {})
    assert torch.equal(network(batch, torch.ones(1)), batch.planes[:, :3])


def small_trainer(folder: Path) -> train.RenderTrainer:
    """A training of pairs of the river, one picture of it held out."""
    paths, held_out = train.split_paths(render_data.find_pairs(written(folder)), TINY)
    assert {path.parent.name for path in held_out} == {"held"}
    return train.RenderTrainer(TINY, paths, Judge(), CPU)


def test_the_official_networks_take_a_step(data: Path):
    config = replace(train.official_config(), steps=1, gan_width=4)
    trainer = train.RenderTrainer(config, render_data.find_pairs(data), Judge(), CPU)
    before = trainer.network.decoder.firstconv.weight.clone()
    terms = trainer.advance()
    assert torch.isfinite(terms.total)
    assert terms.matching > 0
    assert not torch.equal(before, trainer.network.decoder.firstconv.weight)


def test_a_run_logs_true_scores_and_its_models_are_the_mean_weights(
    data: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(train, "ImagenetFeatures", lambda weights: Judge())
    out = tmp_path / "out"
    checkpoint = train.train(TINY, data, out, encoder=tmp_path, device=CPU)
    with open(out / "validation.csv", newline="", encoding="utf-8") as stream:
        logged = list(csv.DictReader(stream))[-1]
    network = shipped(checkpoint, families.build("compact", TINY.architecture))
    _, held_out = train.split_paths(render_data.find_pairs(data), TINY)
    again = score(network, held_out, Judge(), CPU)
    assert {name: round(value, 5) for name, value in again.items()} == {
        name: float(logged[name]) for name in again
    }
    assert train.export(checkpoint, tmp_path / "models", TINY) == ["features", "decoder"]
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path / "models"))
    written_decoder = load_network("decoder").network.state_dict()
    for name, weight in network.decoder.state_dict().items():
        torch.testing.assert_close(written_decoder[name], weight.half().float())


# real clips


def write_clip(folder: Path, frames: int) -> None:
    """A texture that drifts one pixel a frame to the right, and its flow at half the size."""
    wide = texture(48, 120, seed=4)
    with av.open(str(folder / "river_gt.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        for index in range(frames):
            part = wide[:, :, 30 - index : 110 - index].permute(1, 2, 0)
            picture = av.VideoFrame.from_ndarray((part * 255).byte().numpy(), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    flow = torch.zeros(2, 24, 40)
    flow[0] = 0.5
    write_flow(folder / "river_motion.flo", flow)


def test_real_clips_in_the_published_layout_become_pairs(tmp_path: Path):
    write_clip(tmp_path, 6)
    (clip,) = clips.find_clips(tmp_path)
    assert clip.name == "river"
    motion = clips.motion_of_clip(clip, 48, 80)
    assert motion.moving.all()
    assert torch.allclose(motion.velocity[0], torch.ones(48, 80))
    generator = np.random.default_rng(0)
    pairs = list(clips.pairs_of_clip(clip, PARAMS, triplets=1, generator=generator))
    assert pairs
    assert pairs[0].target.shape == (3, 32, 32)


def test_triplets_rise_and_stay_inside():
    generator = np.random.default_rng(3)
    for _ in range(200):
        start, middle, end = clips.drawn_triplet(7, generator)
        assert 0 <= start < middle < end < 7


def test_a_folder_without_clips_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="NAME_motion.flo"):
        clips.find_clips(tmp_path)
