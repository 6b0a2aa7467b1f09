"""Check: a tiny inference in the worker, and in words what is missing."""

from __future__ import annotations

import bpy

from . import jobs, preferences


class CINE3D_OT_check(jobs.WorkerOperator, bpy.types.Operator):
    """Build and render a tiny scene to see whether everything is in place"""

    bl_idname = "cine3d.check"
    bl_label = "Check"

    job_name = "check"

    def request(self, context):
        preferences.get().status = "Checking..."
        return {"device": preferences.get().device}, {}

    def deliver(self, context, value, arrays):
        device = value.get("device_name", value["device"])
        networks = ", ".join(sorted(value["models"])) or "none"
        text = (
            f"Works: PyTorch {value['torch']} on {device}, Python {value['python']}, "
            f"networks: {networks}, {value['seconds']} s."
        )
        preferences.get().status = text
        self.report({"INFO"}, text)

    def _refuse(self, sentence):
        preferences.get().status = f"Does not work: {sentence}"
        return super()._refuse(sentence)


CLASSES = (CINE3D_OT_check,)
