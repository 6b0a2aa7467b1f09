from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cine3d_core.cli import main
from cine3d_core.errors import InputError
from cine3d_core.files.pictures.flow import read_flow, write_flow
from cine3d_core.motion.draw import draw_motion, draw_wheel, what_moves
from cine3d_core.scene import MotionField
from tests.river import HEIGHT, WIDTH, river_motion

SAMPLE = Path(__file__).resolve().parents[3] / "tests" / "bridge"


def swaying() -> MotionField:
    sway = torch.zeros(3, HEIGHT, WIDTH)
    sway[0, 4:16, 50:70] = 3.0
    return replace(river_motion(), in_place={"sway": sway})


def test_flow_files_come_back(tmp_path: Path):
    flow = torch.randn(2, 7, 11, generator=torch.Generator().manual_seed(2))
    write_flow(tmp_path / "f.flo", flow)
    assert torch.equal(read_flow(tmp_path / "f.flo"), flow)
    content = (tmp_path / "f.flo").read_bytes()
    assert np.frombuffer(content, "<f4", 1)[0] == np.float32(202021.25)  # Middlebury's tag
    assert np.frombuffer(content, "<i4", 2, 4).tolist() == [11, 7]


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b[:7], lambda b: b"RIFF" + b[4:]])
def test_damaged_flow_files_are_refused(tmp_path: Path, change):
    write_flow(tmp_path / "f.flo", torch.zeros(2, 5, 5))
    (tmp_path / "f.flo").write_bytes(change((tmp_path / "f.flo").read_bytes()))
    with pytest.raises(InputError, match="Middlebury|cut off"):
        read_flow(tmp_path / "f.flo")


def test_the_preview_shows_what_flows_and_what_sways():
    grey = torch.full((3, HEIGHT, WIDTH), 0.5)
    picture = draw_motion(grey, swaying())
    changed = (picture - grey).abs().amax(0) > 0.01
    moves = what_moves(swaying())[0]
    assert float(changed[4:16, 50:70].float().mean()) > 0.9  # arrows may be as grey
    assert float(changed[moves].float().mean()) > 0.9
    far = torch.nn.functional.max_pool2d(moves.float()[None], 13, 1, 6)[0] == 0
    assert not changed[far].any()


def test_the_wheel_stands_in_the_corner_only():
    grey = torch.full((3, 200, 300), 0.5)
    changed = (draw_wheel(grey) != grey).any(0)
    assert bool(changed[-40:, -40:].any()) and not changed[:150].any()
    assert not changed[:, :250].any()


def test_the_motion_command_writes_preview_mask_and_flow(tmp_path: Path, capsys):
    outputs = [tmp_path / name for name in ("preview.png", "river-mask.png", "river.flo")]
    arguments = [str(SAMPLE / "photo.jpg"), "--hints", str(SAMPLE / "hints.json"), "--size", "160"]
    for output in outputs:
        arguments += ["-o", str(output)]
    assert main(["motion", *arguments]) == 0
    assert "river.flo: flow" in capsys.readouterr().out
    with Image.open(outputs[0]) as preview, Image.open(outputs[1]) as mask:
        assert preview.size == (160, 117) and mask.size == (1280, 937)  # ready for --mask
        share = (np.array(mask) > 127).mean()
    flow = read_flow(outputs[2])
    assert flow.shape == (2, 117, 160)
    assert (flow.norm(dim=0) > 0).float().mean() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("outputs", "word"),
    [(["a.gif"], "flo"), (["a.png", "a.png"], "twice"), (["no/a.png"], "create it first")],
)
def test_outputs_that_cannot_be_written_are_refused_at_once(
    tmp_path: Path, capsys, outputs: list[str], word: str
):
    arguments = [part for name in outputs for part in ("-o", str(tmp_path / name))]
    assert main(["motion", str(SAMPLE / "photo.jpg"), *arguments]) == 2
    assert word in capsys.readouterr().err
