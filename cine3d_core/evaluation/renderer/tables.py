"""Scores of many scenes as Markdown and as CSV.

Means are over scenes, and within a scene over its frames. A region's PSNR is that of the squared
error of all its pixels in a scene; the whole picture's is the mean of the frames', as is usual.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from cine3d_core.evaluation.metrics import psnr
from cine3d_core.evaluation.renderer.scoring import ALL, RegionScores, SceneScores
from cine3d_core.synthetic.truth_folder import REGIONS

Scenes = Mapping[str, SceneScores]  # by the scene's name


@dataclass(frozen=True)
class Summary:
    """One row's means over the scenes; NaN where there was nothing to measure."""

    psnr: float
    ssim: float
    hed_lpips: float
    gmsd: float
    psnr_by_region: dict[str, float]
    ssim_by_region: dict[str, float]
    hed_lpips_by_region: dict[str, float]
    pulsing: float
    pulsing_worst: float
    seam: float  # the worst scene's
    seam_step: float
    static_error: float
    static_worst: float  # of all scenes
    fluid_error: float
    seconds: float


def summarise(scenes: Scenes) -> Summary:
    """One row's scores over its scenes."""

    def whole(measure: Callable[[RegionScores], float]) -> float:
        return _mean(
            _mean(measure(frame.regions[ALL]) for frame in scores.frames if ALL in frame.regions)
            for scores in scenes.values()
        )

    def region(name: str, measure: Callable[[RegionScores], float]) -> float:
        return _mean(_weighted(scores, name, measure) for scores in scenes.values())

    loops = [scores.loop for scores in scenes.values()]
    return Summary(
        psnr=whole(lambda r: psnr(r.squared_error)),
        ssim=whole(lambda r: r.ssim),
        hed_lpips=whole(lambda r: r.hed_lpips),
        gmsd=whole(lambda r: r.gmsd),
        psnr_by_region={
            name: _mean(
                _psnr(_weighted(scores, name, lambda r: r.squared_error))
                for scores in scenes.values()
            )
            for name in REGIONS
        },
        ssim_by_region={name: region(name, lambda r: r.ssim) for name in REGIONS},
        hed_lpips_by_region={name: region(name, lambda r: r.hed_lpips) for name in REGIONS},
        pulsing=_mean(loop.pulsing for loop in loops),
        pulsing_worst=min(loop.pulsing for loop in loops),
        seam=max(loop.seam for loop in loops),
        seam_step=_mean(loop.seam_step for loop in loops),
        static_error=_mean(loop.static_error for loop in loops),
        static_worst=max(loop.static_worst for loop in loops),
        fluid_error=_mean(loop.fluid_error for loop in loops),
        seconds=_mean(scores.seconds for scores in scenes.values()),
    )


def _psnr(error: float) -> float:
    return math.nan if math.isnan(error) else psnr(error)


def _mean(values: Iterable[float]) -> float:
    """Mean of what was measured."""
    measured = [value for value in values if not math.isnan(value)]
    return fmean(measured) if measured else math.nan


def _weighted(scores: SceneScores, name: str, measure: Callable[[RegionScores], float]) -> float:
    """A region's mean over the frames of a scene, each weighing by the region's size in it."""
    found = [frame.regions[name] for frame in scores.frames if name in frame.regions]
    pairs = [(measure(region), region.share) for region in found]
    pairs = [(value, share) for value, share in pairs if not math.isnan(value)]
    total = sum(share for _, share in pairs)
    return sum(value * share for value, share in pairs) / total if total else math.nan


