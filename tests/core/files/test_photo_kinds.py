"""Files of cameras, phones and photo programs: raw, planar TIFF, gain maps, wide colours."""

import io
import struct
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from cine3d_core import memory
from cine3d_core.errors import InputError
from cine3d_core.files.pictures import decoding, raw
from cine3d_core.files.pictures.photo import read_photo, reading_bytes
from tests.command_line import Refused
from tests.pictures import picture8, picture16, smooth_picture
from tests.tiff_files import dng, tiff16


def rgb_of(path: Path, **options: int) -> np.ndarray:
    return read_photo(path, **options).rgb.permute(1, 2, 0).double().numpy()


@pytest.mark.parametrize(
    ("channels", "planar", "layout"), list(product((3, 4), (False, True), ("strips", "tiles")))
)
def test_16_bit_tiff_is_right_however_it_is_laid_out(
    tmp_path: Path, channels: int, planar: bool, layout: str
) -> None:
    pixels = picture16(37, 50)
    if channels == 4:
        pixels = np.dstack([pixels, np.full((37, 50), 65535, np.uint16)])
    for deflate, order, orientation in product((False, True), ("<", ">"), (1, 6)):
        data = tiff16(pixels, planar=planar, layout=layout, deflate=deflate, order=order,
                      orientation=orientation)  # fmt: skip
        (tmp_path / "a.tif").write_bytes(data)
        upright = pixels if orientation == 1 else np.rot90(pixels, -1)
        np.testing.assert_allclose(rgb_of(tmp_path / "a.tif"), upright[..., :3] / 65535, atol=1e-6)


@pytest.mark.parametrize("compressed", [False, True])
def test_planar_tiff_with_a_damaged_plane_is_refused(tmp_path: Path, compressed: bool) -> None:
    data = bytearray(tiff16(picture16(40, 60), planar=True, rows=40, deflate=compressed))
    (directory,) = struct.unpack_from("<I", data, 4)
    if compressed:
        data[directory // 2 : directory] = bytes(directory - directory // 2)
    else:  # the strips lie beyond the end
        (places,) = struct.unpack_from("<I", data, data.index(struct.pack("<HH", 273, 4)) + 8)
        struct.pack_into("<I", data, places + 8, len(data) * 2)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        read_photo(tmp_path / "a.tif")


def halves() -> np.ndarray:
    pixels = np.zeros((64, 96, 3), np.uint16)
    pixels[:, :48], pixels[:, 48:] = (30_000, 8_000, 4_000), (2_000, 20_000, 40_000)
    return pixels


def test_raw_files_are_developed(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    (tmp_path / "a.DNG").write_bytes(dng(halves()))
    photo = read_photo(tmp_path / "a.DNG")
    assert photo.rgb.shape == (3, 64, 96) and any("raw" in note for note in photo.notes)
    left, right = photo.rgb[:, 32, 20], photo.rgb[:, 32, 76]
    assert left.argmax() == 0 and right.argmax() == 2
    # white balance and matrix keep the order; the sRGB curve lifts what is dark
    assert left[0] > left[1] > left[2] > 0.1
    small = read_photo(tmp_path / "a.DNG", max_side=40)
    assert small.rgb.shape == (3, 27, 40) and (small.original_height, small.original_width) == (
        64, 96,
    )  # fmt: skip
    assert reading_bytes(tmp_path / "a.DNG", 40, None) == 24 * 64 * 96


def test_raw_files_that_are_none_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    for name, data in (("a.nef", b"nothing"), ("b.cr3", b""), ("c.dng", dng(halves())[:5000])):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match="cannot be developed"):
            read_photo(tmp_path / name)


def test_without_the_package_raw_files_are_refused_and_their_thumbnails_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rawpy", None)  # as if it were not there
    for suffix in sorted(raw.SUFFIXES):
        Image.fromarray(picture8(32, 48)).save(tmp_path / f"photo{suffix}", "TIFF")
        with pytest.raises(InputError, match=r"cine3d\[raw\]"):
            read_photo(tmp_path / f"photo{suffix}")
    output = tmp_path / "s.cine3d"
    assert "raw file" in refused("build", tmp_path / "photo.dng", "-o", output)


def test_a_raw_file_is_no_mask(tmp_path: Path) -> None:
    Image.fromarray(picture8(32, 48)).save(tmp_path / "m.dng", "TIFF")
    with (
        pytest.raises(InputError, match="raw file"),
        decoding.opened_picture(tmp_path / "m.dng", "mask"),
    ):
        pass


def test_a_gain_map_beside_the_photo_is_ignored(tmp_path: Path) -> None:
    photo, gain = (Image.fromarray(picture8(64, 96, seed)) for seed in (0, 1))
    photo.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[gain.convert("L")],
               quality=95)  # fmt: skip
    with Image.open(tmp_path / "a.jpg") as image:
        assert getattr(image, "n_frames", 1) == 2  # the file does hold both
    read = read_photo(tmp_path / "a.jpg")
    assert read.notes == () and read.rgb.shape == (3, 64, 96)
    assert np.abs(rgb_of(tmp_path / "a.jpg") - smooth_picture(64, 96)).max() < 0.05


