"""The folders that networks lie in."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def model_folders() -> tuple[Path, ...]:
    """Where models are looked for, first match wins: the user's, the package's, the repository's.

    The user's folder is the environment variable CINE3D_MODELS, else the platform's place for data.
    """
    package = Path(__file__).resolve().parents[2]
    return user_models_folder(), package / "_models", package.parent / "models"


def user_models_folder() -> Path:
    """The folder for models that the user adds, such as imported checkpoints; may not exist yet."""
    named = os.environ.get("CINE3D_MODELS")
    if named:
        return Path(named).expanduser()
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "cine3d" / "models"
