"""The shelf of networks: tables, addresses, names, files added from files, records."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from tests.faults.case import Case, Command, Outcome, Workshop
from tests.hub_server import entry

Make = Callable[[Workshop], Sequence[Command]]
FILES = {"a.json": b'{"tiny": 1}', "b.onnx": b"\x08tiny"}
SOUND = entry("tiny", "fill", "onnx-migan", FILES)
GET = ["models", "get", "tiny", "--progress", "none"]


def at_home(shop: Workshop, text: Any = None) -> None:
    """A table of one entry, an empty models folder, and no hub to be reached."""
    content = json.dumps({"entries": [SOUND]}) if text is None else text
    os.environ["CINE3D_SHELF"] = str(shop.file("table.json", content))
    os.environ["CINE3D_MODELS"] = str(shop.output)
    os.environ["HF_HUB_OFFLINE"] = "1"


def table(text: str | bytes) -> Make:
    def make(shop: Workshop) -> list[Command]:
        at_home(shop, text)
        return [GET, ["models", "list"], ["models", "remove", "tiny"]]

    return make


def changed(**changes: Any) -> Make:
    return table(json.dumps({"entries": [{**SOUND, **changes}]}))


def file_of(record: Any) -> Make:
    return changed(files=[record])


def address(value: str) -> Make:
    def make(shop: Workshop) -> list[Command]:
        at_home(shop)
        del os.environ["HF_HUB_OFFLINE"]
        os.environ["HF_ENDPOINT"] = value
        return [GET]

    return make


def words(*arguments: str) -> Make:
    def make(shop: Workshop) -> list[Command]:
        at_home(shop)
        return [["models", *arguments]]

    return make


def brought(**files: bytes) -> Make:
    """Files that a person brings; `_` in a name stands for a dot."""

    def make(shop: Workshop) -> list[Command]:
        at_home(shop)
        for name, content in files.items():
            shop.file(f"brought/{name.replace('_', '.')}", content)
        return [["models", "add", "tiny", str(shop.inputs / "brought"), "--progress", "none"]]

    def with_folder(shop: Workshop) -> list[Command]:
        (shop.inputs / "brought").mkdir()
        return make(shop)

    return with_folder


def record(text: str) -> Make:
    """An installed entry whose record is damaged is as if it were not there."""

    def make(shop: Workshop) -> list[Command]:
        at_home(shop)
        os.environ["CINE3D_MODELS"] = str(shop.inputs / "models")
        (shop.inputs / "models/tiny").mkdir(parents=True)
        for name, content in FILES.items():
            shop.file(f"models/tiny/{name}", content)
        shop.file("models/tiny/shelf.json", text)
        return [["models", "list"], ["models", "verify"], ["models", "list", "--json"]]

    return make


GOOD_FILE = {"path": "a.json", "size": 10}
TABLES: dict[str, tuple[Outcome, Make]] = {
    "empty": ("refused", table("")),
    "half": ("refused", table('{"entries": [')),
    "a list": ("refused", table("[]")),
    "binary": ("refused", table(bytes(range(256)))),
    "brackets": ("refused", table("[" * 100_000)),
    "no entries": ("refused", table("{}")),
    "entries of null": ("refused", table('{"entries": null}')),
    "entries of numbers": ("refused", table('{"entries": [1]}')),
    "an entry of nothing": ("refused", table('{"entries": [{}]}')),
    "an entry twice": ("refused", table(json.dumps({"entries": [SOUND, SOUND]}))),
    "more than is known": ("refused", changed(colour="red")),
    "a name that climbs": ("refused", changed(name="../tiny")),
    "a name with a slash": ("refused", changed(name="a/b")),
    "a name with a line break": ("refused", changed(name="a\nb")),
    "a name of null": ("refused", changed(name=None)),
    "a name of 1000 letters": ("refused", changed(name="a" * 1000)),
    "another task": ("refused", changed(task="cooking")),
    "another kind": ("refused", changed(kind="os.system")),
    "a repository that climbs": ("refused", changed(repository="../../etc")),
    "a repository that is an address": ("refused", changed(repository="https://x/y")),
    "a repository without owner": ("refused", changed(repository="tiny")),
    "a revision of blanks": ("refused", changed(revision="  ")),
    "a revision with a question": ("refused", changed(revision="main?x=1")),
    "a rank of words": ("refused", changed(rank="first")),
    "a title of null": ("refused", changed(title=None)),
    "no files": ("refused", changed(files=[])),
    "files of words": ("refused", changed(files="a.json")),
    "a file of a word": ("refused", file_of("a.json")),
    "a file without size": ("refused", file_of({"path": "a.json"})),
    "a file that climbs": ("refused", file_of({**GOOD_FILE, "path": "../a.json"})),
    "a file from the root": ("refused", file_of({**GOOD_FILE, "path": "/etc/passwd"})),
    "a file of a drive": ("refused", file_of({**GOOD_FILE, "path": "C:\\a"})),
    "a file that is hidden": ("refused", file_of({**GOOD_FILE, "path": ".a"})),
    "a file of no bytes": ("refused", file_of({**GOOD_FILE, "size": 0})),
    "a file of minus one": ("refused", file_of({**GOOD_FILE, "size": -1})),
    "a file of half a byte": ("refused", file_of({**GOOD_FILE, "size": 0.5})),
    "a file of a yottabyte": ("refused", file_of({**GOOD_FILE, "size": 10**24})),
    "a checksum that is short": ("refused", file_of({**GOOD_FILE, "sha256": "abc"})),
    "a checksum of numbers": ("refused", file_of({**GOOD_FILE, "sha256": 7})),
    "a checksum in capitals": ("refused", file_of({**GOOD_FILE, "sha256": "A" * 64})),
}  # fmt: skip
ADDRESSES = ("ftp://hub", "file:///etc", "hub", "http://", "http://[::1", "http://hub:port",
             "javascript:alert(1)", "//hub", "http:///x")  # fmt: skip
ARGUMENTS: dict[str, Make] = {
    "get an unknown one": words("get", "nothing"),
    "get nothing": words("get"),
    "get one that climbs": words("get", "../tiny"),
    "get with a null": words("get", "ti\0ny"),
    "get while it is forbidden": words("get", "tiny"),
    "get one good and one not": words("get", "nothing", "tiny"),
    "remove what is not there": words("remove", "tiny"),
    "remove an unknown one": words("remove", "nothing"),
    "add without files": words("add", "tiny"),
    "add an unknown one": words("add", "nothing", "."),
    "add from nowhere": words("add", "tiny", "/nowhere/at/all"),
    "add a device": words("add", "tiny", "/dev/null"),
    "add with a null": words("add", "tiny", "/a\0b"),
}
BROUGHT: dict[str, tuple[Outcome, Make]] = {
    "an empty folder": ("refused", brought()),
    "one of two": ("refused", brought(a_json=FILES["a.json"])),
    "a web page for weights": ("refused", brought(a_json=FILES["a.json"], b_onnx=b"<html>")),
    "nothing for weights": ("refused", brought(a_json=FILES["a.json"], b_onnx=b"")),
    "other weights": ("refused", brought(a_json=FILES["a.json"], b_onnx=b"\x08other")),
    "no JSON": ("refused", brought(a_json=b"hello", b_onnx=FILES["b.onnx"])),
    "all that is wanted": ("survives", brought(a_json=FILES["a.json"], b_onnx=FILES["b.onnx"])),
}
RECORDS: dict[str, Make] = {
    "empty": record(""),
    "a list": record("[]"),
    "half": record('{"files": ['),
    "of nothing": record("{}"),
    "files of null": record('{"files": null, "commit": "", "came": "hub"}'),
    "files of words": record('{"files": ["a"], "commit": "", "came": "hub"}'),
    "of other files": record('{"files": [], "commit": "", "came": "hub"}'),
    "come from elsewhere": record('{"files": [], "commit": "", "came": "moon"}'),
}

CASES = (
    *(Case("shelf tables", name, outcome, make) for name, (outcome, make) in TABLES.items()),
    *(Case("hub addresses", value, "refused", address(value)) for value in ADDRESSES),
    *(Case("shelf commands", name, "refused", make) for name, make in ARGUMENTS.items()),
    *(Case("networks added", name, outcome, make) for name, (outcome, make) in BROUGHT.items()),
    *(Case("shelf records", name, "survives", make) for name, make in RECORDS.items()),
)
