"""What the worker shows before a build is what it builds, and what the command line builds."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cine3d_core.build import DirectedPhoto, build_scene, direct_photo, read_inputs
from cine3d_core.files.pictures.pixels import rgb_bytes
from cine3d_core.files.scene.scene_file import load_scene
from cine3d_core.motion.draw import draw_motion, what_moves
from cine3d_core.scene import CinemagraphScene
from cine3d_core.settings import BuildSettings
from cine3d_core.worker.jobs import JOBS
from cine3d_core.worker.server import JobInput, JobResult

SAMPLE = Path(__file__).resolve().parents[3] / "docs" / "sample" / "photo.jpg"
SIDE = 256  # of the photo, and of all that is made of it: a power of two, so that shares are exact
ARROWS = [[0.25, 0.875, 0.375, 0.875], [0.625, 0.875, 0.75, 0.9375]]  # shares of the photo's sides


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.open(SAMPLE).resize((SIDE, SIDE // 2)).save(path)
    return path


def painted(photo: Path) -> np.ndarray:
    """The lower third, as bytes from the top row down; and as a picture beside the photo."""
    mask = np.zeros((SIDE // 2, SIDE), np.uint8)
    mask[90:] = 255
    Image.fromarray(mask).save(photo.with_name("mask.png"))
    return mask


def drawn_as_files(photo: Path) -> BuildSettings:
    size = np.array([SIDE, SIDE // 2] * 2)
    places = (np.array(ARROWS) * size).tolist()
    hints = [{"start": place[:2], "end": place[2:]} for place in places]
    photo.with_name("hints.json").write_text(json.dumps({"hints": hints}))
    return BuildSettings(
        mask=photo.with_name("mask.png"), hints=photo.with_name("hints.json"), frames=12, size=SIDE
    )


def job(name: str, photo: Path, arrays: dict[str, np.ndarray], **arguments: object) -> JobResult:
    settings = {"frames": 12, "size": SIDE}
    asked = {"photo": str(photo), "settings": settings, **arguments}
    return JOBS[name](JobInput(asked, arrays, lambda stage, share: None))


def drawn_over(directed: DirectedPhoto) -> np.ndarray:
    return rgb_bytes(draw_motion(directed.photo.rgb, directed.motion))


def same_arrays(one: CinemagraphScene, other: CinemagraphScene) -> bool:
    pairs = [(one.cloud.positions, other.cloud.positions), (one.velocity, other.velocity)]
    pairs += [(one.cloud.rgb, other.cloud.rgb), (one.layer_depth, other.layer_depth)]
    pairs += [(one.cycles, other.cycles), (one.cloud.features, other.cloud.features)]
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("with_drawing", [True, False])
def test_the_preview_shows_the_motion_that_is_built(
    photo: Path, tmp_path: Path, with_drawing: bool
) -> None:
    arrays, drawn = {}, {}
    settings = BuildSettings(frames=12, size=SIDE)
    if with_drawing:
        arrays = {"mask": painted(photo)[::-1]}  # as Blender keeps pictures: bottom row first
        drawn, settings = {"hints": ARROWS}, drawn_as_files(photo)
    value, shown = job("preview_motion", photo, arrays, **drawn)
    picture = np.array(Image.open(io.BytesIO(shown["picture"].tobytes())))
    directed = direct_photo(*read_inputs(photo, settings), settings)
    assert bool(what_moves(directed.motion).any())
    assert np.array_equal(picture, drawn_over(directed))
    assert value["assumed"] == list(directed.assumed)

    job("build", photo, arrays, scene_file=str(tmp_path / "a.cine3d"), **drawn)
    built = load_scene(tmp_path / "a.cine3d")
    assert same_arrays(built, rounded(build_scene(photo, settings), tmp_path))
    assert built.parameters["assumed"] == value["assumed"]


def rounded(scene: CinemagraphScene, folder: Path) -> CinemagraphScene:
    """As a scene file keeps it."""
    from cine3d_core.files.scene.scene_file import save_scene

    save_scene(scene, folder / "b.cine3d")
    return load_scene(folder / "b.cine3d")


def test_the_preset_of_a_build_directs_its_preview_too(photo: Path) -> None:
    arguments = {"hints": ARROWS, "settings": {"frames": 12, "size": SIDE, "preset": "paper"}}
    _, paper = job("preview_motion", photo, {}, **arguments)
    _, default = job("preview_motion", photo, {}, hints=ARROWS)
    assert paper["picture"].tobytes() != default["picture"].tobytes()


def test_a_proposed_mask_is_what_moves_where_nothing_is_drawn(photo: Path) -> None:
    value, arrays = job("propose_mask", photo, {})
    proposed = arrays["moving"][::-1] > 0.5
    assert proposed.shape == (SIDE // 2, SIDE) and "found" in value["description"]
    settings = BuildSettings(frames=12, size=SIDE)
    directed = direct_photo(*read_inputs(photo, settings), settings)
    assert np.array_equal(proposed, what_moves(directed.motion)[0].numpy())
