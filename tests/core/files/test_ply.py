from pathlib import Path

import numpy as np
import plyfile
import pytest
import trimesh

from cine3d_core.errors import InputError
from cine3d_core.files.scene.ply import AXES, Up, cloud_vertices, turned, write_ply

N = 500


def columns(points: int = N) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return cloud_vertices(
        positions=generator.normal(size=(points, 3)).astype(np.float32) * 1e3,
        rgb=generator.random((points, 3)).astype(np.float32),
        layer=generator.integers(0, 5, points).astype(np.int16),
        flow=generator.normal(size=(points, 3)).astype(np.float32) * 1e-3,
        inpainted=generator.random(points) > 0.5,
    )


@pytest.mark.parametrize("binary", [True, False])
def test_plyfile_reads_every_property_back_exactly(tmp_path: Path, binary: bool) -> None:
    write_ply(tmp_path / "cloud.ply", columns(), binary=binary)
    vertices = plyfile.PlyData.read(tmp_path / "cloud.ply")["vertex"]
    names = "x y z red green blue layer flow_x flow_y flow_z inpainted"
    assert [p.name for p in vertices.properties] == names.split()
    for name, column in columns().items():
        assert vertices[name].dtype == column.dtype
        assert np.array_equal(vertices[name], column), name


@pytest.mark.parametrize("binary", [True, False])
def test_trimesh_reads_points_and_colours(tmp_path: Path, binary: bool) -> None:
    write_ply(tmp_path / "cloud.ply", columns(), binary=binary)
    cloud = trimesh.load(tmp_path / "cloud.ply")
    assert isinstance(cloud, trimesh.PointCloud)
    wanted = columns()
    assert np.allclose(cloud.vertices[:, 1], wanted["y"])
    assert np.array_equal(cloud.colors[:, 2], wanted["blue"])


def test_colours_are_rounded_and_clipped() -> None:
    rgb = np.array([[-1.0, 0.5, 2.0]])
    one = np.zeros((1, 3))
    made = cloud_vertices(
        positions=one, rgb=rgb, layer=np.zeros(1), flow=one, inpainted=np.zeros(1, bool)
    )
    assert [made[name][0] for name in ("red", "green", "blue")] == [0, 128, 255]


def test_the_same_cloud_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.ply", "b.ply"):
        write_ply(tmp_path / name, columns())
    assert (tmp_path / "a.ply").read_bytes() == (tmp_path / "b.ply").read_bytes()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        write_ply(tmp_path / "missing" / "cloud.ply", columns(3))


@pytest.mark.parametrize(("up", "place"), [("y", (1, -2, -3)), ("z", (1, 3, -2))])
def test_points_stand_upright_and_the_file_says_its_axes(
    tmp_path: Path, up: Up, place: tuple[int, int, int]
) -> None:
    points = {name: np.full(2, n, np.float32) for n, name in enumerate("xyz", start=1)}
    points |= {f"flow_{axis}": points[axis] for axis in "xyz"}
    found = turned(points, up)
    assert tuple(float(found[axis][0]) for axis in "xyz") == place
    assert tuple(float(found[f"flow_{axis}"][0]) for axis in "xyz") == place
    write_ply(tmp_path / "c.ply", found, up=up)
    assert f"comment axes: {AXES[up]}".encode() in (tmp_path / "c.ply").read_bytes()
