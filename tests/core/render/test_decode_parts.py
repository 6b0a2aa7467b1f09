import pytest
import torch
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.render.blend import SplatChannels, splat_channels
from cine3d_core.render.decode import pass_through
from cine3d_core.render.decode_parts import HALO, decode_in_parts
from cine3d_core.scene import SplatImage

CHANNELS = splat_channels(0)


def picture(height: int, width: int) -> SplatImage:
    generator = torch.Generator().manual_seed(3)
    full = torch.ones(1, height, width)
    return SplatImage(torch.rand(5, height, width, generator=generator), full, full)


class SmallDevice:
    """Averages over rows within the halo; has memory for so many rows."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.calls = 0

    def __call__(self, image: SplatImage, channels: SplatChannels) -> Tensor:
        self.calls += 1
        if image.alpha.shape[1] > self.rows:
            raise torch.OutOfMemoryError("no memory")
        rgb = image.features[channels.rgb]
        return torch.nn.functional.avg_pool2d(rgb, (2 * HALO - 1, 1), 1, (HALO - 1, 0))


@pytest.mark.parametrize("rows", [1000, 400, 250])
def test_strips_give_the_picture_that_the_whole_gives(rows: int):
    image = picture(500, 8)
    device = SmallDevice(rows)
    wanted = SmallDevice(1000)(image, CHANNELS)
    torch.testing.assert_close(decode_in_parts(device, image, CHANNELS), wanted)
    assert (device.calls == 1) == (rows == 1000)


def test_what_fits_is_decoded_at_once_and_stays_the_same_to_the_bit():
    image = picture(40, 30)
    assert torch.equal(
        decode_in_parts(pass_through, image, CHANNELS), pass_through(image, CHANNELS)
    )


def test_a_device_without_memory_is_told_in_a_sentence():
    with pytest.raises(InputError, match="8x300; choose a smaller size"):
        decode_in_parts(SmallDevice(100), picture(300, 8), CHANNELS)
