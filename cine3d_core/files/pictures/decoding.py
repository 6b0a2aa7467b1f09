"""Picture files become samples: what is stored, at full depth, turned the right way up."""

from __future__ import annotations

import importlib
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cine3d_core.errors import InputError
from cine3d_core.files.inputs import input_file
from cine3d_core.files.pictures.raw import is_raw
from cine3d_core.files.pictures.tiff_planes import planar_samples
from cine3d_core.files.quiet import without_own_lines

MAX_SIDE_PX = 16_384
MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class Bounds:
    """How large a picture may be."""

    side_px: int = MAX_SIDE_PX
    pixels: int = MAX_PIXELS


USUAL = Bounds()
# for a picture that is made smaller while it is read
REDUCED = Bounds(65_535, 1_000_000_000)

_PIXELS_PER_BYTE = 2000  # of a file: beyond USUAL, more are a promise that it cannot keep

_ORIENTATION = 0x0112  # EXIF and TIFF tag
_BITS_PER_SAMPLE = 258  # TIFF tag
_PLANAR = 284  # TIFF tag: 1 interleaved, 2 one channel after the other
# what Pillow and its plugins are known to raise for damaged bytes
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    ArithmeticError,
    NotImplementedError,
    MemoryError,
    struct.error,
    zlib.error,
    cv2.error,
)


@contextmanager
def opened_picture(path: str | Path, what: str, *, bounds: Bounds = USUAL) -> Iterator[Image.Image]:
    """A picture of bearable size whose pixels are not decoded yet.

    Whatever the decoder raises for damaged bytes, here or inside, becomes an InputError.
    """
    place = input_file(path, what)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of sizes and odd EXIF; we decide on both
            _check_no_raw(place, what)
            _learn_formats()
            with Image.open(place) as image:
                check_size(image.height, image.width, path, what, bounds=bounds)
                _check_possible(image, place, what)
                yield image
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(path, what, "", bounds)) from error
    except UnidentifiedImageError as error:
        raise InputError(_unknown(place, what)) from error
    except _DAMAGE as error:
        raise InputError(
            f"the {what} {path} is damaged or cut off ({error}); export it again"
        ) from error


@cache
def _learn_formats() -> None:
    """HEIC and JPEG XL, where the packages for them are installed."""
    # Pillow would print lines of its own beside our sentence
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    # ours are the bounds that hold, and they are looked at before a pixel is decoded
    Image.MAX_IMAGE_PIXELS = REDUCED.pixels
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    with suppress(ImportError):
        importlib.import_module("pillow_jxl")  # which registers itself


def _check_no_raw(path: Path, what: str) -> None:
    """InputError for a camera's raw file, of which only the small preview would be read."""
    if is_raw(path):
        raise InputError(f"the {what} {path} is a camera's raw file; save it as TIFF or PNG first")


def check_size(
    height: int, width: int, path: str | Path, what: str, *, bounds: Bounds = USUAL
) -> None:
    """InputError for a picture whose pixels would not fit into memory."""
    if max(height, width) > bounds.side_px or height * width > bounds.pixels:
        raise InputError(_too_large(path, what, f"{width}x{height}, ", bounds))
    if min(height, width) < 1:
        raise InputError(f"the {what} {path} has no pixels; export it again")


def _check_possible(image: Image.Image, path: Path, what: str) -> None:
    """InputError for a small file that promises so many pixels that it cannot hold them."""
    pixels = image.height * image.width
    if pixels > USUAL.pixels and pixels > _PIXELS_PER_BYTE * path.stat().st_size:
        raise InputError(
            f"the {what} {path} promises {image.width}x{image.height} pixels, which its "
            f"{path.stat().st_size} bytes cannot hold; export it again"
        )


def reduced(image: Image.Image, max_side: int) -> Image.Image:
    """A large picture made smaller while it is decoded, its long side still `max_side` px or more.

    JPEG is decoded at half, a quarter or an eighth of its size; everything else is decoded as it is
    and then averaged over blocks of whole pixels. Beyond 8 bits a channel only grey keeps its
    depth.
    """
    turn, info = image.getexif().get(_ORIENTATION, 1), image.info
    image.draft(None, _room_for(image.size, max_side))
    factor = max(image.size) // max_side
    if factor > 1:
        if image.mode.startswith("I;16"):
            image = image.convert("I")
        elif image.mode in ("1", "P", "PA"):
            image = image.convert(_plain_mode(image))
        image = image.reduce(factor)
    image.load()
    exif = Image.Exif()
    exif[_ORIENTATION] = turn
    # a picture made anew knows nothing of its file's tags
    image.info = {k: v for k, v in info.items() if k != "exif"} | {"exif": exif.tobytes()}
    return image


