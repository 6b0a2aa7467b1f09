"""The job by which a person learns whether this installation works, and on what."""

from __future__ import annotations

import platform
import time

import torch

from cine3d_core.device import choose_device
from cine3d_core.errors import DeviceError
from cine3d_core.families import scene_of_photo
from cine3d_core.files.models.shelf import shelf_state, shelf_words
from cine3d_core.files.models.store import list_models
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.imaging.card_facts import card_errors_told, card_facts
from cine3d_core.output.clip import frame_drawer
from cine3d_core.render.animation import Shot
from cine3d_core.scene import Drawing
from cine3d_core.settings import LABELS, BuildSettings
from cine3d_core.worker.requests import NETWORKS
from cine3d_core.worker.server import JobInput, JobResult

SOLID_ALPHA = 0.5  # a pixel with less than this is a hole


def check(job: JobInput) -> JobResult:
    """Build and render a tiny scene; says on what and how fast."""
    start = time.monotonic()
    wanted = job.arguments.get("device", "auto")
    device = choose_device(wanted)
    ramp = torch.linspace(0, 1, 3 * 64 * 96).reshape(3, 64, 96)
    mask = torch.zeros(1, 64, 96, dtype=torch.bool)
    mask[:, 40:] = True
    photo = Photo(ramp, None, None, sha256="", original_height=64, original_width=96)
    settings = BuildSettings(frames=4, preset="draft", device=str(device))
    with card_errors_told(device):
        drawing = Drawing(mask=mask)
        scene = scene_of_photo(photo, drawing, settings, NETWORKS, progress=job.progress)
        shot = Shot(scene.camera, scene.camera, scene.camera)
        frame = frame_drawer(scene, device, networks=NETWORKS)(
            shot, 1, False
        )  # where frames will be drawn
    rgb = (frame.rgb * 255).round()
    if not bool(torch.isfinite(rgb).all()) or float(frame.alpha.mean()) < SOLID_ALPHA:
        raise DeviceError(
            f"the test frame that {device} drew is broken; update the graphics card's driver",
            "set {device} to cpu",
        )
    card = card_facts(None if wanted == "auto" else device)  # also of one that cannot be used
    facts = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": str(device),
        "drawn_by": card.kernels,
        "models": {model.name: model.sha256 for model in list_models()},
        "shelf": {one["name"]: shelf_words(one, LABELS) for one in shelf_state()},
        "seconds": round(time.monotonic() - start, 1),
    }
    if card.name is not None:
        facts |= {"device_name": card.name, "driver": card.driver, "card": card.told()}
    if card.memory_mib is not None:
        facts["free_memory_mb"] = card.memory_mib[0]
    return facts, {}
