import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cine3d_core.cli import main
from cine3d_core.errors import InputError
from cine3d_core.evaluation import metrics
from cine3d_core.evaluation.renderer import baselines, sheets, tables
from cine3d_core.evaluation.renderer.baselines import Clip
from cine3d_core.evaluation.renderer.rows import (
    ALL_ROWS,
    Bench,
    built_scene,
    region_arrows,
    scaled_shot,
)
from cine3d_core.evaluation.renderer.scoring import judged_frames, score_row, spread_moments
from cine3d_core.families import build_scene
from cine3d_core.render.animation import prepare
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import Drawing, MotionHint
from cine3d_core.settings import BuildSettings
from cine3d_core.synthetic.truth_folder import (
    DISOCCLUDED,
    Moment,
    TruthScene,
    find_scenes,
    read_frame,
    read_scene,
)
from tests.core.truth_folder import River, write_truth


@pytest.fixture(scope="module")
def truth_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truth")
    write_truth(folder, River(72, 128, period=0.4), frames=(0, 6))
    return folder


@pytest.fixture(scope="module")
def scene(truth_folder: Path) -> TruthScene:
    return read_scene(truth_folder / "river")


@pytest.fixture(scope="module")
def bench(scene: TruthScene) -> Bench:
    return Bench(scene)


def error(bench: Bench, row: str, moment: Moment) -> float:
    truth = read_frame(bench.truth, moment)
    rgb = ALL_ROWS[row].make(bench)(bench.truth.shot(moment), moment.frame)
    return metrics.masked_mean(metrics.squared_error(rgb, truth.rgb), truth.valid)


def test_a_scene_is_read_as_it_was_written(scene: TruthScene):
    assert (scene.num_frames, scene.camera.width, scene.camera.height) == (12, 128, 72)
    assert scene.moments[0] == Moment("side", 0) and len(scene.moments) == 4
    assert float(scene.motion.velocity[:, ~scene.motion.moving[0]].abs().max()) == 0
    frame = read_frame(scene, Moment("side", 6))
    assert bool((frame.regions == DISOCCLUDED).any()) and not bool(frame.valid.all())


def test_the_still_is_the_true_frame_where_the_move_begins(scene: TruthScene):
    assert torch.equal(read_frame(scene, Moment("side", 0)).rgb, scene.rgb)


def test_neighbouring_cameras_lie_on_the_way_between_known_ones(scene: TruthScene):
    shot = scene.shot(Moment("side", 6))
    x = [float(c.world_to_camera[0, 3]) for c in (shot.previous, shot.camera, shot.next)]
    assert x[0] == pytest.approx(x[1] * 5 / 6) and x[2] == x[1]  # none is known after the last


def test_every_row_draws_a_picture(bench: Bench):
    moment = Moment("zoom-in", 6)
    still = bench.truth.rgb
    for name, row in ALL_ROWS.items():
        rgb = row.make(bench)(bench.truth.shot(moment), moment.frame)
        assert rgb.shape == still.shape and bool(torch.isfinite(rgb).all()), name
        moved = float((rgb.clamp(0, 1) - still).abs().mean())
        assert moved == 0 if name == "photo" else moved > 0.01, name


def test_an_end_to_end_row_is_what_build_makes_of_the_still(scene: TruthScene, tmp_path: Path):
    feet = [hint.start for hint in region_arrows(scene).hints]
    drawing = Drawing(tuple(MotionHint((x, y), (x - 10, y)) for x, y in feet))  # in the picture
    hints = [{"start": hint.start, "end": hint.end} for hint in drawing.hints]
    (tmp_path / "hints.json").write_text(json.dumps({"hints": hints}))
    for drawn, file in ((drawing, tmp_path / "hints.json"), (Drawing(), None)):
        settings = BuildSettings(hints=file, frames=scene.num_frames, fps=scene.fps)
        by_command = build_scene(scene.folder / "still.png", settings)
        by_row = built_scene(scene, drawn).scene
        for name in ("positions", "rgb", "features", "layer", "pixel"):
            assert torch.equal(getattr(by_row.cloud, name), getattr(by_command.cloud, name)), name
        assert torch.equal(by_row.velocity, by_command.velocity)
        assert by_row.parameters["assumed"] == by_command.parameters["assumed"]
        assert by_row.models == by_command.models


def test_a_larger_world_seen_from_farther_looks_the_same(bench: Bench):
    built = built_scene(bench.truth, Drawing())
    shot = bench.truth.shot(Moment("zoom-in", 6))
    cloud = built.scene.cloud
    larger = replace(
        built.scene,
        cloud=replace(cloud, positions=cloud.positions * 2),
        layer_depth=built.scene.layer_depth * 2,
        disparity_range=tuple(d / 2 for d in built.scene.disparity_range),
    )
    plain = render_frame(prepare(built.scene), scaled_shot(shot, 0.7), 0).rgb
    same = render_frame(prepare(larger), scaled_shot(shot, 1.4), 0).rgb
    torch.testing.assert_close(same, plain, atol=1e-3, rtol=0)


def test_rows_stand_in_the_order_that_they_should(bench: Bench):
    moment = Moment("side", 6)
    errors = {row: error(bench, row, moment) for row in ("photo", "naive-pc", "no-decoder")}
    assert errors["no-decoder"] < errors["photo"] and errors["no-decoder"] < errors["naive-pc"]