def _room_for(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """The smallest size that may come out of the decoder."""
    scale = min(1.0, max_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def decoding_bytes(image: Image.Image, max_side: int) -> int:
    """About how much memory `reduced` needs."""
    width, height = image.size
    if image.format in ("JPEG", "MPO"):
        while max(width, height) >= 2 * max_side and width * 8 > image.width:
            width, height = (width + 1) // 2, (height + 1) // 2
        return 5 * width * height
    return 8 * width * height  # decoded by a library, then kept by Pillow


def samples(path: str | Path, image: Image.Image) -> np.ndarray:
    """The stored samples, [H, W, C] uint8, uint16 or float32, with EXIF's rotation applied.

    C is 1 (grey), 2 (grey, alpha), 3 (RGB), 4 (RGB, alpha). Palettes are looked up.
    """
    if _is_deep_colour(path, image):
        return _deep_colour_samples(path, image)
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return _wide_grey(np.asarray(upright))
    array = np.asarray(upright.convert(_plain_mode(upright)))
    return array[:, :, None] if array.ndim == 2 else array


def _plain_mode(image: Image.Image) -> str:
    """The 8-bit mode that keeps colour and alpha of any other 8-bit mode."""
    clear = "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info
    if image.mode in ("1", "L", "LA", "La"):
        return "LA" if clear else "L"
    return "RGBA" if clear else "RGB"


def _wide_grey(array: np.ndarray) -> np.ndarray:
    """One channel of more than 8 bits; whole numbers that fit become uint16."""
    if array.dtype.kind == "f":
        return array.astype(np.float32)[:, :, None]
    fits = array.size and array.min() >= 0 and array.max() <= 65535
    return array.astype(np.uint16 if fits else np.float32)[:, :, None]


def _is_deep_colour(path: str | Path, image: Image.Image) -> bool:
    """True for colour of 16 bits a channel, which Pillow would cut to 8."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return False
    if image.format == "PNG":
        with Path(path).open("rb") as file:
            return file.read(25)[24:25] == b"\x10"  # bit depth in the header chunk
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))
    return max(bits) == 16 and len(bits) >= 3 and image.mode in ("RGB", "RGBA", "RGBX")


def _deep_colour_samples(path: str | Path, image: Image.Image) -> np.ndarray:
    """16-bit colour by way of OpenCV, which leaves EXIF's rotation to us."""
    orientation = image.getexif().get(_ORIENTATION, 1) if image.format == "PNG" else 1
    if getattr(image, "tag_v2", {}).get(_PLANAR, 1) == 2:  # decoded, it would be stripes
        return _turned(
            planar_samples(Path(path).read_bytes()), image.getexif().get(_ORIENTATION, 1)
        )
    data = np.fromfile(path, np.uint8)  # imread cannot open every name on Windows
    with without_own_lines():
        array = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if array is None:
        raise OSError("its pixels cannot be decoded")
    array = array[:, :, None] if array.ndim == 2 else array
    if array.shape[2] >= 3:  # OpenCV hands out blue first
        array = np.concatenate([array[:, :, 2::-1], array[:, :, 3:]], axis=2)
    return np.ascontiguousarray(_turned(array, orientation))


def _turned(array: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation (1 to 8) of an [H, W, C] array."""
    if orientation in (5, 6, 7, 8):
        array = array.transpose(1, 0, 2)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return array[::rows, ::columns]


def _too_large(path: str | Path, what: str, size: str, bounds: Bounds) -> str:
    return (
        f"the {what} {path} is too large ({size}at most {bounds.pixels // 10**6} megapixels and "
        f"{bounds.side_px} px a side); make it smaller first"
    )


def _unknown(path: Path, what: str) -> str:
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        if head[8:12] in (b"heic", b"heix", b"mif1", b"hevc", b"msf1"):
            return (
                f"the {what} {path} is HEIC, and the package for it is not installed; install "
                "cine3d[pictures], or save it as JPEG first"
            )
        return f"the {what} {path} is a video; save one of its frames as JPEG or PNG first"
    if head[:2] == b"\xff\x0a" or head[4:8] == b"JXL ":
        return (
            f"the {what} {path} is JPEG XL, and the package for it is not installed; install "
            "cine3d[pictures], or save it as PNG first"
        )
    return f"the {what} {path} is not a picture Cine3D can read; save it as JPEG, PNG or TIFF"
