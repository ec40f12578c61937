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
        described = dict(facts) | {"sha256": _sha256(partial / TENSORS)}
        (partial / FACTS).write_text(json.dumps(described, indent=2), encoding="utf-8")
    for old in checkpoints_in(folder)[:-keep]:
        discard_folder(old)
    return path


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the complete checkpoints of a run, oldest first."""
    return sorted(folder.glob("step-*")) if folder.is_dir() else []


def read_newest_checkpoint(
    folder: Path, device: str
) -> tuple[dict[str, Tensor], dict[str, Any], list[str]] | None:
    """Read the newest undamaged checkpoint.

    Returns:
        its tensors, its facts, and a sentence for each newer one that is damaged; None where the
        run has no checkpoint at all.

    Raises:
        CheckpointError: every checkpoint of the run is damaged.
    """
    damaged: list[str] = []
    for path in reversed(checkpoints_in(folder)):
        try:
            return *_read(path, device), damaged
        except CheckpointError as error:
            damaged.append(str(error))
    if damaged:
        raise CheckpointError(f"no checkpoint of this run can be read: {damaged[0]}")
    return None


def _read(path: Path, device: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        facts = json.loads((path / FACTS).read_bytes())
        if facts["sha256"] != _sha256(path / TENSORS):
            raise CheckpointError(f"the checkpoint {path} is damaged (its hash differs)")
        tensors = load_file(path / TENSORS, device=device)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"the checkpoint {path} is damaged ({error})") from None
    # A generator's state lives on the CPU whatever the device.
    tensors["noise"] = tensors["noise"].cpu()
    return tensors, facts


def _plain(tensor: Tensor) -> Tensor:
    # safetensors stores rows in order; the memory format comes back with load_state_dict.
    return tensor.detach().cpu().contiguous().clone()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
