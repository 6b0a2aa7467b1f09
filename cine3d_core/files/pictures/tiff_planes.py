"""16-bit TIFF whose channels lie one after the other (planar), which no decoder at hand puts right.

Each channel is shown to the decoder as a separate grey picture: the same bytes with another
directory (TIFF 6.0, "PlanarConfiguration"). So compression, predictors and tiles are its work.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np

from cine3d_core.files.quiet import without_own_lines

_SHORT, _LONG = 3, 4
_TYPES = {1: "B", _SHORT: "H", _LONG: "I"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_SAMPLES, _PREDICTOR = 277, 317
_KEPT = (_WIDTH, _HEIGHT, _COMPRESSION, 278, _PREDICTOR, 322, 323)  # rows of a strip, tile's sides
_PLACES = ((273, 279), (324, 325))  # offsets and sizes, of strips and of tiles

Directory = dict[int, tuple[int, ...]]


def planar_samples(data: bytes) -> np.ndarray:  # [H, W, C] uint16
    """The samples of a planar 16-bit TIFF with 3 or 4 channels.

    Raises:
        ValueError: it is none, or damaged; struct.error and IndexError where it is cut off.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        raise ValueError("it is a TIFF of more than 4 GB, whose planes cannot be read")
    directory = _directory(data, order)
    count = directory[_SAMPLES][0]
    if not 3 <= count <= 4 or set(directory[_BITS]) != {16}:
        raise ValueError("its channels have other depths than 16 bits")
    planes = [_plane(data, order, directory, number, count) for number in range(count)]
    return np.stack(planes, axis=2)


def _directory(data: bytes, order: str) -> Directory:
    """The first directory: tag -> values, of whole numbers."""
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    found: Directory = {}
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", data, entry)
        if kind not in _TYPES or length > len(data):
            continue
        layout = f"{order}{length}{_TYPES[kind]}"
        place = entry + 8
        if struct.calcsize(layout) > 4:
            (place,) = struct.unpack_from(order + "I", data, place)
        found[tag] = struct.unpack_from(layout, data, place)
    return found


def _plane(data: bytes, order: str, directory: Directory, number: int, count: int) -> np.ndarray:
    """One channel, [H, W] uint16."""
    shown: Directory = {tag: directory[tag] for tag in _KEPT if tag in directory}
    shown |= {_BITS: (16,), _PHOTOMETRIC: (1,), _SAMPLES: (1,)}
    for tags in _PLACES:
        for tag in tags:
            if tag in directory:
                each, rest = divmod(len(directory[tag]), count)
                if rest or not each:
                    raise ValueError("its planes are of different sizes")
                shown[tag] = directory[tag][number * each : (number + 1) * each]
    alone = _with_directory(data, order, shown)
    with without_own_lines():
        plane = cv2.imdecode(np.frombuffer(alone, np.uint8), cv2.IMREAD_UNCHANGED)
    if plane is None or plane.ndim != 2 or plane.dtype != np.uint16:
        raise ValueError("one of its planes cannot be decoded")
    return plane


def _with_directory(data: bytes, order: str, directory: Directory) -> bytes:
    """The same file with another first directory, at its end."""
    tail = bytearray(b"\0" * (len(data) % 2))  # values begin at even places
    entries = b""
    for tag, values in sorted(directory.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) == 1:
            field = packed
        else:
            field = struct.pack(order + "I", len(data) + len(tail))
            tail += packed
        entries += struct.pack(order + "HHI", tag, _LONG, len(values)) + field
    start = len(data) + len(tail)
    tail += struct.pack(order + "H", len(directory)) + entries + bytes(4)
    return data[:4] + struct.pack(order + "I", start) + data[8:] + bytes(tail)
