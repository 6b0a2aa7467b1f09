"""The choice between the analytic flow and the network's."""

import dataclasses

import pytest

from cine3d_core.errors import InputError
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.models.store import LoadedNetwork, find_model
from cine3d_core.motion.refiner import motion_network
from cine3d_core.networks import motion

NONE_HERE = Networks(listed=list)


def opened(name: str) -> LoadedNetwork:
    """The shipped network's description over small random weights."""
    return LoadedNetwork(motion.build(width=2, hidden=2), find_model(name))


def test_the_analytic_choice_opens_nothing():
    def refuse(name: str) -> LoadedNetwork:
        raise AssertionError(name)

    assert motion_network(Networks(load=refuse), "analytic") is None


def test_without_a_choice_the_network_is_taken_where_it_is_installed():
    here = Networks(listed=lambda: [find_model("motion")], load=opened)
    found = motion_network(here)
    assert found is not None
    assert found.checksums == {"motion": find_model("motion").sha256}
    assert motion_network(NONE_HERE) is None


def test_asking_for_a_network_that_is_not_there_says_what_to_do():
    with pytest.raises(InputError, match="--motion analytic"):
        motion_network(NONE_HERE, "network")


def test_a_network_is_opened_once_and_anew_when_it_is_exchanged():
    reads: list[str] = []
    listed = [find_model("motion")]

    def load(name: str) -> LoadedNetwork:
        reads.append(name)
        return LoadedNetwork(motion.build(width=2, hidden=2), listed[0])

    networks = Networks(listed=lambda: listed, load=load)
    first = motion_network(networks)
    assert motion_network(networks) is first and reads == ["motion"]
    listed[0] = dataclasses.replace(listed[0], sha256="0" * 64)
    assert motion_network(networks) is not first and reads == ["motion", "motion"]


def test_a_network_of_another_kind_under_the_name_is_refused():
    other = dataclasses.replace(find_model("motion"), network="see")
    with pytest.raises(InputError, match="of the kind 'see'"):
        motion_network(Networks(listed=lambda: [other], load=opened))
