"""The structure that the design asks for, read from the source itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "cine3d_core"

# A part may import from parts on the left of it and, within its own braces, from itself alone (all
# from the first braces: words that everybody says).
ORDER = (
    "{scene errors progress motion_kinds settings} < {geometry imaging networks moves}"
    " < {files layers} < {see} < {depth motion device memory cameras} < {points render}"
    " < {official synthetic} < {build} < {families}"
    " < {output training} < {evaluation worker} < {cli}"
)
RANK = {
    name: rank
    for rank, names in enumerate(ORDER.replace("{", "").replace("}", "").split("<"))
    for name in names.split()
}


def core_modules() -> list[Path]:
    return sorted(CORE.rglob("*.py"))


def imported_modules(path: Path) -> set[str]:
    """Dotted names that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(module: str) -> str | None:
    """The first name below `cine3d_core`, if it is one of the ranked parts."""
    names = module.split(".")
    return names[1] if names[0] == "cine3d_core" and len(names) > 1 and names[1] in RANK else None


@pytest.mark.parametrize("path", core_modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_imports_point_downwards(path: Path):
    own = path.relative_to(CORE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    parts = {part for part in map(part_of, imported_modules(path)) if part and part != own}
    above = {part for part in parts if RANK[part] >= RANK[own] and RANK[part] > 0}
    assert not above, f"{own} imports from above: {above}"


def test_no_module_imports_itself_by_way_of_others():
    modules = {module_name(path): path for path in core_modules()}
    imports = {name: imported_modules(path) & set(modules) for name, path in modules.items()}
    packages = {name for name, path in modules.items() if path.name == "__init__.py"}
    while True:  # whoever imports only what is free of circles is free of circles
        free = {name for name, others in imports.items() if not others & (set(imports) - packages)}
        if not free:
            break
        imports = {name: others for name, others in imports.items() if name not in free}
    assert not imports


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_few_rooms_on_a_level():
    for folder in {path.parent for path in core_modules()}:
        rooms = [p for p in folder.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()]
        assert len(rooms) <= 30, folder


def test_what_the_extension_leaves_out_is_used_by_nothing_else():
    makers = {"training", "evaluation", "synthetic"}
    for path in core_modules():
        if path.relative_to(CORE).parts[0] not in makers:
            assert not makers & {part_of(module) for module in imported_modules(path)}, path


def test_the_core_never_imports_blender():
    for path in core_modules():
        roots = {name.split(".")[0] for name in imported_modules(path)}
        assert not roots & {"bpy", "mathutils", "bpy_extras", "blender_addon"}, path


def test_the_addon_never_imports_torch():
    for path in (ROOT / "blender_addon").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            alias.name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {
            (node.module or "").split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.level == 0
        }
        assert "torch" not in names, path


# The folders of the add-on, and the files beside them; a part may import from those on its left.
ADDON_ORDER = "names compat < worker < preferences scene < render < direct < ui < __init__"
ADDON_RANK = {
    name: rank for rank, names in enumerate(ADDON_ORDER.split("<")) for name in names.split()
}


def relative_imports(path: Path, folder: Path) -> set[str]:
    """Parts of the add-on that a file imports from, also inside functions."""
    inside = path.relative_to(folder).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        names = [*inside[: len(inside) - node.level + 1], *(node.module or "").split(".")]
        found |= {alias.name for alias in node.names} if not any(names) else {names[0]}
    return found


def test_imports_of_the_addon_point_downwards():
    folder = ROOT / "blender_addon"
    for path in folder.rglob("*.py"):
        own = path.relative_to(folder).parts[0].removesuffix(".py")
        if own not in {"development", "presets"}:
            above = {p for p in relative_imports(path, folder) if ADDON_RANK[p] > ADDON_RANK[own]}
            assert not above, f"{path.name} imports from above: {above}"


def test_importing_the_package_does_not_import_torch():
    code = "import sys, cine3d_core.scene, cine3d_core.cli; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "False"


def test_what_blenders_side_uses_of_the_core_does_not_import_torch():
    code = (
        "import sys, cine3d_core.worker.protocol, cine3d_core.files.scene.arrays, "
        "cine3d_core.imaging.driver, "
        "cine3d_core.files.scene.ply; print('torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "False"


def test_the_public_names_are_these():
    import cine3d_core

    assert cine3d_core.__all__ == [
        "BuildSettings",
        "InputError",
        "Shot",
        "__version__",
        "build_scene",
        "load_scene",
        "move_camera",
        "prepare",
        "render_frame",
        "save_scene",
    ]
    for name in cine3d_core.__all__:
        assert getattr(cine3d_core, name) is not None
