"""Kinds of photos: raw files, 16-bit TIFF, panoramas and their views, promises of size."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.faults.case import HEIGHT, WIDTH, Case, Command, Outcome, Workshop
from tests.pictures import picture8, picture16
from tests.tiff_files import dng, tiff16

Make = Callable[[Workshop], Sequence[Command]]

PANORAMA = 240, 120  # px
VIEW = 59, 39  # px of 75 degrees of it
DEEP = picture16(HEIGHT, WIDTH)
RAW = dng(picture16(64, 96))


def file_named(name: str, content: bytes) -> Make:
    """A build of a file under a name."""
    return lambda shop: [shop.build(shop.file(name, content))]


def tiff(content: bytes) -> Make:
    return file_named("photo.tif", content)


def changed(content: bytes, *changes: tuple[int, int]) -> bytes:
    """A little-endian TIFF whose tags have other values."""
    data = bytearray(content)
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", data, place)
        for wanted, value in changes:
            if tag == wanted:
                struct.pack_into("<I", data, place + 8, value)
    return bytes(data)


PLANAR = tiff16(DEEP, planar=True)
SEVENS = np.dstack([DEEP, DEEP, DEEP[:, :, :1]])
TIFFS: dict[str, tuple[Outcome, bytes]] = {
    "planar": ("survives", PLANAR),
    "planar, the other byte order": ("survives", tiff16(DEEP, planar=True, order=">")),
    "planar by Deflate": ("survives", tiff16(DEEP, planar=True, deflate=True)),
    "planar in tiles": ("survives", tiff16(DEEP, planar=True, layout="tiles")),
    "tiles": ("survives", tiff16(DEEP, planar=False, layout="tiles")),
    "planar of seven channels": ("refused", tiff16(SEVENS, planar=True)),
    "planar that says it has four channels": ("refused", changed(PLANAR, (277, 4))),
    "planar that says it has none": ("refused", changed(PLANAR, (277, 0))),
    "planar whose offsets are nowhere": ("refused", changed(PLANAR, (273, 2**31))),
    "planar whose depths are nowhere": ("refused", changed(PLANAR, (258, 2**31))),
    "planar of 60000 rows": ("refused", changed(PLANAR, (257, 60_000))),
    "planar of rows of 0": ("refused", changed(PLANAR, (278, 0))),
    "planar cut off": ("refused", PLANAR[: len(PLANAR) * 2 // 3]),
    "planar by no known compression": ("refused", changed(PLANAR, (259, 12_345))),
    "planar whose directory is beyond the end": ("refused", PLANAR[:4] + b"\xff\xff\xff\x7f"),
    "BigTIFF": ("refused", b"II\x2b\0\x08\0\0\0\x10\0\0\0\0\0\0\0" + bytes(40)),
}
RAWS: dict[str, tuple[Outcome, str, bytes]] = {
    "nothing": ("refused", "photo.nef", b""),
    "text": ("refused", "photo.dng", b"this is no picture\n"),
    "noise": ("refused", "photo.cr3", np.random.default_rng(0).bytes(4096)),
    "a JPEG": ("refused", "photo.cr2", b"\xff\xd8\xff\xe0" + bytes(200)),
    "cut off": ("refused", "photo.dng", RAW[: len(RAW) // 2]),
    "without its directory": ("refused", "photo.dng", RAW[: struct.unpack_from("<I", RAW, 4)[0]]),
    "of 0 columns": ("refused", "photo.dng", changed(RAW, (256, 0))),
    "of two billion rows": ("refused", "photo.dng", changed(RAW, (257, 2**31))),
    "whose pixels are nowhere": ("either", "photo.dng", changed(RAW, (273, 2**31))),
    "an ordinary TIFF": ("either", "photo.arw", tiff16(DEEP, planar=False)),
}


def panorama(xmp: str = "") -> bytes:
    """A JPEG that shows all directions: even above and below, its sides meet."""
    width, height = PANORAMA
    longitude = np.linspace(-np.pi, np.pi, width, endpoint=False)[None, :, None]
    level = np.sin(np.linspace(0, np.pi, height))[:, None, None]
    shift = np.array([0.0, 2.0, 4.0])
    pixels = 128 + 100 * level * np.cos(longitude + shift)
    file = io.BytesIO()
    words = {"xmp": f'<x GPano:ProjectionType="equirectangular" {xmp}/>'.encode()} if xmp else {}
    Image.fromarray(pixels.astype(np.uint8)).save(file, "JPEG", quality=97, **words)
    return file.getvalue()


def looking(view: str | None, xmp: str = "", photo: bytes | None = None) -> Make:
    """A build of a view, its depth and mask of the view's shape."""

    def make(shop: Workshop) -> list[Command]:
        path = shop.file("photo.jpg", panorama(xmp) if photo is None else photo)
        size = PANORAMA if view == "flat" else VIEW
        depth = shop.picture("depth.png", np.full(size[::-1], 90, np.uint8))
        mask = shop.picture("mask.png", np.full(size[::-1], 255, np.uint8))
        chosen = [] if view is None else [f"--view={view}"]
        return [shop.build(path, *chosen, "--depth", depth, "--mask", mask)]

    return make


