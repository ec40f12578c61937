"""Two processes train as one does on the joined batch."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apart
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import ganzoo_core
from ganzoo_core.training.checkpoints import checkpoints_in

Tiny = Callable[..., dict[str, Any]]

PATIENCE = 300
"""Seconds after which two processes count as hung."""

MIXED = {"trainer.discriminator_steps": 2, "trainer.learning_rate_decay": 0.9}

KINDS: dict[str, dict[str, Any]] = {
    "no batch norm": {"variant": "gan", "ema": 0.9, "clip": 0.5, **MIXED},
    "accumulated": {"variant": "gan", "accumulate": 2, "batch_size": 4},
    "synced": {"variant": "dcgan", "batch_norm": "synced", "ema": 0.9},
    "synced in 16 bits": {"variant": "dcgan", "batch_norm": "synced", "precision": "bf16"},
    "local": {"variant": "dcgan"},
    "growing": {
        "variant": "progan",
        "ema": 0.9,
        "trainer.batch_sizes": {8: 4, 16: 2},
        # Each process compares the images of its own share; alone, an image has no variance.
        "discriminator.group": 1,
    },
}


def accelerate() -> list[str]:
    """Return the words before a program, for two processes without a GPU.

    Accelerate's `--cpu` would start them by MPI alone, and without MPI one process in all.
    """
    options = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    options += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    options += ["--main_process_port", str(free_port())]
    return [sys.executable, "-m", "accelerate.commands.launch", *options]


def ganzoo() -> list[str]:
    """Return the words before a program, for the processes of `ganzoo train --processes 2`."""
    program = "import sys; from ganzoo_core.training.launch import launch; "
    return [sys.executable, "-c", program + "sys.exit(launch(sys.argv[1:], 2))"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    hidden = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **hidden, "PYTHONPATH": os.pathsep.join(sys.path)}


@dataclass(frozen=True)
class Jobs:
    """What two processes do in a folder, and what they leave there."""

    folder: Path
    cache: Path

    def run(self, name: str) -> Path:
        """Return the folder of a run."""
        return self.folder / name.replace(" ", "-")

    def said(self, name: str) -> list[str]:
        """Return what each of the two processes said while it did a job."""
        return [(self.folder / f"{name}.log.{rank}").read_text() for rank in (0, 1)]

    def train(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the job of a training."""
        return self._job("train", name, {**arguments, "out": str(self.run(name))})

    def resume(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the job of going on with a run."""
        return self._job("resume", name, {**arguments, "run": str(self.run(name))})

    def _job(self, verb: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        log = str(self.folder / f"{name}.log")
        job = {"verb": verb, "arguments": arguments, "cache": str(self.cache)}
        return {"task": "run", "log": log, **job}

    def start(self, launcher: list[str], jobs: list[dict[str, Any]]) -> subprocess.Popen[str]:
        """Start two processes that do `jobs` one after the other."""
        file = self.folder / "jobs.json"
        file.write_text(json.dumps(jobs))
        return subprocess.Popen(
            [*launcher, apart.__file__, str(file)],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def ended(launch: subprocess.Popen[str]) -> tuple[str, int]:
    """Wait for the end of a launcher and return what it said and its exit code."""
    try:
        said, _ = launch.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        launch.terminate()  # unlike a kill it reaches the processes
        said, _ = launch.communicate()
        pytest.fail(f"two processes hang: {said}")
    return said, launch.returncode


@pytest.fixture(scope="module")
def launched(tiny: Tiny, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    """Several jobs done by two processes that Accelerate started."""
    jobs = Jobs(tmp_path_factory.mktemp("launched"), cache)
    todo = [jobs.train(name, tiny(**kind)) for name, kind in KINDS.items()]
    normalised = str(jobs.folder / "normalised")
    todo.append({"task": "normalise", "out": normalised, "log": f"{normalised}.log"})
    settled = str(jobs.folder / "settled")
    settings = tiny("dcgan")["settings"]
    job = {"settings": settings, "out": settled, "cache": str(cache)}
    todo.append({"task": "settle", "log": f"{settled}.log", **job})
    troubled = {"components": {"trainer": "ganzoo-plugin-probe/troubled"}, "trainer.rank": 1}
    overflow = {"precision": "fp16", "trainer.nan_gradient_at": 3}
    todo.append(jobs.train("overflow", tiny(**troubled, **overflow)))
    todo.append(jobs.train("odd", tiny(batch_size=9)))
    todo.append(jobs.train("nan", tiny(**troubled, **{"trainer.nan_loss_at": 3})))
    said, code = ended(jobs.start(accelerate(), todo))
    # The last two jobs end in an error that a user can mend.
    assert (jobs.folder / "nan.log.1").exists(), said
    assert code != 0
    return jobs


@pytest.fixture
def alone(tiny: Tiny, tmp_path: Path) -> Callable[[str], Path]:
    """Do the same training in one process."""

    def train(name: str) -> Path:
        ganzoo_core.train(out=tmp_path / "alone", device="cpu", **tiny(**KINDS[name]))
        return tmp_path / "alone"

    return train


def losses(run: Path) -> list[dict[str, float]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    found = [{"step": line["step"], "epoch": line["epoch"], **line["losses"]} for line in lines]
    assert len(found) == 6
    return found


def final(run: Path) -> dict[str, Tensor]:
    return load_file(checkpoints_in(run / "checkpoints")[-1] / "state.safetensors")


@pytest.mark.parametrize("name", ["no batch norm", "accumulated", "synced", "growing"])
def test_losses_and_weights_are_those_of_the_joined_batch(
    name: str, launched: Jobs, alone: Callable[[str], Path]
) -> None:
    one, two = alone(name), launched.run(name)
    for its, theirs in zip(losses(one), losses(two), strict=True):
        assert theirs == pytest.approx(its, rel=1e-4, abs=1e-5)
    state, same = final(one), final(two)
    assert same.keys() == state.keys()
    for key, tensor in state.items():
        torch.testing.assert_close(same[key], tensor, rtol=1e-3, atol=2e-5)


def test_synced_batch_norm_trains_in_16_bits(launched: Jobs, alone: Callable[[str], Path]) -> None:
    name = "synced in 16 bits"
    for its, theirs in zip(losses(alone(name)), losses(launched.run(name)), strict=True):
        assert theirs == pytest.approx(its, rel=0.05, abs=0.05)


@pytest.mark.parametrize("name", ["no batch norm", "accumulated", "synced", "growing"])
def test_training_moves_weights_by_more_than_rounding(
    name: str, launched: Jobs, tiny: Tiny, tmp_path: Path
) -> None:
    """Otherwise the comparison above would say nothing."""
    ganzoo_core.train(out=tmp_path / "one", device="cpu", **tiny(**KINDS[name] | {"steps": 1}))
    first, last = final(tmp_path / "one"), final(launched.run(name))
    for role in ("generator", "discriminator"):
        moved = [
            (last[key] - weight).abs().max().item()
            for key, weight in first.items()
            if key.startswith(f"networks/{role}/") and key.endswith("weight")
        ]
        assert max(moved) > 5e-4


def test_only_one_process_writes(launched: Jobs) -> None:
    for name in KINDS:
        assert losses(launched.run(name))  # six lines, not twelve
        record = json.loads((launched.run(name) / "run.json").read_text())
        assert record["processes"] == 2
        ganzoo_core.load(launched.run(name)).sample(2)


def test_local_batch_norm_says_what_it_does(launched: Jobs) -> None:
    leader, other = launched.said("local")
    assert (
        "noted: each of the 2 processes normalises its own share of a batch; "
        "all of it with --set training.batch_norm=synced"
    ) in leader
    assert "normalises" not in other
    for name in ("synced", "no batch norm"):
        assert "normalises" not in launched.said(name)[0]


def test_local_batch_norm_differs_from_the_joined_batch(
    launched: Jobs, alone: Callable[[str], Path]
) -> None:
    joined, local = losses(alone("local"))[-1], losses(launched.run("local"))[-1]
    assert local["generator"] != pytest.approx(joined["generator"], rel=1e-4)


def test_running_statistics_of_local_batch_norm_are_averaged(launched: Jobs) -> None:
    ranks = [load_file(launched.folder / f"settled.{rank}") for rank in (0, 1)]
    keys = (key for key in ranks[0] if key.endswith("running_mean"))
    own = [key.removeprefix("own/") for key in keys if key.startswith("own/")]
    assert own
    for key in own:
        first, second = (results[f"own/{key}"] for results in ranks)
        assert (first - second).abs().max() > 1e-4
        for results in ranks:
            torch.testing.assert_close(results[f"state/{key}"], (first + second) / 2)


def test_a_batch_that_cannot_be_shared_evenly_is_refused(launched: Jobs) -> None:
    sentence = "ConfigError: training.batch_size cannot be 9: 2 processes must share it evenly\n"
    assert launched.said("odd") == [sentence, sentence]
    assert not launched.run("odd").exists()


def test_all_processes_stop_for_a_loss_that_one_of_them_saw(launched: Jobs) -> None:
    for said in launched.said("nan"):
        assert "the loss of phase 'discriminator' became nan at step 3" in said
        assert "Traceback" not in said


def test_all_processes_skip_a_move_that_overflowed_in_one_of_them(launched: Jobs) -> None:
    assert launched.said("overflow") == ["after step 0\n", "after step 0\n"]
    assert all(tensor.isfinite().all() for tensor in final(launched.run("overflow")).values())


@pytest.fixture(scope="module")
def normalised(launched: Jobs) -> list[dict[str, Tensor]]:
    return [load_file(launched.folder / f"normalised.{rank}") for rank in (0, 1)]


@pytest.mark.parametrize("index", range(6), ids=[name for name, _, _ in apart.batch_norms()])
def test_synced_batch_norm_is_batch_norm_of_the_joined_batch(
    index: int, normalised: list[dict[str, Tensor]]
) -> None:
    name, layer, joined = apart.batch_norms()[index]
    joined.requires_grad_()
    for _ in range(2):
        output = layer(joined)
    output.float().sin().sum().backward()
    rtol, atol = (2e-2, 2e-2) if name == "half" else (1e-3, 1e-4)
    expected = {"output": output.detach(), "gradient": joined.grad}
    for key, value in expected.items():
        shares = torch.cat([results[f"{name}/{key}"] for results in normalised])
        assert shares.dtype == value.dtype
        torch.testing.assert_close(shares, value, rtol=rtol, atol=atol)
    state = layer.state_dict() | {f"{k}.grad": w.grad for k, w in layer.named_parameters()}
    for results in normalised:
        prefix = f"{name}/"
        found = {key.removeprefix(prefix) for key in results if key.startswith(prefix)}
        assert found == state.keys() | expected.keys()
        for key, value in state.items():
            rtol, atol = (5e-2, 0.5) if name == "half" else (1e-3, 1e-3)
            torch.testing.assert_close(results[f"{name}/{key}"], value, rtol=rtol, atol=atol)


def stopped(
    jobs: Jobs, arguments: dict[str, Any], launcher: list[str], number: signal.Signals
) -> tuple[int, int]:
    """Begin a long run, stop its launcher, and return the step that was saved and the exit code."""
    launch = jobs.start(launcher, [jobs.train("run", arguments)])
    metrics = jobs.run("run") / "metrics.jsonl"
    deadline = time.monotonic() + PATIENCE
    while launch.poll() is None and time.monotonic() < deadline and not metrics.exists():
        time.sleep(0.01)
    launch.send_signal(number)
    _, code = ended(launch)
    (saved,) = checkpoints_in(jobs.run("run") / "checkpoints")
    step = int(saved.name.removeprefix("step-"))
    for said in jobs.said("run"):
        assert f"stopped after step {step} of 100000 and saved" in said
        assert "Traceback" not in said
    return step, code


def test_sigterm_to_the_launcher_saves_and_the_run_goes_on_bit_for_bit(
    tiny: Tiny, cache: Path, tmp_path: Path
) -> None:
    jobs = Jobs(tmp_path, cache)
    arguments = tiny(steps=100_000, checkpoint_every=0, ema=0.9, **MIXED)
    step, _ = stopped(jobs, arguments, accelerate(), signal.SIGTERM)
    # The interrupted run must not have been longer from the start: fewer steps are refused.
    record = tmp_path / "run" / "run.json"
    record.write_text(record.read_text().replace("100000", str(step + 5)))
    straight = tiny(steps=step + 5, checkpoint_every=0, ema=0.9, **MIXED)
    todo = [jobs.resume("run", {}), jobs.train("straight", straight)]
    said, code = ended(jobs.start(accelerate(), todo))
    assert code == 0, said
    assert f"after step {step}\n" in jobs.said("run")[0]
    resumed, uninterrupted = final(jobs.run("run")), final(jobs.run("straight"))
    assert resumed.keys() == uninterrupted.keys()
    assert all(torch.equal(resumed[key], tensor) for key, tensor in uninterrupted.items())


def test_ctrl_c_to_ganzoos_own_launcher_saves(tiny: Tiny, cache: Path, tmp_path: Path) -> None:
    arguments = tiny(steps=100_000, checkpoint_every=0)
    _, code = stopped(Jobs(tmp_path, cache), arguments, ganzoo(), signal.SIGINT)
    assert code == 128 + signal.SIGINT
