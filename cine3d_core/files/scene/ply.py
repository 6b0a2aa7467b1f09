"""Point clouds as PLY, readable by Blender, Open3D, trimesh and MeshLab. Needs numpy alone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from cine3d_core.files.atomic import replacing

_TYPES = {"u1": "uchar", "i2": "short", "i4": "int", "f4": "float", "f8": "double"}
Up = Literal["camera", "y", "z"]
AXES: dict[Up, str] = {
    "camera": "x right, y down, z forward",
    "y": "x right, y up, z backward",
    "z": "x right, y forward, z up",
}
_BLOCK = 100_000  # rows turned into text at a time


def cloud_vertices(
    *,
    positions: np.ndarray,  # [N, 3] scene units
    rgb: np.ndarray,  # [N, 3] sRGB in [0, 1]
    layer: np.ndarray,  # [N] 0 (nearest) to 255
    flow: np.ndarray,  # [N, 3] scene units per frame
    inpainted: np.ndarray,  # [N] bool
) -> dict[str, np.ndarray]:
    """The columns of a cinemagraph's points, in the order and types in which PLY stores them."""
    colour = (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)
    assert layer.max(initial=0) <= 255, layer.max()
    return {
        **{axis: positions[:, i].astype(np.float32) for i, axis in enumerate("xyz")},
        **{name: colour[:, i] for i, name in enumerate(("red", "green", "blue"))},
        "layer": layer.astype(np.uint8),
        **{f"flow_{axis}": flow[:, i].astype(np.float32) for i, axis in enumerate("xyz")},
        "inpainted": inpainted.astype(np.uint8),
    }


def turned(vertices: dict[str, np.ndarray], up: Up) -> dict[str, np.ndarray]:
    """Positions and flow of columns in the camera's axes, for viewers in which `up` is up."""
    result = dict(vertices)
    for prefix in ("", "flow_"):
        x, y, z = (vertices[f"{prefix}{axis}"] for axis in "xyz")
        places = {"camera": (x, y, z), "y": (x, -y, -z), "z": (x, z, -y)}[up]
        result |= {f"{prefix}{axis}": place for axis, place in zip("xyz", places, strict=True)}
    return result


def write_ply(
    path: str | Path,
    vertices: dict[str, np.ndarray],
    *,
    binary: bool = True,
    up: Up | None = None,
) -> None:
    """Write columns [N] as the vertices of a PLY file, little-endian binary or ASCII.

    Args:
        path: to write.
        vertices: by name, in the order of the file.
        binary: else text.
        up: which axes they are in, for the file's comment; None says nothing.

    Raises:
        InputError: the place cannot be written.
    """
    lengths = {len(column) for column in vertices.values()}
    assert len(lengths) == 1, f"columns differ in length: {lengths}"
    fields = [(name, column.dtype.newbyteorder("<")) for name, column in vertices.items()]
    table = np.empty(lengths.pop(), dtype=fields)
    for name, column in vertices.items():
        table[name] = column
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(_header(table, binary, AXES.get(up) if up else None))
        for start in range(0, len(table), _BLOCK):
            rows = table[start : start + _BLOCK]
            file.write(rows.tobytes() if binary else _text(rows))


def _header(table: np.ndarray, binary: bool, axes: str | None) -> bytes:
    kind = "binary_little_endian" if binary else "ascii"
    properties = [f"property {_TYPES[code]} {name}" for name, code in _columns(table)]
    lines = ["ply", f"format {kind} 1.0", "comment Cine3D"]
    lines += [f"comment axes: {axes}"] if axes else []
    lines.append(f"element vertex {len(table)}")
    return "\n".join([*lines, *properties, "end_header", ""]).encode("ascii")


def _text(rows: np.ndarray) -> bytes:
    """One line per vertex; 9 digits tell every float32 from its neighbours."""
    line = " ".join("%.9g" if code[0] == "f" else "%d" for _, code in _columns(rows))
    return "".join(line % row + "\n" for row in rows.tolist()).encode("ascii")


def _columns(table: np.ndarray) -> list[tuple[str, str]]:
    """Name and type code ("f4") of each field of a structured array."""
    return [(entry[0], entry[1][1:]) for entry in table.dtype.descr]