def gpano(**numbers: object) -> str:
    return " ".join(f'GPano:{name}="{value}"' for name, value in numbers.items())


SAID = gpano(FullPanoWidthPixels=240, FullPanoHeightPixels=120)
VIEWS: dict[str, tuple[Outcome, Make]] = {
    "recognised by its camera's words": ("refused", looking(None, SAID)),
    "recognised by its looks": ("refused", looking(None)),
    "taken flat": ("survives", looking("flat")),
    "a view of it": ("survives", looking("0,0,75")),
    "a view of it behind": ("survives", looking("-179.5,10,75")),
    "a view of it, said": ("survives", looking("30,0,75", SAID)),
    "straight up": ("survives", looking("0,90,75")),
    **{
        f"view {text!r}": ("refused", looking(text))
        for text in ("", "0", "0,0", "0,0,75,1", "a,b,c", "nan,0,75", "0,0,inf", "0,0,0", "0,0,-75",
                     "0,91,75", "361,0,75", "0,0,180", "1e400,0,75", "Flat", "0\0,0,75")
    },
    "a view of a photo": ("refused", lambda shop: [shop.build(None, "--view", "0,0,75")]),
    "words of 0 columns": ("either", looking("0,0,75", gpano(FullPanoWidthPixels=0))),
    "words of a million columns": ("either", looking("0,0,75", gpano(FullPanoWidthPixels=999999))),
    "words of no columns stored": ("refused", looking(
        "0,0,75", gpano(CroppedAreaImageWidthPixels=0, FullPanoWidthPixels=240))),
    "words that begin beyond": ("either", looking("0,0,75", gpano(CroppedAreaLeftPixels=99999))),
    "words of letters": ("survives", looking("0,0,75", gpano(FullPanoWidthPixels="wide"))),
    "words that are negative": ("survives", looking("0,0,75", gpano(CroppedAreaTopPixels=-9))),
    "a part that the view leaves": ("refused", looking(
        "180,0,75", gpano(FullPanoWidthPixels=960, FullPanoHeightPixels=480,
                          CroppedAreaLeftPixels=360, CroppedAreaTopPixels=180))),
}  # fmt: skip


def promise(pixels: tuple[int, int], body: bytes) -> bytes:
    """A grey PNG that promises a size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        packed = kind + content
        return struct.pack(">I", len(content)) + packed + struct.pack(">I", zlib.crc32(packed))

    head = struct.pack(">2I5B", *pixels, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


SIZES: dict[str, tuple[Outcome, bytes]] = {
    "a gigapixel in 100 bytes": ("refused", promise((30_000, 30_000), b"")),
    "more than a gigapixel": ("refused", promise((40_000, 40_000), bytes(1000))),
    "a side of 70000 px": ("refused", promise((70_000, 20), b"")),
    "130 megapixels, and then nothing": ("refused", promise((13_000, 10_000), bytes(80_000))),
    "a strip of 60000x40": ("refused", promise((60_000, 40), zlib.compress(bytes(60_001 * 40)))),
}


def odd_name(shop: Workshop) -> list[Command]:
    """A raw file's suffix in capitals, in a folder with a raw file's suffix."""
    folder = shop.inputs / "folder.dng"
    folder.mkdir()
    path = Path(folder, "PHOTO.PNG")
    Image.fromarray(picture8(HEIGHT, WIDTH)).save(path)
    return [shop.build(path)]


CASES = (
    *(Case("TIFF of 16 bits", name, outcome, tiff(data)) for name, (outcome, data) in
      TIFFS.items()),
    *(Case("raw files", name, outcome, file_named(file, data))
      for name, (outcome, file, data) in RAWS.items()),
    Case("raw files", "a folder named so", "survives", odd_name),
    *(Case("panoramas", name, outcome, make) for name, (outcome, make) in VIEWS.items()),
    *(Case("very large photos", name, outcome, file_named("photo.png", data))
      for name, (outcome, data) in SIZES.items()),
)  # fmt: skip
