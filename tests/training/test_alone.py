"""Only one process trains a run at a time, and a process that died leaves it free."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Start

import ganzoo_core

STEPS = 100_000
"""More than any test waits for."""


@pytest.fixture
def arguments(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> dict[str, Any]:
    return tiny(steps=STEPS, checkpoint_every=2) | {"out": str(tmp_path / "run")}


def test_a_run_that_is_being_trained_is_refused_and_free_once_its_process_was_killed(
    arguments: dict[str, Any], start: Start, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    first = start("train", **arguments)
    first.wait_until(lambda: list((run / "checkpoints").glob("step-*")))
    assert first.process.is_alive(), first.said

    second = start("resume", run=str(run))
    assert second.wait() == 2, second.said
    *_, sentence = second.said.strip().splitlines()
    assert f"RunError: {run} is being trained by another process" in sentence
    assert f"ganzoo train --resume {run}" in sentence
    assert first.process.is_alive(), first.said

    first.send(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    left = set((run / "checkpoints").glob("step-*"))
    third = start("resume", run=str(run))
    third.wait_until(lambda: set((run / "checkpoints").glob("step-*")) - left)
    third.send(signal.SIGTERM)
    assert third.wait() == 128 + signal.SIGTERM, third.said


def test_what_is_refused_changes_nothing_in_the_run(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    small = arguments["settings"] | {"training.steps": 2}
    ganzoo_core.train(**(arguments | {"settings": small}), device="cpu")
    files = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    program = (
        "import sys; from pathlib import Path; from ganzoo_core.training.run import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).held(): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ganzoo_core.GanzooError, match="is being trained by another process"):
            ganzoo_core.resume(run, device="cpu")
        other.communicate(b"")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == files


def test_a_lock_that_a_killed_process_left_in_an_empty_folder_stops_no_new_run(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.lock").touch()
    small = arguments["settings"] | {"training.steps": 2}
    ganzoo_core.train(**(arguments | {"settings": small}), device="cpu")
    assert (tmp_path / "run" / "model" / "config.json").is_file()
