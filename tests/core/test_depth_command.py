"""`cine3d depth`: the depth that `build` would use, in files that `--depth` takes back."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from cine3d_core.build import BuildSettings, estimate_depth, read_working_photo
from cine3d_core.cli import main
from cine3d_core.depth.refine import DepthParams
from cine3d_core.depth.sources import KeptDepth, PictureDepth, open_depth_source
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.kept_depth import (
    read_kept_depth,
    write_depth_exr,
    write_depth_png,
)
from cine3d_core.files.scene.scene_file import load_scene
from tests.command_line import PHOTO, Refused

SMALL = ("--size", "128", "--device", "cpu")


def hills(height: int = 30, width: int = 40) -> torch.Tensor:
    """Z-depth [1, H, W] from 1 to 40 with edges, as a photo has it."""
    values = torch.rand(1, height, width, generator=torch.Generator().manual_seed(3))
    values[:, : height // 3] = 0
    values[:, :, : width // 4] = 1
    return 1 / (values * (1 - 1 / 40) + 1 / 40)


def test_depth_comes_back_from_png_and_exr(tmp_path: Path):
    write_depth_png(tmp_path / "d.png", hills())
    write_depth_exr(tmp_path / "d.exr", 2.5 * hills())
    png, exr = read_kept_depth(tmp_path / "d.png"), read_kept_depth(tmp_path / "d.exr")
    assert png is not None and exr is not None
    assert torch.equal(exr, 2.5 * hills())
    assert float((1 / png - 1 / hills()).abs().max()) < 1e-5
    write_depth_png(tmp_path / "d.png", 0.5 * hills())  # nearer than anything a photo has
    png = read_kept_depth(tmp_path / "d.png")
    assert png is not None and png.min() == pytest.approx(0.5)


def test_kept_depth_is_used_as_it_is_and_only_where_nobody_says_otherwise(tmp_path: Path):
    path = tmp_path / "d.png"
    write_depth_png(path, hills())
    rgb = torch.rand(3, 30, 40, generator=torch.Generator().manual_seed(4))
    source = open_depth_source(str(path), Networks())
    found = source(rgb, params=DepthParams())
    assert isinstance(source, KeptDepth) and "unchanged" in source.description
    assert float((1 / found.depth - 1 / hills()).abs().max()) < 1e-5
    larger = source(torch.rand(3, 60, 80), params=DepthParams())
    assert larger.depth.shape == (1, 60, 80) and larger.depth.max() == pytest.approx(40, rel=1e-3)
    assert isinstance(open_depth_source(f"inverted:{path}", Networks()), PictureDepth)
    with Image.open(path) as picture:
        picture.save(path)  # as a program does that knows nothing of our text
    assert isinstance(open_depth_source(str(path), Networks()), PictureDepth)


def test_a_foreign_text_makes_no_depth_of_ours(tmp_path: Path):
    from PIL.PngImagePlugin import PngInfo

    for text in ("nan", "-1", "inf", "0", "much"):
        info = PngInfo()
        info.add_text("cine3d-depth", text)
        Image.fromarray(np.ones((9, 9), np.uint16)).save(tmp_path / "d.png", pnginfo=info)
        assert read_kept_depth(tmp_path / "d.png") is None


@pytest.mark.parametrize("name", ["depth.png", "depth.exr"])
def test_build_gets_the_depth_that_it_would_have_used(tmp_path: Path, name: str):
    path = tmp_path / name
    assert main(["depth", str(PHOTO), "-o", str(path), *SMALL]) == 0
    settings = BuildSettings(size=128, device="cpu")
    rgb = read_working_photo(PHOTO, settings).rgb
    wanted = estimate_depth(rgb, settings, Networks(), find_fluids=True).depth
    again = BuildSettings(size=128, device="cpu", depth=str(path))
    found = estimate_depth(rgb, again, Networks(), find_fluids=True).depth
    assert wanted.depth.max() > 10 * wanted.depth.min()  # so that the next lines say something
    if path.suffix == ".exr":
        assert torch.equal(found.depth, wanted.depth)
    assert float((1 / found.depth - 1 / wanted.depth).abs().max()) < 1e-5


def test_build_says_where_its_depth_is_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    depth, scene = tmp_path / "depth.exr", tmp_path / "s.cine3d"
    assert main(["depth", str(PHOTO), "-o", str(depth), *SMALL]) == 0
    assert "depth.exr: distances, 128x" in capsys.readouterr().out
    words = ["build", str(PHOTO), "-o", str(scene), "--depth", str(depth), "--frames", "4"]
    assert main([*words, "--preset", "draft", *SMALL]) == 0
    assert load_scene(scene).parameters["depth_source"] == "depth of depth.exr, unchanged"


def test_several_files_at_once_and_one_of_them_for_eyes(tmp_path: Path):
    names = ["d.png", "d.exr", "d-preview.png", "d-preview.jpg"]
    outputs = [word for name in names for word in ("-o", str(tmp_path / name))]
    assert main(["depth", str(PHOTO), *outputs, *SMALL, "--progress", "json"]) == 0
    grey = cv2.imread(str(tmp_path / "d.png"), cv2.IMREAD_UNCHANGED)
    assert grey.dtype == np.uint16 and grey.max() == 65535 and grey.shape[1] == 128
    preview = cv2.imread(str(tmp_path / "d-preview.png"), cv2.IMREAD_UNCHANGED)
    assert preview.shape == (*grey.shape, 3)
    # bright is near in both
    assert np.corrcoef(preview.sum(axis=2).ravel(), grey.ravel().astype(float))[0, 1] > 0.8


def test_wrong_input_to_depth_is_refused_in_one_sentence(tmp_path: Path, refused: Refused):
    good = tmp_path / "d.png"
    assert "name it .png (16 bit)" in refused("depth", PHOTO, "-o", tmp_path / "d.jpg")
    assert "name it .png" in refused("depth", PHOTO, "-o", tmp_path / "d")
    assert "does not exist" in refused("depth", PHOTO, "-o", tmp_path / "no/d.png")
    assert "named twice" in refused("depth", PHOTO, "-o", good, "-o", good)
    assert "does not exist" in refused("depth", tmp_path / "p.jpg", "-o", good)
    assert "unknown depth model" in refused("depth", PHOTO, "-o", good, "--depth", "no model")
    write_depth_png(tmp_path / "square.png", hills(40, 40))
    words = ("depth", PHOTO, "-o", good, "--depth", tmp_path / "square.png", *SMALL)
    assert "another shape than the photo" in refused(*words)
    (tmp_path / "cut.png").write_bytes((tmp_path / "square.png").read_bytes()[:200])
    words = ("depth", PHOTO, "-o", good, "--depth", tmp_path / "cut.png", *SMALL)
    assert "damaged or cut off" in refused(*words)
