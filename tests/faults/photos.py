"""Photos: damaged, hostile, or only odd."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.command_line import PHOTO
from tests.faults.case import HEIGHT, WIDTH, Case, Command, Outcome, Workshop
from tests.pictures import picture8, picture16

RGB = picture8(HEIGHT, WIDTH)
JPEG = PHOTO.read_bytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, bits: int = 8, colour: int = 2, body: bytes = b"") -> bytes:
    """A PNG that promises a size and holds `body`."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def tiff(width: int, height: int, *tags: tuple[int, int, int, int]) -> bytes:
    """A little-endian TIFF of one directory: (tag, type, count, value)."""
    entries = sorted([(256, 4, 1, width), (257, 4, 1, height), *tags])
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + bytes(4)


def encoded(kind: str, pixels: np.ndarray = RGB, mode: str | None = None, **options: Any) -> bytes:
    """A picture file as Pillow writes it."""
    image = Image.fromarray(pixels)
    image = image if mode is None else image.convert(mode)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(**tags: Any) -> bytes:
    """A JPEG with EXIF tags `t274=6`; t37386 and above go where cameras put them."""
    data = Image.Exif()
    for name, value in tags.items():
        number = int(name[1:])
        (data.get_ifd(0x8769) if number > 0x8769 else data)[number] = value
    return encoded("JPEG", exif=data)


def rgba(alpha: np.ndarray) -> bytes:
    return encoded("PNG", np.dstack([RGB, alpha.astype(np.uint8)]))


REFUSED: dict[str, bytes] = {
    "text": b"this is no picture\n",
    "empty file": b"",
    "one byte": b"\xff",
    "JPEG header alone": JPEG[:4],
    "JPEG cut in its header": JPEG[:300],
    "JPEG cut in the middle": JPEG[:30_000],
    "PNG without pixels": png(64, 64),
    "PNG of 20000x20000": png(20_000, 20_000),
    "PNG of 2 billion px a side": png(2**31 - 1, 2**31 - 1),
    "PNG of 100000x1": png(100_000, 1),
    "PNG of 0x0": png(0, 0),
    "PNG whose pixels are noise": png(64, 64, body=bytes(range(256))),
    "PNG with a wrong checksum": png(64, 64)[:-30] + b"x" * 30,
    "PNG of 3 bits": png(64, 64, bits=3),
    "1x1": encoded("PNG", RGB[:1, :1]),
    "15 px high": encoded("PNG", RGB[:15]),
    "TIFF of 4 billion px a side": tiff(2**32 - 1, 2**32 - 1),
    "TIFF of 60000x60000": tiff(60_000, 60_000, (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8)),
    "TIFF whose directory is itself": b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0",
    "TIFF cut off": encoded("TIFF")[:60],
    "32-bit float TIFF": encoded("TIFF", np.full((HEIGHT, WIDTH), 0.5, np.float32)),
    "32-bit integer TIFF": encoded("TIFF", np.full((HEIGHT, WIDTH), 9**9, np.int32)),
    "BMP of absurd size": b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 2**30, 2**30, 1,
                                              24, 0, 0, 0, 0, 0, 0),
    "GIF of 0x0": b"GIF89a" + bytes(7),
    "WebP cut off": encoded("WEBP")[:40],
    "HEIC": b"\0\0\0\x18ftypheic" + bytes(100),
    "MP4": b"\0\0\0\x18ftypmp42" + bytes(100),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "SVG with an external entity": b"<!DOCTYPE s [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><svg/>",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n(x) print quit\n",
    "PDF": b"%PDF-1.4\n1 0 obj<</OpenAction<</S/Launch>>>>endobj\n",
    "ZIP": b"PK\x05\x06" + bytes(18),
    "pickle": b"cposix\nsystem\n(S'exit'\ntR.",
    "fully transparent": rgba(np.zeros((HEIGHT, WIDTH))),
    "PPM that promises too much": b"P6 16000 6000 255\n\x01\x02",
    "PPM of negative size": b"P6 -4 9 255\n",
    "text chunk of 100 MB": png(64, 64)[:33]
    + chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(100_000_000))) + chunk(b"IEND", b""),
}  # fmt: skip

