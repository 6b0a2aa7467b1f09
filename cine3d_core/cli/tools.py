"""`cine3d doctor`, `demo`, `models`, `train`, `evaluate` and `worker`."""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable

from cine3d_core.cli.say import add_progress, say
from cine3d_core.errors import InputError


def add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`cine3d doctor`."""
    doctor = commands.add_parser("doctor", help="check this installation and say what is missing")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run=_doctor)


def add_demo(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], run: Callable[[list[str]], None]
) -> None:
    """`cine3d demo`; `run` does what a list of words says."""
    demo = commands.add_parser("demo", help="build and render the bundled sample photo")
    demo.add_argument("-o", "--output", default="sample.mp4", metavar="OUT.mp4|.webm|.gif|FOLDER")
    demo.add_argument("--size", type=int, default=640, help="long side, pixels (640)")
    add_progress(demo)
    demo.set_defaults(run=lambda args: _demo(args, run))


def add_worker(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`cine3d worker`."""
    worker = commands.add_parser("worker", help="serve jobs over stdin and stdout, for Blender")
    worker.set_defaults(run=_worker)


def _doctor(args: argparse.Namespace) -> None:
    from cine3d_core.cli.doctor import examine

    findings = examine()
    if args.json:
        say(json.dumps([vars(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            say(f"{'ok ' if finding.ok else 'NO '} {finding.subject}: {finding.text}")
    wanting = [finding.subject for finding in findings if not finding.ok]
    if wanting:
        raise InputError(f"problems found with: {', '.join(wanting)}; see the fix beside each NO")


def _demo(args: argparse.Namespace, run: Callable[[list[str]], None]) -> None:
    import tempfile

    from cine3d_core.files.inputs import sample_folder

    sample = sample_folder()
    with tempfile.TemporaryDirectory() as folder:
        scene, size = f"{folder}/sample.cine3d", str(args.size)
        photo, hints = str(sample / "photo.jpg"), str(sample / "hints.json")
        for words in (
            ["build", photo, "--hints", hints, "-o", scene, "--size", size],
            ["render", scene, "-o", args.output],
        ):
            run([*words, "--progress", args.progress])


def add_models(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`cine3d models`."""
    from cine3d_core.cli.models import add_actions

    models = commands.add_parser("models", help="list, get, add, remove, verify, import networks")
    add_actions(models.add_subparsers(required=True, metavar="ACTION"))


# Subject -> module below `cine3d_core` with `add_arguments` and `run`.
_TRAINING = {name: f"training.{name}.command" for name in ("see", "motion", "inpaint", "render")}
_EVALUATION = {
    "renderer": "evaluation.renderer.measure",
    "notes": "evaluation.notes.measure",
    **{
        name: f"evaluation.{name}"
        for name in ("depth", "motion", "stereo", "photos", "fluid", "inpainting")
    },
}


def add_learning(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`cine3d train` and `cine3d evaluate`."""
    for verb, help_text, modules in (
        ("train", "train a network (cine3d train see --help)", _TRAINING),
        ("evaluate", "measure quality against truth (cine3d evaluate depth --help)", _EVALUATION),
    ):
        parser = commands.add_parser(verb, help=help_text)
        parser.add_argument("subject", choices=tuple(modules))
        parser.add_argument("arguments", nargs=argparse.REMAINDER)
        parser.set_defaults(run=_learn, verb=verb, modules=modules)


def _learn(args: argparse.Namespace) -> None:
    try:
        module = importlib.import_module(f"cine3d_core.{args.modules[args.subject]}")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("cine3d_core"):
            raise
        raise InputError(
            f"the core in Blender's extension comes without `cine3d {args.verb}`; install cine3d "
            "with pip to use it"
        ) from error
    parser = argparse.ArgumentParser(prog=f"cine3d {args.verb} {args.subject}")
    module.add_arguments(parser)
    module.run(parser.parse_args(args.arguments))


def _worker(args: argparse.Namespace) -> None:
    from cine3d_core.worker.program import main as serve

    serve()
