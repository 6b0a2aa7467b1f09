"""How a scene is drawn, as it is written into the scene itself: `parameters["stages"]`.

A scene is drawn by the parameters that it was built with, whatever the presets of the Cine3D that
draws it mean by then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from cine3d_core.errors import InputError
from cine3d_core.render.animation import AnimationParams
from cine3d_core.scene import CinemagraphScene

Record = TypeVar("Record")


def animation_record(animation: AnimationParams) -> dict[str, Any]:
    """A scene's `parameters` that say how it is drawn, and nothing else."""
    return {"stages": {"animation": asdict(animation)}}


def animation_of(scene: CinemagraphScene) -> AnimationParams:
    """How a scene is splatted and blended.

    Raises:
        InputError: the scene does not say, or says what this Cine3D does not know.
    """
    stages = scene.parameters.get("stages")
    stored = stages.get("animation") if isinstance(stages, dict) else None
    try:
        return _read(AnimationParams, stored)
    except ValueError as error:
        raise InputError(
            f"the scene does not say how it is drawn ({error}); build it again"
        ) from error


def _read(kind: type[Record], stored: object, name: str = "animation") -> Record:
    """A frozen dataclass of numbers, words and others of its kind, every field there and sound."""
    assert is_dataclass(kind), kind
    names = {entry.name for entry in fields(kind)}
    if not isinstance(stored, Mapping) or set(stored) != names:
        raise ValueError(f"{name} does not hold exactly {', '.join(sorted(names))}")
    wanted = get_type_hints(kind)
    return kind(**{key: _value(wanted[key], stored[key], key) for key in sorted(names)})


def _value(wanted: Any, value: object, name: str) -> Any:
    if is_dataclass(wanted):
        return _read(wanted, value, name)  # type: ignore[arg-type]
    if get_origin(wanted) is Literal:
        sound = value in get_args(wanted)
    elif wanted is float:
        sound = type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    else:
        assert wanted in (bool, int), (name, wanted)
        sound = type(value) is wanted
    if not sound:
        raise ValueError(f"{name} is {str(value)[:40]}")
    return float(value) if wanted is float else value  # type: ignore[arg-type]
