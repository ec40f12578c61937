"""Run as a script: reads every file of a folder while an audit hook writes down what happens.

    python watched_reader.py FOLDER CANARY_FOLDER {ganzoo,pickle}

Prints a JSON object: for each file its outcome ("content", "sentence", "escaped" or "endless"),
what it said, and the audited events of its reading. `pickle` reads with the standard library, which
shows that the watch does see a file that runs something.
"""

import copyreg
import json
import pickle
import resource
import signal
import sys
import traceback
from pathlib import Path

import numpy
import torch
from safetensors.torch import load_file, save_file

from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub.authors_files import Inert, Named, read_authors_file, state_dict_of

SECONDS_FOR_A_FILE = 60
SPARE_MEMORY = 700 * 2**20


def main(folder: Path, canaries: Path, reader: str) -> None:
    copyreg.add_extension("os", "system", 200)
    warm_up(canaries.parent)
    limit_memory()
    signal.signal(signal.SIGALRM, too_long)
    watched: list[str] | None = None
    current = ""

    def watch(event: str, args: tuple[object, ...]) -> None:
        nonlocal watched
        if watched is not None and not harmless(event, args, current):
            watched.append(f"{event} {str(args)[:200]}")

    sys.addaudithook(watch)
    report = {}
    for path in sorted(folder.iterdir()):
        current = str(path)
        before = names_in(canaries)
        signal.alarm(SECONDS_FOR_A_FILE)
        watched = []
        outcome, said = read(path, reader)
        events, watched = watched, None
        signal.alarm(0)
        appeared = sorted(names_in(canaries) - before)
        report[path.name] = {
            "outcome": outcome,
            "said": said,
            "events": events,
            "canaries": appeared,
            "missing": sorted(before - names_in(canaries)),
        }
    print(json.dumps(report))


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def read(path: Path, reader: str) -> tuple[str, str]:
    try:
        if reader == "pickle":
            return "content", str(type(pickle.loads(path.read_bytes())))
        found = read_authors_file(path)
        try:
            state_dict_of(found)
        except CheckpointError as error:
            return "content", str(error)
        return "content", describe(found.content)
    except CheckpointError as error:
        return "sentence", str(error)
    except KeyboardInterrupt:
        return "endless", ""
    except BaseException:
        return "escaped", traceback.format_exc()


def describe(content: object) -> str:
    is_record = isinstance(content, Inert | Named)
    return repr(content) if is_record else type(content).__name__


def harmless(event: str, args: tuple[object, ...], current: str) -> bool:
    return event == "open" and str(args[0]) == current and args[1] in ("r", "rb")


def warm_up(folder: Path) -> None:
    """Do all imports that reading needs, so that each import seen later is the file's doing."""
    sample = {"weight": torch.ones(2), "half": torch.ones(2).half()}
    for name, new in (("new", True), ("old", False)):
        path = folder / f"warm-{name}"
        torch.save(sample, path, _use_new_zipfile_serialization=new)
        state_dict_of(read_authors_file(path))
    path = folder / "warm-tensors"
    save_file(sample, path)
    load_file(path)
    read_authors_file(path)
    path.write_bytes(pickle.dumps({"a": numpy.ones(3), "b": numpy.float32(1)}, protocol=2))
    state_dict_of(read_authors_file(path))
    path.write_bytes(b"\xffbroken")
    for wrong in (path, folder / "absent"):
        try:
            read_authors_file(wrong)
        except CheckpointError as error:
            str(error)


def limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_MEMORY, used + SPARE_MEMORY))


def too_long(signal_number: int, frame: object) -> None:
    # Not an Exception, which the reader would take for damage in the file.
    raise KeyboardInterrupt("too long")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
