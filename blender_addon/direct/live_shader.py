"""The shader that moves the photo in the view, and what it reads: pictures of flow and of tint.

Blender before 5.0 reads textures of add-ons without filtering, so the small pictures of the worker
are enlarged here, once for each answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

STEPS = 6  # of the way back along the flow, for each copy
LARGER = 3  # times the worker's pictures: a screen is some four times as fine
EDGE = 0.8  # how strongly borders of regions are drawn
REST = (0.95, 0.95, 0.95)
UNDIRECTED = (0.5, 0.75, 1.0)
_NONE_DIRECTS = 255  # in the worker's picture of owners
_LEAST = 0.35  # of the tint where the network is not sure at all

_VERTEX = """
void main() { uv = where; gl_Position = Placed * vec4(place, 1.0); }
"""
_FRAGMENT = """
vec2 carried(vec2 at, float frames) {
  for (int i = 0; i < STEPS; i++) {
    vec4 here = texture(flow, at);
    at -= here.xy * step(0.5, here.z) * frames / float(STEPS);
  }
  return at;
}
vec2 swung(vec2 at, float frame) {
  vec4 here = texture(swing, at);
  if (here.xy == vec2(0.0)) { return at; }
  float angle = 6.2831853 * fract(frame * here.w / loop);
  float way = 0.0;
  float phase;
  WAVES
  return at - here.xy * way;
}
vec3 shown(vec3 linear) {
  return mix(linear * 12.92, 1.055 * pow(max(linear, vec3(1e-6)), vec3(1.0 / 2.4)) - 0.055,
             vec3(greaterThan(linear, vec3(0.0031308))));
}
vec3 linear_of(vec3 seen) {
  return mix(seen / 12.92, pow((seen + 0.055) / 1.055, vec3(2.4)),
             vec3(greaterThan(seen, vec3(0.04045))));
}
void main() {
  float own = texelFetch(when, ivec2(uv * vec2(textureSize(when, 0))), 0).x;
  float now = own < 0.0 ? frame : own;
  vec4 here = texture(flow, uv);
  vec3 colour;
  if (here.z > 0.5) {
    float period = loop / max(here.w, 1.0);
    float since = mod(now, period);
    float share = since / period;
    vec3 before = texture(photo, carried(uv, since)).rgb;
    vec3 after = texture(photo, carried(uv, since - period)).rgb;
    colour = mix(before, after, share);
  } else {
    colour = texture(photo, swung(uv, now)).rgb;
  }
  vec4 over = texture(tint, uv);
  vec3 seen = mix(shown(colour), over.rgb, over.a);  // as strong over the dark as over the bright
  out_color = vec4(srgbTarget ? linear_of(seen) : seen, 1.0);  // the target turns it back
}
""".replace("STEPS", str(STEPS))

_WAVE = "phase = {0} * here.z + {2}; way += {1} * (sin({0} * angle + phase) - sin(phase));"


def made(harmonics: tuple[tuple[float, float, float], ...]) -> Any:
    """The shader; needs a window.

    Args:
        harmonics: number, share and phase of each wave of what moves in place; written into the
            program, since some cards take no more than 128 bytes of numbers beside it.
    """
    import gpu

    waves = "\n  ".join(_WAVE.format(*map(float, wave)) for wave in harmonics)

    between = gpu.types.GPUStageInterfaceInfo("cine3d_live")
    between.smooth("VEC2", "uv")
    info = gpu.types.GPUShaderCreateInfo()
    info.push_constant("MAT4", "Placed")
    info.push_constant("BOOL", "srgbTarget")  # set by Blender, for its own shaders too
    for name in ("frame", "loop"):
        info.push_constant("FLOAT", name)
    for slot, name in enumerate(("photo", "flow", "swing", "tint", "when")):
        info.sampler(slot, "FLOAT_2D", name)
    info.vertex_in(0, "VEC3", "place")
    info.vertex_in(1, "VEC2", "where")
    info.vertex_out(between)
    info.fragment_out(0, "VEC4", "out_color")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT.replace("WAVES", waves))
    return gpu.shader.create_from_info(info)


def texture_of(values: np.ndarray, kind: str = "RGBA16F") -> Any:
    """A picture [h, w, 4] on the graphics card."""
    import gpu

    height, width, _ = values.shape
    flat = np.ascontiguousarray(values, np.float32).ravel()
    data = gpu.types.Buffer("FLOAT", len(flat), flat)
    return gpu.types.GPUTexture((width, height), format=kind, data=data)


def enlarged(
    planes: np.ndarray, times: int
) -> np.ndarray:  # [h, w, ...] -> [times h, times w, ...]
    """Pictures that are `times` as large, evenly between the pixels."""
    for axis in (0, 1):
        count = planes.shape[axis]
        at = (np.arange(count * times) + 0.5) / times - 0.5
        low = np.clip(np.floor(at).astype(int), 0, count - 1)
        high = np.minimum(low + 1, count - 1)
        share = np.clip(at - low, 0, 1).astype(np.float32)
        share = share.reshape([-1 if a == axis else 1 for a in range(planes.ndim)])
        planes = planes.take(low, axis) * (1 - share) + planes.take(high, axis) * share
    return planes


def flow_enlarged(flow: np.ndarray) -> np.ndarray:  # [h, w, 4] -> [2 h, 2 w, 4]
    """The worker's flow, larger; at its border as fast as inside."""
    moves = (flow[..., 2:3] > 0.5).astype(np.float32)
    fine = enlarged(np.concatenate([flow[..., :2] * moves, moves], axis=2), 2)
    share = fine[..., 2:]
    cycles = flow[..., 3:].repeat(2, 0).repeat(2, 1)  # no number between two closes the loop
    return np.concatenate([fine[..., :2] / np.maximum(share, 1e-6), share, cycles], axis=2)


