"""Times and memory of a build and of frames: `python -m tests.benchmarks [--size 1280] [--write]`.

Each measurement runs in a process of its own, so that its peak memory is its own. Times are medians
of wall-clock seconds; the load of the machine is printed with them, since others may share it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "docs" / "sample" / "photo.jpg"
HINTS = ROOT / "docs" / "sample" / "hints.json"
PAGE = ROOT / "docs" / "performance.md"


def sample_photo(folder: Path, width: int) -> Path:
    """The sample cut to 16:9 at the wanted width; its arrows still fit."""
    import cv2

    picture = cv2.imread(str(PHOTO))
    assert picture is not None, PHOTO
    height = picture.shape[1] * 9 // 16
    picture = cv2.resize(picture[-height:], (width, width * 9 // 16))
    path = folder / "photo.png"
    cv2.imwrite(str(path), picture)
    return path


def sample_hints(folder: Path, width: int) -> Path:
    """The sample's arrows and outline for `sample_photo`."""
    hints = json.loads(HINTS.read_text())
    cut, scale = 937 - 720, width / 1280

    def moved(point: list[float]) -> list[float]:
        return [point[0] * scale, max(point[1] - cut, 0) * scale]

    content = {
        "hints": [{end: moved(hint[end]) for end in ("start", "end")} for hint in hints["hints"]],
        "mask": [[moved(point) for point in polygon] for polygon in hints["mask"]],
    }
    path = folder / "hints.json"
    path.write_text(json.dumps(content))
    return path


def measure_build(width: int, frames: int) -> dict[str, float]:
    """Seconds of each stage of a build in a fresh process, start of the program included."""
    started = time.perf_counter()
    from cine3d_core.files.scene import save_scene
    from cine3d_core.pipeline import BuildSettings, build_scene

    marks = [("start of the program", started)]

    def progress(stage: str, share: float) -> None:
        marks.append((stage, time.perf_counter()))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = BuildSettings(hints=sample_hints(folder, width), size=width, frames=frames)
        photo = sample_photo(folder, width)
        scene = build_scene(photo, settings, progress=progress)
        save_scene(scene, folder / "scene.cine3d")
    marks.append(("end", time.perf_counter()))
    names = {"done": "writing the scene"}
    seconds = {
        names.get(stage, stage): after - before
        for (stage, before), (_, after) in zip(marks, marks[1:], strict=False)
    }
    seconds["whole build"] = marks[-1][1] - started
    seconds["peak GiB"] = peak_gib()
    return seconds


def measure_frames(width: int, frames: int) -> dict[str, float]:
    """Median seconds of each stage of a frame, and of a frame written to a video."""
    import torch

    from cine3d_core import animation, blending, clips, rendering
    from cine3d_core.cli import main
    from cine3d_core.files.scene import load_scene
    from cine3d_core.files.video import open_frame_writer

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "scene.cine3d"
        photo, hints = sample_photo(folder, width), sample_hints(folder, width)
        main(
            ["build", str(photo), "--hints", str(hints), "-o", str(path), "--size", str(width)]
            + ["--frames", str(frames), "--progress", "none"]
        )
        started = time.perf_counter()
        scene = load_scene(path)
        prepared = clips.prepare_on(scene, torch.device("cpu"))
        seconds = {"load and prepare": time.perf_counter() - started}
        camera = clips.open_camera_path(scene, "circle", None)
        channels = blending.splat_channels(0)
        params = rendering.ANIMATION_PRESETS["default"]
        shot = clips.shot_of(camera, 7)
        pair = animation.splat_directions(prepared, shot, 7, params)

        def blend() -> object:
            return blending.blend_directions(
                *pair,
                channels,
                loop_phase=7 / frames,
                disparity_range=scene.disparity_range,
                params=params.blend,
            )

        seconds["displace and splat"] = median(
            lambda: animation.splat_directions(prepared, shot, 7, params)
        )
        seconds["blend"] = median(blend)
        seconds["frame, pass-through decoder"] = median(
            lambda: rendering.render_frame(prepared, shot, 7)
        )
        seconds["frame with motion vectors"] = median(
            lambda: rendering.render_frame(prepared, shot, 7, motion_vectors=True)
        )
        started = time.perf_counter()
        with open_frame_writer(
            str(folder / "clip.mp4"),
            height=camera.height,
            width=camera.width,
            fps=25,
            fingerprint="",
        ) as writer:
            clips.render_clip(
                clips.frame_drawer(scene, torch.device("cpu")),
                camera,
                range(12),
                writer,
                motion_vectors=False,
                progress=lambda stage, share: None,
            )
        seconds["frame of an MP4"] = (time.perf_counter() - started) / 12
        seconds["points"] = float(len(scene.cloud.positions))
        seconds["peak GiB"] = peak_gib()
    return seconds


def median(work: Callable[[], object], repeats: int = 5) -> float:
    """Median seconds of a call, after one call to warm up."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def peak_gib() -> float:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**3 if sys.platform == "darwin" else 1024**2)


def in_own_process(what: str, width: int, frames: int) -> dict[str, float]:
    """One measurement in a fresh interpreter."""
    command = [sys.executable, "-m", "tests.benchmarks", "--only", what]
    command += ["--size", str(width), "--frames", str(frames)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if result.returncode:
        sys.exit(result.stderr)
    return json.loads(result.stdout.splitlines()[-1])


def table(columns: dict[str, dict[str, float]]) -> str:
    """Markdown: one row per quantity, one column per setting."""
    rows = list(dict.fromkeys(row for column in columns.values() for row in column))
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        cells = (
            f"{column[row]:,.0f}" if row == "points" else f"{column[row]:.2f}"
            for column in columns.values()
        )
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def report(size: int) -> str:
    """The tables of `docs/performance.md`."""
    load = os.getloadavg()[0]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    sizes = (size // 2, size)
    builds = {f"{w}x{w * 9 // 16}": in_own_process("build", w, 60) for w in sizes}
    frames = {f"{w}x{w * 9 // 16}": in_own_process("frames", w, 60) for w in sizes}
    frames[f"{size}, 600 frames"] = in_own_process("frames", size, 600)
    return (
        f"{machine}; load average {load:.1f} at the start. Seconds.\n\n"
        f"## Build\n\n{table(builds)}\n\n## Frames\n\n{table(frames)}\n"
    )


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--size", type=int, default=1280)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--write", action="store_true", help=f"replace the tables in {PAGE.name}")
    parser.add_argument("--only", choices=("build", "frames"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        measure = measure_build if args.only == "build" else measure_frames
        print(json.dumps(measure(args.size, args.frames)))
        return
    text = report(args.size)
    print(text)
    if args.write:
        head, mark, _ = PAGE.read_text().partition("<!-- measured -->")
        assert mark, f"{PAGE} has no <!-- measured --> line to write below"
        PAGE.write_text(f"{head}{mark}\n\n{text}")


if __name__ == "__main__":
    main()
