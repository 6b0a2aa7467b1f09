"""Libraries that run other people's networks, imported only when such a network was chosen."""

from __future__ import annotations

import os
from types import ModuleType

from cine3d_core.errors import InputError


def import_transformers(what: str) -> ModuleType:
    """The `transformers` package, kept from asking anybody over a network.

    `local_files_only` is not enough: the hub's own library asks for a list of its own when it makes
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
            "cine3d[depth], or leave it out for the network that comes along"
        ) from error
    huggingface_hub.constants.HF_HUB_OFFLINE = True  # it may have been imported before
    return transformers