def test_2d_animation_carries_the_picture_along_the_flow(scene: TruthScene):
    moving = torch.ones_like(scene.motion.moving)
    velocity = torch.zeros_like(scene.motion.velocity)
    velocity[0] = 2.0
    motion = replace(scene.motion, velocity=velocity, moving=moving)
    frame = baselines.animate_2d(scene.rgb, motion, scene.camera, Clip(12, 25.0))(0)
    torch.testing.assert_close(frame, scene.rgb, atol=2e-3, rtol=0)
    later = baselines.animate_2d(scene.rgb, motion, scene.camera, Clip(12, 25.0))(11)
    # almost all of the backward cloud, which is one frame before its end
    backward = scene.rgb[:, :, 12:102]
    assert float((later[:, :, 10:100] - backward).abs().mean()) < 0.03


def test_a_2d_animation_of_a_moved_view_begins_with_the_view(bench: Bench):
    moment = Moment("side", 6)
    draw = ALL_ROWS["nvs-2d"].make(bench)
    view = ALL_ROWS["frozen"].make(bench)(bench.truth.shot(moment), 0)
    first = draw(bench.truth.shot(moment), 0)
    valid = read_frame(bench.truth, moment).valid[0]
    assert float((first - view)[:, valid].abs().mean()) < 0.01


def test_an_arrow_stands_in_each_moving_region_and_shows_its_flow(scene: TruthScene):
    hints = region_arrows(scene).hints
    assert len(hints) >= 1
    for hint in hints:
        column, row = int(hint.start[0]), int(hint.start[1])
        assert bool(scene.motion.moving[0, row, column])
        way = (np.array(hint.end) - np.array(hint.start)) / 50
        assert way == pytest.approx(scene.motion.velocity[:, row, column].numpy(), abs=1e-4)


def test_scores_of_the_truth_itself_are_perfect(scene: TruthScene):
    judged = judged_frames(scene, None, [])
    by_pose = {one.shot.camera.world_to_camera.numpy().tobytes(): one.truth.rgb for one in judged}

    def draw(shot, frame):
        return by_pose.get(shot.camera.world_to_camera.numpy().tobytes(), scene.rgb)

    only = [one for one in judged if one.moment.frame > 0]
    scores, _ = score_row(draw, scene, only, None)
    summary = tables.summarise({"river": scores})
    assert summary.psnr == 60 and summary.ssim == pytest.approx(1, abs=1e-5)
    assert summary.static_worst == 0 and summary.pulsing == 1


def test_moments_are_spread_evenly_and_never_twice():
    moments = [Moment(move, frame) for move in "ab" for frame in range(6)]
    chosen = spread_moments(moments, 4)
    assert len(set(chosen)) == 4 and [m.move for m in chosen] == ["a", "a", "b", "b"]
    assert set(spread_moments(moments, 99)) == set(moments)


def test_a_sheet_shows_every_picture(scene: TruthScene):
    colours = {"truth": (1.0, 0.0, 0.0), "other": (0.0, 1.0, 0.0), "third": (0.0, 0.0, 1.0)}
    flat = {n: torch.tensor(c)[:, None, None].expand_as(scene.rgb) for n, c in colours.items()}
    sheet = sheets.contact_sheet(flat)
    for tile, colour in zip(sheet.split(sheet.shape[2] // 3, dim=2), colours.values(), strict=True):
        shown = (tile - torch.tensor(colour)[:, None, None]).abs().amax(dim=0) < 0.01
        assert float(shown.float().mean()) > 0.8  # all but caption and frame, and the part enlarged


def test_the_command_writes_tables_and_takes_a_run_up_again(truth_folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    command = [
        "evaluate",
        "renderer",
        str(truth_folder),
        "-o",
        str(out),
        "--rows",
        "photo,naive-pc",
    ]
    command += ["--perceptual-frames", "0", "--frames-per-move", "1"]
    assert main(command) == 0
    table = (out / "table.md").read_text(encoding="utf-8")
    assert "| `naive-pc` |" in table and "river 5" in table and "2 true frames" in table
    assert (out / "sheets" / "river.png").is_file()
    kept = out / "results" / "photo" / "river.json"
    before = kept.stat().st_mtime_ns
    (out / "results" / "naive-pc" / "river.json").unlink()
    assert main(command) == 0
    assert kept.stat().st_mtime_ns == before
    assert (out / "table.md").read_text(encoding="utf-8").count("\n") == table.count("\n")


def test_wrong_scenes_rows_and_folders_are_refused(truth_folder: Path, tmp_path: Path, capsys):
    common = ["evaluate", "renderer", str(truth_folder), "-o", str(tmp_path / "o")]
    assert main([*common, "--rows", "nonsense", "--perceptual-frames", "0"]) == 2
    assert main([*common, "--scenes", "lake", "--perceptual-frames", "0"]) == 2
    assert "there is no row 'nonsense'" in capsys.readouterr().err
    with pytest.raises(InputError, match="no scene in"):
        find_scenes(tmp_path)


def test_damaged_scenes_are_refused_with_a_sentence(truth_folder: Path, tmp_path: Path):
    folder = tmp_path / "bad"
    folder.mkdir()
    facts = json.loads((truth_folder / "river" / "scene.json").read_text(encoding="utf-8"))
    for change, words in (({"format": 2}, "format"), ({"intrinsics": None}, "damaged")):
        (folder / "scene.json").write_text(json.dumps(facts | change), encoding="utf-8")
        with pytest.raises(InputError, match=words):
            read_scene(folder)
