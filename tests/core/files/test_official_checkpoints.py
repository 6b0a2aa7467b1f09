"""Importing the official checkpoints, with rule-filled ones in their place."""

import os
import pickle
from pathlib import Path

import pytest
import torch

from cine3d_core.cli import main
from cine3d_core.errors import InputError
from cine3d_core.files.models.official_checkpoints import OFFICIAL, import_official
from cine3d_core.files.models.store import load_network, read_model_info
from cine3d_core.files.scene.scene_file import load_scene
from tests.golden.filler import filled_state_dict

RULE_NAMES = {
    "official-feature": "feature_net",
    "official-decoder": "img_decoder",
    "official-motion": "motion_netG",
    "official-inpaint-color": "inpaint_color",
    "official-inpaint-depth": "inpaint_depth",
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """The published files, all but the large depth net."""
    folder = tmp_path_factory.mktemp("checkpoints")
    nets = {name: filled_state_dict(rule) for name, rule in RULE_NAMES.items()}
    stage_two = {"feature_net": nets["official-feature"], "img_decoder": nets["official-decoder"]}
    torch.save({**stage_two, "optimG": {"state": {}}}, folder / "model_150000.pth")
    torch.save({"netG": nets["official-motion"]}, folder / "sceneflow_model.pth")
    torch.save(nets["official-inpaint-color"], folder / "color-model.pth")
    torch.save(nets["official-inpaint-depth"], folder / "depth-model.pth")
    return folder


@pytest.fixture
def spoiled(checkpoints, tmp_path):
    """The same files as links, so that a test may replace one of them."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for file in checkpoints.iterdir():
        (folder / file.name).symlink_to(file)
    return folder


def replace_motion(folder, change):
    state = filled_state_dict("motion_netG")
    change(state)
    (folder / "sceneflow_model.pth").unlink()
    torch.save({"netG": state}, folder / "sceneflow_model.pth")


def refused(folder, tmp_path, message):
    models = tmp_path / "models"
    with pytest.raises(InputError, match=message) as caught:
        import_official(folder, models)
    assert "\n" not in str(caught.value)
    assert not models.exists() or not list(models.iterdir())


def test_imported_networks_load_by_name_with_the_same_weights(checkpoints, tmp_path, monkeypatch):
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path))
    report = import_official(checkpoints, tmp_path)
    assert report.absent == ("dpt_hybrid-midas-501f0c75.pt",)
    assert [folder.name for folder in report.imported] == list(RULE_NAMES)
    for name, rule in RULE_NAMES.items():
        state = load_network(name).network.state_dict()
        expected = filled_state_dict(rule)
        assert all(torch.equal(state[key], expected[key]) for key in expected)


def test_importing_again_replaces_the_models(checkpoints, tmp_path):
    first = import_official(checkpoints, tmp_path)
    (first.imported[0] / "stale").touch()
    second = import_official(checkpoints, tmp_path)
    assert second == first
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(RULE_NAMES)
    assert not (first.imported[0] / "stale").exists()
    assert all(read_model_info(folder).name == folder.name for folder in first.imported)


def test_an_imported_depth_net_is_listed_as_optional():
    assert [official.name for official in OFFICIAL if not official.required] == ["official-dpt"]


def test_a_missing_file_is_named(spoiled, tmp_path):
    (spoiled / "color-model.pth").unlink()
    refused(spoiled, tmp_path, "lacks color-model.pth")


def test_a_missing_tensor_is_named(spoiled, tmp_path):
    replace_motion(spoiled, lambda state: state.pop("motion_predictor.conv3.bias"))
    refused(spoiled, tmp_path, "missing: motion_predictor.conv3.bias")


def test_an_unexpected_tensor_is_named(spoiled, tmp_path):
    replace_motion(spoiled, lambda state: state.update(stranger=torch.zeros(1)))
    refused(spoiled, tmp_path, "unexpected: stranger")


def test_a_wrong_shape_is_named(spoiled, tmp_path):
    replace_motion(spoiled, lambda s: s.update({"motion_predictor.conv3.bias": torch.zeros(7)}))
    refused(spoiled, tmp_path, r"motion_predictor.conv3.bias is \[7\] instead of \[128\]")


def test_weights_that_are_no_numbers_are_refused(spoiled, tmp_path):
    replace_motion(spoiled, lambda state: state["motion_predictor.conv3.bias"].fill_(torch.nan))
    refused(spoiled, tmp_path, "damaged: motion_predictor.conv3.bias")


def test_a_checkpoint_without_its_entry_is_refused(spoiled, tmp_path):
    (spoiled / "sceneflow_model.pth").unlink()
    torch.save({"netD": {}}, spoiled / "sceneflow_model.pth")
    refused(spoiled, tmp_path, 'lacks the entry "netG"')


class Bomb:
    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.mark.parametrize("save", [torch.save, lambda bomb, path: path.write_bytes(bomb)])
def test_a_pickle_that_runs_code_is_refused_and_not_run(save, spoiled, tmp_path):
    crater = tmp_path / "crater"
    bomb = {"netG": Bomb(crater)}
    (spoiled / "sceneflow_model.pth").unlink()
    save(bomb if save is torch.save else pickle.dumps(bomb), spoiled / "sceneflow_model.pth")
    refused(spoiled, tmp_path, "nothing was run|cannot be read")
    assert not crater.exists()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_truncated_file_is_refused(share, spoiled, tmp_path):
    path = spoiled / "sceneflow_model.pth"
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(spoiled, tmp_path, "sceneflow_model.pth")


def test_a_text_file_is_refused(spoiled, tmp_path):
    (spoiled / "depth-model.pth").unlink()
    (spoiled / "depth-model.pth").write_text("<html>Quota exceeded</html>")
    refused(spoiled, tmp_path, "depth-model.pth")


def test_imported_networks_build_and_render_through_the_command(checkpoints, tmp_path, monkeypatch):
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path / "models"))
    sample = Path(__file__).resolve().parents[3] / "tests" / "bridge"
    scene, frames = tmp_path / "scene.cine3d", tmp_path / "frames"
    assert main(["models", "import-official", str(checkpoints)]) == 0
    build = ["build", str(sample / "photo.jpg"), "-o", str(scene), "--size", "192"]
    build += ["--models", "official", "--preset", "paper", "--frames", "4"]
    assert main([*build, "--hints", str(sample / "hints.json")]) == 0
    assert main(["render", str(scene), "-o", str(frames), "--frames", "1:2"]) == 0
    assert (frames / "frame_0001.png").stat().st_size > 0
    assert "official-motion" in load_scene(scene).models


def test_the_official_networks_ask_for_a_mask_and_an_arrow(tmp_path, capsys):
    sample = Path(__file__).resolve().parents[3] / "tests" / "bridge"
    build = ["build", str(sample / "photo.jpg"), "-o", str(tmp_path / "a.cine3d")]
    assert main([*build, "--models", "official"]) == 2
    assert "mask and at least one arrow" in capsys.readouterr().err
