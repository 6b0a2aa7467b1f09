"""8-bit PNG files without other libraries: label pictures, and frames without Blender's notes."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Write [H, W] integers below 256 as a grey PNG."""
    height, width = labels.shape
    rows = np.concatenate([np.zeros((height, 1)), labels], axis=1).astype(np.uint8)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")
    path.write_bytes(_SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks))


def drop_notes(path: Path) -> None:
    """Keep only the picture of a PNG: the time it took to render would make files differ."""
    data = path.read_bytes()
    kept, place = [_SIGNATURE], len(_SIGNATURE)
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        if data[place + 4 : place + 8] in (b"IHDR", b"IDAT", b"IEND"):
            kept.append(data[place : place + 12 + length])
        place += 12 + length
    path.write_bytes(b"".join(kept))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
