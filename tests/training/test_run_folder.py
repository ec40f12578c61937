"""What a run's folder promises: resumed only as it began, and never over something else."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganzoo_core
from ganzoo_core.errors import GanzooError, RunError
from ganzoo_core.training.checkpoints import checkpoints_in

Tiny = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tiny: Tiny, tmp_path: Path) -> Path:
    """A finished run of six steps, with checkpoints of steps 3 and 6."""
    ganzoo_core.train(out=tmp_path / "run", device="cpu", **tiny(checkpoint_every=3))
    return tmp_path / "run"


def forget_the_end(run: Path) -> None:
    shutil.rmtree(checkpoints_in(run / "checkpoints")[-1])


def logged_steps(run: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def state(run: Path) -> bytes:
    return (checkpoints_in(run / "checkpoints")[-1] / "state.safetensors").read_bytes()


def test_lines_of_steps_that_are_done_again_are_dropped(run: Path) -> None:
    forget_the_end(run)
    ganzoo_core.resume(run, device="cpu")
    assert logged_steps(run) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "end",
    [b'{"step": 4, "epoch": 0.0', b'{"step": 3}', b"\x00\x00\x00", b"\xff\xfe\n", b"[1]\n", b"\n"],
    ids=["cut off", "cut off at its end", "zeros", "not text", "not a line of ours", "empty"],
)
def test_a_line_that_was_cut_off_is_dropped(end: bytes, run: Path) -> None:
    forget_the_end(run)
    metrics = run / "metrics.jsonl"
    lines = metrics.read_bytes().splitlines(keepends=True)
    metrics.write_bytes(b"".join(lines[:3]) + end)
    ganzoo_core.resume(run, device="cpu")
    assert logged_steps(run) == [1, 2, 3, 4, 5, 6]


def test_a_lost_metrics_file_does_not_stop_a_run(run: Path) -> None:
    forget_the_end(run)
    (run / "metrics.jsonl").unlink()
    ganzoo_core.resume(run, device="cpu")
    assert logged_steps(run) == [4, 5, 6]


def test_seconds_count_over_all_resumptions(run: Path) -> None:
    forget_the_end(run)
    ganzoo_core.resume(run, device="cpu")
    seconds = [
        json.loads(line)["seconds"] for line in (run / "metrics.jsonl").read_text().splitlines()
    ]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize(
    ("setting", "value", "difference"),
    [
        ("training.ema", 0.5, "training.ema: 0.0 → 0.5"),
        ("training.batch_size", 16, "training.batch_size: 8 → 16"),
        ("training.seed", 1, "training.seed: 0 → 1"),
        ("training.precision", "bf16", 'training.precision: "fp32" → "bf16"'),
        ("generator.width", 24, "components.generator.config.width: 32 → 24"),
        ("trainer.share_fake", True, "components.trainer.config.share_fake: false → true"),
        ("trainer.generator_optimizer.lr", 0.5, "config.generator_optimizer.lr: 0.1 → 0.5"),
    ],
)
def test_other_settings_are_refused_with_the_difference(
    setting: str, value: object, difference: str, run: Path
) -> None:
    before = (run / "run.json").read_bytes()
    with pytest.raises(RunError, match=re.escape(difference)) as refusal:
        ganzoo_core.resume(run, device="cpu", settings={setting: value})
    assert str(run) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert (run / "run.json").read_bytes() == before


def test_all_differences_are_shown(run: Path) -> None:
    changed = {"training.clip": 1.0, "training.accumulate": 2}
    with pytest.raises(RunError, match=r"accumulate: 1 → 2; .*clip: 0.0 → 1.0"):
        ganzoo_core.resume(run, device="cpu", settings=changed)


def pictures(path: Path, seed: int) -> Path:
    images = np.random.default_rng(seed).integers(0, 256, (32, 8, 8, 1), dtype=np.uint8)
    path.parent.mkdir(exist_ok=True)
    np.savez(path, images=images)
    return path


def test_other_data_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    data = pictures(tmp_path / "data" / "pictures.npz", 1)
    arguments = tiny() | {"data": f"npz:{data}"}
    ganzoo_core.train(out=tmp_path / "run", device="cpu", **arguments)
    pictures(data, 2)
    with pytest.raises(RunError, match=r"data\.fingerprint: \S+ → \S+"):
        ganzoo_core.resume(tmp_path / "run", device="cpu")


def test_data_that_were_moved_are_taken_where_they_are_now(tiny: Tiny, tmp_path: Path) -> None:
    data = pictures(tmp_path / "data" / "pictures.npz", 1)
    arguments = tiny(checkpoint_every=3) | {"data": f"npz:{data}"}
    ganzoo_core.train(out=tmp_path / "run", device="cpu", **arguments)
    straight = state(tmp_path / "run")
    forget_the_end(tmp_path / "run")
    data.parent.rename(tmp_path / "moved")
    ganzoo_core.resume(
        tmp_path / "run", device="cpu", data=f"npz:{tmp_path / 'moved' / 'pictures.npz'}"
    )
    assert state(tmp_path / "run") == straight


def test_more_steps_are_those_of_a_run_that_was_longer_from_the_start(
    run: Path, tiny: Tiny, tmp_path: Path
) -> None:
    ganzoo_core.resume(run, device="cpu", settings={"training.steps": 9})
    ganzoo_core.train(out=tmp_path / "longer", device="cpu", **tiny(steps=9))
    assert state(run) == state(tmp_path / "longer")
    assert json.loads((run / "run.json").read_text())["blueprint"]["training"]["steps"] == 9


def test_fewer_steps_are_refused(run: Path) -> None:
    with pytest.raises(RunError, match="begun for 6 steps and cannot be resumed for only 4"):
        ganzoo_core.resume(run, device="cpu", settings={"training.steps": 4})


def test_intervals_may_change_and_change_no_weight(run: Path) -> None:
    straight = state(run)
    forget_the_end(run)
    intervals = {
        "training.log_every": 2,
        "training.checkpoint_every": 1,
        "training.sample_every": 2,
        "training.keep_checkpoints": 5,
    }
    ganzoo_core.resume(run, device="cpu", settings=intervals)
    assert state(run) == straight
    assert logged_steps(run) == [1, 2, 3, 4, 6]
    assert (run / "samples" / "step-00000004.png").exists()


def test_resuming_a_finished_run_changes_nothing(run: Path) -> None:
    before = state(run)
    ganzoo_core.resume(run, device="cpu")
    assert state(run) == before
    assert logged_steps(run) == [1, 2, 3, 4, 5, 6]


def a_missing_folder(place: Path) -> Path:
    return place / "missing"


def an_empty_folder(place: Path) -> Path:
    (place / "empty").mkdir()
    return place / "empty"


def a_file(place: Path) -> Path:
    (place / "file").write_text("hello")
    return place / "file"


def a_path_below_a_file(place: Path) -> Path:
    return a_file(place) / "run"


def a_name_that_is_too_long(place: Path) -> Path:
    return place / ("long" * 200)


def a_record(content: str) -> Callable[[Path], Path]:
    def written(place: Path) -> Path:
        (place / "odd").mkdir()
        (place / "odd" / "run.json").write_text(content)
        return place / "odd"

    return written


NOT_RUNS = {
    "missing": a_missing_folder,
    "empty folder": an_empty_folder,
    "file": a_file,
    "below a file": a_path_below_a_file,
    "too long a name": a_name_that_is_too_long,
    "cut off": a_record('{"schema": 1, "bluepr'),
    "a list": a_record("[1, 2]"),
    "another schema": a_record('{"schema": 999}'),
    "nothing in it": a_record('{"schema": 1}'),
    "odd values": a_record('{"schema": 1, "blueprint": 3, "data": "digits"}'),
}


@pytest.mark.parametrize("kind", NOT_RUNS)
def test_what_is_not_a_run_is_not_resumed(kind: str, tmp_path: Path) -> None:
    path = NOT_RUNS[kind](tmp_path)
    with pytest.raises(RunError) as refusal:
        ganzoo_core.resume(path, device="cpu")
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def a_folder_with_something_in_it(place: Path) -> Path:
    (place / "full").mkdir()
    (place / "full" / "thesis.tex").write_text("…")
    return place / "full"


def below_proc(place: Path) -> Path:
    return Path("/proc/ganzoo/run")


REFUSED_PLACES = {
    "file": (a_file, "is a file"),
    "below a file": (a_path_below_a_file, "not a directory"),
    "too long a name": (a_name_that_is_too_long, "name too long"),
    "something else": (a_folder_with_something_in_it, "not empty"),
    "not a disk": (below_proc, "cannot be written"),
}


@pytest.mark.parametrize("kind", REFUSED_PLACES)
def test_a_place_that_cannot_be_written_is_refused(kind: str, tiny: Tiny, tmp_path: Path) -> None:
    place, reason = REFUSED_PLACES[kind]
    path = place(tmp_path)
    before = {its: its.read_bytes() for its in tmp_path.rglob("*") if its.is_file()}
    with pytest.raises(RunError, match=f"(?i){reason}") as refusal:
        ganzoo_core.train(out=path, device="cpu", **tiny())
    assert "\n" not in str(refusal.value)
    assert {its: its.read_bytes() for its in tmp_path.rglob("*") if its.is_file()} == before


def test_a_run_is_not_overwritten(run: Path, tiny: Tiny) -> None:
    before = state(run)
    with pytest.raises(RunError, match="holds a run already; go on with it by --resume"):
        ganzoo_core.train(out=run, device="cpu", **tiny())
    assert state(run) == before


def test_a_folder_that_a_killed_start_left_can_be_used(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".run.json.123.partial").write_text("{")
    ganzoo_core.train(out=tmp_path / "run", device="cpu", **tiny())
    assert not list((tmp_path / "run").glob(".*"))


def test_a_batch_larger_than_the_data_is_refused_before_anything_is_written(
    tiny: Tiny, tmp_path: Path
) -> None:
    with pytest.raises(GanzooError, match="a batch of 1798 is larger than the 1797 images"):
        ganzoo_core.train(out=tmp_path / "run", device="cpu", **tiny(batch_size=1798))
    assert not (tmp_path / "run").exists()
