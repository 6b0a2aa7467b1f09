"""Framed messages between Blender and the worker: a JSON header and raw array bytes.

One message on the wire (little endian):

    b"C3D1" | header length, uint32 | payload length, uint64 | header, UTF-8 JSON | payload

The header is an object whose `arrays` lists name, dtype and shape of every array in the payload,
in order and without gaps. Nothing is pickled and no size is trusted before it is checked.
Needs numpy alone: Blender's Python imports this module too.

Messages of the client: `job` (id, name, arguments), `cancel` (id).
Messages of the worker: `hello` (protocol, version, pid), `progress` (id, stage, fraction),
`result` (id, value) and `error` (id, kind_of_error, message, details).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

PROTOCOL_VERSION = 1
MAGIC = b"C3D1"
MAX_HEADER_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 1 << 33  # 8 GiB: a 100-megapixel frame with all its passes stays far below

_PREFIX = struct.Struct("<4sIQ")
_DTYPES = ("bool", "uint8", "int16", "int32", "int64", "float32", "float64")

# What an `error` message may say in `kind_of_error`.
INPUT_ERROR = "input"  # a person's mistake: `message` is the sentence to show
PANORAMA = "panorama"  # as `input`: a view of it has to be chosen
CANCELLED = "cancelled"
OUT_OF_MEMORY = "memory"
BUG = "bug"  # ours: `details` holds the traceback


class ProtocolError(Exception):
    """The other side does not speak this protocol, or the stream broke in mid-message."""


@dataclass(frozen=True)
class Message:
    """One message as it came off the wire."""

    kind: str
    header: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def write_message(
    stream: IO[bytes],
    kind: str,
    header: Mapping[str, Any] | None = None,
    arrays: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write one message and flush; the caller keeps other writers away.

    Raises:
        ProtocolError: an array's dtype is not one that the protocol carries, or the header is
            longer than the other side would accept.
    """
    # not ascontiguousarray, which gives a single number an axis
    contiguous = {name: np.asarray(array, order="C") for name, array in (arrays or {}).items()}
    specs = []
    for name, array in contiguous.items():
        if array.dtype.name not in _DTYPES:
            raise ProtocolError(f"array {name!r} is {array.dtype}, which the protocol cannot carry")
        specs.append({"name": name, "dtype": array.dtype.name, "shape": list(array.shape)})
    text = json.dumps({**(header or {}), "kind": kind, "arrays": specs}).encode()
    if len(text) > MAX_HEADER_BYTES:
        raise ProtocolError(f"header of {len(text)} bytes is over {MAX_HEADER_BYTES}")
    payload = sum(array.nbytes for array in contiguous.values())
    stream.write(_PREFIX.pack(MAGIC, len(text), payload))
    stream.write(text)
    for array in contiguous.values():
        stream.write(array.reshape(-1).data.cast("B") if array.size else b"")
    stream.flush()


def read_message(stream: IO[bytes]) -> Message | None:
    """The next message, or None when the stream ended between two messages.

    Raises:
        ProtocolError: what came is not a message of this protocol.
    """
    prefix = _read_exactly(stream, _PREFIX.size, end_allowed=True)
    if prefix is None:
        return None
    magic, header_bytes, payload_bytes = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise ProtocolError(f"message starts with {magic!r} instead of {MAGIC!r}")
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise ProtocolError(f"message of {header_bytes} + {payload_bytes} bytes is too large")
    header = _parse_header(_read_exactly(stream, header_bytes) or b"")
    specs = [_checked_spec(spec) for spec in header.pop("arrays")]
    if sum(_byte_count(dtype, shape) for _, dtype, shape in specs) != payload_bytes:
        raise ProtocolError(f"arrays do not add up to the payload of {payload_bytes} bytes")
    if len({name for name, _, _ in specs}) < len(specs):
        raise ProtocolError("two arrays have one name")
    arrays = {name: _read_array(stream, dtype, shape) for name, dtype, shape in specs}
    return Message(header.pop("kind"), header, arrays)


def _parse_header(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:  # brackets by the thousand
        raise ProtocolError(f"header is not JSON: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise ProtocolError("header is not an object with a kind")
    if not isinstance(header.get("arrays"), list):
        raise ProtocolError("header has no list of arrays")
    return header


def _checked_spec(spec: Any) -> tuple[str, str, tuple[int, ...]]:
    try:
        name, dtype, shape = spec["name"], spec["dtype"], spec["shape"]
    except (TypeError, KeyError) as error:
        raise ProtocolError(f"array without name, dtype or shape: {spec!r}") from error
    sizes_ok = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
    if not isinstance(name, str) or not isinstance(dtype, str) or not sizes_ok:
        raise ProtocolError(f"array that the protocol cannot carry: {spec!r}")
    if dtype not in _DTYPES:
        raise ProtocolError(f"array that the protocol cannot carry: {spec!r}")
    return name, dtype, tuple(shape)


def _byte_count(dtype: str, shape: tuple[int, ...]) -> int:
    return math.prod(shape) * np.dtype(dtype).itemsize  # Python integers do not overflow


def _read_array(stream: IO[bytes], dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.empty(shape, dtype)
    except (ValueError, MemoryError) as error:  # more axes than NumPy has, or too large
        raise ProtocolError(f"array of shape {shape} cannot be: {error}") from error
    if array.size:
        view = array.reshape(-1).data.cast("B")
        filled = 0
        while filled < len(view):
            count = stream.readinto(view[filled:])  # type: ignore[attr-defined]
            if not count:
                raise ProtocolError("stream ended in the middle of an array")
            filled += count
    return array


def _read_exactly(stream: IO[bytes], count: int, end_allowed: bool = False) -> bytes | None:
    chunks = bytearray()
    while len(chunks) < count:
        chunk = stream.read(count - len(chunks))
        if not chunk:
            if end_allowed and not chunks:
                return None
            raise ProtocolError("stream ended in the middle of a message")
        chunks += chunk
    return bytes(chunks)
