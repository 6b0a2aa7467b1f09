"""Results on disk, one JSON file for each row and scene, so that a long run can be taken up again.

Every file says what it was made from; one made from something else is made again. After a change
of the program without a new version, start in an empty folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cine3d_core import __version__
from cine3d_core.evaluation.renderer.loops import LoopScores
from cine3d_core.evaluation.renderer.scoring import FrameScores, RegionScores, SceneScores
from cine3d_core.files.atomic import replacing
from cine3d_core.files.models.store import list_models
from cine3d_core.synthetic.truth_folder import Moment, TruthScene


def fingerprint(
    scene: TruthScene, row: str, networks: Sequence[str], settings: dict[str, Any]
) -> str:
    """What decides a result, as one checksum: scene, row, settings, its networks, the version."""
    models = {info.name: info.sha256 for info in list_models() if info.name in networks}
    facts = [scene.sha256, row, settings, models, __version__]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


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
