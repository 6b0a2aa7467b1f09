"""What a person names as input: the file is there, and what it holds can be read."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NoReturn

from cine3d_core.errors import InputError

_JSON_BYTES = 256 * 2**20  # labelme puts the whole photo into its JSON


def input_file(path: str | Path, what: str) -> Path:
    """The path of an existing regular file; `what` names its role: "photo", "mask"."""
    place = Path(path)
    if not os.path.exists(place):  # Path.exists raises for names that are too long
        raise InputError(f"the {what} {path} does not exist; check the name")
    if not place.is_file():
        kind = "a folder" if place.is_dir() else "a device"
        raise InputError(f"the {what} {path} is {kind}, not a file; name the file itself")
    try:
        place.open("rb").close()
    except PermissionError as error:
        raise InputError(f"the {what} {path} cannot be read; change its permissions") from error
    return place


def sample_folder() -> Path:
    """Where `photo.jpg` and `hints.json` of the sample are: in the package, or the repository.

    Raises:
        InputError: this installation came without them.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_sample", package.parent / "docs" / "sample"):
        if (folder / "photo.jpg").is_file():
            return folder
    raise InputError("this installation has no sample photo; build with another photo")


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: str | Path, what: str) -> dict[str, Any]:
    """The JSON object in a file; InputError when it is not one.

    Never returns NaN or infinity: Python reads them where JSON has none.
    """
    place = input_file(path, what)
    if place.stat().st_size > _JSON_BYTES:
        raise InputError(f"the {what} {path} is larger than 256 MiB; check its name")
    return parse_json(place.read_bytes(), f"the {what} {path}")


def parse_json(text: bytes, what: str) -> dict[str, Any]:
    """The JSON object in a text; `what` begins the sentence of the InputError."""
    try:
        value = json.loads(text.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # ValueError: JSON, Unicode, _no_constant
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"{what} is not valid JSON ({reason}); correct it") from error
    if not isinstance(value, dict):
        raise InputError(f'{what} holds no JSON object; it must begin with "{{"')
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")
