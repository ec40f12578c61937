"""Ctrl-C and SIGTERM: training saves, says how to go on, and goes on bit for bit."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Start

import ganzoo_core
from ganzoo_core.errors import InterruptedTrainingError
from ganzoo_core.training.checkpoints import checkpoints_in
from ganzoo_core.training.run import Observer

Tiny = Callable[..., dict[str, Any]]

STEPS = 300


def logged(run: Path, steps: int) -> Callable[[], bool]:
    """Return a condition: so many steps have been logged."""
    metrics = run / "metrics.jsonl"
    return lambda: metrics.exists() and metrics.read_bytes().count(b"\n") >= steps


def state(run: Path) -> bytes:
    return (checkpoints_in(run / "checkpoints")[-1] / "state.safetensors").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(
    number: signal.Signals, tiny: Tiny, start: Start, tmp_path: Path
) -> None:
    arguments = tiny("dcgan", steps=STEPS, ema=0.9, checkpoint_every=0)
    straight = start("train", out=str(tmp_path / "straight"), **arguments)
    run = tmp_path / "run"
    training = start("train", out=str(run), **arguments)
    training.wait_until(logged(run, 3))
    training.send(number)
    assert training.wait() == 128 + number
    (saved,) = checkpoints_in(run / "checkpoints")
    step = int(saved.name.removeprefix("step-"))
    assert step < STEPS
    assert training.said.splitlines()[-1] == (
        f"InterruptedTrainingError: stopped after step {step} of {STEPS} and saved; "
        f"go on with: ganzoo train --resume {run}"
    )
    assert "Traceback" not in training.said
    assert not (run / "model").exists()
    resumed = start("resume", run=str(run))
    assert resumed.wait() == 0, resumed.said
    assert f"after step {step}" in resumed.said
    assert straight.wait() == 0
    assert state(run) == state(tmp_path / "straight")


def test_a_second_interrupt_ends_at_once(tiny: Tiny, start: Start, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = tiny(
        checkpoint_every=1,
        components={"trainer": "ganzoo-plugin-probe/troubled"},
        **{"trainer.sleep_at": 3},
    )
    training = start("train", out=str(run), **arguments)
    training.wait_until(lambda: "asleep" in training.said)
    training.send(signal.SIGINT)
    # It waits for the end of a step that takes ten minutes.
    time.sleep(0.5)
    assert training.process.is_alive()
    training.send(signal.SIGINT)
    assert training.wait() != 0
    assert "KeyboardInterrupt" in training.said
    assert [path.name for path in checkpoints_in(run / "checkpoints")] == [
        "step-00000001",
        "step-00000002",
    ]


def test_a_second_sigterm_changes_nothing(tiny: Tiny, start: Start, tmp_path: Path) -> None:
    run = tmp_path / "run"
    training = start("train", out=str(run), **tiny(steps=100_000))
    training.wait_until(logged(run, 3))
    training.send(signal.SIGTERM)
    training.send(signal.SIGTERM)
    assert training.wait() == 128 + signal.SIGTERM
    assert len(checkpoints_in(run / "checkpoints")) == 1


class Interrupting(Observer):
    """Sends this very process a signal in the middle of training."""

    def stepped(self, steps_done: int) -> None:
        if steps_done == 3:
            signal.raise_signal(signal.SIGTERM)


def test_the_error_carries_the_exit_code_and_handlers_are_put_back(
    tiny: Tiny, tmp_path: Path
) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    with pytest.raises(InterruptedTrainingError, match="stopped after step 3 of 6") as stopped:
        ganzoo_core.train(
            out=tmp_path / "run", device="cpu", observer=Interrupting(), **tiny(steps=6)
        )
    assert stopped.value.exit_code == 143
    assert [signal.getsignal(number) for number in numbers] == before
