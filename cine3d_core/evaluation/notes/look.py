"""What `build` sees in a photograph with nothing drawn, and what one arrow for each region does.

Everything goes through `direct_photo`, which `build` goes through too; which network answers is
its business alone.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cine3d_core.build import DirectedPhoto, direct_photo, read_inputs
from cine3d_core.evaluation.notes.arrows import given_arrows
from cine3d_core.evaluation.notes.records import LABELS, PhotoNotes
from cine3d_core.evaluation.notes.seen import Array, Seen
from cine3d_core.files.atomic import replacing
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.motion.draw import what_moves
from cine3d_core.motion.guess import KINDS, guess_mask
from cine3d_core.settings import BuildSettings


def look(photo: Path, settings: BuildSettings) -> DirectedPhoto:
    """The photograph, directed as `build` would with nothing drawn.

    Raises:
        InputError: the photograph cannot be used.
    """
    return _as_build(photo, replace(settings, hints=None, mask=None))


def _as_build(photo: Path, settings: BuildSettings) -> DirectedPhoto:
    return direct_photo(*read_inputs(photo, settings), settings, Networks())


def seen_in(directed: DirectedPhoto, notes: PhotoNotes, of_arrows: Array | None) -> Seen:
    """What can be scored; the flow only where an arrow was noted."""
    return Seen(
        disparity=(1 / directed.depth.depth[0]).cpu().numpy().astype(np.float32),
        labels=labels_of(directed),
        moving=what_moves(directed.motion)[0].cpu().numpy().astype(bool),
        flow=_flow(directed) if len(notes.arrows) else None,
        flow_of_arrows=of_arrows,
    )


def labels_of(directed: DirectedPhoto) -> NDArray[np.uint8]:  # [H, W] index into LABELS
    """What `build` takes every pixel for when nothing is drawn."""
    kind = guess_mask(directed.photo.rgb, directed.depth).kind[0].cpu().numpy()
    numbers = [LABELS.index(name) if name in LABELS else 0 for name in KINDS]
    return np.array(numbers, np.uint8)[kind]


def flow_of_arrows(
    path: Path, notes: PhotoNotes, settings: BuildSettings, folder: Path, photo: Photo
) -> Array | None:  # [H, W, 2] px/frame
    """The flow when one noted arrow of every region is drawn, as a person would draw it.

    None where no region has a second arrow, by which the answer could be judged.

    Args:
        path: of the photograph.
        notes: with its arrows.
        settings: of the build.
        folder: gets NAME.arrows.json, the drawing.
        photo: the photograph as it was read; arrows are drawn in pixels of the original.

    Raises:
        InputError: the photograph or an arrow cannot be used.
    """
    given, _ = given_arrows(notes)
    if not given.size:
        return None
    pixels = notes.arrows[given] * [photo.original_width, photo.original_height] / 1000
    drawing = {"hints": [{"start": s.tolist(), "end": e.tolist()} for s, e in pixels]}
    hints = folder / f"{notes.name}.arrows.json"
    with replacing(hints) as temporary:
        temporary.write_text(json.dumps(drawing) + "\n", encoding="utf-8")
    return _flow(_as_build(path, replace(settings, hints=hints, mask=None)))


def _flow(directed: DirectedPhoto) -> Array:
    return directed.motion.velocity.cpu().permute(1, 2, 0).numpy().astype(np.float32)
