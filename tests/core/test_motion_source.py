"""The choice between the analytic flow and the network's."""

import pytest

from cine3d_core import motion_source
from cine3d_core.errors import InputError
from cine3d_core.files.models import list_models

INSTALLED = any(info.name == motion_source.SHIPPED for info in list_models())


def test_the_analytic_choice_needs_no_network():
    assert motion_source.motion_refiner("analytic") is None
    assert motion_source.motion_checksums("analytic") == {}


def test_without_a_choice_the_network_is_taken_where_it_is_installed():
    assert (motion_source.motion_refiner() is not None) == INSTALLED
    assert bool(motion_source.motion_checksums()) == INSTALLED


def test_asking_for_a_network_that_is_not_there_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(motion_source, "_loaded", lambda: None)
    with pytest.raises(InputError, match="--motion analytic"):
        motion_source.motion_refiner("network")
