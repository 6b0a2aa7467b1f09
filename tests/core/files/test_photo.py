import hashlib
import io
import math
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from cine3d_core.errors import InputError
from cine3d_core.files.pictures.decoding import _learn_formats
from cine3d_core.files.pictures.photo import read_photo
from tests.pictures import picture8, picture16, smooth_picture

EXIF_IFD = 0x8769


def psnr(photo: torch.Tensor, wanted: np.ndarray) -> float:
    difference = photo.permute(1, 2, 0).double().numpy() - wanted
    return -10 * math.log10(max(float((difference**2).mean()), 1e-20))


@pytest.mark.parametrize("extension", ["png", "tif", "bmp", "jpg", "webp"])
def test_common_formats_give_the_picture(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"photo.{extension}"
    Image.fromarray(picture8(30, 50)).save(path, quality=95)
    photo = read_photo(path)
    assert photo.rgb.shape == (3, 30, 50) and photo.rgb.dtype == torch.float32
    assert photo.alpha is None and photo.focal_px is None
    assert (photo.original_height, photo.original_width) == (30, 50)
    assert photo.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert psnr(photo.rgb, smooth_picture(30, 50)) > 35


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_16_bit_colour_keeps_its_16_bits(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"photo.{extension}"
    cv2.imwrite(str(path), picture16(30, 50)[:, :, ::-1])
    assert psnr(read_photo(path).rgb, picture16(30, 50) / 65535) > 100


def test_16_bit_grey_keeps_its_16_bits(tmp_path: Path) -> None:
    grey = picture16(30, 50)[:, :, 0]
    Image.fromarray(grey).save(tmp_path / "photo.png")
    photo = read_photo(tmp_path / "photo.png")
    assert psnr(photo.rgb, np.repeat(grey[:, :, None] / 65535, 3, axis=2)) > 100


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB"])
def test_every_mode_becomes_three_channels_in_range(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(picture8(30, 50))
    if mode == "LAB":
        profiles = [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
        image = ImageCms.profileToProfile(image, *profiles, outputMode="LAB")
        assert image is not None
    else:
        image = image.convert(mode)
    image.save(tmp_path / "photo.tif" if mode != "P" else tmp_path / "photo.png")
    photo = read_photo(next(tmp_path.iterdir()))
    assert photo.rgb.shape == (3, 30, 50)
    assert photo.rgb.min() >= 0 and photo.rgb.max() <= 1
    if mode in ("YCbCr", "LAB"):
        assert psnr(photo.rgb, smooth_picture(30, 50)) > 25


@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_puts_the_picture_upright(
    tmp_path: Path, extension: str, orientation: int
) -> None:
    upright = picture8(32, 48)
    inverse = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    stored = _turn(upright, inverse)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / f"p.{extension}", exif=exif, quality=95)
    photo = read_photo(tmp_path / f"p.{extension}")
    assert (photo.original_height, photo.original_width) == (32, 48)
    assert psnr(photo.rgb, upright / 255) > 30


@pytest.mark.parametrize("extension", ["png", "tif"])
@pytest.mark.parametrize("orientation", [3, 6, 7])
def test_exif_rotation_holds_at_16_bits(tmp_path: Path, extension: str, orientation: int) -> None:
    upright = picture16(32, 48)
    stored = _turn(upright, {6: 8}.get(orientation, orientation))
    path = tmp_path / f"p.{extension}"
    _save16(path, stored, orientation)
    photo = read_photo(path)
    assert photo.rgb.shape == (3, 32, 48)
    assert psnr(photo.rgb, upright / 65535) > 90


def _turn(array: np.ndarray, orientation: int) -> np.ndarray:
    """What a viewer that honours the orientation shows, by NumPy's own words."""
    shown = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: np.rot90,
    }
    return np.ascontiguousarray(shown[orientation](array))


def _save16(path: Path, array: np.ndarray, orientation: int) -> None:
    """16-bit colour with an orientation, which neither library writes by itself."""
    cv2.imwrite(str(path), array[:, :, ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    data = path.read_bytes()
    if path.suffix == ".tif":
        # every OpenCV TIFF has the SampleFormat tag last; an orientation entry replaces it
        entry = (0x0153).to_bytes(2, "little")
        start = data.rindex(entry + (3).to_bytes(2, "little"))
        tag = np.array([0x0112, 3, 1, 0, orientation, 0], "<u2").tobytes()
        path.write_bytes(data[:start] + tag + data[start + 12 :])
        return
    exif = Image.Exif()
    exif[0x0112] = orientation
    body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = (len(body) - 4).to_bytes(4, "big") + body

    path.write_bytes(data[:33] + chunk + zlib.crc32(body).to_bytes(4, "big") + data[33:])


def test_the_long_side_is_brought_down_but_never_up(tmp_path: Path) -> None:
    Image.fromarray(picture8(60, 90)).save(tmp_path / "p.png")
    assert read_photo(tmp_path / "p.png", max_side=45).rgb.shape == (3, 30, 45)
    assert read_photo(tmp_path / "p.png", max_side=900).rgb.shape == (3, 60, 90)


def test_downsizing_averages_areas(tmp_path: Path) -> None:
    stored = picture8(60, 80)
    Image.fromarray(stored).save(tmp_path / "p.png")
    photo = read_photo(tmp_path / "p.png", max_side=40)
    blocks = (stored / 255).reshape(30, 2, 40, 2, 3).mean(axis=(1, 3))
    assert psnr(photo.rgb, blocks) > 100


def test_half_transparent_pixels_keep_their_colour_and_hidden_ones_get_a_neighbours(
    tmp_path: Path,
) -> None:
    rgba = np.zeros((40, 80, 4), np.uint8)
    rgba[:, :40] = (200, 100, 50, 128)
    rgba[:, 40:] = (0, 255, 0, 0)  # fully transparent: this green must never show
    Image.fromarray(rgba).save(tmp_path / "p.png")
    photo = read_photo(tmp_path / "p.png", max_side=60)
    wanted = torch.tensor([200, 100, 50])[:, None, None] / 255
    assert torch.allclose(photo.rgb, wanted.expand(3, 30, 60), atol=1e-3)
    assert photo.alpha is not None and photo.alpha.shape == (1, 30, 60)
    assert photo.alpha[0, 0, 0] == pytest.approx(128 / 255) and photo.alpha[0, 0, -1] == 0


def test_an_opaque_alpha_channel_is_none(tmp_path: Path) -> None:
    Image.fromarray(picture8(20, 20)).convert("RGBA").save(tmp_path / "p.png")
    assert read_photo(tmp_path / "p.png").alpha is None


def test_transparent_palettes_have_an_alpha(tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20) % 3).convert("P")
    image.save(tmp_path / "p.gif", transparency=0)
    photo = read_photo(tmp_path / "p.gif")
    assert photo.alpha is not None and set(photo.alpha.unique().tolist()) == {0.0, 1.0}


def test_a_foreign_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    # a profile with its primaries rotated: what is stored as red is green
    swapped = _profile_with_red_and_green_swapped()
    image = Image.new("RGB", (20, 20), (255, 0, 0))
    image.save(tmp_path / "p.png", icc_profile=swapped)
    red, green, _ = read_photo(tmp_path / "p.png").rgb.mean(dim=(1, 2))
    assert green > 0.9 and red < 0.3


def _profile_with_red_and_green_swapped() -> bytes:
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.index(b"rXYZ"), data.index(b"gXYZ")
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


def test_a_picture_tagged_srgb_keeps_its_values_exactly(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(picture8(20, 20)).save(tmp_path / "p.png", icc_profile=profile)
    assert psnr(read_photo(tmp_path / "p.png").rgb, picture8(20, 20) / 255) > 100


def test_a_damaged_profile_is_ignored(tmp_path: Path) -> None:
    Image.fromarray(picture8(20, 20)).save(tmp_path / "p.png", icc_profile=b"nonsense" * 20)
    assert psnr(read_photo(tmp_path / "p.png").rgb, picture8(20, 20) / 255) > 60


def test_focal_length_from_the_35_mm_equivalent(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[0xA405] = 36
    Image.fromarray(picture8(40, 60)).save(tmp_path / "p.jpg", exif=exif)
    assert read_photo(tmp_path / "p.jpg").focal_px == pytest.approx(60)
    assert read_photo(tmp_path / "p.jpg", max_side=30).focal_px == pytest.approx(30)


def test_focal_length_from_the_sensor(tmp_path: Path) -> None:
    exif = Image.Exif()
    # 10 mm lens, 254 px per inch = 10 px per mm, taken at twice this size
    exif.get_ifd(EXIF_IFD).update({0x920A: 10.0, 0xA20E: 254.0, 0xA210: 2, 0xA002: 120, 0xA003: 80})
    Image.fromarray(picture8(40, 60)).save(tmp_path / "p.jpg", exif=exif)
    assert read_photo(tmp_path / "p.jpg").focal_px == pytest.approx(50)


@pytest.mark.parametrize("value", [0, 65535])
def test_absurd_focal_lengths_are_ignored(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[0xA405] = value
    Image.fromarray(picture8(40, 60)).save(tmp_path / "p.jpg", exif=exif)
    assert read_photo(tmp_path / "p.jpg").focal_px is None


def _bytes(height: int, width: int, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture8(height, width)).save(file, kind)
    return file.getvalue()


def test_no_such_photo_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_photo(tmp_path / "none.jpg")
    with pytest.raises(InputError, match="is a folder"):
        read_photo(tmp_path)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not a picture"),
        (b"hello, I am a text", "not a picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (_bytes(1, 1, "PNG"), "at least 16 px"),
        (_bytes(15, 400, "PNG"), "at least 16 px"),
        (_bytes(64, 64, "JPEG")[:-200], "damaged or cut off"),
        (_bytes(64, 64, "PNG")[:-200], "damaged or cut off"),
        (_bytes(64, 64, "TIFF")[:-200], "damaged or cut off"),
        (_bytes(64, 64, "WEBP")[:-50], "damaged or cut off|not a picture"),
    ],
)
def test_what_is_no_usable_photo_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    (tmp_path / "photo.jpg").write_bytes(data)
    with pytest.raises(InputError, match=sentence):
        read_photo(tmp_path / "photo.jpg")


@pytest.mark.parametrize("extension", [".png", ".tif"])
def test_16_bit_colour_cut_off_is_refused(tmp_path: Path, extension: str) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (64, 64, 3)).astype(np.uint16)
    data = cv2.imencode(extension, noise)[1].tobytes()
    (tmp_path / "p").write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(InputError, match="damaged|not a picture"):
        read_photo(tmp_path / "p")


def test_a_huge_picture_is_refused_from_its_header(tmp_path: Path) -> None:
    data = bytearray(_bytes(20, 20, "PNG"))

    for side in ((20000, 20000), (10**9, 10**9), (40, 17000)):
        data[16:24] = side[0].to_bytes(4, "big") + side[1].to_bytes(4, "big")
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        (tmp_path / "p.png").write_bytes(data)
        with pytest.raises(InputError, match="too large"):
            read_photo(tmp_path / "p.png")


def test_a_strip_that_would_become_too_thin_is_refused(tmp_path: Path) -> None:
    Image.fromarray(picture8(20, 2000)).save(tmp_path / "p.png")
    with pytest.raises(InputError, match="at least 16 px"):
        read_photo(tmp_path / "p.png", max_side=640)


def test_fully_transparent_and_32_bit_pictures_are_refused(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20)).save(tmp_path / "clear.png")
    with pytest.raises(InputError, match="fully transparent"):
        read_photo(tmp_path / "clear.png")
    Image.fromarray(np.zeros((20, 20), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(InputError, match="32-bit"):
        read_photo(tmp_path / "float.tif")


def test_flipped_bytes_never_raise_anything_but_input_error(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "GIF"):
        clean = np.frombuffer(_bytes(24, 24, kind), np.uint8)
        for _ in range(40):
            data = clean.copy()
            data[generator.integers(0, len(data), 6)] = generator.integers(0, 256, 6)
            (tmp_path / "p").write_bytes(data.tobytes())
            try:
                read_photo(tmp_path / "p")
            except InputError:
                continue


@pytest.mark.parametrize("extension", ["heic", "jxl", "avif"])
def test_what_phones_and_browsers_save_is_read(tmp_path: Path, extension: str) -> None:
    pytest.importorskip({"heic": "pillow_heif", "jxl": "pillow_jxl"}.get(extension, "PIL"))
    _learn_formats()
    path = tmp_path / f"photo.{extension}"
    Image.fromarray(picture8(64, 96)).save(path, quality=95)
    photo = read_photo(path)
    assert photo.rgb.shape == (3, 64, 96) and photo.notes == ()
    assert psnr(photo.rgb, smooth_picture(64, 96)) > 30


def test_the_first_picture_of_an_animation_is_taken_and_said(tmp_path: Path) -> None:
    first, second = (Image.fromarray(picture8(32, 48, seed)) for seed in (0, 1))
    first.save(tmp_path / "a.webp", save_all=True, append_images=[second], lossless=True)
    photo = read_photo(tmp_path / "a.webp")
    assert any("animation" in note for note in photo.notes)
    assert psnr(photo.rgb, smooth_picture(32, 48)) > 30


def test_what_is_transparent_is_said(tmp_path: Path) -> None:
    pixels = np.dstack([picture8(32, 48), np.full((32, 48), 255, np.uint8)])
    pixels[:8, :8, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert any("transparent" in note for note in read_photo(tmp_path / "a.png").notes)
