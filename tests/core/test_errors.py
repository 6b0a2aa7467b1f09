"""What is wrong is said once; what to do is said in the words of whoever shows it."""

import ast
import pickle
from pathlib import Path
from string import Formatter

from cine3d_core.errors import COMMANDS, InputError
from cine3d_core.settings import CHOICES, LABELS

OF_RENDERS = {"resume", "decoder", "strength"}  # options that only the command line has
CORE = Path(__file__).resolve().parents[2] / "cine3d_core"
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


def test_each_front_end_names_what_can_be_done_in_its_own_words():
    error = InputError("MoGe-2 is not here", "get it with {get_network} moge-2", "raise {size}")
    assert str(error) == (
        "MoGe-2 is not here; get it with cine3d models get moge-2, or raise --size"
    )
    told = error.told(LABELS)
    assert "cine3d" not in told and "--" not in told and LABELS["size"] in told
    assert set(COMMANDS) <= set(LABELS)


def texts(nodes: list[ast.expr]) -> str:
    """The fixed parts of some arguments."""
    every = [n.value for node in nodes for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return " ".join(text for text in every if isinstance(text, str))


def raised_errors() -> list[tuple[str, ast.Call]]:
    """Where the core, but for its command line and what makes it, raises `InputError`."""
    found = []
    for path in CORE.rglob("*.py"):
        if path.relative_to(CORE).parts[0] in ("cli", "training", "evaluation", "synthetic"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id == "InputError":
                    found.append((f"{path.relative_to(CORE)}:{node.lineno}", node))
    return found


def test_what_blender_shows_of_the_core_holds_no_words_of_the_command_line():
    errors = raised_errors()
    assert len(errors) > 100
    for place, error in errors:
        said = texts(error.args)
        for words in ("cine3d models", "cine3d build", "cine3d learn", " --", "pip install"):
            assert words not in said, place
        names = {name for _, name, _, _ in Formatter().parse(texts(error.args[1:])) if name}
        assert names <= set(CHOICES) | set(COMMANDS) | OF_RENDERS, place
