"""`cine3d evaluate notes PHOTOS NOTES -o OUT`: what `build` sees, against notes made by looking.

photographs -> looked at, one by one -> OUT/predictions -> scored -> table, scores.json, worst.jpg

A run that was stopped goes on where it was: what OUT holds is kept where it was made by the same
program, networks and settings from the same photograph and notes, and made again otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import cine3d_core
from cine3d_core.errors import InputError
from cine3d_core.evaluation.notes import look
from cine3d_core.evaluation.notes.records import (
    LIST_FILE,
    SPLITS,
    PhotoNotes,
    read_all_notes,
    read_photo_list,
)
from cine3d_core.evaluation.notes.scores import (
    PhotoScores,
    as_json,
    badness,
    faults,
    score_blind,
    score_photo,
    summarise,
    table,
)
from cine3d_core.evaluation.notes.seen import read_seen, write_seen
from cine3d_core.evaluation.notes.strip import Picture, draw_sheet, draw_strip
from cine3d_core.evaluation.notes.trivial import blind
from cine3d_core.files.atomic import replacing
from cine3d_core.files.inputs import input_file, sha256_of
from cine3d_core.files.models.store import list_models
from cine3d_core.files.pictures.pixels import rgb_bytes
from cine3d_core.motion.draw import draw_motion
from cine3d_core.settings import BuildSettings

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp")
WORST = 12  # photographs on the sheet
# What these hold does not decide what `build` sees in a photograph.
_NOT_LOOKING = ("evaluation", "training", "worker", "cli")


@dataclass(frozen=True)
class Case:
    """One photograph with its notes."""

    notes: PhotoNotes
    photo: Path


def find_cases(photos: Path, notes: Mapping[str, PhotoNotes], names: Sequence[str]) -> list[Case]:
    """The photographs of those names.

    Raises:
        InputError: notes or photographs are missing.
    """
    unknown = [name for name in names if name not in notes]
    if unknown:
        raise InputError(f"there are no notes of {_some(unknown)}; correct the names")
    found = {name: _file_of(photos, name) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise InputError(
            f"{photos} lacks {len(missing)} of {len(names)} photographs: {_some(missing)}; get "
            "them as docs/photo-notes.md says, or name those that are there with --names"
        )
    return [Case(notes[name], path) for name, path in found.items() if path is not None]


def look_at_all(
    cases: Sequence[Case], settings: BuildSettings, output: Path
) -> Iterator[tuple[Case, PhotoScores, float]]:
    """Every case with its scores and the seconds it took; 0 where OUT held it already.

    Raises:
        InputError: a photograph cannot be used, or OUT cannot be written.
    """
    predictions, strips = output / "predictions", output / "photos"
    for folder in (predictions, strips):
        folder.mkdir(parents=True, exist_ok=True)
    program = _program()
    for case in cases:
        name, started = case.notes.name, time.perf_counter()
        mark = _mark(case, settings, program)
        if _is_kept(predictions / f"{name}.json", mark):
            yield case, score_photo(case.notes, read_seen(predictions, name)), 0.0
            continue
        scores = _look_at(case, settings, predictions, strips)
        _write_text(predictions / f"{name}.json", json.dumps({"made_from": mark}) + "\n")
        yield case, scores, time.perf_counter() - started


def _look_at(case: Case, settings: BuildSettings, predictions: Path, strips: Path) -> PhotoScores:
    notes, directed = case.notes, look.look(case.photo, settings)
    for left_over in predictions.glob(f"{notes.name}.*"):  # of other notes or settings
        left_over.unlink()
    of_arrows = look.flow_of_arrows(case.photo, notes, settings, predictions, directed.photo)
    write_seen(look.seen_in(directed, notes, of_arrows), predictions, notes.name)
    seen = read_seen(predictions, notes.name)  # scored as others will read it
    scores = score_photo(notes, seen)
    motion = rgb_bytes(draw_motion(directed.photo.rgb, directed.motion))
    strip = draw_strip(rgb_bytes(directed.photo.rgb), motion, notes, seen, scores)
    _write_picture(strips / f"{notes.name}.jpg", strip)
    return scores


def _program() -> str:
    """A checksum of everything that decides what is seen: the program's sources and networks."""
    root = Path(cine3d_core.__file__).parent
    sources = sorted(
        p for p in root.rglob("*.py") if p.relative_to(root).parts[0] not in _NOT_LOOKING
    )
    facts = [[str(path.relative_to(root)), sha256_of(path)] for path in sources]
    facts += [[info.name, info.sha256] for info in list_models()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _mark(case: Case, settings: BuildSettings, program: str) -> str:
    noted = json.dumps(asdict(case.notes), default=np.ndarray.tolist)
    facts = [program, sha256_of(case.photo), repr(settings), noted]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _is_kept(stamp: Path, mark: str) -> bool:
    try:
        return json.loads(stamp.read_text(encoding="utf-8")) == {"made_from": mark}
    except (OSError, ValueError):  # never written, or cut off: made anew
        return False


def _file_of(photos: Path, name: str) -> Path | None:
    found = (photos / f"{name}{extension}" for extension in EXTENSIONS)
    return next((path for path in found if path.is_file()), None)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def write_worst(scored: Sequence[tuple[Case, PhotoScores]], output: Path) -> Path:
    """The contact sheet of the photographs that came out worst, the worst first."""
    worst = sorted(scored, key=lambda one: (-badness(one[1]), one[0].notes.name))[:WORST]
    strips, captions = [], []
    for case, scores in worst:
        picture = cv2.imread(str(output / "photos" / f"{case.notes.name}.jpg"))
        if picture is not None:
            strips.append(np.ascontiguousarray(picture[..., ::-1]))
            said = ", ".join(f"{what} {share:.2f}" for what, share in faults(scores).items())
            captions.append(f"{case.notes.name}: {badness(scores):.2f} wrong ({said})")
    path = output / "worst.jpg"
    _write_picture(path, draw_sheet(strips, captions))
    return path


def write_scores(
    scored: Sequence[tuple[Case, PhotoScores]], output: Path, facts: Mapping[str, Any]
) -> str:
    """Writes `scores.json` and returns the table.

    Beside the rows: what was measured (`facts`), the networks installed, and every photograph's
    faults.
    """
    found = summarise([scores for _, scores in scored])
    guess = blind()
    trivial = summarise([score_blind(case.notes, guess) for case, _ in scored])
    content = {
        **as_json(found, trivial),
        **facts,
        "photographs": len(scored),
        "networks": {info.name: info.sha256 for info in list_models()},
        "faults": {case.notes.name: dict(faults(scores)) for case, scores in scored},
    }
    _write_text(output / "scores.json", json.dumps(content, indent=1) + "\n")
    return table(found, trivial, method="found")


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _write_picture(path: Path, picture: Picture) -> None:
    _, code = cv2.imencode(path.suffix, picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    with replacing(path) as temporary:
        temporary.write_bytes(code.tobytes())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the inputs of the evaluation against notes to a parser."""
    parser.add_argument("photos", type=Path, help="folder with NAME.jpg or .png")
    parser.add_argument("notes", type=Path, help="folder of the notes")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--split", default="check", choices=SPLITS, help="part of the list of photographs (check)"
    )
    which.add_argument("--names", type=Path, metavar="FILE", help="list of photographs to measure")
    parser.add_argument("--list", type=Path, help=f"the list ({LIST_FILE} with or above the notes)")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="measure the first N photographs only"
    )
    parser.add_argument("--size", type=int, default=1280, help="long side, pixels (1280)")
    parser.add_argument("--depth", metavar="NAME|FOLDER", help="depth network, as cine3d build has")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (auto)")


def run(args: argparse.Namespace) -> None:
    """Looks at the photographs, prints the table, writes scores and sheets."""
    if args.limit is not None and args.limit < 1:
        raise InputError(f"--limit {args.limit} leaves nothing to measure; give 1 or more")
    notes = read_all_notes(args.notes)
    names = _chosen(args, notes)[: args.limit]
    cases = find_cases(args.photos, notes, names)
    settings = BuildSettings(size=args.size, depth=args.depth, device=args.device)
    scored: list[tuple[Case, PhotoScores]] = []
    for case, scores, seconds in look_at_all(cases, settings, args.output):
        scored.append((case, scores))
        took = f"{seconds:.1f} s" if seconds else "kept"
        print(f"{len(scored)}/{len(cases)} {case.notes.name}: {took}", file=sys.stderr, flush=True)
    facts = {"split": None if args.names else args.split, "size": args.size, "depth": args.depth}
    print(write_scores(scored, args.output, facts))
    print(f"{args.output / 'scores.json'}: {len(scored)} photographs; the worst of them:")
    print(write_worst(scored, args.output))


def _chosen(args: argparse.Namespace, notes: Mapping[str, PhotoNotes]) -> list[str]:
    if args.names is not None:
        text = input_file(args.names, "list of names").read_text(encoding="utf-8")
        names = list(dict.fromkeys(text.split()))
    else:
        beside = (args.notes / LIST_FILE, args.notes.parent / LIST_FILE)
        path = args.list or next((p for p in beside if p.is_file()), beside[0])
        listed = read_photo_list(path)
        names = [n for n, one in listed.items() if one.split == args.split and n in notes]
    if not names:
        raise InputError("no photograph was chosen; name another split or other names")
    return names
