"""A run that was killed at any moment goes on bit for bit."""

import json
import random
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Apart, Start

from ganzoo_core.training.checkpoints import checkpoints_in, read_newest_checkpoint

STEPS, EVERY = 120, 8

KINDS: dict[str, dict[str, Any]] = {
    "dropout, schedule, accumulation and average": {
        "variant": "gan",
        "accumulate": 2,
        "ema": 0.9,
        "trainer.learning_rate_decay": 0.99,
    },
    "batch norm, Adam, clipping and average": {"variant": "dcgan", "clip": 0.5, "ema": 0.9},
    "a trainer that remembers, RMSprop and five critic steps": {
        "variant": "gan",
        "components": {"trainer": "ganzoo-plugin-probe/remembering"},
        "trainer.discriminator_steps": 5,
        "trainer.discriminator_optimizer.name": "rmsprop",
        "trainer.discriminator_optimizer.lr": 1e-3,
    },
    "16 bits with scaled gradients": {"variant": "dcgan", "precision": "fp16"},
    "networks that grow, stages with batches of their own and average": {
        "variant": "progan",
        "ema": 0.9,
        "trainer.batch_sizes": {8: 6, 16: 4},
    },
}


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def arguments(kind: str, tiny: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return tiny(**KINDS[kind], steps=STEPS, checkpoint_every=EVERY)


@pytest.fixture(scope="module")
def straight(
    arguments: dict[str, Any], start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run that nothing interrupted."""
    run = tmp_path_factory.mktemp("straight") / "run"
    done = start("train", out=str(run), **arguments)
    assert done.wait() == 0, done.said
    return run


def everything(run: Path) -> dict[str, bytes]:
    """Return all that two equal runs share, byte for byte."""
    last = checkpoints_in(run / "checkpoints")[-1]
    assert last.name == f"step-{STEPS:08d}"
    return {
        "state": (last / "state.safetensors").read_bytes(),
        "model": (run / "model" / "model.safetensors").read_bytes(),
        "losses": json.dumps(
            [(line["step"], line["losses"]) for line in map(json.loads, logged(run))]
        ).encode(),
    }


def logged(run: Path) -> list[str]:
    """Return the lines of all steps that were logged."""
    metrics = run / "metrics.jsonl"
    return metrics.read_text().splitlines() if metrics.exists() else []


def reached(run: Path, step: int) -> Callable[[], bool]:
    return lambda: (run / "run.json").exists() and len(logged(run)) >= step


def started(training: Apart) -> Callable[[], bool]:
    return lambda: "after step" in training.said


def begun(checkpoints: Path, step: int) -> Callable[[], bool]:
    return lambda: any(checkpoints.glob(f".step-{step:08d}.*.partial"))


def finish(start: Start, run: Path) -> Apart:
    last = start("resume", run=str(run))
    assert last.wait() == 0, last.said
    return last


def test_killed_at_arbitrary_moments(
    kind: str, arguments: dict[str, Any], straight: Path, start: Start, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    moments = random.Random(kind)
    training = start("train", out=str(run), **arguments)
    began_at: list[int] = []
    # In the order of training, so that each life goes on from what the one before had saved.
    for step in sorted(moments.sample(range(STEPS - EVERY), 6)):
        training.wait_until(reached(run, step))
        time.sleep(moments.uniform(0, 0.01))
        training.process.kill()
        training.wait()
        training = start("resume", run=str(run))
        training.wait_until(started(training))
        began_at += map(int, re.findall(r"after step (\d+)", training.said))
    assert training.wait() == 0, training.said
    assert any(0 < step < STEPS for step in began_at)
    assert everything(run) == everything(straight)


def test_killed_while_a_checkpoint_is_written(
    arguments: dict[str, Any], straight: Path, start: Start, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    checkpoints = run / "checkpoints"
    training = start("train", out=str(run), **arguments)
    caught = 0
    for step in range(EVERY, STEPS, EVERY):
        half_written = begun(checkpoints, step)
        training.wait_until(half_written)
        training.process.kill()
        training.wait()
        caught += half_written()
        # Whatever has the name of a checkpoint is a whole one.
        for path in checkpoints_in(checkpoints):
            assert sorted(its.name for its in path.iterdir()) == [
                "state.json",
                "state.safetensors",
            ]
        found = read_newest_checkpoint(checkpoints)
        assert found is None or found[2] == []
        if caught == 4:
            break
        training = start("resume", run=str(run))
    assert caught > 1
    finish(start, run)
    assert not list(checkpoints.glob(".*"))
    assert everything(run) == everything(straight)


def test_killed_while_the_model_is_written(
    tiny: Callable[..., dict[str, Any]], start: Start, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    training = start("train", out=str(run), **tiny())
    training.wait_until(lambda: any(run.glob(".model.*")))
    training.process.kill()
    assert training.wait() == -signal.SIGKILL
    assert not (run / "model").exists()
    finish(start, run)
    assert (run / "model" / "model.safetensors").exists()
    assert not list(run.glob(".*"))
