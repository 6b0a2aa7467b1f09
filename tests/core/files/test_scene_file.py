import dataclasses
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.files.scene.arrays import LAYOUT, read_scene_arrays
from cine3d_core.files.scene.scene_file import load_scene, read_scene_info, save_scene
from cine3d_core.scene import Camera
from tests.stored_scenes import tiny_scene

_SAVE_FOR_EVER = """
import sys
from cine3d_core.files.scene.scene_file import save_scene
from tests.stored_scenes import tiny_scene
scenes = [tiny_scene(seed=seed, points=200_000) for seed in (1, 2)]
print("saving", flush=True)
while True:
    for scene in scenes:
        save_scene(scene, sys.argv[1])
"""
_SAVE_ON_FULL_DISK = """
import resource, sys
from cine3d_core.errors import InputError
from cine3d_core.files.scene.scene_file import save_scene
from tests.stored_scenes import tiny_scene
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    save_scene(tiny_scene(), sys.argv[1])
except InputError as error:
    print(error)
    sys.exit(2)
"""


def same(ours: object, theirs: object) -> bool:
    """Equality of records that hold tensors."""
    if isinstance(ours, torch.Tensor):
        return (
            isinstance(theirs, torch.Tensor)
            and ours.dtype == theirs.dtype
            and torch.equal(ours, theirs)
        )
    if dataclasses.is_dataclass(ours):
        names = [field.name for field in dataclasses.fields(ours)]
        return all(same(getattr(ours, name), getattr(theirs, name)) for name in names)
    return ours == theirs


def test_features_beyond_half_precision_are_kept_to_the_bit(tmp_path: Path) -> None:
    scene = tiny_scene()
    fine = dataclasses.replace(scene.cloud, features=scene.cloud.features + 1e-5)
    scene = dataclasses.replace(scene, cloud=fine)
    save_scene(scene, tmp_path / "fine.cine3d")
    assert same(load_scene(tmp_path / "fine.cine3d"), scene)


def test_scenes_whose_features_are_in_float32_still_open(tmp_path: Path) -> None:
    path, old = tmp_path / "new.cine3d", tmp_path / "old.cine3d"
    scene = tiny_scene()
    save_scene(scene, path)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(old, "w") as target:
        for member in source.infolist():
            content = source.read(member)
            if member.filename == "features.npy":
                stream = io.BytesIO()
                np.save(stream, np.load(io.BytesIO(content)).astype("<f4"))
                content = stream.getvalue()
            target.writestr(member.filename, content)
    assert same(load_scene(old), scene)


@pytest.mark.parametrize("channels", [0, 2])
def test_loading_gives_back_the_scene(tmp_path: Path, channels: int) -> None:
    scene = tiny_scene()
    cloud = dataclasses.replace(scene.cloud, features=scene.cloud.features[:, :channels])
    scene = dataclasses.replace(scene, cloud=cloud)
    save_scene(scene, tmp_path / "s.cine3d")
    assert same(scene, load_scene(tmp_path / "s.cine3d"))


def test_odd_cameras_come_back_bit_for_bit(tmp_path: Path) -> None:
    scene = tiny_scene()
    turn, angle = torch.eye(4, dtype=torch.float64), torch.tensor(1 / 3, dtype=torch.float64)
    turn[0, 0] = turn[1, 1] = angle.cos()
    turn[0, 1], turn[1, 0], turn[:3, 3] = angle.sin(), -angle.sin(), angle
    camera = Camera(scene.camera.intrinsics / 3 + torch.eye(3) * 2 / 3, turn, 4, 7)
    camera.intrinsics[2, 2] = 1
    save_scene(dataclasses.replace(scene, camera=camera), tmp_path / "s.cine3d")
    assert same(camera, load_scene(tmp_path / "s.cine3d").camera)


def test_the_same_scene_gives_the_same_bytes(tmp_path: Path) -> None:
    save_scene(tiny_scene(), tmp_path / "a.cine3d")
    save_scene(tiny_scene(), tmp_path / "b.cine3d")
    assert (tmp_path / "a.cine3d").read_bytes() == (tmp_path / "b.cine3d").read_bytes()


def test_numpy_alone_can_read_a_scene(tmp_path: Path) -> None:
    scene = tiny_scene()
    save_scene(scene, tmp_path / "s.cine3d")
    with zipfile.ZipFile(tmp_path / "s.cine3d") as archive:
        positions = np.load(io.BytesIO(archive.read("positions.npy")), allow_pickle=False)
    assert np.array_equal(positions, scene.cloud.positions.numpy())


