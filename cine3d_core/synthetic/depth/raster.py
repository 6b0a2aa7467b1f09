"""Small deterministic rasteriser: exact depth, shadows and photo textures of triangles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from cine3d_core.synthetic.depth.meshes import Mesh

FloatArray = NDArray[np.float32]

NEAR = 0.03  # metres; triangles reaching nearer are left out
SHADOW_SIDE = 1024  # pixels of the square shadow map
NOTHING = -1  # face index where no triangle lies


@dataclass(frozen=True)
class View:
    """Pinhole camera: x right, y down, z forward; pixel centres at +0.5."""

    position: NDArray[np.floating]  # [3] world
    axes: NDArray[np.floating]  # [3, 3] rows: right, down, forward
    focal_px: float
    height: int
    width: int

    def to_camera(self, points: NDArray[np.floating]) -> FloatArray:
        """[V, 3] world -> [V, 3] camera."""
        return ((points - self.position) @ self.axes.T).astype(np.float32)


@dataclass(frozen=True)
class Hits:
    """What each pixel sees."""

    inverse_depth: FloatArray  # [H, W] 1 / metres, 0 where nothing
    face: NDArray[np.int32]  # [H, W], NOTHING where nothing
    weights: FloatArray  # [H, W, 2] barycentric weights of the first two corners, in space


@dataclass(frozen=True)
class Materials:
    """Looks, indexed by a mesh's material; photo textures as a mip pyramid."""

    pyramid: tuple[NDArray[np.uint8], ...]  # level i: [K, S >> i, S >> i, 3] sRGB
    tiles_per_metre: FloatArray  # [K]
    tint: FloatArray  # [K, 3] linear
    gloss: FloatArray  # [K] strength of the highlight


@dataclass(frozen=True)
class Light:
    """A far lamp and the light of the surroundings."""

    view: View  # the lamp as a camera, for its shadow map
    colour: FloatArray  # [3] linear
    ambient: FloatArray  # [3] linear


