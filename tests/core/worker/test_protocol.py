"""The wire format: round trips, and refusal of everything else."""

import io
import json
import struct

import numpy as np
import pytest

from cine3d_core.worker.protocol import (
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    Message,
    ProtocolError,
    read_message,
    write_message,
)
from cine3d_core.worker.server import Session, take_message


def raw_message(header, payload=b"", *, magic=b"C3D1", header_bytes=None, payload_bytes=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    sizes = (
        len(text) if header_bytes is None else header_bytes,
        len(payload) if payload_bytes is None else payload_bytes,
    )
    return io.BytesIO(struct.pack("<4sIQ", magic, *sizes) + text + payload)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int64", "float32", "float64"])
def test_arrays_come_back_as_they_were(dtype):
    generator = np.random.default_rng(1)
    arrays = {
        "a": (generator.random((3, 5)) * 100).astype(dtype),
        "transposed": (generator.random((4, 2)) * 100).astype(dtype).T,
        "empty": np.zeros((0, 3), dtype),
        "scalar": np.ones((), dtype),
    }
    stream = io.BytesIO()
    write_message(stream, "job", {"id": 7, "name": "ä"}, arrays)
    stream.seek(0)
    message = read_message(stream)
    assert message is not None and message.kind == "job"
    assert message.header == {"id": 7, "name": "ä"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(message.arrays[name], array)
        assert message.arrays[name].dtype == array.dtype
    assert read_message(stream) is None


def test_a_truncated_message_is_refused_at_every_byte():
    stream = io.BytesIO()
    write_message(stream, "result", {"id": 1}, {"a": np.arange(4, dtype=np.int32)})
    whole = stream.getvalue()
    for length in range(1, len(whole)):
        with pytest.raises(ProtocolError):
            read_message(io.BytesIO(whole[:length]))


HOSTILE_ARRAYS = [
    [{"name": "a", "dtype": "object", "shape": [1]}],
    [{"name": "a", "dtype": "float32", "shape": [-1, -1]}],
    [{"name": "a", "dtype": "float32", "shape": [1 << 62, 1 << 62]}],
    [{"name": "a", "dtype": "float32", "shape": "4"}],
    [{"name": 3, "dtype": "float32", "shape": [1]}],
    [{"dtype": "float32", "shape": [1]}],
    ["a"],
    {"a": 1},
]


@pytest.mark.parametrize("arrays", HOSTILE_ARRAYS)
def test_hostile_array_descriptions_are_refused(arrays):
    with pytest.raises(ProtocolError):
        read_message(raw_message({"kind": "job", "arrays": arrays}, b"1234"))


def test_wrong_magic_sizes_and_headers_are_refused():
    good = {"kind": "job", "arrays": []}
    for stream in (
        raw_message(good, magic=b"HTTP"),
        raw_message(good, header_bytes=MAX_HEADER_BYTES + 1),
        raw_message(good, payload_bytes=MAX_PAYLOAD_BYTES + 1),
        raw_message(b"\xff\xfe"),
        raw_message(b"[1, 2]"),
        raw_message({"arrays": []}),
        raw_message({"kind": "job"}),
    ):
        with pytest.raises(ProtocolError):
            read_message(stream)


def test_objects_are_not_sent():
    with pytest.raises(ProtocolError):
        write_message(io.BytesIO(), "job", {}, {"a": np.array([object()])})


HOSTILE_HEADERS = [
    b'{"kind": "job", "arrays": ' + b"[" * 100_000,
    {"kind": "job", "arrays": [{"name": "a", "dtype": "uint8", "shape": [0] * 100}]},
    {"kind": "job", "arrays": [{"name": "a", "dtype": ["uint8"], "shape": [0]}]},
    {"kind": "job", "arrays": [{"name": "a", "dtype": "uint8", "shape": [0]}] * 2},
]


@pytest.mark.parametrize("number", range(len(HOSTILE_HEADERS)))
def test_headers_that_trip_the_libraries_below_are_refused(number):
    with pytest.raises(ProtocolError):
        read_message(raw_message(HOSTILE_HEADERS[number]))


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("cancel", {"id": [1]}),
        ("cancel", {}),
        ("job", {"id": None, "name": "ping"}),
        ("job", {"id": 1}),
        ("job", {"id": 1, "name": "ping", "arguments": [1]}),
    ],
)
def test_messages_without_what_they_need_are_refused(kind, header):
    with pytest.raises(ProtocolError):
        take_message(Session(io.BytesIO()), Message(kind, header))
