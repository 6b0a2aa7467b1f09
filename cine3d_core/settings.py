"""What a person chooses when a scene is built: every choice once, for every front end.

The command line, `blender --command`, Blender's panel, `batch` and the worker's messages are made
of this. Needs the standard library alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from cine3d_core.errors import InputError

MotionChoice = Literal["analytic", "network"]
Family = Literal["compact", "official"]
Preset = Literal["default", "paper", "draft"]
Border = Literal["cut", "keep"]


@dataclass(frozen=True)
class Named:
    """One of a few values, as a menu shows it."""

    name: str
    label: str
    description: str


@dataclass(frozen=True)
class Choice:
    """What front ends say of a field of `BuildSettings`."""

    help: str  # half a sentence, without the default
    label: str = ""  # in Blender; empty for what Blender does not offer
    metavar: str | None = None
    low: float = -math.inf  # least and largest value, both allowed
    high: float = math.inf
    options: tuple[Named, ...] = ()


PRESETS = (
    Named("default", "Final", "Best quality"),
    Named("draft", "Draft", "Small and quick, for finding the motion"),
    Named("paper", "Paper", "As published, for comparison"),
)
FAMILIES = (
    Named("compact", "Compact", "The networks that come with Cine3D"),
    Named("official", "Official", "The networks of the paper's authors, imported"),
)
MOTION = (
    Named("analytic", "Analytic", "The flow is solved from the arrows"),
    Named("network", "Network", "The solved flow is refined by the motion network"),
)
BORDERS = (
    Named("cut", "Leave Out", "A scan frame, paper margin or disc rim is no part of the picture"),
    Named("keep", "Keep", "The picture is taken as it is"),
)


def _chosen(default: Any, help: str, **more: Any) -> Any:
    return field(default=default, metadata={"choice": Choice(help, **more)})


@dataclass(frozen=True)
class BuildSettings:
    """What a person chooses when a scene is built; every field is a `cine3d build` option."""

    depth: str | None = _chosen(
        None,
        "depth network, model folder or depth picture",
        label="Depth",
        metavar="NAME|FOLDER|IMAGE",
    )  # None: the best of the shelf that is here, else the bundled network
    classes: str | None = _chosen(
        None, "network that detects moving areas", label="What Flows", metavar="NAME"
    )  # as depth; "compact": the bundled network
    fill: str | None = _chosen(
        None, "network that fills what is hidden", label="Fill", metavar="NAME"
    )  # as depth; "compact": none
    mask: Path | None = _chosen(
        None, "picture with the moving areas in white", label="Mask", metavar="IMAGE"
    )
    hints: Path | None = _chosen(
        None, "arrows, outlines, regions", label="Arrows File", metavar="FILE.json"
    )
    depth_strokes: Path | None = _chosen(
        None, "strokes that mend the depth", label="Depth Strokes", metavar="FILE.json"
    )
    motion: MotionChoice | None = _chosen(
        None,
        "how arrows become flow: by calculation, or refined by a network where it is installed",
        options=MOTION,
    )  # None: refined by the network where it is installed
    frames: int = _chosen(60, "frames in the loop", label="Loop Length", low=2, high=10_000)
    fps: float = _chosen(25.0, "frames per second", label="Frame Rate", low=0.01, high=1000)
    size: int = _chosen(
        1280, "long side at most, in pixels", label="Resolution", low=16, high=16_384
    )
    models: Family = _chosen("compact", "family of networks", options=FAMILIES)
    preset: Preset = _chosen("default", "quality or speed", label="Quality", options=PRESETS)
    device: str = _chosen("auto", "auto, cpu, cuda or mps", label="Device")
    fov: float | None = _chosen(
        None,
        "field of view along the photo's long side, instead of what EXIF says",
        label="Field of View",
        metavar="DEGREES",
        low=2,
        high=160,
    )
    focal_mm: float | None = _chosen(
        None,
        "the field of view as a focal length on 35 mm film",
        label="Focal Length",
        metavar="MM",
        low=4,
        high=1500,
    )
    border: Border = _chosen(
        "cut", "cut or keep a scan frame, paper margin or disc rim", options=BORDERS
    )
    view: str | None = _chosen(
        None,
        "view to cut out of a panorama, in degrees to the right, upwards, and wide; "
        "flat: the whole picture",
        metavar="YAW,PITCH,FOV",
    )

    @property
    def of_the_paper(self) -> bool:
        """Whether the scene is to be what the published program makes, or looks like it."""
        return self.preset == "paper" or self.models == "official"


# Setting, or one of `errors.COMMANDS` -> its name in Blender.
LABELS: dict[str, str] = {
    entry.name: entry.metadata["choice"].label
    for entry in fields(BuildSettings)
    if entry.metadata["choice"].label
} | {
    "get_network": "Get in the preferences, for",
    "add_network": "the folder button in the preferences",
    "remove_network": "Remove in the preferences, for",
    "list_networks": "List Networks in the preferences",
    "install_package": "Set Up in the preferences, which installs",
    "upgrade_package": "Set Up Again in the preferences, for a newer",
}
CHOICES: dict[str, Choice] = {
    entry.name: entry.metadata["choice"] for entry in fields(BuildSettings)
}
DEFAULTS: dict[str, Any] = {entry.name: entry.default for entry in fields(BuildSettings)}


def check_loop(frames: int, fps: float) -> None:
    """Refuses loops without a meaning.

    Raises:
        InputError: a number of frames or a frame rate outside its range.
    """
    low, high = CHOICES["frames"].low, CHOICES["frames"].high
    if not low <= frames <= high:
        raise InputError(
            f"a loop of {frames} frames was asked for; choose between {low} and {high}"
        )
    low, high = CHOICES["fps"].low, CHOICES["fps"].high
    if not low <= fps <= high:  # slower ones no video can state
        raise InputError(f"{fps:g} frames per second were asked for; choose {low} to {high}")


_FILES = ("mask", "hints", "depth_strokes")


def settings_of(words: dict[str, Any]) -> BuildSettings:
    """Settings from values by name, as a message holds them; what is left out is as ever.

    Raises:
        InputError: a name or a value that there is not.
    """
    for name, value in words.items():
        if name not in CHOICES:
            raise InputError(f"there is no setting {name!r}; install matching versions")
        options = [option.name for option in CHOICES[name].options]
        if options and value is not None and value not in options:
            raise InputError(f"{name} is {value!r}; choose one of {', '.join(options)}")
    paths = {n: Path(words[n]) for n in _FILES if words.get(n) is not None}
    return BuildSettings(**{**words, **paths})
