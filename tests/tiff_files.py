"""16-bit TIFF files written by hand, tag by tag, as no library here writes them."""

from __future__ import annotations

import struct
import zlib
from typing import Literal

import numpy as np

Layout = Literal["strips", "tiles"]
TILE = 16
_SHORT, _LONG = 3, 4


def tiff16(
    pixels: np.ndarray,  # [H, W, C] uint16
    *,
    planar: bool,
    layout: Layout = "strips",
    rows: int = 10,  # of a strip
    deflate: bool = False,
    order: Literal["<", ">"] = "<",
    orientation: int = 1,
) -> bytes:
    """A TIFF of 16 bits a channel: interleaved or planar, in strips or in tiles."""
    height, width, channels = pixels.shape
    planes = [pixels[:, :, c : c + 1] for c in range(channels)] if planar else [pixels]
    cut = _strips if layout == "strips" else _tiles
    pieces = [piece.astype(f"{order}u2").tobytes() for p in planes for piece in cut(p, rows)]
    pieces = [zlib.compress(piece) for piece in pieces] if deflate else pieces
    offsets = np.cumsum([8, *map(len, pieces)])[:-1]
    where, size = (273, 279) if layout == "strips" else (324, 325)
    tags: dict[int, tuple[int, list[int]]] = {
        256: (_LONG, [width]), 257: (_LONG, [height]), 258: (_SHORT, [16] * channels),
        259: (_SHORT, [8 if deflate else 1]), 262: (_SHORT, [2]),
        where: (_LONG, [int(v) for v in offsets]), 274: (_SHORT, [orientation]),
        277: (_SHORT, [channels]), size: (_LONG, [len(piece) for piece in pieces]),
        284: (_SHORT, [2 if planar else 1]),
    }  # fmt: skip
    if layout == "strips":
        tags[278] = (_LONG, [rows])
    else:
        tags |= {322: (_LONG, [TILE]), 323: (_LONG, [TILE])}
    if channels == 4:
        tags[338] = (_SHORT, [2])  # the last one is alpha, not multiplied
    return _file(b"".join(pieces), tags, order)


def _strips(plane: np.ndarray, rows: int) -> list[np.ndarray]:
    return [plane[start : start + rows] for start in range(0, len(plane), rows)]


def _tiles(plane: np.ndarray, _rows: int) -> list[np.ndarray]:
    height, width, _ = plane.shape
    whole = np.pad(plane, ((0, -height % TILE), (0, -width % TILE), (0, 0)))
    return [
        whole[y : y + TILE, x : x + TILE]
        for y in range(0, height, TILE) for x in range(0, width, TILE)
    ]  # fmt: skip


def _file(body: bytes, tags: dict[int, tuple[int, list[int]]], order: str) -> bytes:
    body += b"\0" * (len(body) % 2)
    start = 8 + len(body)
    after = start + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, (kind, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{'H' if kind == _SHORT else 'I'}", *numbers)
        field = packed.ljust(4, b"\0")
        if len(packed) > 4:
            field = struct.pack(order + "I", after + len(values))
            values += packed
        entries += struct.pack(order + "HHI", tag, kind, len(numbers)) + field
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    return head + body + struct.pack(order + "H", len(tags)) + entries + bytes(4) + values


def dng(pixels: np.ndarray) -> bytes:
    """A raw file: one 16-bit number a pixel under red, green, green and blue filters.

    Args:
        pixels: [H, W, 3] uint16, linear.
    """
    height, width, _ = pixels.shape
    y, x = np.mgrid[:height, :width]
    mosaic = np.take_along_axis(pixels, (y % 2 + x % 2)[:, :, None], axis=2)[:, :, 0]
    body = mosaic.astype("<u2").tobytes()
    matrix = np.array([3.1339, -1.6169, -0.4906, -0.9785, 1.9160, 0.0333, 0.0720, -0.2290, 1.4057])
    rational = [number for v in matrix for number in (round(v * 10_000), 10_000)]
    parts: dict[int, tuple[int, int, bytes]] = {
        254: (_LONG, 1, struct.pack("<I", 0)), 256: (_LONG, 1, struct.pack("<I", width)),
        257: (_LONG, 1, struct.pack("<I", height)), 258: (_SHORT, 1, struct.pack("<H", 16)),
        259: (_SHORT, 1, struct.pack("<H", 1)), 262: (_SHORT, 1, struct.pack("<H", 32803)),
        271: (2, 8, b"Nowhere\0"), 272: (2, 8, b"Made up\0"),
        273: (_LONG, 1, struct.pack("<I", 8)), 274: (_SHORT, 1, struct.pack("<H", 1)),
        277: (_SHORT, 1, struct.pack("<H", 1)), 278: (_LONG, 1, struct.pack("<I", height)),
        279: (_LONG, 1, struct.pack("<I", len(body))), 284: (_SHORT, 1, struct.pack("<H", 1)),
        33421: (_SHORT, 2, struct.pack("<2H", 2, 2)), 33422: (1, 4, bytes([0, 1, 1, 2])),
        50706: (1, 4, bytes([1, 4, 0, 0])), 50708: (2, 8, b"Made up\0"),
        50717: (_LONG, 1, struct.pack("<I", 65535)),
        50721: (10, 9, struct.pack("<18i", *rational)),
        50728: (5, 3, struct.pack("<6I", 1, 1, 1, 1, 1, 1)),
        50778: (_SHORT, 1, struct.pack("<H", 23)),
    }  # fmt: skip
    start = 8 + len(body)
    after = start + 2 + 12 * len(parts) + 4
    entries, values = b"", b""
    for tag, (kind, count, packed) in sorted(parts.items()):
        field = packed.ljust(4, b"\0")
        if len(packed) > 4:
            field = struct.pack("<I", after + len(values))
            values += packed + b"\0" * (len(packed) % 2)
        entries += struct.pack("<HHI", tag, kind, count) + field
    head = b"II" + struct.pack("<HI", 42, start)
    return head + body + struct.pack("<H", len(parts)) + entries + bytes(4) + values