def when_of(
    owner: np.ndarray,  # [h, w] uint8: number of each pixel's region
    times: dict[int, float],  # number -> frame of the loop that it shows
) -> np.ndarray:  # [h, w, 4] float32, the first plane counts
    """The frame that each pixel shows; less than 0 where it shows that of the photo."""
    table = np.full(256, -1.0, np.float32)
    table[list(times)] = list(times.values())
    return table[owner][..., None].repeat(4, -1)


def owner_enlarged(owner: np.ndarray) -> np.ndarray:  # [h, w] uint8 -> [LARGER h, LARGER w]
    """The worker's owners, larger, with smooth borders."""
    best = np.zeros([side * LARGER for side in owner.shape], np.float32)
    fine = np.zeros(best.shape, np.uint8)
    for number in np.unique(owner):
        share = enlarged((owner == number).astype(np.float32), LARGER)
        fine = np.where(share > best, number, fine)
        best = np.maximum(best, share)
    return fine


def tint_of(
    owner: np.ndarray,  # [h, w] uint8, see `owner_enlarged`
    sure: np.ndarray,  # [h, w] float32 in [0, 1]: how sure it is that it moves
    colours: list[tuple[int, tuple[float, float, float]]],  # number of an owner and its colour
    strength: float,
) -> np.ndarray:  # [h, w, 4] float32
    """Colour over each pixel, strong where what moves is sure, and a line along every border."""
    table = np.zeros((256, 4), np.float32)
    table[_NONE_DIRECTS] = (*UNDIRECTED, strength / 2)
    for number, colour in colours:
        table[number] = (*colour, strength)
    tint = table[owner]
    tint[..., 3] *= _LEAST + (1 - _LEAST) * sure
    ends = np.zeros(owner.shape, bool)
    ends[1:] |= owner[1:] != owner[:-1]
    ends[:, 1:] |= owner[:, 1:] != owner[:, :-1]
    line = ends & (tint[..., 3] > 0)
    tint[line, 3] = min(1.0, 4 * strength) * EDGE
    return tint


CLASSES = ()
