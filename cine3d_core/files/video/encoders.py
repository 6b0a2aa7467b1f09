"""Pictures become MP4 (H.264), WebM (VP9) or GIF, through PyAV, whose wheels carry the encoders."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import OutputContainer
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.stream import VideoStream

from cine3d_core.files.video.rate import frame_rate

_BT709 = 1  # primaries, transfer and matrix, in the numbering of H.273
_LIMITED_RANGE = 1
_GIF_TICK = Fraction(1, 100)  # the unit of GIF's delays
_GIF_SHORTEST = 2  # ticks; players slow down frames that are shorter
# error diffusion would flicker from frame to frame; an ordered pattern stands still
_DITHER = "dither=bayer:bayer_scale=2:diff_mode=rectangle"


class _StreamEncoder:
    """Encodes 4:2:0 video with BT.709 tags, edge pixels repeated where a side is odd."""

    def __init__(
        self,
        path: Path,
        *,
        height: int,
        width: int,
        fps: float,
        codec: str,
        codec_options: dict[str, str],
        container_options: dict[str, str],
    ) -> None:
        self._container = av.open(path, "w", options=container_options)
        self._rate = frame_rate(fps)
        stream = self._container.add_stream(codec, rate=self._rate, options=codec_options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED_RANGE
        self._stream = stream
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def add(self, pixels: np.ndarray) -> None:
        """Append one picture [H, W, 3] uint8."""
        height, width = pixels.shape[:2]
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        frame = picture.reformat(
            format="yuv420p",
            dst_colorspace="ITU709",
            src_color_range="JPEG",
            dst_color_range="MPEG",
            interpolation="BICUBIC",
        )
        frame.pts, frame.time_base = self._count, 1 / self._rate
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _finish(self._container, self._stream, complete=error is None)


class Mp4Encoder(_StreamEncoder):
    """H.264 that plays everywhere; its index comes first, so that browsers can start at once."""

    def __init__(self, path: Path, *, height: int, width: int, fps: float) -> None:
        super().__init__(
            path,
            height=height,
            width=width,
            fps=fps,
            codec="libx264",
            # x264 looks 40 frames ahead unless told: 0.1 GiB more at 720p, for nothing that shows
            codec_options={"crf": "16", "preset": "medium", "rc-lookahead": "10"},
            container_options={"movflags": "+faststart"},
        )


class WebmEncoder(_StreamEncoder):
    """VP9 at constant quality."""

    def __init__(self, path: Path, *, height: int, width: int, fps: float) -> None:
        options = {"crf": "22", "b": "0", "row-mt": "1", "cpu-used": "4", "deadline": "good"}
        super().__init__(
            path,
            height=height,
            width=width,
            fps=fps,
            codec="libvpx-vp9",
            codec_options=options,
            container_options={},
        )


class GifEncoder:
    """GIF with one palette made from all frames, looping for ever.

    The palette is known only after the last frame, so pictures wait in a lossless video beside the
    output: memory does not grow with the number of frames.
    """

    def __init__(self, path: Path, *, height: int, width: int, fps: float) -> None:
        self._path = path
        self._staged = path.with_suffix(".mkv")
        self._size = (width, height)
        self._rate = frame_rate(fps)
        self._count = 0
        self._seen = 0
        self._ticks: list[int] = []  # when each kept picture is shown
        self._palette = _Filter("palettegen=stats_mode=full", [(self._size, "rgb24")])
        self._stage = av.open(self._staged, "w")
        stream = self._stage.add_stream("ffv1", rate=self._rate)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = self._size
        stream.pix_fmt = "bgr0"
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def add(self, pixels: np.ndarray) -> None:
        """Append one picture [H, W, 3] uint8; faster than players can show, some are left out."""
        tick = round(self._seen / self._rate / _GIF_TICK)
        self._seen += 1
        if self._ticks and tick - self._ticks[-1] < _GIF_SHORTEST:
            return
        self._ticks.append(tick)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = self._count
        self._palette.push(frame)
        frame = frame.reformat(format="bgr0")
        frame.pts, frame.time_base = self._count, 1 / self._rate
        self._count += 1
        self._stage.mux(self._stream.encode(frame))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ExitStack() as stack:
            stack.callback(self._staged.unlink, missing_ok=True)
            _finish(self._stage, self._stream, complete=error is None)
            if error is None and self._count:
                self._palette.push(None)
                self._encode(self._palette.ready()[0])

    def _encode(self, palette: av.VideoFrame) -> None:
        inputs = [(self._size, "bgr0"), ((palette.width, palette.height), "bgra")]
        painter = _Filter(f"paletteuse={_DITHER}", inputs)
        painter.push(palette, 1)
        painter.push(None, 1)
        with av.open(self._path, "w", options={"loop": "0"}) as out, av.open(self._staged) as stage:
            stream = out.add_stream("gif", rate=self._rate)
            stream.width, stream.height = self._size
            stream.pix_fmt = "pal8"
            stream.codec_context.time_base = _GIF_TICK
            for number, frame in enumerate(stage.decode(video=0)):
                frame.pts = number
                painter.push(frame)
                for painted in painter.ready():
                    painted.pts = self._ticks[painted.pts or 0]
                    painted.time_base = _GIF_TICK
                    out.mux(stream.encode(painted))
            out.mux(stream.encode(None))


class _Filter:
    """One FFmpeg filter with its inputs (size, pixel format) and one output."""

    def __init__(self, description: str, inputs: list[tuple[tuple[int, int], str]]) -> None:
        name, _, arguments = description.partition("=")
        self._graph = graph = Graph()  # kept: its nodes do not keep it alive
        node = graph.add(name, arguments)
        self._sources: list[FilterContext] = []
        for number, ((width, height), pixel_format) in enumerate(inputs):
            source = graph.add_buffer(
                width=width,
                height=height,
                format=av.VideoFormat(pixel_format, width, height),
                time_base=Fraction(1),
            )
            source.link_to(node, 0, number)
            self._sources.append(source)
        self._sink = graph.add("buffersink")
        node.link_to(self._sink)
        graph.configure()

    def push(self, frame: av.VideoFrame | None, source: int = 0) -> None:
        """Feed one input; None ends it."""
        if frame is not None:
            frame.time_base = Fraction(1)
        self._sources[source].push(frame)

    def ready(self) -> list[av.VideoFrame]:
        """What has come out since the last call."""
        frames: list[av.VideoFrame] = []
        with suppress(BlockingIOError, EOFError):  # nothing more for now, or ever
            while True:
                frame = self._sink.pull()
                assert isinstance(frame, av.VideoFrame)
                frames.append(frame)
        return frames


def _finish(container: OutputContainer, stream: VideoStream, *, complete: bool) -> None:
    """Close a file; an incomplete one is thrown away, so nothing more is encoded into it."""
    with ExitStack() as stack:
        stack.callback(container.close)
        if complete:
            container.mux(stream.encode(None))
