"""What the worker says of a camera that stands where the photo was taken, and how far it may go."""

from pathlib import Path

import numpy as np

from cine3d_core.files.scene.scene_file import load_scene
from cine3d_core.worker import jobs
from cine3d_core.worker.server import JobInput


def job(**arguments: object) -> JobInput:
    return JobInput(arguments, {}, lambda stage, share: None)


def test_the_photos_own_camera_covers_its_frame_and_one_beside_it_does_not(
    sample_scene: Path,
) -> None:
    camera = load_scene(sample_scene).camera
    record = jobs._camera_record(camera)
    aside = np.eye(4)
    aside[0, 3] = 0.5
    cameras = [record, {**record, "world_to_camera": aside.tolist()}]
    _, arrays = jobs.coverage(job(scene_file=str(sample_scene), cameras=cameras))
    assert arrays["uncovered"][0] == 0 and arrays["uncovered"][1] > 0.05


def test_the_safe_reach_goes_somewhere_in_every_direction(sample_scene: Path) -> None:
    _, arrays = jobs.reach_of_camera(job(scene_file=str(sample_scene), uncovered=0.01))
    assert (np.abs(arrays["reach"]).max(axis=1) > 0.02).all()