def test_reading_arrays_imports_no_torch() -> None:
    code = "import sys, cine3d_core.files.scene.arrays; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_info_tells_what_the_scene_holds(tmp_path: Path) -> None:
    save_scene(tiny_scene(points=40), tmp_path / "s.cine3d")
    info = read_scene_info(tmp_path / "s.cine3d")
    assert info["arrays"]["positions"] == [40, 3]
    assert (info["num_frames"], info["fps"]) == (60, 25.0)
    assert info["models"] == {"compact-depth": "1" * 64}


def test_a_scene_that_could_not_be_read_back_is_never_written(tmp_path: Path) -> None:
    broken = tiny_scene()
    broken.cloud.positions[0, 0] = torch.nan
    with pytest.raises(AssertionError, match="NaN"):
        save_scene(broken, tmp_path / "s.cine3d")
    assert not list(tmp_path.iterdir())


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.cine3d"
    save_scene(tiny_scene(points=3, layers=1), path)
    data = path.read_bytes()
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match="scene file"):
            load_scene(path)


def test_flipped_bytes_are_refused_or_change_nothing_that_matters(tmp_path: Path) -> None:
    path = tmp_path / "s.cine3d"
    scene = tiny_scene(points=3, layers=1)
    save_scene(scene, path)
    clean = np.frombuffer(path.read_bytes(), np.uint8)
    generator = np.random.default_rng(0)
    for position in generator.integers(0, len(clean), 300):
        data = clean.copy()
        data[position] ^= 1 << generator.integers(8)
        path.write_bytes(data.tobytes())
        try:
            assert same(scene, load_scene(path)), f"byte {position} changed the scene unnoticed"
        except InputError as error:
            assert str(error).count("\n") == 0


Members = dict[str, bytes]


def rewritten(path: Path, change: Callable[[Members], None], **options: int) -> None:
    """Write a sound scene, change its members and pack them again with right checksums."""
    save_scene(tiny_scene(), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", **options) as archive:  # type: ignore[arg-type]
        for name, data in members.items():
            archive.writestr(name, data)


def edit(**changes: object) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        content = {**json.loads(members["scene.json"]), **changes}
        members["scene.json"] = json.dumps(content).encode()

    return change


def put(name: str, array: np.ndarray) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        file = io.BytesIO()
        np.lib.format.write_array(file, array, version=(1, 0))
        members[f"{name}.npy"] = file.getvalue()

    return change


def poke(name: str, value: float) -> Callable[[Members], None]:
    """Set the last element of an array."""

    def change(members: Members) -> None:
        array = np.load(io.BytesIO(members[f"{name}.npy"]))
        array.reshape(-1)[-1] = value
        put(name, array)(members)

    return change


SHAPES = {name: [40 if s == "N" else s for s in shape] for name, (_, shape) in LAYOUT.items()}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (edit(format="zip"), "not that of a Cine3D scene"),
        (edit(version=2), "version 2, this Cine3D reads version 3; build it again"),
        (edit(version=True), "version True"),
        (edit(num_frames=0), "num_frames"),
        (edit(num_frames=2.5), "num_frames"),
        (edit(fps=-1), "fps"),
        (edit(disparity_range=[1]), "disparity_range"),
        (edit(photo_sha256="../../x"), "photo_sha256"),
        (edit(models=[1]), "models"),
        (edit(parameters=None), "parameters"),
        (edit(camera=None), "camera"),
        (edit(arrays={}), "shapes"),
        (edit(arrays=SHAPES), "impossible shape"),
        (lambda m: m.pop("rgb.npy"), "missing"),
        (lambda m: m.pop("scene.json"), "without scene.json"),
        (lambda m: m.update({"../evil.py": b""}), "no part of a scene"),
        (lambda m: m.update({"/etc/passwd": b""}), "no part of a scene"),
        (lambda m: m.update({"scene.json": b"{"}), "not valid JSON"),
        (lambda m: m.update({"scene.json": b" " * 20_000_000}), "too large"),
        (lambda m: m.update({"rgb.npy": m["rgb.npy"][:-4]}), "cut off"),
        (lambda m: m.update({"rgb.npy": m["positions.npy"] + b"more"}), "longer|not as long"),
        (put("rgb", np.zeros((40, 3))), "not as long|not the array"),
        (put("rgb", np.zeros((40, 3), "<i4")), "not the array"),
        (put("rgb", np.zeros((3, 40), "<f4")), "not the array"),
        (put("rgb", np.asfortranarray(np.zeros((40, 3), "<f4"))), "not the array"),
        (put("rgb", np.array([[{}] * 3] * 40, dtype=object)), "rgb"),
        (put("rgb", np.zeros((41, 3), "<f4")), "not the array"),
        (poke("rgb", np.nan), "NaN"),
        (poke("velocity", np.inf), "NaN or infinity"),
        (poke("velocity", -2e5), "velocity holds a number beyond 100000"),
        (poke("rgb", 2e3), "rgb holds a number beyond 1000"),
        (poke("rgb", -2e3), "rgb holds a number beyond 1000"),
        (poke("layer", 2), "layer holds an index"),
        (poke("layer", -1), "layer holds an index"),
        (poke("pixel", 54), "pixel holds an index"),
        (poke("pixel", -1), "pixel holds an index"),
        (poke("cycles", 0), "cycles"),
        (poke("cycles", 61), "cycles holds a number that is not from 1 to num_frames"),
        (poke("layer_depth", 0), "layer_depth"),
        (put("inpainted", np.full(40, 2, np.uint8).view(bool)), "inpainted"),
    ],
)
def test_hostile_scenes_are_refused_with_a_sentence(
    tmp_path: Path, change: Callable[[Members], None], sentence: str
) -> None:
    rewritten(tmp_path / "s.cine3d", change)
    with pytest.raises(InputError, match=sentence):
        load_scene(tmp_path / "s.cine3d")


