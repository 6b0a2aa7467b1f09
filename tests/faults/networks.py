"""Checkpoints that are imported, and model folders."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from tests.command_line import ROOT
from tests.faults.case import Case, Command, Outcome, Workshop
from tests.faults.masks import Hostile
from tests.faults.photos import encoded

Make = Callable[[Workshop], Sequence[Command]]

FILES = ("model_150000.pth", "sceneflow_model.pth", "color-model.pth", "depth-model.pth")


def saved(content: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def repacked(data: bytes, change: Callable[[dict[str, bytes]], object]) -> bytes:
    """A torch archive with its members changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, member in content.items():
            archive.writestr(name, member)
    return file.getvalue()


SOUND = saved({"feature_net": {"a": torch.ones(3)}, "img_decoder": {}})
CHECKPOINTS: dict[str, bytes] = {
    "empty": b"",
    "text": b"no checkpoint",
    "a picture": encoded("PNG"),
    "a pickle that runs a command": pickle.dumps(Hostile()),
    "a pickle of text": b"cposix\nsystem\n(S'touch /tmp/cine3d-was-here'\ntR.",
    "a torch file that runs a command": saved({"feature_net": Hostile()}),
    "an old torch file that runs a command": saved(Hostile(), _use_new_zipfile_serialization=False),
    "the first half": SOUND[: len(SOUND) // 2],
    "the last half": SOUND[len(SOUND) // 2 :],
    "an empty archive": b"PK\x05\x06" + bytes(18),
    "an archive without its pickle": repacked(
        SOUND, lambda c: [c.pop(n) for n in list(c) if n.endswith("data.pkl")]
    ),
    "an archive without its numbers": repacked(
        SOUND, lambda c: [c.pop(n) for n in list(c) if "/data/" in n]
    ),
    "an archive that climbs out": repacked(SOUND, lambda c: c.update({"../../x": b"mine"})),
    "a tensor": saved(torch.ones(3)),
    "a list": saved([torch.ones(3)]),
    "a whole network": saved(torch.nn.Linear(2, 2)),
    "an empty dictionary": saved({}),
    "other networks": saved({"netG": {}}),
    "no tensors": saved({"feature_net": {}, "img_decoder": {}}),
    "words for tensors": saved({"feature_net": {"conv": "x"}, "img_decoder": {}}),
    "a network of null": saved({"feature_net": None, "img_decoder": None}),
    "a network of a list": saved({"feature_net": [1], "img_decoder": {}}),
    "names that are numbers": saved({"feature_net": {1: torch.ones(1)}, "img_decoder": {}}),
    "other tensors": SOUND,
}


def checkpoint(content: bytes) -> Make:
    def make(shop: Workshop) -> list[Command]:
        for name in FILES:
            shop.file(name, content)
        os.environ["CINE3D_MODELS"] = str(shop.output)
        return [["models", "import-official", str(shop.inputs)]]

    return make


def only_one_file(shop: Workshop) -> list[Command]:
    shop.file(FILES[0], SOUND)
    return [["models", "import-official", str(shop.inputs)]]


def files_are_folders(shop: Workshop) -> list[Command]:
    for name in FILES:
        (shop.inputs / name).mkdir()
    return [["models", "import-official", str(shop.inputs)]]


def file_for_a_folder(shop: Workshop) -> list[Command]:
    return [["models", "import-official", str(shop.file(FILES[0], SOUND))]]


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


SHIPPED = ROOT / "models/see"


def model(
    weights: bytes | None = None, *, keep_checksum: bool = False, text: Any = None, **changes: Any
) -> Make:
    """The depth network in the user's folder, before the shipped one, changed."""

    def make(shop: Workshop) -> list[Command]:
        folder = shop.inputs / "models/see"
        shutil.copytree(SHIPPED, folder)
        info = json.loads((folder / "model.json").read_text()) | changes
        if weights is not None:
            (folder / "weights.safetensors").write_bytes(weights)
            if not keep_checksum:
                info["sha256"] = hashlib.sha256(weights).hexdigest()
        content = json.dumps(info) if text is None else text
        shop.file("models/see/model.json", content)
        return with_models(shop, folder.parent)

    return make


def with_models(shop: Workshop, folder: Path) -> list[Command]:
    os.environ["CINE3D_MODELS"] = str(folder)
    return [shop.build(None, "--depth", "compact")]


def without_weights(shop: Workshop) -> list[Command]:
    (command,) = model()(shop)
    (shop.inputs / "models/see/weights.safetensors").unlink()
    return [command]


def weights_are_a_folder(shop: Workshop) -> list[Command]:
    (command,) = without_weights(shop)
    (shop.inputs / "models/see/weights.safetensors").mkdir()
    return [command]


def folder_is_a_file(shop: Workshop) -> list[Command]:
    return with_models(shop, shop.file("models", "a file"))


def folder_is_absent(shop: Workshop) -> list[Command]:
    return with_models(shop, shop.inputs / "none")


def linked_in_a_circle(shop: Workshop) -> list[Command]:
    (shop.inputs / "models").mkdir()
    (shop.inputs / "models/see").symlink_to(shop.inputs / "models/see")
    return with_models(shop, shop.inputs / "models")


def listed(shop: Workshop) -> list[Command]:
    model(text="{")(shop)
    return [["doctor"], ["doctor", "--json"]]


TENSOR = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
MODELS: dict[str, tuple[Outcome, Make]] = {
    "description empty": ("refused", model(text="")),
    "description half": ("refused", model(text='{"name": "depth",')),
    "description of a list": ("refused", model(text="[]")),
    "description of brackets": ("refused", model(text="[" * 100_000)),
    "description binary": ("refused", model(text=bytes(range(256)))),
    "another name": ("refused", model(name="other")),
    "a name of null": ("refused", model(name=None)),
    "a name that climbs": ("refused", model(name="../depth")),
    "a network that is a function": ("refused", model(network="os.system")),
    "a network that is a list": ("refused", model(network=["depth"])),
    "a network of another kind": ("refused", model(network="official-motion")),
    "architecture of a list": ("refused", model(architecture=[])),
    "architecture with more options": ("refused", model(architecture={"colour": 1})),
    "architecture of words": ("refused", model(architecture={"decoder_widths": "wide"})),
    "architecture of a billion": ("refused", model(architecture={"decoder_widths": [10**9] * 5})),
    "architecture of 4000": ("refused", model(architecture={"decoder_widths": [4000] * 5})),
    "architecture of a million parts": (
        "refused", model(architecture={"decoder_widths": [1] * 10**6}),
    ),
    "architecture of null": ("refused", model(architecture={"decoder_widths": None})),
    "architecture of negative width": (
        "refused", model(architecture={"decoder_widths": [-1, 96, 64, 48, 32]}),
    ),
    "no checksum": ("refused", model(sha256=None)),
    "a wrong checksum": ("refused", model(sha256="0" * 64)),
    "weights damaged": ("refused", model(b"damage", keep_checksum=True)),
    "weights empty": ("refused", model(b"")),
    "weights of text": ("refused", model(b"no weights at all")),
    "weights pickled": ("refused", model(pickle.dumps(Hostile()))),
    "weights whose header is endless": ("refused", model(safetensors({}, length=2**60))),
    "weights whose header is negative": ("refused", model(safetensors({}, length=2**63))),
    "weights whose header is a list": ("refused", model(safetensors([]))),
    "weights whose header is no JSON": ("refused", model(safetensors(b"{{{{"))),
    "weights without tensors": ("refused", model(safetensors({}))),
    "weights of an unknown type": (
        "refused", model(safetensors({"a": {**TENSOR, "dtype": "OBJ"}}, bytes(4))),
    ),
    "weights of absurd shape": (
        "refused", model(safetensors({"a": {**TENSOR, "shape": [2**40, 2**40]}}, bytes(4))),
    ),
    "weights beyond the file": (
        "refused", model(safetensors({"a": {**TENSOR, "data_offsets": [0, 2**40]}})),
    ),
    "weights without their file": ("refused", without_weights),
    "weights that are a folder": ("refused", weights_are_a_folder),
    "a file for the models' folder": ("survives", folder_is_a_file),
    "no models' folder": ("survives", folder_is_absent),
    "linked in a circle": ("either", linked_in_a_circle),
    "doctor beside a broken model": ("either", listed),
}  # fmt: skip

CASES = (
    *(Case("checkpoints", n, "refused", checkpoint(c)) for n, c in CHECKPOINTS.items()),
    Case("checkpoints", "one file of four", "refused", only_one_file),
    Case("checkpoints", "folders for files", "refused", files_are_folders),
    Case("checkpoints", "a file for the folder", "refused", file_for_a_folder),
    Case("checkpoints", "an absent folder", "refused",
         lambda shop: [["models", "import-official", str(shop.inputs / "none")]]),
    *(Case("model folders", name, outcome, make) for name, (outcome, make) in MODELS.items()),
)  # fmt: skip
