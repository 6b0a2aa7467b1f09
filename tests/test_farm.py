"""The scripts for render farms, with a stand-in for Blender that says how it was called."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FARM = Path(__file__).resolve().parents[1] / "docs" / "farm"
NODE = shutil.which("node")

# What a Flamenco Manager provides to a job type.
MANAGER = """
const frameChunker = (frames, size) => ["1-10", "11-12"];
const author = {
    Task: (name, type) => ({name, type, commands: [], addCommand(c) { this.commands.push(c) }}),
    Command: (name, parameters) => ({name, parameters}),
};
const job = {
    settings: {frames: "1-12", chunk_size: 10, blendfile: "a.blend", render_output_path: "//f/##"},
    tasks: [],
    addTask(task) { this.tasks.push(task) },
};
compileJob(job);
console.log(JSON.stringify(job.tasks));
"""


def render_chunk(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    blender = folder / "blender"
    blender.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    blender.chmod(0o755)
    return subprocess.run(
        ["sh", str(FARM / "render-chunk.sh"), *arguments],
        env={**os.environ, "BLENDER": str(blender)},
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
def test_a_chunk_renders_its_frames_and_fails_without_the_engine(tmp_path: Path):
    blend = tmp_path / "my scene.blend"
    blend.touch()
    result = render_chunk(tmp_path, str(blend), "3", "7", "//out/####")
    words = result.stdout.splitlines()
    assert result.returncode == 0, result.stderr
    # Blender obeys in order: the file first, then the check, the range, and only then the frames
    order = [str(blend), "--python-exit-code", "--python-expr", "--render-output"]
    order += ["--frame-start", "--frame-end", "--render-anim"]
    assert [word for word in words if word in order] == order
    assert words[words.index("--frame-start") + 1] == "3"
    assert words[words.index("--frame-end") + 1] == "7"
    assert "CINE3D" in result.stdout


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
@pytest.mark.parametrize("arguments", [(), ("missing.blend", "1", "2"), ("x.blend", "1", "b")])
def test_a_chunk_that_cannot_be_rendered_is_told_in_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...]
):
    result = render_chunk(tmp_path, *arguments)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_flamenco_gets_one_task_for_each_chunk():
    assert NODE is not None
    program = (FARM / "cine3d_render.js").read_text() + MANAGER
    result = subprocess.run([NODE, "-e", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    tasks = json.loads(result.stdout)
    commands = [task["commands"][0]["parameters"] for task in tasks]
    assert [task["name"] for task in tasks] == ["render-1-10", "render-11-12"]
    assert [command["args"][-1] for command in commands] == ["1..10", "11..12"]
    assert all("--python-exit-code" in command["argsBefore"] for command in commands)
