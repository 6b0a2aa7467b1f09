"""Lists, points and numbers of a drawing, checked as they come out of a JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cine3d_core.errors import InputError

Point = tuple[float, float]  # x, y

_MAX_ENTRIES = 1000
_MAX_POINTS = 200_000


def checked_list(value: object, name: str, path: str | Path) -> list[Any]:
    """A list of at most a thousand entries."""
    if not isinstance(value, list):
        raise InputError(f"{name} in the hints file {path} must be a list")
    if len(value) > _MAX_ENTRIES:
        raise InputError(
            f"{name} in the hints file {path} has over {_MAX_ENTRIES} entries; use fewer"
        )
    return value


def checked_points(value: object, name: str, path: str | Path) -> tuple[Point, ...]:
    """Points [x, y] of finite numbers."""
    if not isinstance(value, list) or len(value) > _MAX_POINTS:
        raise InputError(f"{name} in the hints file {path} must be a list of points [x, y]")
    return tuple(_point(point, name, path) for point in value)


def checked_number(value: object, name: str, path: str | Path, *, low: float, high: float) -> float:
    """A number within [low, high]."""
    if _is_number(value) and low <= float(value) <= high:  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    raise InputError(
        f"{name} in the hints file {path} is {str(value)[:60]}; give a number from {low:g} to "
        f"{high:g}"
    )


def checked_keys(entry: object, name: str, path: str | Path, known: tuple[str, ...]) -> None:
    """An object that holds no key but the known ones."""
    if not isinstance(entry, dict):
        raise InputError(f"{name} in the hints file {path} is not an object {{...}}")
    for key in entry:
        if key not in known:
            raise InputError(
                f'{name} in the hints file {path} holds "{key[:60]}", which is none of '
                f"{', '.join(known)}; correct or remove it"
            )


def _point(point: object, name: str, path: str | Path) -> Point:
    if isinstance(point, list) and len(point) == 2 and all(map(_is_number, point)):
        return float(point[0]), float(point[1])
    raise InputError(
        f"{name} in the hints file {path} has {str(point)[:60]} where a point [x, y] is expected"
    )


def _is_number(value: object) -> bool:
    """A finite number; bool is an int in Python but no coordinate, 1e999 is read as infinity."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
