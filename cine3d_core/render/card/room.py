"""The memory for fragments on a device, kept from frame to frame.

How many fragments a picture has, only the device knows. A program that must be sure asks it, and
waits; one that draws frame after frame trusts that there are about as many as last time, and looks
at the number when it has the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

SPARE = 1.25  # times what was needed: the next frames need a little more or less
FIRST = 1 << 16  # fragments


class Room:
    """Place for fragments on one device."""

    def __init__(self, device: torch.device) -> None:
        self.keys = torch.empty(FIRST, dtype=torch.int64, device=device)
        self.asked: list[Tensor] | None = None  # None: nobody trusts that there is place enough

    @property
    def size(self) -> int:
        """Fragments that there is place for."""
        return len(self.keys)

    def ask(self, total: Tensor) -> None:
        """A picture of `total` [1] fragments is about to be drawn."""
        if self.asked is None:
            self.ensure(int(total))
        else:
            self.asked.append(total)

    def ensure(self, count: int) -> None:
        """Makes place for so many fragments."""
        if count > self.size:
            device, self.keys = self.keys.device, self.keys[:0]  # free it first
            self.keys = torch.empty(int(count * SPARE), dtype=torch.int64, device=device)


_ROOMS: dict[torch.device, Room] = {}


def room_on(device: torch.device) -> Room:
    """The device's room."""
    if device not in _ROOMS:
        _ROOMS[device] = Room(device)
    return _ROOMS[device]


def forget_rooms() -> None:
    """Gives the memory back."""
    _ROOMS.clear()


@contextmanager
def trusting(room: Room) -> Iterator[list[Tensor]]:
    """While it is open the program does not wait for numbers of fragments; yields these numbers.

    The caller looks at them when the pictures are there, and draws those again that had more
    than `size` fragments.
    """
    before, room.asked = room.asked, []
    try:
        yield room.asked
    finally:
        room.asked = before
