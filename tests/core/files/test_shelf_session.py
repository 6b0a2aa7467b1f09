"""The whole session of `tests.shelf_session`: minutes, so by hand."""

from pathlib import Path

import pytest

from tests import shelf_session


@pytest.mark.slow
def test_the_shelf_is_filled_used_and_goes_on_without_a_network(tmp_path: Path) -> None:
    for package in ("transformers", "onnxruntime", "onnx"):
        pytest.importorskip(package)
    shelf_session.run(tmp_path)


def test_the_session_has_a_tiny_network_for_every_entry() -> None:
    for package in ("transformers", "onnx"):
        pytest.importorskip(package)
    made = shelf_session.tiny_shelf()
    assert made.keys() == {one.name for one in shelf_session.SHELF}
    assert all(one.kind == kind for name, (_, kind, _) in shelf_session.tiny_networks.TINY.items()
               for one, _ in [made[name]])  # fmt: skip