SURVIVED: dict[str, bytes] = {
    **{f"EXIF orientation {n}": exif(t274=n) for n in range(1, 9)},
    "EXIF orientation 99": exif(t274=99),
    "EXIF focal length 0": exif(t41989=0, t37386=0.0),
    "EXIF focal length 60000 mm": exif(t41989=60000),
    "EXIF that is noise": encoded("JPEG", exif=b"Exif\0\0" + bytes(range(200))),
    "colour profile that is noise": encoded("PNG", icc_profile=bytes(range(256))),
    "empty colour profile": encoded("JPEG", icc_profile=b"\0"),
    "8-bit grey": encoded("PNG", mode="L"),
    "grey with alpha": encoded("PNG", mode="LA"),
    "1-bit": encoded("PNG", mode="1"),
    "palette": encoded("PNG", mode="P"),
    "palette with a clear colour": encoded("PNG", mode="P", transparency=3),
    "CMYK JPEG": encoded("JPEG", mode="CMYK"),
    "CMYK TIFF": encoded("TIFF", mode="CMYK"),
    "L*a*b* TIFF": encoded("TIFF", mode="LAB"),
    "YCbCr TIFF": encoded("TIFF", mode="YCbCr"),
    "16-bit grey PNG": encoded("PNG", picture16(HEIGHT, WIDTH)[:, :, 0].copy()),
    "16-bit grey TIFF": encoded("TIFF", picture16(HEIGHT, WIDTH)[:, :, 0].copy()),
    "TIFF by LZW": encoded("TIFF", compression="tiff_lzw"),
    "TIFF by Deflate": encoded("TIFF", compression="tiff_adobe_deflate"),
    "BMP": encoded("BMP"),
    "TGA": encoded("TGA"),
    "PPM": encoded("PPM"),
    "GIF": encoded("GIF"),
    "animated GIF": encoded("GIF", save_all=True, append_images=[Image.fromarray(RGB[::-1])]),
    "WebP": encoded("WEBP"),
    "WebP with alpha": encoded("WEBP", mode="RGBA", lossless=True),
    "JPEG 2000": encoded("JPEG2000"),
    "ICO": encoded("ICO", sizes=[(32, 24)]),
    "progressive JPEG": encoded("JPEG", progressive=True),
    "JPEG followed by noise": encoded("JPEG") + bytes(range(256)) * 20,
    "half transparent": rgba(np.full((HEIGHT, WIDTH), 127)),
    "one visible pixel": rgba(np.eye(HEIGHT, WIDTH) * 0 + (np.arange(WIDTH) == 9) * 255),
    "all black": encoded("PNG", RGB * 0),
    "all white": encoded("PNG", RGB * 0 + 255),
    "noise": encoded("PNG", np.random.default_rng(1).integers(0, 256, RGB.shape).astype(np.uint8)),
    "smallest allowed": encoded("PNG", picture8(16, 16)),
    "a strip of 400x16": encoded("PNG", picture8(16, 400)),
    "a tower of 16x400": encoded("PNG", picture8(400, 16)),
}


def photo_bytes(content: bytes, name: str) -> Callable[[Workshop], Sequence[Command]]:
    def make(shop: Workshop) -> list[Command]:
        path = shop.file(name, content)
        with Image.open(path) as image:
            exif_turned = image.getexif().get(274, 1) in (5, 6, 7, 8)
            width, height = image.size[::-1] if exif_turned else image.size
        plane = np.full((height, width), 90, np.uint8)
        depth = shop.picture("depth.png", plane)
        return [shop.build(path, "--depth", depth, "--mask", depth)]

    return make


def bad_bytes(content: bytes) -> Callable[[Workshop], Sequence[Command]]:
    return lambda shop: [shop.build(shop.file("photo.jpg", content))]


def named(name: str | bytes) -> Callable[[Workshop], Sequence[Command]]:
    """A sound photo under an odd name."""

    def make(shop: Workshop) -> list[Command]:
        path = os.path.join(os.fsencode(shop.inputs), os.fsencode(name))
        with open(path, "wb") as file:
            file.write(encoded("PNG"))
        return [shop.build(Path(os.fsdecode(path)))]

    return make


def pipe(shop: Workshop) -> list[Command]:
    os.mkfifo(shop.inputs / "pipe.jpg")
    return [shop.build(shop.inputs / "pipe.jpg")]


def link_to_itself(shop: Workshop) -> list[Command]:
    (shop.inputs / "loop.jpg").symlink_to(shop.inputs / "loop.jpg")
    return [shop.build(shop.inputs / "loop.jpg")]


def dead_link(shop: Workshop) -> list[Command]:
    (shop.inputs / "link.jpg").symlink_to(shop.inputs / "gone.jpg")
    return [shop.build(shop.inputs / "link.jpg")]


def link(shop: Workshop) -> list[Command]:
    (shop.inputs / "link.jpg").symlink_to(shop.file("real.png", encoded("PNG")))
    return [shop.build(shop.inputs / "link.jpg")]


PLACES: tuple[tuple[str, Outcome, Callable[[Workshop], Sequence[Command]]], ...] = (
    ("absent", "refused", lambda shop: [shop.build(shop.inputs / "none.jpg")]),
    ("a folder", "refused", lambda shop: [shop.build(shop.inputs)]),
    ("a name of another line", "refused", lambda shop: [shop.build(shop.inputs / "a\nb.jpg")]),
    ("/dev/zero", "refused", lambda shop: [shop.build("/dev/zero")]),
    ("a name of 300 letters", "refused", lambda shop: [shop.build(shop.inputs / ("x" * 300))]),
    ("a path through a file", "refused", lambda shop: [shop.build(shop.photo() / "x.jpg")]),
    ("a name with a null", "refused", lambda shop: [shop.build(shop.inputs / "a\0b.jpg")]),
    ("named pipe", "refused", pipe),
    ("link to itself", "refused", link_to_itself),
    ("dead link", "refused", dead_link),
    ("link", "survives", link),
    ("name with a line break", "survives", named("two\nlines.png")),
    ("name that is not Unicode", "survives", named(b"\xff\xfe.png")),
    ("name of emoji", "survives", named("🌊 sea 海.png")),
    ("name of quotes and percent signs", "survives", named("a'b\"%s{}$x;&.png")),
    ("name without extension", "survives", named("photo")),
    ("name with another kind's extension", "survives", named("photo.exr")),
)

CASES = (
    *(Case("photos", name, "refused", bad_bytes(data)) for name, data in REFUSED.items()),
    *(
        Case("photos", name, "survives", photo_bytes(data, "photo.jpg"))
        for name, data in SURVIVED.items()
    ),
    *(Case("photos", name, outcome, make) for name, outcome, make in PLACES),
)
