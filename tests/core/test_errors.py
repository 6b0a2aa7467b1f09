"""What is wrong is said once; what to do is said in the words of whoever shows it."""

import pickle

from cine3d_core.errors import InputError
from cine3d_core.settings import LABELS

ERROR = InputError("the mask is small", "draw it larger", "raise {size}", "use {motion} analytic")


def test_the_command_line_names_its_options():
    sentence = "the mask is small; draw it larger, or raise --size, or use --motion analytic"
    assert str(ERROR) == sentence


def test_blender_names_its_fields_and_leaves_out_what_it_has_not():
    assert ERROR.told(LABELS) == "the mask is small; draw it larger, or raise Resolution"


def test_a_reason_alone_is_a_sentence():
    assert str(InputError("no such file {x}; name one")) == "no such file {x}; name one"


def test_an_error_survives_the_way_from_another_process():
    assert str(pickle.loads(pickle.dumps(ERROR))) == str(ERROR)
