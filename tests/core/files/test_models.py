import json
from pathlib import Path

import pytest
import torch
from torch import nn

from cine3d_core.errors import InputError
from cine3d_core.files.models.places import model_folders, user_models_folder
from cine3d_core.files.models.store import (
    list_models,
    load_network,
    save_network,
    verify_models,
)
from cine3d_core.networks.official.image_decoder import build

KIND = "official-decoder"
ARCHITECTURE = {"in_channels": 5}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's model folder; what the repository ships is found beside it."""
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path))
    return tmp_path


def saved(home: Path, name: str = "mine") -> nn.Module:
    torch.manual_seed(0)
    network = build(**ARCHITECTURE)
    save_network(
        home / name,
        network,
        kind=KIND,
        architecture=ARCHITECTURE,
        license="MIT",
        description="a test",
    )
    return network


def test_a_saved_network_comes_back_at_half_precision(home: Path) -> None:
    network = saved(home)
    loaded = load_network("mine")
    assert loaded.info.network == KIND and loaded.info.license == "MIT"
    assert not loaded.network.training
    ours, theirs = network.state_dict(), loaded.network.state_dict()
    assert list(ours) == list(theirs)
    for name, tensor in ours.items():
        stored = tensor.half().float() if tensor.is_floating_point() else tensor
        assert torch.equal(stored, theirs[name]) and theirs[name].dtype == tensor.dtype
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())


def test_models_are_listed_by_name_and_verified(home: Path) -> None:
    saved(home, "b")
    saved(home, "a")
    names = [info.name for info in list_models()]
    assert {"a", "b"} <= set(names) and names == sorted(names)
    assert all(problem is None for info, problem in verify_models() if info.folder.parent == home)


def test_damaged_weights_are_told_and_refused(home: Path) -> None:
    saved(home)
    weights = home / "mine" / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    (problem,) = [problem for info, problem in verify_models() if info.name == "mine"]
    assert problem is not None and "checksum" in problem
    with pytest.raises(InputError, match="checksum"):
        load_network("mine")


def test_an_unknown_model_is_refused_with_the_known_names(home: Path) -> None:
    saved(home)
    with pytest.raises(InputError, match="no model 'yours'; the known models are .*mine"):
        load_network("yours")
    with pytest.raises(InputError, match="no model"):
        load_network("../mine")


def test_missing_weights_are_refused(home: Path) -> None:
    saved(home)
    (home / "mine" / "weights.safetensors").unlink()
    with pytest.raises(InputError, match="lacks its weights"):
        load_network("mine")


def described(home: Path, **changes: object) -> None:
    path = home / "mine" / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("architecture", [{"in_channels": 6}, {"colour": 1}, {"in_channels": "x"}])
def test_weights_that_do_not_fit_their_description_are_refused(
    home: Path, architecture: dict[str, object]
) -> None:
    saved(home)
    described(home, architecture=architecture)
    with pytest.raises(InputError, match="does not fit"):
        load_network("mine")


@pytest.mark.parametrize(
    "changes",
    [
        {"network": "os.system"},
        {"name": 3},
        {"name": "yours"},
        {"sha256": None},
        {"architecture": []},
    ],
)
def test_descriptions_that_make_no_sense_are_refused(
    home: Path, changes: dict[str, object]
) -> None:
    saved(home)
    described(home, **changes)
    with pytest.raises(InputError, match="model description"):
        load_network("mine")


def test_the_users_folder_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path))
    assert user_models_folder() == tmp_path == model_folders()[0]
    monkeypatch.delenv("CINE3D_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert user_models_folder().parts[-2:] == ("cine3d", "models")
