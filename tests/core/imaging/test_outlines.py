import numpy as np
import pytest

from cine3d_core.imaging.polygons import outlines_of, rasterize_polygons


def blobs(seed: int) -> np.ndarray:
    """A random mask of smooth parts, some with holes."""
    generator = np.random.default_rng(seed)
    noise = np.fft.rfft2(generator.normal(size=(96, 128)))
    rows, columns = np.fft.fftfreq(96)[:, None], np.fft.rfftfreq(128)[None]
    return np.fft.irfft2(noise * np.exp(-800 * (rows**2 + columns**2)), s=(96, 128)) > 0


@pytest.mark.parametrize("seed", range(4))
def test_a_mask_comes_back_from_its_outlines(seed: int) -> None:
    mask = blobs(seed)
    back = rasterize_polygons(outlines_of(mask), *mask.shape)[0].numpy()
    assert (back & mask).sum() / (back | mask).sum() > 0.97


def test_a_ring_keeps_its_hole_and_an_empty_mask_has_no_outline() -> None:
    rows, columns = np.indices((60, 80))
    distance = np.hypot(rows - 30, columns - 40)
    ring = (distance < 25) & (distance > 12)
    back = rasterize_polygons(outlines_of(ring), 60, 80)[0].numpy()
    assert len(outlines_of(ring)) == 1 and not back[30, 40]
    assert (back & ring).sum() / (back | ring).sum() > 0.95
    assert outlines_of(np.zeros((60, 80), bool)) == []
