"""The renderer against truth: rows of methods on scenes whose every frame is known (paper, 4).

Every row gets the same still, the same true depth and the same true flow, and is asked for the same
frames from the same cameras. Only pixels that the still's view contains count. One result is kept
for each row and scene; running again goes on where it stopped.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.evaluation.perceptual import HedLpips, load_hed_lpips
from cine3d_core.evaluation.renderer import sheets, tables
from cine3d_core.evaluation.renderer.results import (
    fingerprint,
    load_scores,
    save_scores,
    write_text,
)
from cine3d_core.evaluation.renderer.rows import ALL_ROWS, ROWS, Bench
from cine3d_core.evaluation.renderer.scoring import (
    JudgedFrame,
    SceneScores,
    judged_frames,
    score_row,
    spread_moments,
)
from cine3d_core.synthetic.truth_folder import Moment, TruthScene, find_scenes, read_rgb, write_rgb


@dataclass(frozen=True)
class RendererEvaluation:
    """What is measured."""

    frames_per_move: int | None = None  # of each camera move, evenly spread; None: all
    perceptual_frames: int = 4  # of each scene, for hed-lpips, which costs two seconds a frame


def evaluate_scene(
    scene: TruthScene,
    rows: list[str],
    out: Path,
    settings: RendererEvaluation,
    network: HedLpips | None,
) -> dict[str, SceneScores]:
    """The scores of some rows on one scene, from disk where they are there already."""
    done = {row: load_scores(_place(out, row, scene), _mark(scene, row, settings)) for row in rows}
    found = {row: scores for row, scores in done.items() if scores is not None}
    if len(found) == len(rows):
        return found
    perceptual = spread_moments(scene.moments, settings.perceptual_frames)
    judged = judged_frames(scene, network, perceptual)
    shown = sheets.most_different_moment(judged)
    write_rgb(_picture(out, "truth", scene), _truth_of(judged, shown))
    bench = Bench(scene)
    for row in rows:
        if row not in found:
            found[row] = _evaluate_row(bench, row, judged, shown, out, settings, network)
    return {row: found[row] for row in rows}


def _evaluate_row(
    bench: Bench,
    row: str,
    judged: list[JudgedFrame],
    shown: Moment,
    out: Path,
    settings: RendererEvaluation,
    network: HedLpips | None,
) -> SceneScores:
    mark = _mark(bench.truth, row, settings)
    started = time.process_time()
    draw = ALL_ROWS[row].make(bench)
    building = time.process_time() - started
    scores, pictures = score_row(draw, bench.truth, judged, network)
    scores = replace(scores, build_seconds=building)
    write_rgb(_picture(out, row, bench.truth), pictures[shown])
    save_scores(_place(out, row, bench.truth), scores, mark)
    brief = tables.summarise({bench.truth.name: scores})
    print(
        f"{bench.truth.name:20} {row:22} PSNR {brief.psnr:6.2f}  SSIM {brief.ssim:.3f}  "
        f"hed-lpips {brief.hed_lpips:.3f}  {brief.seconds:.2f} s/frame",
        flush=True,
    )
    return scores


def _mark(scene: TruthScene, row: str, settings: RendererEvaluation) -> str:
    return fingerprint(scene, row, ALL_ROWS[row].networks, asdict(settings))


def _place(out: Path, row: str, scene: TruthScene) -> Path:
    return out / "results" / row / f"{scene.name}.json"


def _picture(out: Path, row: str, scene: TruthScene) -> Path:
    return out / "pictures" / scene.name / f"{row}.png"


def _truth_of(judged: list[JudgedFrame], moment: Moment) -> Tensor:  # [3, H, W]
    return next(one.truth.rgb for one in judged if one.moment == moment)


def report(
    results: Mapping[str, tables.Scenes], scenes: list[TruthScene], settings: RendererEvaluation
) -> str:
    """The tables as Markdown, with what was measured on what."""
    summaries = {row: tables.summarise(of) for row, of in results.items()}
    titles = {row: ALL_ROWS[row].title for row in results}
    views = sum(len(scene.moments) for scene in scenes)
    judged = sum(min(settings.perceptual_frames, len(scene.moments)) for scene in scenes)
    seeds = ", ".join(f"{scene.name} {scene.seed}" for scene in scenes)
    size = f"{scenes[0].camera.width}x{scenes[0].camera.height}"
    head = (
        f"{len(scenes)} scenes of {size}, {views} true frames (hed-lpips on {judged} of them), "
        f"valid pixels only. Seeds: {seeds}. Higher PSNR and SSIM are better, lower hed-lpips and "
        "GMSD. Seconds are processor time of one frame."
    )
    return "\n\n".join(
        [
            head,
            tables.quality_table(summaries, titles),
            tables.region_table(summaries, titles),
            "Seen by the still's own camera; changes between neighbouring frames in levels of 255:",
            tables.loop_table(summaries, titles),
        ]
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the inputs of the renderer's evaluation to a parser."""
    parser.add_argument("truth", type=Path, help="folder with a folder for each scene")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder")
    parser.add_argument(
        "--rows",
        help=f"names with commas between, or all (default: all but end to end): "
        f"{', '.join(ALL_ROWS)}",
    )
    parser.add_argument("--scenes", help="names with commas between (default: all)")
    parser.add_argument(
        "--frames-per-move", type=int, help="true frames of each camera move (default: all)"
    )
    parser.add_argument(
        "--perceptual-frames",
        type=int,
        default=RendererEvaluation.perceptual_frames,
        help="frames of a scene that hed-lpips is measured on; 0 leaves it out (default 4)",
    )


def run(args: argparse.Namespace) -> None:
    """Measures, prints the tables, and writes them with their pictures."""
    rows = _chosen_rows(args.rows)
    names = args.scenes.split(",") if args.scenes else None
    scenes = find_scenes(args.truth, names)
    settings = RendererEvaluation(args.frames_per_move, args.perceptual_frames)
    scenes = [thinned(scene, settings.frames_per_move) for scene in scenes]
    network = load_hed_lpips() if settings.perceptual_frames > 0 else None
    by_scene = {
        scene.name: evaluate_scene(scene, rows, args.output, settings, network) for scene in scenes
    }
    results = {row: {name: of[row] for name, of in by_scene.items()} for row in rows}
    text = report(results, scenes, settings)
    write_text(args.output / "table.md", text + "\n")
    write_text(args.output / "frames.csv", tables.csv_of_frames(results))
    write_text(args.output / "loops.csv", tables.csv_of_loops(results))
    for scene in scenes:
        pictures = {row: read_rgb(_picture(args.output, row, scene)) for row in ("truth", *rows)}
        write_rgb(args.output / "sheets" / f"{scene.name}.png", sheets.contact_sheet(pictures))
    print(text)
    print(f"\n{args.output}: table.md, frames.csv, loops.csv and a sheet for each scene")


def thinned(scene: TruthScene, frames_per_move: int | None) -> TruthScene:
    """The scene with at most so many true frames of each move, evenly spread."""
    if frames_per_move is None:
        return scene
    moments: list[Moment] = []
    for move in scene.poses:
        own = [moment for moment in scene.moments if moment.move == move]
        moments += spread_moments(own, frames_per_move)
    return replace(scene, moments=tuple(moments))


def _chosen_rows(text: str | None) -> list[str]:
    if text is None:
        return list(ROWS)
    chosen = list(ALL_ROWS) if text == "all" else text.split(",")
    for row in chosen:
        if row not in ALL_ROWS:
            raise InputError(f"there is no row {row!r}; choose from {', '.join(ALL_ROWS)}")
    return chosen
