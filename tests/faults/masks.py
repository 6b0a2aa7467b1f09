"""Masks and depth pictures: damaged, hostile, or only odd."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence

import numpy as np
import OpenEXR
from PIL import Image

from tests.command_line import PHOTO
from tests.faults.case import HEIGHT, WIDTH, Case, Command, Workshop
from tests.faults.photos import encoded, png, tiff
from tests.pictures import picture8

FULL = np.full((HEIGHT, WIDTH), 255, np.uint8)
RAMP = np.tile(np.linspace(0, 255, WIDTH), (HEIGHT, 1)).astype(np.uint8)
Make = Callable[[Workshop], Sequence[Command]]


def one_pixel() -> np.ndarray:
    dot = np.zeros_like(FULL)
    dot[9, 9] = 255
    return dot


def labels() -> bytes:
    """A picture whose colours are an index, as annotation programs write it."""
    image = Image.fromarray((RAMP > 99).astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 200, 30, 30] + [0] * 750)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


MASKS_REFUSED = {
    "text": b"no picture",
    "empty file": b"",
    "cut off": encoded("PNG", FULL)[:40],
    "of another size": encoded("PNG", FULL[:9]),
    "of another shape": encoded("PNG", FULL.T.copy()),
    "all black": encoded("PNG", FULL * 0),
    "all clear": encoded("PNG", np.zeros((HEIGHT, WIDTH, 4), np.uint8)),
    "of 30000x30000": png(30_000, 30_000),
    "TIFF of 4 billion px a side": tiff(2**32 - 1, 2**32 - 1),
    "the photo's JPEG": PHOTO.read_bytes(),
    "all NaN": encoded("TIFF", np.full(FULL.shape, np.nan, np.float32)),
    "all negative": encoded("TIFF", np.full(FULL.shape, -1.0, np.float32)),
}
MASKS_SURVIVED = {
    "0 and 1": encoded("PNG", (RAMP > 99).astype(np.uint8)),
    "1-bit": encoded("PNG", RAMP, mode="1"),
    "16-bit": encoded("PNG", RAMP.astype(np.uint16) * 257),
    "palette of labels": labels(),
    "painted on clear": encoded("PNG", np.dstack([FULL * 0] * 3 + [RAMP])),
    "coloured": encoded("PNG", picture8(HEIGHT, WIDTH)),
    "a JPEG with its noise": encoded("JPEG", RAMP, quality=5),
    "one pixel": encoded("PNG", one_pixel()),
    "everything": encoded("PNG", FULL),
    "a thin line": encoded("PNG", np.eye(HEIGHT, WIDTH, dtype=np.uint8) * 255),
    "chequered": encoded("PNG", (np.indices(FULL.shape).sum(axis=0) % 2 * 255).astype(np.uint8)),
    "infinite": encoded("TIFF", np.where(RAMP > 99, np.inf, 0).astype(np.float32)),
}


def npy(array: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)  # type: ignore[arg-type]
    return file.getvalue()


def npy_header(text: str) -> bytes:
    """An .npy file of a header alone."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


class Hostile:
    """Runs a command where somebody unpickles it."""

    def __reduce__(self):  # type: ignore[no-untyped-def]
        import os

        return os.system, ("touch /tmp/cine3d-was-here",)


GREY = np.linspace(1, 2, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
HUGE = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }\n"
DEEP = "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 5000 + "\n"
CALL = "{'descr': __import__('os').system('touch /tmp/cine3d-was-here'), 'shape': (1, 1)}\n"
DEPTHS_REFUSED = {
    "text.npy": b"no array",
    "empty.npy": b"",
    "pickled object.npy": npy(np.array([Hostile()], dtype=object), allow_pickle=True),
    "header that promises 4 TB.npy": npy_header(HUGE),
    "header that calls a function.npy": npy_header(CALL),
    "header of 5000 brackets.npy": npy_header(DEEP),
    "header of negative size.npy": npy_header(HUGE.replace("(1000000, ", "(-5, ")),
    "header cut off.npy": npy_header(HUGE)[:20],
    "complex numbers.npy": npy(GREY.astype(np.complex64)),
    "words.npy": npy(np.full((HEIGHT, WIDTH), "far")),
    "four axes.npy": npy(np.zeros((1, 2, HEIGHT, WIDTH))),
    "no numbers.npy": npy(np.zeros((0, WIDTH))),
    "NaN.npy": npy(GREY * np.nan),
    "one infinity.npy": npy(np.where(GREY > 1.9, np.inf, GREY)),
    "beyond float32.npy": npy(GREY.astype(np.float64) * 1e300),
    "another shape.npy": npy(GREY[:5]),
    "archive.npy": b"PK\x03\x04" + bytes(100),
    "text.pfm": b"Pf\nwide high\n-1\n",
    "colour.pfm": b"PF\n2 2\n-1\n" + bytes(48),
    "negative size.pfm": b"Pf\n-2 -2\n-1\n" + bytes(16),
    "promises 400 GB.pfm": b"Pf\n300000 300000\n-1\n",
    "cut off.pfm": b"Pf\n32 24\n-1\n" + bytes(99),
    "endless line.pfm": b"Pf" + b" " * 10**6,
    "text.exr": b"no picture",
    "magic alone.exr": b"\x76\x2f\x31\x01\x02\0\0\0",
    "text.png": b"no picture",
    "coloured.png": encoded("PNG", picture8(HEIGHT, WIDTH)),
    "another shape.png": encoded("PNG", RAMP[:5]),
    "of 30000x30000.png": png(30_000, 30_000),
}
DEPTHS_SURVIVED = {
    "flat.png": encoded("PNG", FULL),
    "black.png": encoded("PNG", FULL * 0),
    "16-bit.png": encoded("PNG", RAMP.astype(np.uint16) * 257),
    "half the size.png": encoded("PNG", RAMP[::2, ::2].copy()),
    "grey JPEG.jpg": encoded("JPEG", RAMP),
    "float.tif": encoded("TIFF", GREY),
    "sound.npy": npy(GREY),
    "column by column.npy": npy(np.asfortranarray(GREY)),
    "big-endian.npy": npy(GREY.astype(">f8")),
    "whole numbers.npy": npy((GREY * 9).astype(np.int64)),
    "with an axis of 1.npy": npy(GREY[None]),
    "tiny numbers.npy": npy(GREY * np.float32(1e-42)),
    "large numbers.npy": npy(GREY * np.float32(1e38)),
    "negative.npy": npy(-GREY),
    "one far outlier.npy": npy(np.where(GREY > 1.99, np.float32(1e30), GREY)),
    "sound.pfm": b"Pf\n32 24\n-1\n" + GREY.tobytes(),
}


