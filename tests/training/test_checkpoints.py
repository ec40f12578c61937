"""Checkpoints are whole or absent, and a damaged one is noticed."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Start

import ganzoo_core
from ganzoo_core.errors import CheckpointError, RunError
from ganzoo_core.training.checkpoints import (
    checkpoints_in,
    read_newest_checkpoint,
    write_checkpoint,
)
from ganzoo_core.training.run import Observer

Tiny = Callable[..., dict[str, Any]]


class Notes(Observer):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def noted(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def run(tiny: Tiny, tmp_path: Path) -> Path:
    """A finished run of six steps, with checkpoints of steps 2, 4 and 6."""
    arguments = tiny(checkpoint_every=2, keep_checkpoints=3)
    ganzoo_core.train(out=tmp_path / "run", device="cpu", **arguments)
    return tmp_path / "run"


def newest(run: Path) -> Path:
    return checkpoints_in(run / "checkpoints")[-1]


def cut_off(path: Path) -> None:
    file = path / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def flip_a_bit(path: Path) -> None:
    file = path / "state.safetensors"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 16
    file.write_bytes(content)


def lose_the_tensors(path: Path) -> None:
    (path / "state.safetensors").unlink()


def lose_the_facts(path: Path) -> None:
    (path / "state.json").unlink()


def cut_off_the_facts(path: Path) -> None:
    file = path / "state.json"
    file.write_bytes(file.read_bytes()[:20])


def change_the_position(path: Path) -> None:
    file = path / "state.json"
    content = file.read_text()
    position = json.loads(content)["facts"]["position"]
    file.write_text(content.replace(f'"position": {position}', f'"position": {position + 8}'))


def fill_with_zeros(path: Path) -> None:
    for file in path.iterdir():
        file.write_bytes(bytes(file.stat().st_size))


DAMAGES = [
    cut_off,
    flip_a_bit,
    lose_the_tensors,
    lose_the_facts,
    cut_off_the_facts,
    change_the_position,
    fill_with_zeros,
]


def test_nothing_in_a_checkpoint_can_run_code(run: Path) -> None:
    for path in checkpoints_in(run / "checkpoints"):
        assert sorted(file.name for file in path.iterdir()) == ["state.json", "state.safetensors"]


def test_only_the_newest_are_kept(tiny: Tiny, tmp_path: Path) -> None:
    arguments = tiny(steps=5, checkpoint_every=1, keep_checkpoints=2)
    ganzoo_core.train(out=tmp_path / "run", device="cpu", **arguments)
    kept = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()]
    assert sorted(kept) == ["step-00000004", "step-00000005"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_with_a_note(
    damage: Callable[[Path], None], run: Path
) -> None:
    state = (newest(run) / "state.safetensors").read_bytes()
    damaged = newest(run)
    damage(damaged)
    observer = Notes()
    ganzoo_core.resume(run, device="cpu", observer=observer)
    (note,) = observer.notes
    assert str(damaged) in note
    assert "damaged" in note
    assert (newest(run) / "state.safetensors").read_bytes() == state


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_error_says_that_all_checkpoints_are_damaged(
    damage: Callable[[Path], None], run: Path
) -> None:
    for path in checkpoints_in(run / "checkpoints"):
        damage(path)
    files = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(CheckpointError, match=r"^no checkpoint of this run can be read: .+$"):
        ganzoo_core.resume(run, device="cpu")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == files


def test_a_damaged_later_checkpoint_is_not_kept_instead_of_a_good_one(tmp_path: Path) -> None:
    tensors = {"weights": torch.ones(2)}
    for step in (500, 1000):
        write_checkpoint(tmp_path, step, tensors, {}, keep=2)
    flip_a_bit(tmp_path / "step-00001000")
    write_checkpoint(tmp_path, 510, tensors, {}, keep=1)
    assert [path.name for path in checkpoints_in(tmp_path)] == ["step-00000510"]


def test_the_newest_is_the_one_of_the_highest_step(tmp_path: Path) -> None:
    for step in (99_999_999, 100_000_000):
        write_checkpoint(tmp_path, step, {}, {"step": step}, keep=2)
    found = read_newest_checkpoint(tmp_path)
    assert found is not None
    assert found[1]["step"] == 100_000_000


def test_what_only_looks_like_a_checkpoint_is_left_alone(run: Path) -> None:
    copy = run / "checkpoints" / "step-00000004 of Monday"
    newest(run).rename(copy)
    ganzoo_core.resume(run, device="cpu")
    assert copy.exists()


def test_a_checkpoint_of_another_model_is_refused(run: Path, tiny: Tiny, tmp_path: Path) -> None:
    arguments = tiny(checkpoint_every=2)
    arguments["settings"]["generator.width"] = 24
    ganzoo_core.train(out=tmp_path / "other", device="cpu", **arguments)
    for path in checkpoints_in(run / "checkpoints"):
        for file in newest(tmp_path / "other").iterdir():
            (path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(CheckpointError, match="does not fit this model"):
        ganzoo_core.resume(run, device="cpu")


def test_a_full_disk_is_said_in_a_sentence_and_spoils_nothing(
    tiny: Tiny, start: Start, tmp_path: Path
) -> None:
    arguments = tiny(steps=6, checkpoint_every=2)
    straight = start("train", out=str(tmp_path / "straight"), **arguments)
    run = tmp_path / "run"
    full = start("train", out=str(run), **arguments, full_at=5)
    assert full.wait() == 2
    said = full.said.splitlines()[-1]
    assert re.fullmatch(r"RunError: .*step-00000006 cannot be written: .*[Ff]ile too large.*", said)
    assert "Traceback" not in full.said
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == [
        "step-00000002",
        "step-00000004",
    ]
    resumed = start("resume", run=str(run))
    assert resumed.wait() == 0, resumed.said
    assert straight.wait() == 0
    assert equal_states(run, tmp_path / "straight")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with half a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(disk)]
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_training_goes_on_once_the_disk_has_room_again(
    tiny: Tiny, small_disk: Path, tmp_path: Path
) -> None:
    arguments = tiny(steps=12, checkpoint_every=1, keep_checkpoints=100)
    run = small_disk / "run"
    with pytest.raises(RunError, match=r"cannot be written: .*[Nn]o space left on device") as full:
        ganzoo_core.train(out=run, device="cpu", **arguments)
    assert "\n" not in str(full.value)
    written = checkpoints_in(run / "checkpoints")
    assert written
    assert len(list((run / "checkpoints").iterdir())) == len(written)
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    ganzoo_core.resume(run, device="cpu")
    ganzoo_core.train(out=tmp_path / "straight", device="cpu", **arguments)
    assert equal_states(run, tmp_path / "straight")


def equal_states(one: Path, other: Path) -> bool:
    states = [(newest(run) / "state.safetensors").read_bytes() for run in (one, other)]
    return states[0] == states[1]


def test_leftovers_of_a_killed_process_are_cleared_away(run: Path) -> None:
    for place in (run, run / "checkpoints"):
        (place / f".step-00000009.{os.getpid()}.partial").mkdir()
        (place / f".run.json.{os.getpid()}.partial").touch()
        (place / f".step-00000001.{os.getpid()}.old" / "inner").mkdir(parents=True)
    ganzoo_core.resume(run, device="cpu")
    assert not list(run.rglob(".*"))
