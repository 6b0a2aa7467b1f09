"""Places to write to: absent, closed, full of something else, or only odd."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.faults.case import Case, Command, Outcome, Workshop, is_root
from tests.faults.photos import encoded

Make = Callable[[Workshop], Sequence[Command]]


def to(command: Command, place: Path | str) -> Command:
    """The command with another output."""
    changed = list(command)
    changed[changed.index("-o") + 1] = str(place)
    return changed


def all_to(place: Callable[[Workshop], Path | str]) -> Make:
    """Builds, renders and exports that write where `place` says, each with its own ending."""

    def make(shop: Workshop) -> list[Command]:
        stem = str(place(shop))
        videos = [to(shop.render(), stem + end) for end in (".mp4", ".webm", ".gif", "", "/")]
        scene, cloud = to(shop.build(), stem + ".cine3d"), to(shop.export(), stem + ".ply")
        return [*videos, scene, cloud]

    return make


def through_a_file(shop: Workshop) -> Path:
    return shop.file("file", "a file") / "x"


def closed(shop: Workshop) -> Path:
    folder = shop.inputs / "closed"
    folder.mkdir(mode=0o500)
    return folder / "x"


def link_to_nowhere(shop: Workshop) -> Path:
    (shop.inputs / "link").symlink_to(shop.inputs / "gone")
    return shop.inputs / "link" / "x"


def folders_in_the_way(shop: Workshop) -> list[Command]:
    for name in ("x.mp4", "x.gif", "x.cine3d", "x.ply"):
        (shop.inputs / name).mkdir()
    return [
        to(shop.build(), shop.inputs / "x.cine3d"),
        to(shop.export(), shop.inputs / "x.ply"),
    ]


def file_in_the_way(shop: Workshop) -> list[Command]:
    return [to(shop.render(), shop.file("frames", "a file"))]


def resumed(content: bytes, *options: str) -> Make:
    """A folder that holds a frame of ours, or what claims to be one."""

    def make(shop: Workshop) -> list[Command]:
        (shop.inputs / "f").mkdir()
        shop.file("f/frame_0000.png", content)
        return [to(shop.render(None, "--resume", *options), shop.inputs / "f")]

    return make


def frame_that_is_a_folder(shop: Workshop) -> list[Command]:
    (shop.inputs / "f/frame_0000.png").mkdir(parents=True)
    return [to(shop.render(), shop.inputs / "f")]


def frames_among_others(shop: Workshop) -> list[Command]:
    (shop.output / "frames").mkdir()
    shutil.copy(shop.photo(), shop.output / "frames/frame_x.png")
    (shop.output / "frames/frame_00009.exr").write_text("other")
    return [shop.render(None, "--resume")]


def link_to_a_file(shop: Workshop) -> list[Command]:
    """Linked outputs are written where the link leads, and the link stays."""
    commands = []
    for command, name in ((shop.build(), "x.cine3d"), (shop.export(), "x.ply")):
        (shop.output / name).symlink_to(shop.file(f"real-{name}", "old"))
        commands.append(to(command, shop.output / name))
    return commands


def onto_its_own_scene(shop: Workshop) -> list[Command]:
    scene = Path(shutil.copy(shop.scene, shop.inputs / "x.ply"))
    return [to(shop.export(scene), scene)]


def device(shop: Workshop) -> list[Command]:
    link = shop.inputs / "null.ply"
    link.symlink_to(os.devnull)
    return [to(shop.export(), link)]


def to_name(kind: str, name: str) -> Make:
    def make(shop: Workshop) -> list[Command]:
        command = {"build": shop.build, "render": shop.render, "export": shop.export}[kind]()
        return [to(command, shop.output / name if name else name)]

    return make


MOST: dict[str, tuple[Outcome, Make]] = {
    "a folder that is absent": ("refused", all_to(lambda shop: shop.inputs / "none" / "x")),
    "a path through a file": ("refused", all_to(through_a_file)),
    "a link to nowhere": ("refused", all_to(link_to_nowhere)),
    "a name of 300 letters": ("refused", all_to(lambda shop: shop.output / ("x" * 300))),
    "a name with a null": ("refused", all_to(lambda shop: shop.output / "a\0b")),
    "folders in the way": ("refused", folders_in_the_way),
    "a file in the way": ("refused", file_in_the_way),
    "a frame that is a folder": ("refused", frame_that_is_a_folder),
    "a device": ("refused", device),
    "no name for a scene": ("refused", to_name("build", "")),
    "no name for frames": ("refused", to_name("render", "")),
    "no name for points": ("refused", to_name("export", "")),
    "a scene named .zip": ("refused", to_name("build", "x.zip")),
    "a scene without an ending": ("refused", to_name("build", "x")),
    "a video named .avi": ("refused", to_name("render", "x.avi")),
    "points named .obj": ("refused", to_name("export", "x.obj")),
    "resuming over a foreign picture": ("refused", resumed(encoded("PNG"))),
    "resuming over half a picture": ("refused", resumed(encoded("PNG")[:50])),
    "resuming over text": ("refused", resumed(b"text")),
    "frames among other files": ("survives", frames_among_others),
    "links to files": ("survives", link_to_a_file),
    "onto the scene itself": ("survives", onto_its_own_scene),
    "names of spaces and other scripts": ("survives", all_to(lambda shop: shop.output / "é 海 🌊")),
    "a name with a line break": ("survives", all_to(lambda shop: shop.output / "a\nb")),
    "a name of 200 letters": ("survives", all_to(lambda shop: shop.output / ("x" * 200))),
    "a name of quotes": ("survives", all_to(lambda shop: shop.output / "%d'\"$&;")),
    "a name that begins with a dash": ("survives", all_to(lambda shop: f"{shop.output}/-rf")),
    "an ending in capitals": ("survives", to_name("render", "x.MP4")),
}  # fmt: skip

CASES = (
    *(Case("outputs", name, outcome, make) for name, (outcome, make) in MOST.items()),
    *(() if is_root() else (Case("outputs", "a folder without permission", "refused",
                                 all_to(closed)),)),
)  # fmt: skip
