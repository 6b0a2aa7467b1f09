"""Check: a tiny inference in the worker, and in words what is missing."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from . import jobs, python


class CINE3D_OT_check(jobs.WorkerOperator, bpy.types.Operator):
    """Build and render a tiny scene to see whether everything is in place"""

    bl_idname = "cine3d.check"
    bl_label = "Check"

    bl_options: set[str] = set()

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        python.preferences().status = "Checking..."

        def refused(error: Exception) -> str:
            python.preferences().status = f"Does not work: {error}"
            return ""

        def deliver(
            context: bpy.types.Context, value: dict[str, Any], arrays: dict[str, np.ndarray]
        ) -> jobs.Told:
            device = value.get("card", value["device"])
            networks = ", ".join(sorted(value["models"])) or "none"
            text = (
                f"Works: PyTorch {value['torch']} on {device}, Python {value['python']}, "
                f"networks: {networks}, {value['seconds']} s."
            )
            python.preferences().status = text
            return jobs.Told(text)

        arguments = {"device": python.preferences().device}
        return jobs.Plan("Check", "check", arguments, deliver, refused=refused, changes_file=False)


CLASSES = (CINE3D_OT_check,)