def quality_table(rows: Mapping[str, Summary], titles: Mapping[str, str]) -> str:
    """Quality over valid pixels, Markdown."""
    columns: list[tuple[str, Callable[[Summary], float], str, bool]] = [
        ("PSNR dB", lambda s: s.psnr, ".2f", True),
        ("SSIM", lambda s: s.ssim, ".3f", True),
        ("hed-lpips", lambda s: s.hed_lpips, ".4f", False),
        ("GMSD", lambda s: s.gmsd, ".4f", False),
    ]
    columns += [
        (f"PSNR {name}", lambda s, name=name: s.psnr_by_region[name], ".2f", True)
        for name in REGIONS
    ]
    columns.append(("s / frame", lambda s: s.seconds, ".2f", False))
    return _markdown(rows, titles, columns)


def region_table(rows: Mapping[str, Summary], titles: Mapping[str, str]) -> str:
    """SSIM and hed-lpips by region, Markdown."""
    columns: list[tuple[str, Callable[[Summary], float], str, bool]] = []
    for name in REGIONS:
        columns += [
            (f"SSIM {name}", lambda s, n=name: s.ssim_by_region[n], ".3f", True),
            (f"hed-lpips {name}", lambda s, n=name: s.hed_lpips_by_region[n], ".3f", False),
        ]
    return _markdown(rows, titles, columns)


def loop_table(rows: Mapping[str, Summary], titles: Mapping[str, str]) -> str:
    """How the clips loop and hold still, Markdown; changes in levels of 255."""
    columns: list[tuple[str, Callable[[Summary], float], str, bool]] = [
        ("contrast min/max", lambda s: s.pulsing, ".3f", True),
        ("worst scene", lambda s: s.pulsing_worst, ".3f", True),
        ("seam N vs 0", lambda s: 255 * s.seam, ".2f", False),
        ("last step / median", lambda s: s.seam_step, ".2f", False),
        ("change, static", lambda s: 255 * s.static_error, ".3f", False),
        ("largest, static", lambda s: 255 * s.static_worst, ".2f", False),
        ("change along the flow", lambda s: 255 * s.fluid_error, ".2f", False),
    ]
    return _markdown(rows, titles, columns)


def _markdown(
    rows: Mapping[str, Summary],
    titles: Mapping[str, str],
    columns: Sequence[tuple[str, Callable[[Summary], float], str, bool]],
) -> str:
    lines = [
        "| row | | " + " | ".join(head for head, *_ in columns) + " |",
        "|---|---|" + "---:|" * len(columns),
    ]
    texts: dict[str, list[str]] = {name: [] for name in rows}
    for _, measure, form, _ in columns:
        for name, summary in rows.items():
            value = measure(summary)
            texts[name].append("-" if math.isnan(value) else format(value, form))
    lines += [f"| `{name}` | {titles[name]} | " + " | ".join(texts[name]) + " |" for name in rows]
    return "\n".join(lines)


def csv_of_frames(results: Mapping[str, Scenes]) -> str:
    """Every score of every frame and region, one line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["row", "scene", "move", "frame", "region", "share", "psnr", "ssim", "hed_lpips", "gmsd"]
    )
    for row, scenes in results.items():
        for scene, scores in scenes.items():
            for frame in scores.frames:
                for name, region in frame.regions.items():
                    values = (
                        region.share,
                        psnr(region.squared_error),
                        region.ssim,
                        region.hed_lpips,
                        region.gmsd,
                    )
                    cells = ["" if math.isnan(value) else f"{value:.5f}" for value in values]
                    place = [row, scene, frame.moment.move, frame.moment.frame, name]
                    writer.writerow([*place, *cells])
    return text.getvalue()


def csv_of_loops(results: Mapping[str, Scenes]) -> str:
    """Every loop's scores, one line for each row and scene."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    fields = ("seam", "seam_step", "pulsing", "static_error", "static_worst", "fluid_error")
    writer.writerow(["row", "scene", *fields, "seconds_per_frame", "build_seconds"])
    for row, scenes in results.items():
        for scene, scores in scenes.items():
            values = [f"{getattr(scores.loop, field):.6f}" for field in fields]
            times = [f"{scores.seconds:.3f}", f"{scores.build_seconds:.3f}"]
            writer.writerow([row, scene, *values, *times])
    return text.getvalue()