def test_a_heic_with_a_picture_beside_it_gives_the_photo(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    both = pillow_heif.HeifFile()
    for seed in (0, 1):
        both.add_from_pillow(Image.fromarray(picture8(64, 96, seed)))
    both.save(tmp_path / "a.heic", quality=95)
    assert np.abs(rgb_of(tmp_path / "a.heic") - smooth_picture(64, 96)).max() < 0.08


def display_p3() -> bytes:
    """The sRGB profile with the primaries of Display P3 (Apple's profile, adapted to D50)."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {b"rXYZ": (0.51512, 0.2412, -0.00105), b"gXYZ": (0.29198, 0.69225, 0.04189),
                 b"bXYZ": (0.1571, 0.06657, 0.78407)}  # fmt: skip
    for name, values in primaries.items():
        entry = data.index(name)
        (place,) = struct.unpack_from(">I", data, entry + 4)
        struct.pack_into(">3i", data, place + 8, *(round(v * 65536) for v in values))
    return bytes(data)


def srgb_of_p3(colour: np.ndarray) -> np.ndarray:
    """By the matrix between the two spaces (both D65, both with sRGB's curve)."""
    matrix = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    curve = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    light = (curve @ matrix.T).clip(0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", ["jpg", "png", "heic", "tif"])
def test_display_p3_becomes_srgb(tmp_path: Path, kind: str) -> None:
    if kind == "heic":
        pytest.importorskip("pillow_heif")
        decoding._learn_formats()
    colours = np.array([[200, 60, 60], [60, 180, 60], [90, 90, 200], [128, 128, 128]], np.uint8)
    pixels = colours.repeat(32, 0)[None].repeat(48, 0)
    Image.fromarray(pixels).save(tmp_path / f"a.{kind}", icc_profile=display_p3(), quality=100)
    middles = rgb_of(tmp_path / f"a.{kind}")[24, 16::32]
    np.testing.assert_allclose(middles, srgb_of_p3(colours / 255), atol=0.02)
    assert np.abs(middles - colours / 255).max() > 0.05  # it was converted


def test_a_photo_beyond_100_megapixels_is_made_smaller_while_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = Image.new("L", (12_000, 9_000), 200)
    image.paste(40, (0, 0, 6_000, 9_000))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    with pytest.raises(InputError, match="too large"):
        read_photo(tmp_path / "a.jpg")
    photo = read_photo(tmp_path / "a.jpg", max_side=400)
    assert photo.rgb.shape == (3, 400, 300) and any("is reduced" in note for note in photo.notes)
    assert (photo.original_height, photo.original_width) == (12_000, 9_000)
    assert photo.rgb[:, 20:180].mean() < 0.2 and photo.rgb[:, 220:380].mean() > 0.75
    needed = reading_bytes(tmp_path / "a.jpg", 400, None)
    assert needed is not None and needed < 30e6  # at an eighth of its size


KINDS = [
    *product(("png", "jpg", "tif", "webp"), ("RGB", "L")),
    *product(("png", "tif"), ("RGBA", "I;16", "P", "1")),
    ("jpg", "CMYK"),
]


@pytest.mark.parametrize(("kind", "mode"), KINDS)
def test_whatever_is_made_smaller_looks_as_if_it_had_been_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, mode: str
) -> None:
    image = Image.fromarray(picture8(300, 400))
    if mode == "I;16":
        image = Image.fromarray(picture16(300, 400)[:, :, 0].copy())
    image.convert(mode).save(tmp_path / f"a.{kind}", quality=100, lossless=True)
    whole = rgb_of(tmp_path / f"a.{kind}", max_side=75)
    monkeypatch.setattr(decoding, "USUAL", decoding.Bounds(16_384, 90_000))
    monkeypatch.setattr("cine3d_core.files.pictures.photo.USUAL", decoding.USUAL)
    small = read_photo(tmp_path / f"a.{kind}", max_side=75)
    assert small.rgb.shape == (3, 56, 75) and any("is reduced" in note for note in small.notes)
    grain = 0.2 if mode in ("1", "P") else 0.03  # dithered, it depends on where blocks begin
    np.testing.assert_allclose(small.rgb.permute(1, 2, 0), whole, atol=grain)


def test_memory_of_a_very_large_photo_is_said_beforehand_and_refused_where_it_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    Image.new("L", (11_000, 10_000), 90).save(tmp_path / "a.png")
    said = memory.reading_sentence(tmp_path / "a.png", 640, None, 8.0)
    assert said is not None and said[1] and "takes about 1.3 GiB" in said[0]
    monkeypatch.setattr(memory, "available_gib", lambda: 1.0)
    monkeypatch.setattr("cine3d_core.build.available_gib", lambda: 1.0)
    told = refused("build", tmp_path / "a.png", "-o", tmp_path / "s.cine3d", "--size", "640",
                   "--progress", "none")  # fmt: skip
    assert "1.0 GiB are free" in told and "smaller" in told


def test_a_small_file_that_promises_a_gigapixel_is_refused_before_memory_is_taken(
    tmp_path: Path,
) -> None:
    file = io.BytesIO()
    Image.new("L", (32, 32)).save(file, "TIFF")
    data = bytearray(file.getvalue())
    for tag in (256, 257):
        place = data.index(struct.pack("<HHI", tag, 4, 1))
        struct.pack_into("<I", data, place + 8, 30_000)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(InputError, match="cannot hold"):
        read_photo(tmp_path / "a.tif", max_side=640)
