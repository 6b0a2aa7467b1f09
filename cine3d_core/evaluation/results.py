"""Results on disk, one JSON file for each row and scene, so that a long run can be taken up again.

Every file says what it was made from; one made from something else is made anew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cine3d_core
from cine3d_core.evaluation.loops import LoopScores
from cine3d_core.evaluation.scenes import Moment, TruthScene
from cine3d_core.evaluation.scoring import FrameScores, RegionScores, SceneScores
from cine3d_core.files.atomic import replacing
from cine3d_core.files.models import list_models

CODE = Path(cine3d_core.__file__).parent


def fingerprint(scene: TruthScene, row: str, settings: dict[str, Any]) -> str:
    """What decides a result, as one checksum: scene, row, settings, networks and program."""
    models = {info.name: info.sha256 for info in list_models()}
    facts = [scene.sha256, row, settings, models, _program()]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _program() -> str:
    """A checksum of the modules that a result can depend on; training and interfaces cannot."""
    digest = hashlib.sha256()
    for path in sorted(CODE.rglob("*.py")):
        part = path.relative_to(CODE).parts[0]
        if part not in ("training", "cli.py", "worker.py", "worker_jobs.py", "doctor.py"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def save_scores(path: Path, scores: SceneScores, mark: str) -> None:
    """Writes one result with its fingerprint, whole or not at all."""
    write_text(path, json.dumps({"fingerprint": mark, **asdict(scores)}))


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all, in a folder that need not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def load_scores(path: Path, mark: str) -> SceneScores | None:
    """A result, or None when there is none with this fingerprint."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if content.get("fingerprint") != mark:
        return None
    frames = tuple(
        FrameScores(
            Moment(**frame["moment"]),
            {name: RegionScores(**region) for name, region in frame["regions"].items()},
        )
        for frame in content["frames"]
    )
    return SceneScores(
        frames, LoopScores(**content["loop"]), content["seconds"], content["build_seconds"]
    )
