"""The choice between the analytic flow and the network's."""

import pytest

from cine3d_core.errors import InputError
from cine3d_core.files.models.store import list_models
from cine3d_core.motion import refiner

INSTALLED = any(info.name == refiner.SHIPPED for info in list_models())


def test_the_analytic_choice_needs_no_network():
    assert refiner.motion_refiner("analytic") is None
    assert refiner.motion_checksums("analytic") == {}


def test_without_a_choice_the_network_is_taken_where_it_is_installed():
    assert (refiner.motion_refiner() is not None) == INSTALLED
    assert bool(refiner.motion_checksums()) == INSTALLED


def test_asking_for_a_network_that_is_not_there_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(refiner, "_loaded", lambda: None)
    with pytest.raises(InputError, match="--motion analytic"):
        refiner.motion_refiner("network")
