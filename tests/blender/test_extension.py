"""The zip: built by Blender's tool, installed into a clean profile, enabled, used, removed."""

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import bpy
import pytest

from blender_addon.development import build
from blender_addon.ui import manual
from blender_addon.worker import set_up

pytestmark = pytest.mark.blender

INSTALLED = """
import os, sys
import bpy
zip_file, python = sys.argv[1:3]
bpy.ops.extensions.package_install_files(
    filepath=zip_file, repo="user_default", enable_on_install=True)
name = "bl_ext.user_default.cine3d"
preferences = bpy.context.preferences.addons[name].preferences
preferences.python_path = python
import cine3d_core
assert cine3d_core.__file__.startswith(os.environ["BLENDER_USER_RESOURCES"]), cine3d_core
assert "torch" not in sys.modules
jobs = sys.modules[name + ".worker.jobs"]
assert jobs.worker().wait(jobs.worker().submit("ping", {"echo": 7}))[0]["echo"] == 7
assert bpy.ops.cine3d.import_photo.poll()
models = os.path.join(os.path.dirname(cine3d_core.__file__), "_models")
print("MODELS", len(os.listdir(models)) if os.path.isdir(models) else 0)
bpy.ops.preferences.addon_disable(module=name)
assert "import_photo" not in dir(bpy.ops.cine3d)
bpy.ops.extensions.package_uninstall(repo_index=1, pkg_id="cine3d")
print("CLEAN", not os.path.exists(os.path.dirname(sys.modules[name].__file__)))
"""

UPDATED = """
import sys
import bpy
name = "bl_ext.user_default.cine3d"
for zip_file in sys.argv[2:4]:
    bpy.ops.extensions.package_install_files(
        filepath=zip_file, repo="user_default", enable_on_install=True)
    bpy.context.preferences.addons[name].preferences.python_path = sys.argv[1]
    worker = sys.modules[name + ".worker.jobs"].worker()
    assert worker.wait(worker.submit("ping", {"echo": 7}))[0]["echo"] == 7
    import cine3d_core
    print("CORE", cine3d_core.__version__)
bpy.ops.preferences.addon_disable(module=name)
"""


@pytest.fixture(scope="module")
def extension(tmp_path_factory):
    return build.build(tmp_path_factory.mktemp("dist"))


def in_clean_profile(program, *arguments, profile):
    """Run a program in a Blender that has never seen this repository; gives what it printed."""
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(profile)}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=profile, env=environment, timeout=120, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


def test_the_zip_installs_into_a_clean_profile_and_leaves_it(extension, tmp_path):
    python = os.environ.get("CINE3D_WORKER_PYTHON", sys.executable)
    assert "CLEAN True" in in_clean_profile(INSTALLED, extension, python, profile=tmp_path)


def test_another_version_takes_over_without_restarting_blender(
    extension, repository, tmp_path, monkeypatch
):
    version = build.version()
    copied = tmp_path / "newer"
    for name in ("blender_addon", "cine3d_core", "docs"):
        shutil.copytree(repository / name, copied / name)
    for name in ("blender_manifest.toml", "LICENSE", "README.md", "THIRD_PARTY.md"):
        shutil.copy(repository / name, copied / name)
    core = copied / "cine3d_core/__init__.py"
    core.write_text(core.read_text().replace(f'"{version}"', '"9.9.9"'), encoding="utf-8")
    monkeypatch.setattr(build, "REPOSITORY", copied)
    newer = build.build(tmp_path / "dist")
    python = os.environ.get("CINE3D_WORKER_PYTHON", sys.executable)
    profile = tmp_path / "profile"
    profile.mkdir()
    printed = in_clean_profile(UPDATED, python, extension, newer, profile=profile)
    assert re.findall("CORE (.*)", printed) == [version, "9.9.9"]


def test_the_zip_holds_no_compiled_code_and_no_second_wheel(extension):
    with zipfile.ZipFile(extension) as archive:
        names = archive.namelist()
        wheels = [name for name in names if name.endswith(".whl")]
        with archive.open(wheels[0]) as wheel, zipfile.ZipFile(wheel) as inner:
            names += inner.namelist()
    assert len(wheels) == 1 and "py3-none-any" in wheels[0]
    assert not [name for name in names if re.search(r"\.(so|pyd|dll|dylib|pyc)$", name)]
    assert "cine3d_core/worker/server.py" in names
    for_makers = tuple(f"cine3d_core/{part}/" for part in ("training", "evaluation", "synthetic"))
    assert not [name for name in names if name.startswith(for_makers)]


