"""What operators that work on a photo of the file have in common: when they can be used."""

from __future__ import annotations

from typing import ClassVar

import bpy

from ..worker import jobs
from . import photo_scene


class PhotoOperator(jobs.Mixed):
    """Mix-in for operators on the photo at hand."""

    if_linked: ClassVar[str] = ""  # told where the photo is linked; "": they work there as well
    needs_camera: ClassVar[bool] = False  # the scene's

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        root = photo_scene.active_root(context)
        if root is None:
            cls.poll_message_set("Import a photo first")
            return False
        if cls.if_linked and root.library is not None:
            cls.poll_message_set(cls.if_linked)
            return False
        if cls.needs_camera and context.scene.camera is None:
            cls.poll_message_set("The scene has no camera")
            return False
        return True


class PhotoWorkerOperator(PhotoOperator, jobs.WorkerOperator):
    """Those whose work is a job of the worker, which does one after the other."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return super().poll(context) and cls.is_worker_free()
