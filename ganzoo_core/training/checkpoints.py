"""Checkpoints: everything needed to go on bit for bit, written whole or not at all.

A checkpoint is a folder `step-00001000` with one safetensors file and one JSON file; nothing in it
can run code. It appears under its name only when all of it is on the disk.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ganzoo_core.errors import CheckpointError
from ganzoo_core.files import discard_folder, whole_folder

TENSORS = "state.safetensors"
FACTS = "state.json"


def write_checkpoint(
    folder: Path, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], keep: int
) -> Path:
    """Write a checkpoint into `folder`, then remove all but the newest `keep`.

    Raises:
        RunError: the disk is full or read-only; earlier checkpoints stay as they were.
    """
    from safetensors.torch import save_file

    path = folder / f"step-{step:08d}"
    with whole_folder(path) as partial:
        save_file({name: _plain(tensor) for name, tensor in tensors.items()}, partial / TENSORS)
        described = {"facts": facts, "sha256": _sha256(partial / TENSORS, facts)}
        (partial / FACTS).write_text(json.dumps(described, indent=2), encoding="utf-8")
    found = checkpoints_in(folder)
    # A later one was damaged and passed over: it must not count among the newest.
    kept = [its for its in found if _step(its) <= step][-keep:]
    for old in found:
        if old not in kept:
            discard_folder(old)
    return path


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the complete checkpoints of a run, oldest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.glob("step-*") if path.name[5:].isdecimal()]
    return sorted(found, key=_step)


def read_newest_checkpoint(
    folder: Path,
) -> tuple[dict[str, Tensor], dict[str, Any], list[str]] | None:
    """Read the newest undamaged checkpoint.

    Returns:
        its tensors on the CPU, its facts, and a sentence for each newer one that is damaged; None
        where the run has no checkpoint at all.

    Raises:
        CheckpointError: every checkpoint of the run is damaged.
    """
    damaged: list[str] = []
    for path in reversed(checkpoints_in(folder)):
        try:
            return *_read(path), damaged
        except CheckpointError as error:
            damaged.append(str(error))
    if damaged:
        raise CheckpointError(f"no checkpoint of this run can be read: {damaged[0]}")
    return None


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        described = json.loads((path / FACTS).read_bytes())
        facts = described["facts"]
        if described["sha256"] != _sha256(path / TENSORS, facts):
            raise CheckpointError(f"the checkpoint {path} is damaged (its hash differs)")
        tensors = load_file(path / TENSORS)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"the checkpoint {path} is damaged ({error})") from None
    return tensors, facts


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _plain(tensor: Tensor) -> Tensor:
    # safetensors stores rows in order; the memory format comes back with load_state_dict.
    return tensor.detach().cpu().contiguous().clone()


def _sha256(tensors: Path, facts: Mapping[str, Any]) -> str:
    with tensors.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(json.dumps(facts, sort_keys=True).encode())
    return digest.hexdigest()
