import os
import platform
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from cine3d_core.cli import main
from cine3d_core.errors import InputError
from cine3d_core.memory import (
    BUILD,
    available_gib,
    check_memory,
    memory_sentence,
    photo_size,
    size_that_fits,
)


def test_the_size_that_is_advised_fits_and_hardly_more_would():
    for gib in (1.0, 2.5, 6.0):
        side = size_that_fits(2160, 3840, gib)
        assert side is not None and side % 100 == 0
        assert BUILD.of(side * side * 2160 // 3840) <= gib
        larger = side + 100
        assert larger > 3840 or BUILD.of(larger * larger * 2160 // 3840) > gib


def test_a_photo_that_fits_is_only_told_its_memory():
    sentence, fits = memory_sentence(720, 1280, 64.0)
    assert fits and "1280x720" in sentence and "--size" not in sentence
    assert memory_sentence(720, 1280, None)[1]


def test_a_photo_that_does_not_fit_is_refused_with_a_size_that_does():
    with pytest.raises(InputError, match="--size 2"):
        check_memory(8000, 12000, 4.0)
    with pytest.raises(InputError, match="close other programs"):
        check_memory(720, 1280, 0.1)


@pytest.mark.skipif(not Path("/proc/meminfo").is_file(), reason="not Linux")
def test_this_machine_says_how_much_memory_is_free():
    free, all_of_it = available_gib(), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert free is not None and 0.01 < free < all_of_it / 2**30


def test_the_size_of_a_photo_is_read_without_its_pixels(tmp_path: Path):
    path = tmp_path / "photo.png"
    assert cv2.imwrite(str(path), np.zeros((60, 200, 3), np.uint8))
    assert photo_size(path, 100) == (30, 100)
    assert photo_size(path, 400) == (60, 200)
    path.write_bytes(b"no picture")
    assert photo_size(path, 100) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert photo_size(tmp_path / "pipe.jpg", 100) is None


def test_large_photos_are_told_their_memory_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "photo.png"
    assert cv2.imwrite(str(path), np.zeros((1500, 2000, 3), np.uint8))
    arguments = ["build", str(path), "-o", str(tmp_path / "s.cine3d"), "--size", "2000"]
    assert main([*arguments, "--depth", str(tmp_path / "missing.png")]) == 2
    assert "2000x1500 needs about" in capsys.readouterr().out


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library's memory")
def test_a_process_that_keeps_its_memory_faults_on_fewer_pages():
    code = (
        "import resource, torch; from cine3d_core.memory import keep_freed_memory\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(10): torch.zeros(2**24)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "print(faults(), keep_freed_memory(), faults(), faults())"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    releasing, keeps, _, keeping = said.split()  # the pages that it keeps are new once
    assert keeps == "True" and int(keeping) < int(releasing) / 2
