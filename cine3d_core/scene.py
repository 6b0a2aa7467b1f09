"""What flows through Cine3D: the records of one photo's way to one rendered frame.

photo -> depth -> LayeredDepthImage (holes) -> inpainted LayeredDepthImage -> FeaturePointCloud -+
  +-> mask + hints -> MotionField (Eulerian, px/frame) ------------------------------------------+
                                                                   CinemagraphScene (.cine3d)
per frame: scene + camera + frame -> displaced clouds -> SplatImage x 2 -> blend -> RenderedFrame

Conventions, valid everywhere and written only here:

* Camera axes are OpenCV's: x right, y down, z forward. `world_to_camera` maps world to camera.
  The photo's own camera sits at the world origin and looks along +z.
* Pixel centres are at +0.5: the top left pixel covers [0, 1] x [0, 1] and the principal point of
  a centred camera is (W/2, H/2). Resizing is `align_corners=False`.
* Depth is z-depth in scene units; the nearest visible surface of a photo lies at about 1.
  Disparity is 1 / depth.
* Colour is sRGB in [0, 1]; a name that ends in `_linear` holds scene-linear values.
* Time is a frame index. Frame `num_frames` is frame 0 again, for any camera.
* Velocity and displacement are in pixels of the canvas (x right, y down), velocity per frame.
* The canvas is the photo with a margin on each side, so that flow and camera moves find something
  beyond the picture's border. `Camera` of the canvas = the photo's, principal point moved.
* Layers count from the nearest (0) to the farthest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # importing the package must not cost an import of torch
    from torch import Tensor


@dataclass(frozen=True)
class Camera:
    """A pinhole camera."""

    intrinsics: Tensor  # [3, 3] float64, pixels
    world_to_camera: Tensor  # [4, 4] float64, rigid
    height: int
    width: int


@dataclass(frozen=True)
class DepthMap:
    """Depth of every pixel of a photo, where the sky is, and what flows."""

    depth: Tensor  # [1, H, W] z-depth, > 0
    sky: Tensor  # [1, H, W] probability in [0, 1]; zeros when the source knows nothing of sky
    fluid: Tensor | None = None  # [K, H, W] probability of each of FLUIDS; None: nobody asked
    # [2, H, W] which way it would flow, x right and y down, the longer (up to 1) the surer
    direction: Tensor | None = None
    focal_px: float | None = None  # of the lens; None when the source knows nothing of it


@dataclass(frozen=True)
class LayeredDepthImage:
    """A picture cut by depth into layers that may continue behind each other, nearest first."""

    rgba: Tensor  # [L, 4, H, W] colour and alpha, both in [0, 1]
    depth: Tensor  # [L, 1, H, W] z-depth; meaningful where alpha > 0
    inpainted: Tensor  # [L, 1, H, W] bool: invented, not seen in the photo
    # [H, W] int64: flat index of the pixel whose motion each pixel shares; None: each has its own
    moves_with: Tensor | None = None


@dataclass(frozen=True)
class MotionHint:
    """An arrow on the photo: what is at `start` moves by (end - start) / 50 px per frame."""

    start: tuple[float, float]  # x, y in photo pixels
    end: tuple[float, float]


# what can be found in a photo by its name
FLUIDS = ("sky", "water", "falls", "smoke", "fire")


@dataclass(frozen=True)
class MotionRegion:
    """A part of the photo that a person directs on its own; lengths in photo pixels.

    Its place is the first given of `polygons`, `picture` and `fluid`; with none of them it is what
    its arrows stand on.
    """

    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    picture: Tensor | None = None  # [1, H, W] bool
    fluid: str | None = None  # one of FLUIDS: whatever the photo shows of it
    hints: tuple[MotionHint, ...] = ()
    speed: float = 1.0  # factor for what the arrows say
    cycles: int | None = None  # per loop; None: as many as the speed needs
    mode: str = "flow"  # one of `motion_kinds.KINDS`
    amplitude: float | None = None  # in place: px to either side; None: a share of the photo
    wavelength: float | None = None  # in place: px from crest to crest; None: a share of the photo
    perspective: bool | None = None  # far is slower; None: where depth shows a receding plane
    rests: bool = False  # nothing moves here, nor in the regions below
    name: str = ""  # for the person who draws


@dataclass(frozen=True)
class Stroke:
    """A line of a brush, in photo pixels."""

    points: tuple[tuple[float, float], ...]  # x, y; at least one
    width: float


# how a stroke mends the depth under it
MENDINGS = ("nearer", "farther", "as-far-as", "flatten", "stand")


@dataclass(frozen=True)
class DepthStroke:
    """What is wrong with the depth of a thing; lengths in photo pixels."""

    mending: str  # one of MENDINGS
    stroke: Stroke
    amount: float = 1.25  # nearer, farther: how many times
    like: tuple[float, float] | None = None  # as-far-as: x, y of the place
    reach: float = 0.0  # how far beyond the stroke the thing goes on; 0: only what is painted


@dataclass(frozen=True)
class Drawing:
    """What a person drew on a photo, in its working pixels."""

    hints: tuple[MotionHint, ...] = ()
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()  # outlines of what moves
    # [1, H, W] bool: what moves, as painted or else as outlined; None where neither was done
    mask: Tensor | None = None
    regions: tuple[MotionRegion, ...] = ()  # later ones lie over earlier ones
    freeze: tuple[Stroke, ...] = ()  # rests, pixel for pixel
    moves: tuple[Stroke, ...] = ()  # scribbles: of this kind is what moves,
    rests: tuple[Stroke, ...] = ()  # and of this kind is what rests
    depth: tuple[DepthStroke, ...] = ()  # one after the other


@dataclass(frozen=True)
class MotionField:
    """Eulerian motion: what passes through a pixel moves by its velocity in every frame (Eq. 1).

    A pixel may move in place instead: its own point goes back and forth, see `motion_kinds`.
    """

    velocity: Tensor  # [2, H, W] px/frame, zero outside `moving`
    moving: Tensor  # [1, H, W] bool: what flows
    cycles: Tensor  # [1, H, W] int16 >= 1: how often the motion starts anew within one loop
    # Kind -> [C, H, W]: amplitude (x, y) in px, then what the kind alone reads; zero elsewhere
    in_place: Mapping[str, Tensor] = field(default_factory=dict)
    # [1, H, W] uint8: the drawn region that moves a pixel, counted from 1, 0 for none; None where
    # no region was drawn
    region: Tensor | None = None

    @property
    def swinging(self) -> Tensor:
        """What moves in place, [1, H, W] bool."""
        swinging = self.moving & ~self.moving
        for planes in self.in_place.values():
            swinging = swinging | (planes[:2].abs().sum(dim=0, keepdim=True) > 0)
        return swinging


@dataclass(frozen=True)
class FeaturePointCloud:
    """Points with what the splatter carries to the screen."""

    positions: Tensor  # [N, 3] world
    rgb: Tensor  # [N, 3]
    features: Tensor  # [N, C], C may be 0
    layer: Tensor  # [N] int16
    pixel: Tensor  # [N] int64, row-major index of the source pixel on the canvas
    inpainted: Tensor  # [N] bool


@dataclass(frozen=True)
class SceneFlow:
    """Where points are at one moment, in one direction of time."""

    displacement: Tensor  # [N, 3] world, added to the points' positions


@dataclass(frozen=True)
class SplatImage:
    """A cloud seen by a camera; features and disparity are averages over what is covered."""

    features: Tensor  # [C, H, W], 0 where alpha is 0
    alpha: Tensor  # [1, H, W] coverage in [0, 1]
    disparity: Tensor  # [1, H, W] 1 / depth, 0 where alpha is 0


@dataclass(frozen=True)
class CinemagraphScene:
    """All that a frame needs; what a `.cine3d` file holds."""

    camera: Camera  # the photo's own camera
    canvas_camera: Camera
    cloud: FeaturePointCloud
    layer_depth: Tensor  # [L, 1, Hc, Wc] float32, filled over the whole canvas
    velocity: Tensor  # [L, 2, Hc, Wc] float32 px/frame, one field per layer
    cycles: Tensor  # [L, 1, Hc, Wc] int16
    num_frames: int
    fps: float
    disparity_range: tuple[float, float]  # of all points at rest; normalises once per scene
    photo_sha256: str
    models: dict[str, str]  # network name -> sha256 of its weights
    parameters: dict[str, Any]  # everything `build` was told or assumed, JSON types only
    # Kind -> [L, C, Hc, Wc] float32, as in `MotionField`
    in_place: Mapping[str, Tensor] = field(default_factory=dict)
    region: Tensor | None = None  # [L, 1, Hc, Wc] uint8, as in `MotionField`


@dataclass(frozen=True)
class RenderedFrame:
    """One finished frame."""

    rgb: Tensor  # [3, H, W] sRGB, holes filled; uint8 where only a picture was asked for
    alpha: Tensor  # [1, H, W] share of the pixel that real points cover
    depth: Tensor  # [1, H, W] z-depth; 0 where nothing is
    motion: Tensor  # [4, H, W] px: to the previous frame (x, y), to the next frame (x, y)
    moving: Tensor  # [1, H, W] share of moving surface in [0, 1]


def resized_camera(camera: Camera, height: int, width: int) -> Camera:
    """The same view at another resolution (both axes scale on their own)."""
    intrinsics = camera.intrinsics.clone()
    intrinsics[0] *= width / camera.width
    intrinsics[1] *= height / camera.height
    return replace(camera, intrinsics=intrinsics, height=height, width=width)