def test_members_that_numpy_cannot_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.cine3d"
    rewritten(path, lambda members: None, compression=zipfile.ZIP_BZIP2)
    with pytest.raises(InputError, match="compressed in another way"):
        read_scene_info(path)


def test_uncompressed_scenes_open_too(tmp_path: Path) -> None:
    path = tmp_path / "s.cine3d"
    rewritten(path, lambda members: None, compression=zipfile.ZIP_STORED)
    assert same(load_scene(path), tiny_scene())


def test_a_file_that_unpacks_to_far_more_than_it_is_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.cine3d"

    def inflate(members: Members) -> None:
        members["velocity.npy"] = bytes(80_000_000)

    rewritten(path, inflate, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    with pytest.raises(InputError, match="unpacks to more"):
        load_scene(path)


def test_a_scene_that_hardly_moves_is_a_small_file(tmp_path: Path) -> None:
    scene = tiny_scene(points=2000)
    still = dataclasses.replace(scene, velocity=torch.zeros(2, 2, 600, 900))
    maps = {name: torch.ones(2, 1, 600, 900, dtype=t) for name, t in _MAPS.items()}
    canvas = dataclasses.replace(scene.canvas_camera, height=600, width=900)
    save_scene(dataclasses.replace(still, canvas_camera=canvas, **maps), tmp_path / "s.cine3d")
    assert (tmp_path / "s.cine3d").stat().st_size < 150_000  # 15 MB of maps


_MAPS = {"layer_depth": torch.float32, "cycles": torch.int16}


def test_doubled_names_are_refused(tmp_path: Path) -> None:
    save_scene(tiny_scene(), tmp_path / "s.cine3d")
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(tmp_path / "s.cine3d", "a") as archive,
    ):
        archive.writestr("scene.json", "{}")
    with pytest.raises(InputError, match="twice"):
        load_scene(tmp_path / "s.cine3d")


def test_shapes_beyond_the_file_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    def promise(members: Members) -> None:
        content = json.loads(members["scene.json"])
        for name, (_, letters) in LAYOUT.items():
            if letters[0] == "N":
                content["arrays"][name][0] = 10**11
        members["scene.json"] = json.dumps(content).encode()

    rewritten(tmp_path / "s.cine3d", promise)
    with pytest.raises(InputError, match="not as long as its shape"):
        read_scene_arrays(tmp_path / "s.cine3d")


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all" * 100])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.cine3d").write_bytes(content)
    with pytest.raises(InputError, match="not a scene"):
        load_scene(tmp_path / "s.cine3d")


def test_kill_in_the_middle_of_saving_leaves_a_whole_scene(tmp_path: Path) -> None:
    path = tmp_path / "s.cine3d"
    with subprocess.Popen(
        [sys.executable, "-c", _SAVE_FOR_EVER, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while len(os.listdir(tmp_path)) < 2:  # the first scene is there, the next one begun
            assert process.poll() is None
        process.kill()
        process.wait()
    assert len(load_scene(path).cloud.positions) == 200_000


def test_a_full_disk_leaves_the_old_scene(tmp_path: Path) -> None:
    path = tmp_path / "s.cine3d"
    save_scene(tiny_scene(seed=5), path)
    command = [sys.executable, "-c", _SAVE_ON_FULL_DISK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:12]) == (2, "cannot write"), done.stderr
    assert os.listdir(tmp_path) == ["s.cine3d"]
    assert same(tiny_scene(seed=5), load_scene(path))
