"""Build the extension: `python -m blender_addon.development.build [FOLDER] [--index]`.

Makes cine3d-<version>.zip in the folder; `--index` adds index.json and index.html, which make the
folder a repository that Blender can install from once it lies on a web server.

Blender wants the add-on's `__init__.py` at the root of the zip, and takes Python packages as
wheels. So a stage is made of the manifest, this folder, and the core with the models as a wheel;
Blender's own tool (part of Blender and of the `bpy` wheel) validates and packs it. The same files
give the same zip, byte for byte. The version is the core's `__version__`, written into the manifest
here. Needs only the standard library and, for its path, `bpy`.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PLACEHOLDER = "0.0.0"
_LEFT_OUT = ("development", "__pycache__")
# of the core: what no artist runs, a third of its lines
_NOT_FOR_ARTISTS = ("training", "evaluation", "synthetic")
_TOOL = "scripts/addons_core/bl_pkg/cli/blender_ext.py"


def version() -> str:
    """The version of everything, read from the core without importing it."""
    text = (REPOSITORY / "cine3d_core" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE).group(1)


def manifest_text() -> str:
    """The extension's manifest, with the version where the repository has a placeholder."""
    text = (REPOSITORY / "blender_manifest.toml").read_text(encoding="utf-8")
    return text.replace(_PLACEHOLDER, version())


def manifest() -> dict:
    """The extension's manifest."""
    return tomllib.loads(manifest_text())


def write_wheel(folder: Path, version: str) -> Path:
    """The core and the models as a wheel that needs no compiler and no build tool.

    Without training, evaluation and made-up scenes: nothing else of the core imports them.
    """
    dist_info = f"cine3d_core-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: cine3d-core\nVersion: {version}\n"
    tag = "Wheel-Version: 1.0\nGenerator: cine3d\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    contents = dict(_package_files())
    contents[f"{dist_info}/METADATA"] = metadata.encode()
    contents[f"{dist_info}/WHEEL"] = tag.encode()
    record = [f"{name},{_hash(data)},{len(data)}" for name, data in contents.items()]
    record.append(f"{dist_info}/RECORD,,")
    contents[f"{dist_info}/RECORD"] = ("\n".join(record) + "\n").encode()
    path = folder / f"cine3d_core-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return path


def _package_files() -> Iterator[tuple[str, bytes]]:
    for source, target in (
        (REPOSITORY / "cine3d_core", "cine3d_core"),
        (REPOSITORY / "models", "cine3d_core/_models"),
    ):
        for path in sorted(source.rglob("*")):
            relative = path.relative_to(source)
            unused = source.name == "cine3d_core" and relative.parts[0] in _NOT_FOR_ARTISTS
            if path.is_file() and not unused and "__pycache__" not in relative.parts:
                yield f"{target}/{relative.as_posix()}", path.read_bytes()


def _hash(data: bytes) -> str:
    digest = hashlib.sha256(data).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def stage(folder: Path) -> None:
    """Lay out the extension as Blender's builder wants it."""
    left_out = shutil.ignore_patterns(*_LEFT_OUT)
    shutil.copytree(REPOSITORY / "blender_addon", folder, ignore=left_out, dirs_exist_ok=True)
    (folder / "blender_manifest.toml").write_text(manifest_text(), encoding="utf-8")
    for name in ("LICENSE", "README.md", "THIRD_PARTY.md"):
        shutil.copy(REPOSITORY / name, folder / name)
    (folder / "docs" / "images").mkdir(parents=True)
    for pattern in ("blender-*.md", "images/blender-*.jpg"):
        for page in sorted((REPOSITORY / "docs").glob(pattern)):
            shutil.copy(page, folder / "docs" / page.relative_to(REPOSITORY / "docs"))
    wheels = folder / "wheels"
    wheels.mkdir()
    write_wheel(wheels, version())


def blender_tool() -> Path:
    """Blender's extension tool, out of the installed `bpy` wheel."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise SystemExit("the build needs the bpy package: pip install bpy")
    found = sorted(Path(spec.origin).parent.glob(f"*/{_TOOL}"))
    if not found:
        raise SystemExit(f"this bpy has no extension tool at {_TOOL}; use bpy 4.2 or newer")
    return found[-1]


def build(output: Path) -> Path:
    """Stage, validate, pack and validate again; gives the zip."""
    path = output / f"cine3d-{version()}.zip"
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        stage(Path(temporary))
        _blender("validate", temporary)
        _blender("build", "--source-dir", temporary, "--output-filepath", path)
    _make_reproducible(path)
    _blender("validate", path)
    return path


def write_index(folder: Path) -> None:
    """Make a folder of extensions a static repository: index.json and index.html."""
    _blender("server-generate", "--repo-dir", folder, "--html")


def _blender(*words: object) -> None:
    command = [sys.executable, str(blender_tool()), *map(str, words)]
    subprocess.run(command, check=True)


def _make_reproducible(path: Path) -> None:
    """Pack the same content again by name, without the times at which it was staged."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in sorted(archive.namelist())}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            kind = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data, kind)


if __name__ == "__main__":
    chosen = [Path(word) for word in sys.argv[1:] if word != "--index"]
    target = chosen[0] if chosen else REPOSITORY / "dist"
    print(build(target))
    if "--index" in sys.argv:
        write_index(target)
