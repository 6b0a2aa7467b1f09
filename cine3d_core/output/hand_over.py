"""Frames leave the device that draws them, while it draws the next.

On a graphics card nothing waits before a frame's last copy: a request for a frame gives a
promise at once, and waits when it is kept. Two frames may be under way and a third be encoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from cine3d_core.device import on_device
from cine3d_core.imaging import launch
from cine3d_core.imaging.card_facts import card_errors_told
from cine3d_core.render.animation import Shot
from cine3d_core.scene import RenderedFrame

DrawOnDevice = Callable[[Shot, float, bool], RenderedFrame]  # camera, frame, with vectors
Promise = Callable[[], RenderedFrame]  # the frame, on the CPU

Kept = TypeVar("Kept")

_CPU = torch.device("cpu")


class FrameDrawer:
    """Draws the frames of one scene and hands them over on the CPU."""

    def __init__(self, draw: DrawOnDevice, device: torch.device, *, held_bytes: int = 0) -> None:
        """`draw` leaves its frames on `device`, where it holds so much memory."""
        self.held_bytes = held_bytes
        self._draw = draw
        self.device = torch.empty(0, device=device).device  # with its number
        self.ahead = 2 if self.device.type == "cuda" else 1  # frames worth having under way

    def __call__(self, shot: Shot, frame: float, motion_vectors: bool) -> RenderedFrame:
        """One frame; waits for it."""
        return self.begin(shot, frame, motion_vectors)()

    def begin(
        self, shot: Shot, frame: float, motion_vectors: bool, *, colours_only: bool = False
    ) -> Promise:
        """A frame that is drawn while the caller does other things.

        With `colours_only` a card hands over bytes (`rgb` is uint8) and nothing else.

        Raises:
            DeviceError: a card failed; also raised by the promise.
        """

        def told(work: Callable[[], Kept]) -> Kept:
            with card_errors_told(self.device):
                return work()

        if self.device.type != "cuda":
            return lambda: told(lambda: on_device(self._draw(shot, frame, motion_vectors), _CPU))
        promise = told(lambda: self._begin_on_card(shot, frame, motion_vectors, colours_only))
        return lambda: told(promise)

    def _begin_on_card(
        self, shot: Shot, frame: float, motion_vectors: bool, colours_only: bool
    ) -> Promise:
        if not launch.knows_card():  # torch's operations wait for themselves
            drawn = self._draw(shot, frame, motion_vectors)
            return self._promise(drawn, colours_only)
        from cine3d_core.render.card.room import room_on, trusting  # imports Warp, see `launch`

        room = room_on(self.device)
        with trusting(room) as needed:
            drawn = self._draw(shot, frame, motion_vectors)
        counts = [count.to(_CPU, non_blocking=True) for count in needed]
        promise, had = self._promise(drawn, colours_only), room.size

        def keep() -> RenderedFrame:
            finished = promise()
            most = max((int(count) for count in counts), default=0)
            if most <= had:
                return finished
            room.ensure(most)  # there were more fragments than there was room for
            return self._begin_on_card(shot, frame, motion_vectors, colours_only)()

        return keep

    def _promise(self, drawn: RenderedFrame, colours_only: bool) -> Promise:
        """The copy of a frame, begun."""
        if colours_only:
            drawn = _as_bytes(drawn)
        planes = {entry.name: getattr(drawn, entry.name) for entry in fields(drawn)}
        copies = {name: _copied(plane) for name, plane in planes.items()}
        finished = torch.cuda.Event()
        finished.record(torch.cuda.current_stream(self.device))

        def keep() -> RenderedFrame:
            finished.synchronize()
            return replace(
                drawn, **{name: copies[name].expand(plane.shape) for name, plane in planes.items()}
            )

        return keep


def _copied(plane: Tensor) -> Tensor:
    """On its way to the CPU; of a plane that repeats one number, that number."""
    if plane.stride(-1) == 0 and plane.stride(-2) == 0:
        plane = plane[:, :1, :1]
    return plane.to(_CPU, non_blocking=True)  # keeps how it is laid out


def _as_bytes(frame: RenderedFrame) -> RenderedFrame:
    """Its colours in 8 bits, laid out as encoders take them, and nothing of the rest."""
    scaled = (frame.rgb.clamp(0, 1) * 255 + 0.5).to(torch.uint8)
    pixels = scaled.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    nothing = frame.alpha.new_zeros(1, 1, 1).expand_as(frame.alpha)
    motion = nothing[:1].expand(4, *frame.alpha.shape[1:])
    return RenderedFrame(pixels, nothing, nothing, motion, nothing)