def test_the_wheel_is_the_same_bytes_every_time(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (build.write_wheel(tmp_path / name, "0.1.0") for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_the_zip_is_the_same_bytes_every_time(extension, tmp_path):
    assert build.build(tmp_path).read_bytes() == extension.read_bytes()


def test_a_folder_of_extensions_becomes_a_repository(extension, tmp_path):
    shutil.copy(extension, tmp_path)
    build.write_index(tmp_path)
    (entry,) = json.loads((tmp_path / "index.json").read_text())["data"]
    assert (entry["id"], entry["version"]) == ("cine3d", build.version())
    digest = hashlib.sha256(extension.read_bytes()).hexdigest()
    assert entry["archive_hash"] == f"sha256:{digest}"
    assert extension.name in entry["archive_url"]


def test_manifest_core_and_wheel_have_one_version(repository):
    import cine3d_core

    manifest = build.manifest()
    assert manifest["version"] == cine3d_core.__version__
    assert manifest["wheels"] == [f"./wheels/cine3d_core-{manifest['version']}-py3-none-any.whl"]
    # the rules of the extensions platform for short texts, and some of its tags for add-ons
    for text in (manifest["tagline"], *manifest["permissions"].values()):
        assert len(text) <= 64 and text[-1].isalnum(), text
    assert set(manifest["tags"]) <= {"Animation", "Camera", "Import-Export", "Render", "3D View"}
    assert manifest["permissions"].keys() <= {"files", "network", "clipboard", "camera"}


def test_set_up_installs_what_the_core_needs(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    pinned = re.findall(r"(?m)^([\w-]+)==", set_up.REQUIREMENTS.read_text(encoding="utf-8"))
    needed = [re.split("[>=]", entry)[0].lower() for entry in project["dependencies"]]
    assert set(needed) - {"torch"} <= {name.lower() for name in pinned}
    torch = set_up.TORCH_REQUIREMENTS.read_text(encoding="utf-8")
    assert f"\n{set_up.TORCH_WITH_CUDA} \\\n" in torch
    tested = (repository / "constraints.txt").read_text().splitlines()
    assert set_up.TORCH_WITH_CUDA in tested
    card = re.findall(r"(?m)^[\w-]+==\S+", set_up.CARD_REQUIREMENTS.read_text(encoding="utf-8"))
    assert card and set(card) <= set(tested)


def test_the_addon_imports_neither_torch_nor_modules_that_do(repository):
    allowed = {
        "cine3d_core",
        "cine3d_core.__version__",
        "cine3d_core.cameras",
        "cine3d_core.errors",
        "cine3d_core.files.atomic",
        "cine3d_core.files.inputs",
        "cine3d_core.files.pictures.raw",
        "cine3d_core.files.scene.arrays",
        "cine3d_core.imaging.drawn_lens",
        "cine3d_core.imaging.driver",
        "cine3d_core.motion_kinds",
        "cine3d_core.moves",
        "cine3d_core.scene",
        "cine3d_core.cli.choices",
        "cine3d_core.settings",
        "cine3d_core.worker",
        "cine3d_core.worker.protocol",
    }
    addon = repository / "blender_addon"
    for path in addon.rglob("*.py"):
        if path.is_relative_to(addon / "development"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
                if node.module == "cine3d_core":
                    names = [f"cine3d_core.{alias.name}" for alias in node.names]
            ours = {name for name in names if name.split(".")[0] in {"cine3d_core", "torch"}}
            assert ours <= allowed, (path.name, ours)


def test_registering_twice_leaves_blender_as_it_was(addon):
    before = set(dir(bpy.types)), len(bpy.app.handlers.save_pre)
    addon.unregister()
    between = [name for name in dir(bpy.types) if name.startswith("CINE3D")]
    assert not between and not hasattr(bpy.types.Object, "cine3d")
    addon.register()
    assert (set(dir(bpy.types)), len(bpy.app.handlers.save_pre)) == before


def test_everything_has_a_tooltip_in_blenders_manner(addon):
    texts = {}
    for cls in (cls for module in addon._MODULES for cls in module.CLASSES):
        texts[cls.__name__] = (cls.__doc__ or "").split("\n")[0]
        for rna in getattr(cls, "bl_rna", cls).properties if hasattr(cls, "bl_rna") else ():
            name = f"{cls.__name__}.{rna.identifier}"
            if rna.identifier in cls.__annotations__ and not rna.is_hidden:
                texts[name] = rna.description or rna.name
    assert not [name for name, text in texts.items() if not text]
    operators = {name: text for name, text in texts.items() if "_OT_" in name}
    assert not [name for name, text in operators.items() if text.endswith(".")]


def test_help_leads_to_pages_that_exist(addon, repository, extension):
    prefix, pages = manual.manual_map()
    assert prefix == (repository / "docs").as_uri() + "/"
    names = zipfile.ZipFile(extension).namelist()
    for _, page in pages:
        text = (repository / "docs" / page).read_text(encoding="utf-8")
        pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
        assert {f"docs/{name}" for name in (page, *pictures)} <= set(names)


def test_the_presets_that_come_along_can_be_chosen(scene, extension):
    menu = bpy.types.CINE3D_MT_build_presets
    (folder,) = bpy.utils.preset_paths(menu.preset_subdir)
    presets = sorted(Path(folder).glob("*.py"))
    assert len(presets) >= 4
    packed = zipfile.ZipFile(extension).namelist()
    for preset in presets:
        assert f"presets/{menu.preset_subdir}/{preset.name}" in packed
        bpy.ops.script.execute_preset(filepath=str(preset), menu_idname=menu.__name__)
    bpy.ops.script.execute_preset(filepath=f"{folder}/draft.py", menu_idname=menu.__name__)
    assert (scene.cine3d.preset, scene.cine3d.size) == ("draft", 640)


def test_an_artists_preset_keeps_the_build_settings(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(bpy.utils, "user_resource", lambda *_args, **_more: str(tmp_path))
    scene.cine3d.size, scene.cine3d.frames = 777, 33
    assert bpy.ops.cine3d.add_build_preset(name="Mine") == {"FINISHED"}
    scene.cine3d.size = scene.cine3d.frames = 100
    menu = bpy.types.CINE3D_MT_build_presets.__name__
    bpy.ops.script.execute_preset(filepath=str(tmp_path / "Mine.py"), menu_idname=menu)
    assert (scene.cine3d.size, scene.cine3d.frames) == (777, 33)


def test_set_up_does_nothing_while_blender_is_offline(scene):
    assert not bpy.app.online_access
    assert not bpy.ops.cine3d.set_up.poll()


def test_an_installation_shows_its_steps_and_can_be_cancelled():
    quick = [("One", [sys.executable, "-c", "print('a')"]), ("Two", [sys.executable, "-c", ""])]
    installation = set_up.Installation(quick)
    installation.start()
    assert installation.done.wait(30) and installation.error is None
    assert installation.fraction == 1.0
    slow = [("Slow", [sys.executable, "-c", "import time; time.sleep(60)"]), *quick]
    installation = set_up.Installation(slow)
    installation.start()
    installation.done.wait(0.5)
    installation.cancel()
    assert installation.done.wait(5) and installation.cancelled and installation.error is None


def test_a_failing_installation_says_at_which_step_and_why():
    steps = [
        ("Installing PyTorch", [sys.executable, "-c", "import sys; sys.exit('no space left')"])
    ]
    installation = set_up.Installation(steps)
    installation.start()
    assert installation.done.wait(30)
    assert installation.error == "Installing PyTorch failed: no space left"


@pytest.mark.parametrize(
    ("platform", "has_nvidia", "unpinned"),
    [("linux", False, 0), ("win32", False, 0), ("darwin", False, 0), ("linux", True, 1)],
)
def test_set_up_takes_nothing_unpinned_but_builds_with_cuda(platform, has_nvidia, unpinned):
    index = set_up.torch_index(platform, has_nvidia)
    installs = [
        command
        for _, command in set_up.setup_steps(Path("e"), Path("e/bin/python"), index)
        if "install" in command
    ]
    free = [words for words in installs if "--require-hashes" not in words]
    assert len(installs) == 2 + has_nvidia and len(free) == unpinned
    assert any(str(set_up.CARD_REQUIREMENTS) in words for words in installs) == has_nvidia
    assert all("--no-deps" in words for words in installs if words not in free)


def test_the_right_build_of_pytorch_is_chosen():
    assert set_up.torch_index("darwin", False) is None
    assert set_up.torch_index("linux", False).endswith("/cpu")
    assert "/cu" in set_up.torch_index("win32", True)