def look_at(
    position: NDArray[np.floating],
    target: NDArray[np.floating],
    *,
    focal_px: float,
    height: int,
    width: int,
    roll: float = 0.0,
) -> View:
    """Camera at `position` that looks at `target`, z up, turned by `roll` radians."""
    forward = np.asarray(target, float) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0] if abs(forward[2]) < 0.999 else [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    right, down = (
        np.cos(roll) * right + np.sin(roll) * down,
        np.cos(roll) * down - np.sin(roll) * right,
    )
    return View(
        np.asarray(position, float), np.stack([right, down, forward]), focal_px, height, width
    )


def cast(mesh: Mesh, view: View) -> Hits:
    """The nearest triangle at each pixel centre."""
    inverse_depth, face, weights = _rasterise(
        view.to_camera(mesh.points), mesh.faces, view.focal_px, view.height, view.width
    )
    return Hits(inverse_depth, face, weights)


def shade(mesh: Mesh, view: View, hits: Hits, materials: Materials, light: Light) -> FloatArray:
    """Linear colour [H, W, 3] of what is seen; black where nothing is."""
    return _shade(
        _Seen(hits.inverse_depth, hits.face, hits.weights),
        _Surfaces(mesh.faces, mesh.material, mesh.normals, mesh.uv),
        _pinhole(view),
        _Looks(materials.pyramid, materials.tiles_per_metre, materials.tint, materials.gloss),
        _Lamp(
            cast(mesh, light.view).inverse_depth, _pinhole(light.view), light.colour, light.ambient
        ),
    )


class _Seen(NamedTuple):
    """`Hits` for compiled functions."""

    inverse_depth: FloatArray  # [H, W]
    face: NDArray[np.int32]  # [H, W]
    weights: FloatArray  # [H, W, 2]


class _Surfaces(NamedTuple):
    """A mesh for compiled functions."""

    faces: NDArray[np.int32]  # [F, 3] corners
    material: NDArray[np.integer]  # [F]
    normals: FloatArray  # [V, 3]
    uv: FloatArray  # [V, 2] metres


class _Pinhole(NamedTuple):
    """A view for compiled functions."""

    position: FloatArray  # [3] world
    axes: FloatArray  # [3, 3] rows: right, down, forward
    focal: np.float32  # px


class _Looks(NamedTuple):
    """`Materials` for compiled functions."""

    pyramid: tuple[NDArray[np.uint8], ...]
    tiles_per_metre: FloatArray
    tint: FloatArray
    gloss: FloatArray


class _Lamp(NamedTuple):
    """`Light` with its shadow map for compiled functions."""

    shadow_map: FloatArray  # [S, S] 1 / metres
    pinhole: _Pinhole
    colour: FloatArray  # [3]
    ambient: FloatArray  # [3]


def _pinhole(view: View) -> _Pinhole:
    return _Pinhole(
        view.position.astype(np.float32), view.axes.astype(np.float32), np.float32(view.focal_px)
    )


@numba.njit(cache=True)
def _rasterise(
    points: FloatArray,  # [V, 3] camera
    faces: NDArray[np.int32],  # [F, 3] corners
    focal: float,  # px
    height: int,
    width: int,
) -> tuple[FloatArray, NDArray[np.int32], FloatArray]:
    """The fields of `Hits`: a compiled function makes no dataclass."""
    nearest = np.zeros((height, width), np.float32)
    face_map = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    for f in range(faces.shape[0]):
        a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
        if a[2] < NEAR or b[2] < NEAR or c[2] < NEAR:
            continue
        ia, ib, ic = 1.0 / a[2], 1.0 / b[2], 1.0 / c[2]
        ax, ay = focal * a[0] * ia + width * 0.5, focal * a[1] * ia + height * 0.5
        bx, by = focal * b[0] * ib + width * 0.5, focal * b[1] * ib + height * 0.5
        cx, cy = focal * c[0] * ic + width * 0.5, focal * c[1] * ic + height * 0.5
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        left = max(int(np.floor(min(ax, bx, cx) - 0.5)), 0)
        right = min(int(np.ceil(max(ax, bx, cx))), width - 1)
        top = max(int(np.floor(min(ay, by, cy) - 0.5)), 0)
        bottom = min(int(np.ceil(max(ay, by, cy))), height - 1)
        for y in range(top, bottom + 1):
            py = y + 0.5
            for x in range(left, right + 1):
                px = x + 0.5
                wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
                wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
                wc = 1.0 - wa - wb
                if wa < 0.0 or wb < 0.0 or wc < 0.0:
                    continue
                inverse = wa * ia + wb * ib + wc * ic
                if inverse > nearest[y, x]:
                    nearest[y, x] = inverse
                    face_map[y, x] = f
                    # from weights on the screen to weights in space
                    weights[y, x, 0] = wa * ia / inverse
                    weights[y, x, 1] = wb * ib / inverse
    return nearest, face_map, weights


@numba.njit(cache=True)
def _texel(
    level: NDArray[np.uint8],  # [K, S, S, 3] sRGB
    k: int,  # material
    u: float,  # tiles
    v: float,
    out: NDArray[np.float64],  # [3] linear
) -> None:
    """Bilinear lookup with mirrored repeat, squared: a cheap sRGB decoding."""
    side = level.shape[1]
    for axis in range(3):
        out[axis] = 0.0
    fu, fv = u * side - 0.5, v * side - 0.5
    u0, v0 = int(np.floor(fu)), int(np.floor(fv))
    tu, tv = fu - u0, fv - v0
    for dv in range(2):
        for du in range(2):
            x, y = (u0 + du) % (2 * side), (v0 + dv) % (2 * side)
            x = x if x < side else 2 * side - 1 - x
            y = y if y < side else 2 * side - 1 - y
            weight = (tu if du else 1.0 - tu) * (tv if dv else 1.0 - tv)
            for axis in range(3):
                code = level[k, y, x, axis] / 255.0
                out[axis] += weight * code * code


@numba.njit(cache=True)
def _lit(
    point: FloatArray,  # [3] world
    lamp: _Lamp,
) -> float:
    """Share of four shadow-map samples that see the lamp."""
    shadow_map, light_axes, light_focal = lamp.shadow_map, lamp.pinhole.axes, lamp.pinhole.focal
    side = shadow_map.shape[0]
    offset = point - lamp.pinhole.position
    z = light_axes[2, 0] * offset[0] + light_axes[2, 1] * offset[1] + light_axes[2, 2] * offset[2]
    x = light_axes[0, 0] * offset[0] + light_axes[0, 1] * offset[1] + light_axes[0, 2] * offset[2]
    y = light_axes[1, 0] * offset[0] + light_axes[1, 1] * offset[1] + light_axes[1, 2] * offset[2]
    if z < NEAR:
        return 1.0
    column, row = light_focal * x / z + side * 0.5, light_focal * y / z + side * 0.5
    share = 0.0
    for step in range(4):
        i, j = int(row - 0.75 + 1.5 * (step // 2)), int(column - 0.75 + 1.5 * (step % 2))
        if i < 0 or j < 0 or i >= side or j >= side or shadow_map[i, j] * (z * 0.994) < 1.0:
            share += 0.25
    return share


@numba.njit(cache=True)
def _albedo(
    looks: _Looks,
    k: int,  # material
    u: float,  # metres
    v: float,
    metres_per_pixel: float,  # of the picture, on the surface if it faced the camera
    facing: float,  # cosine of the angle under which the surface is seen
    out: NDArray[np.float64],  # [3] linear
) -> None:
    """The texture's colour, from the level whose texels are about as large as a pixel."""
    tiles = looks.tiles_per_metre[k]
    texels = metres_per_pixel * tiles * looks.pyramid[0].shape[1] / max(abs(facing), 0.3)
    level = min(max(int(np.log2(max(texels, 1e-6)) + 0.5), 0), len(looks.pyramid) - 1)
    _texel(looks.pyramid[level], k, u * tiles, v * tiles, out)


@numba.njit(cache=True)
def _shade(
    seen: _Seen, surfaces: _Surfaces, camera: _Pinhole, looks: _Looks, light: _Lamp
) -> FloatArray:  # [H, W, 3] linear
    """Lambert and Blinn for every pixel that sees something."""
    face_map, faces, normals, uv = seen.face, surfaces.faces, surfaces.normals, surfaces.uv
    position, axes, focal = camera.position, camera.axes, camera.focal
    height, width = face_map.shape
    image = np.zeros((height, width, 3), np.float32)
    albedo = np.zeros(3)
    ray, normal, half = np.zeros(3), np.zeros(3), np.zeros(3)
    point = np.zeros(3, np.float32)
    to_light = np.zeros(3)
    for y in range(height):
        for x in range(width):
            f = face_map[y, x]
            if f < 0:
                continue
            depth = 1.0 / seen.inverse_depth[y, x]
            rx, ry = (x + 0.5 - width * 0.5) / focal, (y + 0.5 - height * 0.5) / focal
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            wa, wb = seen.weights[y, x, 0], seen.weights[y, x, 1]
            wc = 1.0 - wa - wb
            length, reach, lamp = 0.0, 0.0, 0.0
            for i in range(3):
                ray[i] = axes[0, i] * rx + axes[1, i] * ry + axes[2, i]
                point[i] = position[i] + depth * ray[i]
                normal[i] = wa * normals[a, i] + wb * normals[b, i] + wc * normals[c, i]
                to_light[i] = light.pinhole.position[i] - point[i]
                length += normal[i] * normal[i]
                reach += ray[i] * ray[i]
                lamp += to_light[i] * to_light[i]
            length, reach, lamp = max(np.sqrt(length), 1e-9), np.sqrt(reach), np.sqrt(lamp)
            facing = 0.0
            for i in range(3):
                facing += ray[i] * normal[i] / (length * reach)
            sign = -1.0 if facing > 0.0 else 1.0  # both sides of a leaf are drawn
            diffuse, shine, half_length = 0.0, 0.0, 0.0
            for i in range(3):
                normal[i] *= sign / length
                to_light[i] /= lamp
                diffuse += normal[i] * to_light[i]
                half[i] = to_light[i] - ray[i] / reach
                half_length += half[i] * half[i]
            for i in range(3):
                shine += normal[i] * half[i] / max(np.sqrt(half_length), 1e-9)
            k = int(surfaces.material[f])
            u = wa * uv[a, 0] + wb * uv[b, 0] + wc * uv[c, 0]
            v = wa * uv[a, 1] + wb * uv[b, 1] + wc * uv[c, 1]
            _albedo(looks, k, u, v, depth / focal, facing, albedo)
            share = _lit(point, light) if diffuse > 0 else 0.0
            highlight = looks.gloss[k] * share * max(shine, 0.0) ** 40
            upward = 0.7 + 0.3 * normal[2]
            for i in range(3):
                incoming = light.ambient[i] * upward + light.colour[i] * max(diffuse, 0.0) * share
                image[y, x, i] = (
                    albedo[i] * looks.tint[k, i] * incoming + highlight * light.colour[i]
                )
    return image
