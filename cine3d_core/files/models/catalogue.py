"""The shelf: better networks than the bundled ones, each for one task, under open licences.

Nothing here fetches anything; `shelf` does, when a person asks. Only licences that allow commercial
use are on the shelf.

A file is pinned by its SHA-256 where one is written here: other public projects, or the file's own
page on the hub, state it, for some files in two places and for others in one. None was computed by
us, and no real file was fetched while this was written. Where none is written, the hub's own
statement about the file (its size and SHA-256, sent before the file) is what it is checked against,
and what came is recorded beside it.

The environment variable CINE3D_SHELF names a JSON file with another table, for studios that
keep networks on a mirror:

    {"entries": [{"name": "our-depth", "task": "depth", "kind": "transformers-depth", ...}]}
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from cine3d_core.errors import InputError
from cine3d_core.files.inputs import read_json

Task = Literal["depth", "classes", "click", "fill"]
# what reads the files: a `transformers` class, or a program for onnxruntime by its inputs
Kind = Literal[
    "transformers-depth",
    "transformers-ade20k",
    "transformers-sam2",
    "onnx-moge",
    "onnx-da3",
    "onnx-migan",
    "onnx-lama",
]
PACKAGE_OF = {"transformers": "transformers", "onnx": "onnxruntime"}  # by a kind's first word

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_REVISION = re.compile(r"[\w][\w./-]*")
_FILE = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ShelfFile:
    """One file of an entry."""

    path: str  # below the repository, with "/"
    size: int  # bytes at most
    sha256: str | None = None  # None: whatever the hub says


@dataclass(frozen=True)
class ShelfEntry:
    """One network that may be got."""

    name: str  # also its folder's
    task: Task
    kind: Kind
    title: str
    repository: str  # on the hub
    revision: str  # commit, or a branch where no commit is known
    files: tuple[ShelfFile, ...]
    license: str
    license_url: str
    replaces: str  # what does the same without it
    better: str  # why one would want it, for people
    rank: int  # among those of its task; the highest installed one is used

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files)

    @property
    def package(self) -> str:
        """The Python package that runs it."""
        return PACKAGE_OF[self.kind.partition("-")[0]]

    @property
    def source(self) -> str:
        """The page that a person can read about it."""
        return f"https://huggingface.co/{self.repository}"


_APACHE = "https://www.apache.org/licenses/LICENSE-2.0"
SHELF: tuple[ShelfEntry, ...] = (
    ShelfEntry(
        name="depth-anything-v2-small",
        task="depth",
        kind="transformers-depth",
        title="Depth Anything V2 Small",
        repository="depth-anything/Depth-Anything-V2-Small-hf",
        revision="5426e4f0f36572d16453bbda7a8389317b1bef99",
        files=(
            ShelfFile(
                "config.json",
                8_192,
                "c56698d3643dde1f83ea2212759e6b31a22b8f827246a36dd007ee8a22b3ff75",
            ),
            ShelfFile(
                "preprocessor_config.json",
                8_192,
                "d41175c0d889477ca8fc67191e540faef14baf6275157b3fdecf78469e6bbf84",
            ),
            ShelfFile(
                "model.safetensors",
                99_173_660,
                "3152477ce0d8d6978d76b995120de97cb5b928701fd0f817769f59e249a16b70",
            ),
        ),
        license="Apache-2.0",
        license_url=_APACHE,
        replaces="the compact depth network",
        better="cleaner depth with finer edges; a few seconds a photo without a graphics card",
        rank=10,
    ),
    ShelfEntry(
        name="moge-2-small",
        task="depth",
        kind="onnx-moge",
        title="MoGe-2 ViT-S",
        repository="Ruicheng/moge-2-vits-normal-onnx",
        revision="main",
        files=(
            ShelfFile(
                "model.onnx",
                140_852_051,
                "24eacb5dc7a2c54c7bc98f7de085ffbed79ad006ea5b664c2c2cdc02ff3a52f0",
            ),
        ),
        license="MIT",
        license_url="https://github.com/microsoft/MoGe/blob/main/LICENSE",
        replaces="the compact depth network, and the guess of the lens",
        better="depth in true proportion, the sky, and the focal length of the lens",
        rank=20,
    ),
    ShelfEntry(
        name="moge-2-base",
        task="depth",
        kind="onnx-moge",
        title="MoGe-2 ViT-B",
        repository="Ruicheng/moge-2-vitb-normal-onnx",
        revision="main",
        files=(
            ShelfFile(
                "model.onnx",
                419_411_850,
                "bbf14e07a30f11e69d36ab861590123f5598ababcbc8946a063eb4a966f35a21",
            ),
        ),
        license="MIT",
        license_url="https://github.com/microsoft/MoGe/blob/main/LICENSE",
        replaces="the compact depth network, and the guess of the lens",
        better="as MoGe-2 ViT-S, finer and slower",
        rank=30,
    ),
    ShelfEntry(
        name="da3-mono-large",
        task="depth",
        kind="onnx-da3",
        title="Depth Anything 3 Mono Large",
        repository="ohaiibuzzle/DA3MONO-Large-ONNX",  # the authors publish no ONNX themselves
        revision="main",
        files=(
            ShelfFile(
                "da3mono_l_504x378.onnx",
                1_336_957_133,
                "9b1b3f1495a9273adb4abcdc3e716416a28716b6bda4f13a29da462200e931ec",
            ),
        ),
        license="Apache-2.0",
        license_url=_APACHE,
        replaces="the compact depth network",
        better="the finest depth here, and the sky; large and slow, and it does not know the lens",
        rank=25,
    ),
    ShelfEntry(
        name="upernet-convnext-tiny",
        task="classes",
        kind="transformers-ade20k",
        title="UperNet ConvNeXt-T",
        repository="openmmlab/upernet-convnext-tiny",
        revision="refs/pr/1",  # the one whose page states a checksum
        files=(
            ShelfFile("config.json", 65_536),
            ShelfFile(
                "pytorch_model.bin",
                245_000_000,
                "4f5d3b46a4fcbfa119208913aaf6c924f2051d22a54fb2e9b8d0772d1289abaa",
            ),
        ),
        license="MIT",
        license_url="https://github.com/open-mmlab/mmsegmentation/blob/main/LICENSE",
        replaces="the bundled detection of moving areas",
        better="separates sky, sea, rivers, lakes and waterfalls from things in front of them",
        rank=10,
    ),
    ShelfEntry(
        name="sam-2.1-tiny",
        task="click",
        kind="transformers-sam2",
        title="SAM 2.1 Tiny",
        repository="facebook/sam2.1-hiera-tiny",
        revision="de431c4043854a71d8101e17995dfe596bf101a5",
        files=(
            ShelfFile(
                "config.json",
                65_536,
                "860aff9751b139d83a4ad7df1e5535416fded533e0ead02625edbefcb9953cce",
            ),
            ShelfFile(
                "model.safetensors",
                155_908_064,
                "48c14467e5cf9e51870511feb72c89688e82dd74523142c0538b663e193ac2a7",
            ),
        ),
        license="Apache-2.0",
        license_url=_APACHE,
        replaces="outlines drawn by hand",
        better="click on a thing, and its outline is found",
        rank=10,
    ),
    ShelfEntry(
        name="mi-gan",
        task="fill",
        kind="onnx-migan",
        title="MI-GAN",
        repository="andraniksargsyan/migan",
        revision="1538c135034b8cfe7a8472f34d09c8a5a45b17a7",
        files=(
            ShelfFile(
                "migan_pipeline_v2.onnx",
                28_079_181,
                "6f1f3530a1a2324b19752018ce756088b07973cda8d7d890034ace5c8a48c40b",
            ),
        ),
        license="MIT",
        license_url="https://github.com/Picsart-AI-Research/MI-GAN/blob/main/LICENSE",
        replaces="the mirrored texture behind things and beyond the border",
        better="invents what is hidden; small and quick",
        rank=10,
    ),
    ShelfEntry(
        name="lama",
        task="fill",
        kind="onnx-lama",
        title="LaMa",
        repository="g-ronimo/lama",
        revision="418036c6b541e526cdbb0bead1ec3a87dabede53",
        files=(ShelfFile("lama_fp16.onnx", 112_000_000),),
        license="Apache-2.0",
        license_url="https://github.com/advimman/lama/blob/main/LICENSE",
        replaces="the mirrored texture behind things and beyond the border",
        better="continues walls, sky and grass over large holes; seconds a photo",
        rank=20,
    ),
)


def shelf_entries() -> tuple[ShelfEntry, ...]:
    """The table: ours, or that of the file which CINE3D_SHELF names.

    Raises:
        InputError: that file cannot be used.
    """
    own = os.environ.get("CINE3D_SHELF")
    return _read_table(Path(own).expanduser()) if own else SHELF


def find_entry(name: str) -> ShelfEntry:
    """The entry of that name; InputError, naming those there are, if there is none."""
    entries = {entry.name: entry for entry in shelf_entries()}
    if name not in entries:
        raise InputError(f"there is no network {name!r}; choose one of {', '.join(entries)}")
    return entries[name]


def _read_table(path: Path) -> tuple[ShelfEntry, ...]:
    records = read_json(path, "shelf table").get("entries")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError(f'the shelf table {path} lacks "entries", a list of objects')
    entries = tuple(_entry(record, path) for record in records)
    names = [entry.name for entry in entries]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"the shelf table {path} names {', '.join(sorted(twice))} twice")
    return entries


def _entry(record: dict[str, Any], path: Path) -> ShelfEntry:
    known = {entry.name for entry in fields(ShelfEntry)}
    if record.keys() != known:
        odd = ", ".join(sorted(record.keys() ^ known))
        raise InputError(f"an entry of the shelf table {path} has missing or unknown keys: {odd}")
    patterns = {"name": _NAME, "repository": _REPOSITORY, "revision": _REVISION}
    for key, value in record.items():
        if key == "rank":
            good = isinstance(value, int)
        elif key == "files":
            good = isinstance(value, list) and len(value) > 0
        else:
            pattern = patterns.get(key)
            good = isinstance(value, str) and (pattern is None or bool(pattern.fullmatch(value)))
        if not good:
            raise InputError(f"{key!r} of an entry of the shelf table {path} cannot be {value!r}")
    for key, choices in (("task", get_args(Task)), ("kind", get_args(Kind))):
        if record[key] not in choices:
            raise InputError(
                f"the shelf table {path} names the {key} {record[key]!r}; "
                f"there are {', '.join(choices)}"
            )
    files = tuple(_file(one, path) for one in record["files"])
    return ShelfEntry(**{**record, "files": files})


def _file(record: Any, path: Path) -> ShelfFile:
    good = (
        isinstance(record, dict)
        and {"path", "size"} <= record.keys() <= {"path", "size", "sha256"}
        and isinstance(record["path"], str)
        and _FILE.fullmatch(record["path"]) is not None
        and type(record["size"]) is int
        and 0 < record["size"] < 2**40
        and isinstance(record.get("sha256") or "", str)
        and (record.get("sha256") is None or _SHA256.fullmatch(record["sha256"]) is not None)
    )
    if not good:
        raise InputError(
            f'a file of the shelf table {path} cannot be {record!r}; it has "path", "size" in '
            'bytes and perhaps "sha256"'
        )
    return ShelfFile(record["path"], record["size"], record.get("sha256"))
