from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
import torch
from PIL import Image

from cine3d_core.errors import InputError
from cine3d_core.files.pictures.maps import read_depth_picture, read_mask
from tests.pictures import picture8


def disc(height: int, width: int) -> np.ndarray:  # [H, W] bool
    y, x = np.mgrid[:height, :width]
    return np.hypot(x - width / 2, y - height / 2) < height / 3


def save(array: np.ndarray, path: Path) -> Path:
    Image.fromarray(array).save(path)
    return path


@pytest.mark.parametrize("bright", [1, 128, 255])
def test_a_grey_mask_of_any_brightness_is_read(tmp_path: Path, bright: int) -> None:
    wanted = disc(20, 30)
    path = save((wanted * bright).astype(np.uint8), tmp_path / "m.png")
    mask = read_mask(path, height=20, width=30, original_size=(200, 300))
    assert mask.dtype == torch.bool
    assert torch.equal(mask, torch.from_numpy(wanted[None]))


def test_coloured_labels_on_black_are_a_mask(tmp_path: Path) -> None:
    wanted = disc(20, 30)
    colour = np.where(wanted[:, :, None], np.array([128, 0, 0]), 0).astype(np.uint8)
    path = save(colour, tmp_path / "m.png")
    mask = read_mask(path, height=20, width=30, original_size=(20, 30))
    assert torch.equal(mask[0], torch.from_numpy(wanted))


@pytest.mark.parametrize("paint", [0, 255])
def test_strokes_on_a_transparent_layer_are_a_mask(tmp_path: Path, paint: int) -> None:
    wanted = disc(20, 30)
    rgba = np.full((20, 30, 4), paint, np.uint8)
    rgba[:, :, 3] = wanted * 255
    path = save(rgba, tmp_path / "m.png")
    mask = read_mask(path, height=20, width=30, original_size=(20, 30))
    assert torch.equal(mask[0], torch.from_numpy(wanted))


def test_a_mask_at_the_photos_size_is_brought_to_the_working_size(tmp_path: Path) -> None:
    path = save((disc(60, 90) * 255).astype(np.uint8), tmp_path / "m.png")
    mask = read_mask(path, height=20, width=30, original_size=(60, 90))
    assert mask.shape == (1, 20, 30)
    assert (mask[0] != torch.from_numpy(disc(20, 30))).sum() < 20


@pytest.mark.parametrize(
    ("size", "sentence"), [((21, 30), "30x21 but the photo is 90x60"), ((20, 30), "is empty")]
)
def test_masks_of_another_size_or_empty_are_refused(
    tmp_path: Path, size: tuple[int, int], sentence: str
) -> None:
    path = save(np.zeros(size, np.uint8), tmp_path / "m.png")
    with pytest.raises(InputError, match=sentence):
        read_mask(path, height=20, width=30, original_size=(60, 90))


def test_a_mask_too_fine_for_the_working_size_is_refused(tmp_path: Path) -> None:
    dots = np.zeros((60, 90), np.uint8)
    dots[30, 40] = 255
    path = save(dots, tmp_path / "m.png")
    with pytest.raises(InputError, match="is empty"):
        read_mask(path, height=20, width=30, original_size=(60, 90))


@pytest.mark.parametrize("name", ["d.png", "d16.png", "d.tif", "d.npy", "d.exr", "d.pfm", "f.tif"])
def test_depth_pictures_give_their_stored_values(tmp_path: Path, name: str) -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4) * 17
    path = tmp_path / name
    if name == "d.npy":
        np.save(path, values.astype(np.float64)[None])
    elif name == "d.exr":
        channels = {"ViewLayer.Depth.Z": values, "R": values * 0}
        OpenEXR.File({}, channels).write(str(path))
    elif name == "d.pfm":
        path.write_bytes(b"Pf\n4 3\n-1.0\n" + values[::-1].astype("<f4").tobytes())
    else:
        kind = {"d.png": np.uint8, "f.tif": np.float32}.get(name, np.uint16)
        Image.fromarray(values.astype(kind)).save(path)
    assert torch.equal(read_depth_picture(path), torch.from_numpy(values[None]))


def test_a_grey_jpeg_in_three_channels_is_a_depth_picture(tmp_path: Path) -> None:
    grey = np.repeat(picture8(20, 30)[:, :, :1], 3, axis=2)
    Image.fromarray(grey).save(tmp_path / "d.jpg", quality=95)
    depth = read_depth_picture(tmp_path / "d.jpg")
    assert np.abs(depth[0].numpy() - grey[:, :, 0]).max() < 8


def test_coloured_depth_is_refused(tmp_path: Path) -> None:
    colour = cv2.applyColorMap(np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6), 2)
    path = save(colour, tmp_path / "d.png")
    with pytest.raises(InputError, match="coloured"):
        read_depth_picture(path)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(5),
        np.zeros((2, 3, 4)),
        np.zeros((2, 2), complex),
        np.array([["a"]]),
        np.zeros((0, 4)),
    ],
)
def test_arrays_that_are_no_depth_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "d.npy", array)
    with pytest.raises(InputError):
        read_depth_picture(tmp_path / "d.npy")


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="plain"):
        read_depth_picture(tmp_path / "d.npy")


def test_an_array_that_promises_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.zeros((10, 10)))
    data = (tmp_path / "d.npy").read_bytes().replace(b"(10, 10)", b"(99999, 99999)")
    (tmp_path / "d.npy").write_bytes(data.replace(b"          \n", b"\n"))
    with pytest.raises(InputError):
        read_depth_picture(tmp_path / "d.npy")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_depth_that_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    np.save(tmp_path / "d.npy", np.array([[1.0, value]]))
    with pytest.raises(InputError, match="NaN or infinity"):
        read_depth_picture(tmp_path / "d.npy")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("d.exr", b"nonsense"),
        ("d.pfm", b"Pf\n4 3\n-1.0\nshort"),
        ("d.pfm", b"PF\n4 3\n-1.0\n"),
        ("d.pfm", b"P6\n"),
        ("d.pfm", b"Pf\n900000 900000\n-1.0\n"),
        ("d.npy", b""),
        ("d.png", b"nonsense"),
    ],
)
def test_damaged_depth_pictures_are_refused(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError):
        read_depth_picture(tmp_path / name)


def test_an_exr_cut_off_is_refused_in_our_words_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    OpenEXR.File({}, {"Z": noise}).write(str(tmp_path / "d.exr"))
    data = (tmp_path / "d.exr").read_bytes()
    (tmp_path / "d.exr").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="damaged or cut off"):
        read_depth_picture(tmp_path / "d.exr")
    assert capfd.readouterr() == ("", "")


def test_an_exr_without_a_depth_channel_is_refused(tmp_path: Path) -> None:
    OpenEXR.File({}, {"U": np.zeros((4, 4), np.float32)}).write(str(tmp_path / "d.exr"))
    with pytest.raises(InputError, match="a channel named Z"):
        read_depth_picture(tmp_path / "d.exr")
