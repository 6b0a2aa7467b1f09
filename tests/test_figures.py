"""The figures that the house keeps: how long, how typed, how many at once; read from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "cine3d_core"
FOLDERS = ("cine3d_core", "blender_addon", "tests")
LAID_OUT = "layouts_test.py"  # a list of scenes, one after the other: no program to follow
LONGEST_FILE = 400  # lines
LONGEST_FUNCTION = 60
MOST_RETURNED = 3  # more travel together in a record
TYPED = {"cine3d_core": 0.99, "blender_addon": 0.95}  # of the parameters

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if path.name != LAID_OUT)


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def named(path: Path, function: Function) -> str:
    return f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_is_longer_than_one_reads_at_once(folder: str):
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources(folder)}
    assert lengths
    assert not {str(path): length for path, length in lengths.items() if length > LONGEST_FILE}


def is_compiled(function: Function) -> bool:
    """Whether it is one of those loops whose calls cost, and which are left in one piece."""
    calls = [d.func for d in function.decorator_list if isinstance(d, ast.Call)]
    return any(isinstance(call, ast.Name) and call.id in ("compiled", "inner") for call in calls)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_function_is_longer_than_a_screen(folder: str):
    found = []
    for path in sources(folder):
        for function in functions(path):
            assert function.end_lineno is not None
            if is_compiled(function):
                continue
            if function.end_lineno - function.lineno + 1 > LONGEST_FUNCTION:
                found.append(named(path, function))
    assert not found


def test_what_travels_together_is_a_record():
    found = []
    for path in sources("cine3d_core"):
        for function in functions(path):
            returned = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
            sizes = [len(r.value.elts) for r in returned if isinstance(r.value, ast.Tuple)]
            if max(sizes, default=0) > MOST_RETURNED or stated(function) > MOST_RETURNED:
                found.append(named(path, function))
    assert not found


def stated(function: Function) -> int:
    """How many values the annotation of a function's result names."""
    result = function.returns
    if not (isinstance(result, ast.Subscript) and isinstance(result.value, ast.Name)):
        return 0
    if result.value.id != "tuple" or not isinstance(result.slice, ast.Tuple):
        return 0
    return len(result.slice.elts)


@pytest.mark.parametrize(("folder", "share"), TYPED.items())
def test_parameters_say_what_they_are(folder: str, share: float):
    bare, count = [], 0
    for path in sources(folder):
        for function in functions(path):
            given = function.args
            for one in (*given.posonlyargs, *given.args, *given.kwonlyargs):
                if one.arg in ("self", "cls"):
                    continue
                count += 1
                if one.annotation is None:
                    bare.append(f"{named(path, function)}({one.arg})")
    assert count > 1000
    assert len(bare) <= (1 - share) * count, bare