def mask(content: bytes) -> Make:
    return lambda shop: [shop.build(None, "--mask", shop.file("mask.png", content))]


def depth(name: str, content: bytes) -> Make:
    return lambda shop: [shop.build(None, "--depth", shop.file(name, content))]


def exr(channels: dict[str, np.ndarray], cut: int | None = None) -> Make:
    """A depth picture in OpenEXR, perhaps cut off."""

    def make(shop: Workshop) -> list[Command]:
        path = shop.inputs / "depth.exr"
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        with OpenEXR.File(header, channels) as file:
            file.write(str(path))
        shop.file("depth.exr", path.read_bytes()[:cut])
        return [shop.build(None, "--depth", path)]

    return make


def exr_of_size(shop: Workshop) -> list[Command]:
    """An EXR whose header promises a window of 2 billion pixels a side."""
    path = shop.inputs / "depth.exr"
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Z": GREY}) as file:
        file.write(str(path))
    window = struct.pack("<iiii", 0, 0, WIDTH - 1, HEIGHT - 1)
    absurd = struct.pack("<iiii", 0, 0, 2**31 - 2, 2**31 - 2)
    shop.file("depth.exr", path.read_bytes().replace(window, absurd))
    return [shop.build(None, "--depth", path)]


def words(*options: str) -> Make:
    return lambda shop: [shop.build(None, *(w.format(folder=shop.inputs) for w in options))]


def prefixed(prefix: str, array: np.ndarray) -> Make:
    return lambda shop: [shop.build(None, "--depth", f"{prefix}:{shop.file('d.npy', npy(array))}")]


CASES = (
    *(Case("masks", name, "refused", mask(data)) for name, data in MASKS_REFUSED.items()),
    *(Case("masks", name, "survives", mask(data)) for name, data in MASKS_SURVIVED.items()),
    Case("masks", "absent", "refused", words("--mask", "{folder}/none.png")),
    Case("masks", "a folder", "refused", words("--mask", "{folder}")),
    *(
        Case("depth pictures", name, "refused", depth(name, data))
        for name, data in DEPTHS_REFUSED.items()
    ),
    *(
        Case("depth pictures", name, "survives", depth(name, data))
        for name, data in DEPTHS_SURVIVED.items()
    ),
    Case("depth pictures", "EXR", "survives", exr({"Z": GREY})),
    Case("depth pictures", "EXR without depth", "refused", exr({"N": GREY})),
    Case("depth pictures", "EXR cut off", "refused", exr({"Z": GREY}, cut=400)),
    Case("depth pictures", "EXR of 2 billion px a side", "refused", exr_of_size),
    Case("depth pictures", "metric and negative", "refused", prefixed("metric", -GREY)),
    Case("depth pictures", "metric and zero", "refused", prefixed("metric", GREY * 0)),
    Case("depth pictures", "metric from 1e-30 to 1e30", "survives",
         prefixed("metric", np.geomspace(1e-30, 1e30, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH))),
    Case("depth pictures", "prefix alone", "refused", words("--depth", "metric:")),
    Case("depth pictures", "no name", "refused", words("--depth", "")),
    Case("depth pictures", "unknown name", "refused", words("--depth", "no-such-network")),
    Case("depth pictures", "absent", "refused", words("--depth", "{folder}/none.png")),
    Case("depth pictures", "an empty folder", "refused", words("--depth", "{folder}")),
)  # fmt: skip
