"""Fetches the photographs that `tests/photo_notes` is about: `python -m tests.fetch_photos FOLDER`.

The photographs are not part of the project; each stays under its own licence. What is fetched, from
whom and under which licences is said first, and nothing is fetched without a yes. Every file is
asked for by the checksum that the list gives, so it is that file or none; it is then brought down
to the 1024 pixels at which the notes were made. Needs git and a way to the server.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2

from cine3d_core.errors import InputError
from cine3d_core.evaluation.notes.records import LIST_FILE, SPLITS, ListedPhoto, read_photo_list
from cine3d_core.files.atomic import replacing
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.files.pictures.pixels import rgb_bytes

LIST = Path(__file__).with_name("photo_notes") / LIST_FILE
SERVER = "https://github.com"
LONG_SIDE = 1024  # px
QUALITY = 95  # of the JPEG files: nothing to be seen of it


def wanted_photos(
    listed: Iterable[ListedPhoto], folder: Path, split: str, *, noted: bool
) -> list[ListedPhoto]:
    """The photographs of a split ("all": of every) that the folder lacks."""
    return [
        one
        for one in listed
        if split in ("all", one.split)
        and (one.noted or not noted)
        and not (folder / f"{one.name}.jpg").is_file()
    ]


def announcement(photos: Sequence[ListedPhoto], server: str, folder: Path) -> str:
    """What would be fetched, in words."""
    licences = Counter(one.licence for one in photos)
    places = len({one.repository for one in photos})
    return "\n".join(
        [
            f"{len(photos)} photographs of {places} repositories at {server} would be fetched into",
            f"{folder}. They are other people's, under these licences:",
            *(f"  {count:4} {licence}" for licence, count in licences.most_common()),
        ]
    )


def fetch(photos: Sequence[ListedPhoto], server: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Name of every photograph, and what is wrong with it; "" for those that came."""
    by_repository: dict[str, list[ListedPhoto]] = defaultdict(list)
    for one in photos:
        by_repository[one.repository].append(one)
    for repository, group in by_repository.items():
        with tempfile.TemporaryDirectory() as place:
            address, problem = f"{server}/{repository}", ""
            together = _fetch_blobs(address, group, Path(place))
            for one in group:
                if together:  # a file that the server lacks must not keep back the others
                    problem = _fetch_blobs(address, [one], Path(place))
                yield one.name, problem or _keep(one, Path(place), folder)


def _fetch_blobs(address: str, photos: Sequence[ListedPhoto], place: Path) -> str:
    """Puts files, and nothing of the history round them, into a repository at `place`."""
    _git(place, "init", "--quiet", "--bare")
    blobs = "".join(f"{one.blob}\n" for one in photos)
    options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--depth", "1", "--stdin")
    done = _git(place, "fetch", *options, address, given=blobs.encode())
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return "" if done.returncode == 0 else f"git could not fetch it ({said[-1] if said else '?'})"


def _keep(photo: ListedPhoto, place: Path, folder: Path) -> str:
    """Writes a fetched file at the size of the notes; says what is wrong."""
    content = _git(place, "cat-file", "blob", photo.blob).stdout
    if hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() != photo.blob:
        return "it is not the file that the list names"
    original = place / f"original{Path(photo.path).suffix}"
    original.write_bytes(content)
    try:
        pixels = rgb_bytes(read_photo(original, max_side=LONG_SIDE).rgb)
    except InputError as error:
        return str(error)
    _, code = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    with replacing(folder / f"{photo.name}.jpg") as temporary:
        temporary.write_bytes(code.tobytes())
    return ""


def _git(
    place: Path, command: str, *words: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    words = ("git", "-C", str(place), command, *words)
    return subprocess.run(words, input=given, capture_output=True, check=False)


def check_list(photos: Iterable[ListedPhoto]) -> None:
    """Refuses a list whose words could mean something else to git."""
    for one in photos:
        sound = re.fullmatch(r"[\w.-]+/[\w.-]+", one.repository) and re.fullmatch(
            r"[0-9a-f]{40}", one.blob
        )
        if not sound or not re.fullmatch(r"[\w.-]+", one.name):
            raise InputError(f"the list has no sound name, repository and blob for {one.name!r}")


def main(argv: Sequence[str] | None = None) -> int:
    """Asks, fetches, and returns 0 when everything is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the photographs go")
    parser.add_argument("--split", default="check", choices=(*SPLITS, "all"), help="(check)")
    parser.add_argument("--all", action="store_true", help="also those without outlines and pairs")
    parser.add_argument("--list", type=Path, default=LIST, help="the list of photographs")
    parser.add_argument("--from", dest="server", default=SERVER, help=f"({SERVER})")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    args = parser.parse_args(argv)
    listed = read_photo_list(args.list).values()
    photos = wanted_photos(listed, args.folder, args.split, noted=not args.all)
    check_list(photos)
    print(announcement(photos, args.server, args.folder))
    if not photos:
        return 0
    if not args.yes and input("Fetch them? [y/N] ").strip().lower() not in ("y", "yes"):
        print("nothing was fetched")
        return 1
    args.folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for number, (name, problem) in enumerate(fetch(photos, args.server, args.folder), 1):
        failed += bool(problem)
        print(f"{number}/{len(photos)} {name}{': ' if problem else ''}{problem}", flush=True)
    print(f"{len(photos) - failed} came, {failed} did not; run it again for what is missing")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
