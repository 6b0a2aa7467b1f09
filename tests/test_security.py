"""Nothing that comes from a file is run, nothing goes over a network or through a shell."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import ROOT, environment

SOURCES = sorted([*(ROOT / "cine3d_core").rglob("*.py"), *(ROOT / "blender_addon").rglob("*.py")])

# Imports that could run what a file says, or reach a network.
FORBIDDEN_MODULES = {
    "marshal", "shelve", "dill", "joblib", "yaml", "ctypes", "code", "codeop", "runpy",
    "socket", "socketserver", "http", "urllib", "ftplib", "xmlrpc", "requests", "aiohttp", "ssl",
}  # fmt: skip
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp",
    "pickle.load", "pickle.loads", "pickle.Unpickler", "torch.jit.load", "torch.hub.load",
    "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip
# Where one of them is needed nevertheless, and all that may be called of it.
EXCEPTIONS = {
    "cine3d_core/memory.py": {"ctypes": {"ctypes.CDLL(None)"}},
    # the one place that may reach a network, when `cine3d models get` or its button asks
    "cine3d_core/files/models/hub.py": {
        "urllib": {
            "urllib.parse.urlsplit(address)",
            "urllib.parse.urlsplit(onward)",
            "urllib.parse.urlsplit(url)",
            "urllib.parse.quote(path)",
            "urllib.parse.quote(revision, safe='')",
            "urllib.parse.unquote(url.rsplit('/', 1)[1])",
            "urllib.parse.urljoin(place, response.headers.get('Location', ''))",
            "urllib.request.Request(place, method=method)",
            "urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler("
            "context=_certificates()))",
            "urllib.request.HTTPSHandler(context=_certificates())",
        },
        "http": set(),
        "ssl": {"ssl.create_default_context()"},
    },
}
# Modules that choose a module to import: from a fixed table, never from a file's words.
DYNAMIC_IMPORTS = {
    "cine3d_core/__init__.py": "_PUBLIC[name]",
    "cine3d_core/cli/tools.py": "f'cine3d_core.{args.modules[args.subject]}'",
    "cine3d_core/files/models/store.py": "NETWORKS[info.network]",
}


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [(ast.unparse(node.func), node) for node in found]


def named(call: ast.Call, keyword: str) -> object:
    """The constant of a keyword argument, None where the call does not say it."""
    values = [entry.value for entry in call.keywords if entry.arg == keyword]
    return values[0].value if values and isinstance(values[0], ast.Constant) else None


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_runs_data_uses_a_shell_or_a_network(path: Path) -> None:
    excepted = EXCEPTIONS.get(path.relative_to(ROOT).as_posix(), {})
    assert not imported(path) & FORBIDDEN_MODULES - set(excepted)
    for module, allowed in excepted.items():
        used = {ast.unparse(call) for name, call in calls(path) if name.startswith(f"{module}.")}
        assert used <= allowed, used
    for name, call in calls(path):
        where = f"{path.name}:{call.lineno}: {ast.unparse(call)[:80]}"
        assert name not in FORBIDDEN_CALLS, where
        assert named(call, "shell") is None and named(call, "trust_remote_code") in (None, False)
        assert name != "torch.load" or named(call, "weights_only") is True, where
        if "load" in name:  # NumPy writes pickles only of objects, and reads none unasked
            assert named(call, "allow_pickle") in (None, False), where
        if name == "importlib.import_module" and not isinstance(call.args[0], ast.Constant):
            relative = path.relative_to(ROOT).as_posix()
            assert DYNAMIC_IMPORTS.get(relative) == ast.unparse(call.args[0]), where


def test_commands_are_lists_of_words() -> None:
    for path in SOURCES:
        for name, call in calls(path):
            if name in ("subprocess.run", "subprocess.Popen", "subprocess.check_output"):
                assert not isinstance(call.args[0], (ast.Constant, ast.JoinedStr)), path


def test_models_that_bring_code_along_are_not_asked_to_run_it() -> None:
    loads = [call for path in SOURCES for name, call in calls(path) if "from_pretrained" in name]
    assert len(loads) >= 2
    assert all(named(call, "trust_remote_code") is False for call in loads)
    assert all(named(call, "local_files_only") is True for call in loads)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_the_worker_is_reached_by_its_own_pipe_alone() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "cine3d_core.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as worker:  # fmt: skip
        assert worker.stdout is not None and worker.stdin is not None
        assert worker.stdout.read(4) == b"C3D1"  # hello: it is ready
        open_files = Path(f"/proc/{worker.pid}/fd")
        targets = {os.readlink(entry) for entry in open_files.iterdir()}
        assert not [target for target in targets if target.startswith("socket:")]
        # anonymous pipes have no name that another user could open
        assert sum(target.startswith("pipe:") for target in targets) == 3
        assert stat.S_IMODE(open_files.stat().st_mode) & 0o077 == 0
        worker.stdin.close()
        worker.stdout.read()
        assert worker.wait(timeout=30) == 0


def test_what_set_up_installs_is_pinned_by_hash() -> None:
    names = ("worker_requirements.txt", "worker_torch.txt", "worker_card.txt")
    text = "".join(
        (ROOT / "blender_addon" / "worker" / name).read_text(encoding="utf-8") for name in names
    )
    entries = [entry for entry in text.replace("\\\n", " ").splitlines() if "==" in entry]
    assert len(entries) > 10 and any(entry.startswith("torch==") for entry in entries)
    assert all("--hash=sha256:" in entry for entry in entries)
