"""Libraries that run other people's networks, imported only when such a network was chosen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from safetensors import SafetensorError

from cine3d_core.errors import InputError


def import_transformers(what: str) -> ModuleType:
    """The `transformers` package, kept from asking anybody over a network.

    `local_files_only` is not enough: the hub's own library asks for another list when it makes
    its first header.

    Args:
        what: needs it, for the sentence.

    Raises:
        InputError: it is not installed.
    """
    os.environ["TRANSFORMERS_OFFLINE"] = "1"  # read when the hub's library is first imported
    try:
        # Seconds of import and an optional package: only for those who ask for it.
        import huggingface_hub.constants
        import transformers
    except ImportError as error:
        raise InputError(
            f"{what} needs the package transformers, which is not installed; install "
            "cine3d[depth], or leave it out to use the bundled network"
        ) from error
    huggingface_hub.constants.HF_HUB_OFFLINE = True  # it may have been imported before
    transformers.logging.disable_progress_bar()  # beside ours
    transformers.logging.set_verbosity_error()  # such as of keys of a video model, unused here
    return transformers


class OnnxProgram:
    """A file for onnxruntime as a function of arrays (`networks.shelf.program`)."""

    def __init__(self, path: Path, what: str) -> None:
        """Load it on the CPU.

        Raises:
            InputError: onnxruntime is not installed, or cannot load the file.
        """
        try:
            import onnxruntime  # optional, and only for those who chose such a network
        except ImportError as error:
            raise InputError(
                f"{what} needs the package onnxruntime, which is not installed; install "
                "cine3d[onnx], or choose the bundled network"
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # nothing beside our sentence on stderr
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        # its errors have no common class but this one
        except Exception as error:
            raise InputError(
                f"{what} cannot be loaded from {path} ({_first_line(error)}); remove it and get it "
                "again"
            ) from error
        self._what = what
        wanted = self._session.get_inputs()
        self.inputs = {one.name: _numpy_type(one.type) for one in wanted}
        self.shapes = {
            one.name: tuple(side if isinstance(side, int) else None for side in one.shape)
            for one in wanted
        }

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run it once; InputError when it does not take these arrays."""
        try:
            values = self._session.run(None, dict(arrays))
        except Exception as error:
            raise InputError(
                f"{self._what} refuses the input that Cine3D gives it ({_first_line(error)}); "
                "remove it and get it again"
            ) from error
        names = [one.name for one in self._session.get_outputs()]
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def open_model(class_name: str, folder: Path, what: str) -> Any:
    """A `transformers` model of one class, in evaluation mode, from a folder.

    Raises:
        InputError: transformers is not installed, or the folder holds no such model.
    """
    transformers = import_transformers(what)
    model_class = getattr(transformers, class_name, None)
    if model_class is None:
        raise InputError(
            f"{what} needs a newer version of the package transformers",
            "use {upgrade_package} transformers",
        )
    try:
        model = model_class.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, weights_only=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise InputError(
            f"{what} cannot be loaded from {folder} ({_first_line(error)}); remove it and get it "
            "again"
        ) from error
    return model.eval().requires_grad_(False)


def _numpy_type(name: str) -> np.dtype:
    """Of onnxruntime's "tensor(float16)"."""
    words = {"float": "float32", "double": "float64"}
    plain = name.removeprefix("tensor(").removesuffix(")")
    return np.dtype(words.get(plain, plain))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
