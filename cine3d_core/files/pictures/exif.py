"""What a camera wrote into a photo about its lens."""

from __future__ import annotations

import math

from PIL import Image

_EXIF_IFD = 0x8769
_FOCAL_LENGTH = 0x920A  # mm
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
_PLANE_X_RESOLUTION, _PLANE_UNIT = 0xA20E, 0xA210
_FOCAL_35MM = 0xA405  # mm on a film of 36 x 24
_DIAGONAL_35MM = math.hypot(36.0, 24.0)
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}  # inch, cm, mm, micrometre


def focal_share(image: Image.Image, size: tuple[int, int]) -> float | None:
    """Focal length as a share of the photo's long side, from EXIF; None where it does not tell.

    Args:
        image: whose EXIF is asked; that of a raw file may be its preview.
        size: width and height of the photo itself, either way round.
    """
    try:
        exif = image.getexif().get_ifd(_EXIF_IFD)
        share = _share_of_35mm(exif, size) or _share_of_sensor(exif, size)
    except (ValueError, TypeError, ArithmeticError, KeyError, OSError, SyntaxError):
        return None  # damaged EXIF says nothing
    return share if share is not None and 0.1 < share < 200.0 else None


def _share_of_35mm(exif: dict[int, object], size: tuple[int, int]) -> float | None:
    """By the 35 mm equivalent, which cameras state for equal diagonals."""
    focal_mm = _number(exif.get(_FOCAL_35MM))
    if not focal_mm:  # 0 stands for unknown
        return None
    return focal_of_35mm(focal_mm, size)


def focal_of_35mm(focal_mm: float, size: tuple[int, int]) -> float:
    """A focal length on 35 mm film, for equal diagonals, as a share of a picture's long side."""
    return focal_mm / _DIAGONAL_35MM * math.hypot(*size) / max(size)


def _share_of_sensor(exif: dict[int, object], size: tuple[int, int]) -> float | None:
    """By the focal length and the sensor's pixels per unit of length."""
    focal_mm = _number(exif.get(_FOCAL_LENGTH))
    per_unit = _number(exif.get(_PLANE_X_RESOLUTION))
    unit_mm = _MM_PER_UNIT.get(int(_number(exif.get(_PLANE_UNIT)) or 2))
    if not focal_mm or not per_unit or unit_mm is None:
        return None
    # the resolution counts pixels of the picture as shot, which an editor may have resized
    taken = max(_number(exif.get(_PIXEL_X)) or 0.0, _number(exif.get(_PIXEL_Y)) or 0.0)
    return focal_mm / unit_mm * per_unit / (taken or max(size))


def _number(value: object) -> float | None:
    """An EXIF value as a finite number, None for anything else."""
    if value is None or isinstance(value, (bytes, str)):
        return None
    number = float(value)  # type: ignore[arg-type]
    return number if math.isfinite(number) and number > 0 else None
