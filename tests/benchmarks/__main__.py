"""Times and memory of a build and of frames, against what the machine can do.

`python -m tests.benchmarks [--sizes 640 1280 1920 3840] [--quick] [--write]`

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
from collections.abc import Callable, Sequence
from pathlib import Path

from cine3d_core.scene import Camera

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

    from cine3d_core import animation, blending, clips, renderer_networks, rendering
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
        rest = clips.shot_of(clips.open_camera_path(scene, "still", None), 7)
        small = clips.shot_of(clips.open_camera_path(scene, "circle", 640), 7)
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
        seconds["frame, resting camera"] = median(lambda: rendering.render_frame(prepared, rest, 7))
        seconds["viewport frame at 640x360"] = median(
            lambda: rendering.render_frame(prepared, small, 7)
        )
        decoder = renderer_networks.open_decoder(scene, torch.device("cpu"), "scene")
        seconds["decode"] = median(lambda: decoder(blend(), channels), 3) - seconds["blend"]
        seconds["points"] = float(len(scene.cloud.positions))
        seconds["Mpoint/s splatted"] = seconds["points"] / seconds["displace and splat"] / 1e6
        traffic = splat_bytes(len(prepared.static), len(prepared.moving_neighbours), camera)
        seconds["GB/s splatted, at least"] = traffic / seconds["displace and splat"] / 1e9
        seconds["peak GiB"] = peak_gib()
    return seconds


def splat_bytes(resting: int, moving: int, camera: Camera) -> int:
    """What a splat of both clouds has to move once: points in and placed, planes out."""
    point = 12 + 8 + 2 * 16 + 16  # position, neighbours, placed and read again, what it carries
    planes = 2 * (3 + 2 + 1 + 1)  # colour, phase, moving, disparity, coverage of both clouds
    return (resting + moving) * point + planes * 4 * camera.height * camera.width


def measure_ceilings(width: int, frames: int) -> dict[str, float]:
    """What this machine reaches: a large product of matrices and a large copy, on all threads."""
    import torch

    side, count = 2048, 2**26
    a, b = torch.rand(side, side), torch.rand(side, side)
    source, target = torch.rand(count), torch.empty(count)
    return {
        "GFLOP/s, product of matrices": 2 * side**3 / median(lambda: a @ b) / 1e9,
        "GB/s, copy (read and written)": 8 * count / median(lambda: target.copy_(source)) / 1e9,
        "threads": float(torch.get_num_threads()),
    }


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
    command += ["--sizes", str(width), "--frames", str(frames)]
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


def report(sizes: Sequence[int], *, quick: bool) -> str:
    """The tables of `docs/performance.md`."""
    load = os.getloadavg()[0]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    names = {width: f"{width}x{width * 9 // 16}" for width in sizes}
    ceilings = {"this machine": in_own_process("ceilings", sizes[0], 60)}
    builds = {name: in_own_process("build", width, 60) for width, name in names.items()}
    frames = {name: in_own_process("frames", width, 60) for width, name in names.items()}
    if not quick:
        middle = 1280 if 1280 in sizes else sizes[-1]
        frames[f"{middle}, 600 frames"] = in_own_process("frames", middle, 600)
    return (
        f"{machine}; load average {load:.1f} at the start. Seconds where nothing else is said.\n\n"
        f"## Ceilings\n\n{table(ceilings)}\n\n"
        f"## Build\n\n{table(builds)}\n\n## Frames\n\n{table(frames)}\n"
    )


MEASURES = {"build": measure_build, "frames": measure_frames, "ceilings": measure_ceilings}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--sizes", type=int, nargs="+", default=[640, 1280, 1920, 3840])
    parser.add_argument("--quick", action="store_true", help="640 and 1280 only, one loop length")
    parser.add_argument("--frames", type=int, default=60, help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help=f"replace the tables in {PAGE.name}")
    parser.add_argument("--only", choices=tuple(MEASURES), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(MEASURES[args.only](args.sizes[0], args.frames)))
        return
    text = report([640, 1280] if args.quick else args.sizes, quick=args.quick)
    print(text)
    if args.write:
        head, mark, _ = PAGE.read_text().partition("<!-- measured -->")
        assert mark, f"{PAGE} has no <!-- measured --> line to write below"
        PAGE.write_text(f"{head}{mark}\n\n{text}")


if __name__ == "__main__":
    main()
