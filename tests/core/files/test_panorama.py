"""Views cut out of panoramas, against directions that are known."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cine3d_core.cli import main
from cine3d_core.errors import InputError
from cine3d_core.files.pictures import panorama
from cine3d_core.files.pictures.panorama import View
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.files.scene.scene_file import load_scene
from tests.command_line import Refused
from tests.pictures import picture8

WIDTH, HEIGHT = 720, 360
PACKET = '<x GPano:ProjectionType="equirectangular" {}/>'


def directions(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """[H, W, 3] in [0, 1]: what lies right, up and ahead of the panorama's middle, as colours."""
    longitude = ((np.arange(width) + 0.5) / width - 0.5) * 2 * math.pi
    latitude = (0.5 - (np.arange(height) + 0.5) / height) * math.pi
    longitude, latitude = np.meshgrid(longitude, latitude)
    level = np.cos(latitude)
    places = [level * np.sin(longitude), np.sin(latitude), level * np.cos(longitude)]
    return np.stack(places, axis=2) * 0.5 + 0.5


def saved(path: Path, pixels: np.ndarray, xmp: str = "") -> Path:
    image = Image.fromarray(np.round(pixels * 255).astype(np.uint8))
    image.save(path, quality=98, subsampling=0, **({"xmp": xmp.encode()} if xmp else {}))
    return path


def expected(view: View, height: int, width: int) -> np.ndarray:
    """The directions that a camera turned so looks in, by vectors instead of angles."""
    yaw, pitch = math.radians(view.yaw_deg), math.radians(view.pitch_deg)
    ahead = np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch),
                      math.cos(yaw) * math.cos(pitch)])  # fmt: skip
    right = np.array([math.cos(yaw), 0, -math.sin(yaw)])
    up = np.cross(ahead, right)
    focal = width / 2 / math.tan(math.radians(view.fov_deg) / 2)
    y, x = np.mgrid[:height, :width] + 0.5
    rays = (
        ahead
        + ((x - width / 2) / focal)[..., None] * right
        - ((y - height / 2) / focal)[..., None] * up
    )
    return rays / np.linalg.norm(rays, axis=2, keepdims=True) * 0.5 + 0.5


VIEWS = [(0, 0, 75), (90, 0, 60), (180, 20, 75), (-179, -30, 100), (30, 80, 50), (-360, -90, 75)]


@pytest.mark.parametrize("place", VIEWS)
def test_a_view_shows_what_lies_in_its_direction(tmp_path: Path, place: tuple[int, ...]) -> None:
    path = saved(tmp_path / "a.png", directions())
    view = View(*place)
    photo = read_photo(path, max_side=120, view=view)
    shown = photo.rgb.permute(1, 2, 0).numpy()
    height, width = shown.shape[:2]
    assert width <= 120 and abs(width / height - 1.5) < 0.05
    np.testing.assert_allclose(shown, expected(view, height, width), atol=0.02)
    assert photo.focal_px == pytest.approx(width / 2 / math.tan(math.radians(place[2] / 2)))
    assert photo.focal_from == "the view" and any("panorama" in note for note in photo.notes)


def test_a_part_of_a_panorama_is_placed_by_what_its_camera_wrote(tmp_path: Path) -> None:
    left, top = 200, 100
    part = directions()[top:300, left:560]
    words = (
        f'GPano:FullPanoWidthPixels="{WIDTH}" GPano:FullPanoHeightPixels="{HEIGHT}" '
        f'GPano:CroppedAreaImageWidthPixels="360" GPano:CroppedAreaLeftPixels="{left}" '
        f'GPano:CroppedAreaTopPixels="{top}"'
    )
    path = saved(tmp_path / "a.jpg", part, PACKET.format(words))
    view = View(20, 5, 60)
    shown = read_photo(path, view=view).rgb.permute(1, 2, 0).numpy()
    np.testing.assert_allclose(shown, expected(view, *shown.shape[:2]), atol=0.03)
    with pytest.raises(InputError, match="beyond the panorama"):
        read_photo(path, view=View(90, 0, 60))


def test_panoramas_are_recognised_with_and_without_their_cameras_words(
    tmp_path: Path, refused: Refused
) -> None:
    named = saved(tmp_path / "a.jpg", smooth(32, 64), PACKET.format(""))
    plain = saved(tmp_path / "b.jpg", directions())
    for path in (named, plain):
        with pytest.raises(InputError, match="panorama of all directions"):
            read_photo(path, max_side=100)
        told = refused("build", path, "-o", tmp_path / "s.cine3d", "--size", "100")
        assert "--view 0,0,75" in told
        assert read_photo(path, max_side=60, view="flat").rgb.shape == (3, 30, 60)


def smooth(height: int, width: int) -> np.ndarray:
    return picture8(height, width) / 255


def test_wide_photos_that_are_no_panoramas_are_taken(tmp_path: Path) -> None:
    y = np.linspace(0, 1, 200)[:, None, None]
    sunset = np.broadcast_to(np.where(y < 0.5, 0.8 - y, 0.2 + y / 4), (200, 400, 3)).copy()
    sunset[80:120, 100:180] = 0.1  # a ship
    for number, pixels in enumerate((smooth(200, 400), np.full((200, 400, 3), 0.5))):
        assert read_photo(saved(tmp_path / f"{number}.png", pixels)).rgb.shape == (3, 200, 400)
    assert read_photo(saved(tmp_path / "c.png", directions()[:, :-60])).rgb.shape[2] == 660
    # even rows above and below and sides that meet: taken for one, and "flat" is the way out
    assert panorama.looks_round(sunset.astype(np.float32))


def test_a_view_of_what_is_no_panorama_is_refused(tmp_path: Path, refused: Refused) -> None:
    path = saved(tmp_path / "a.png", smooth(60, 90))
    told = refused("build", path, "-o", tmp_path / "s.cine3d", "--view", "0,0,75")
    assert "twice as wide" in told and "leave --view out" in told


@pytest.mark.parametrize(
    "text", ["", "0", "0,0", "0,0,75,1", "a,b,c", "0,0,nan", "0,0,0", "0,91,75", "999,0,75",
             "0,0,121", "0;0;75", "inf,0,75", "FLAT"],
)  # fmt: skip
def test_views_nobody_can_mean_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="the view"):
        panorama.read_view(text)


def test_a_scene_is_built_of_a_view(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", directions())
    scene_file = tmp_path / "s.cine3d"
    words = ["build", str(path), "-o", str(scene_file), "--size", "96", "--frames", "4"]
    assert main([*words, "--view=-30,5,75", "--border", "keep"]) == 0
    scene = load_scene(scene_file)
    wanted = 48 / math.tan(math.radians(37.5))
    assert float(scene.camera.intrinsics[0, 0]) == pytest.approx(wanted, rel=1e-4)
    assert scene.parameters["focal_from"] == "the view"
    assert any("panorama" in sentence for sentence in scene.parameters["assumed"])
