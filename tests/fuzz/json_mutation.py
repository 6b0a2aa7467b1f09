"""Mutations that keep JSON valid: a value becomes an odd one, is doubled, or is left out."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 1.5, -0.0, 1e-320, 1e9, 1e308, 10**30, 2**31, 2**63, float("nan"),
    float("inf"), "", "1", "\ud800", "\u0000", "../..", [], {}, [[]], [0], [1, 2], [1, 2, 3],
)  # fmt: skip


def mutated_json(data: bytes, seed: int) -> bytes | None:
    """The JSON after a choice byte with one to three values changed; None when it is no JSON."""
    try:
        content = json.loads(data[1:])
    except (ValueError, RecursionError):
        return None
    generator = random.Random(seed)
    content = {"": content}
    for _ in range(generator.randint(1, 3)):
        _change(generator.choice(_places(content)), generator)
    return data[:1] + json.dumps(content.get("", None)).encode("utf-8", "surrogatepass")


def _places(content: Any) -> list[tuple[Any, Any]]:
    """Every container with each key or index of it."""
    found: list[tuple[Any, Any]] = []
    stack = [content]
    while stack:
        here = stack.pop()
        items = here.items() if isinstance(here, dict) else enumerate(here)
        for key, value in items:
            found.append((here, key))
            if isinstance(value, (dict, list)):
                stack.append(value)
    return found


def _change(place: tuple[Any, Any], generator: random.Random) -> None:
    container, key = place
    kind = generator.randrange(4)
    if kind == 0 and key != "":
        del container[key]
    elif kind == 1 and isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    elif kind == 2 and type(container[key]) in (int, float):
        container[key] = container[key] * generator.choice((-1, 0.5, 2, 1000, 1e12))
    else:
        container[key] = copy.deepcopy(generator.choice(ODD))
