"""A run: the folder that training writes, and the loop around the engine that writes it.

run.json             the resolved settings, data fingerprint and versions: enough to repeat it
metrics.jsonl        one line a logged step
samples/             preview grids
checkpoints/step-…/  everything needed to go on bit for bit
model/               the trained model in the Hub's layout
tokenizer.json       how captions become tokens, where a network learns from them
given.safetensors    the networks that were given with their weights, where there are any
run.lock             held by the process that trains, empty
"""

import json
import os
import platform
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ganzoo_core import images
from ganzoo_core.blueprint import Blueprint
from ganzoo_core.data.compound import renamed
from ganzoo_core.errors import InterruptedTrainingError, RunError
from ganzoo_core.files import (
    alone,
    discard_leftovers,
    disk_errors,
    is_leftover,
    read_json,
    whole_file,
    write_json,
)
from ganzoo_core.hub.card import Card
from ganzoo_core.hub.folder import write_model_folder
from ganzoo_core.hub.origin import Origin
from ganzoo_core.model import Model
from ganzoo_core.settings import differences
from ganzoo_core.stopping import StopSignals
from ganzoo_core.text import FILE as TOKENIZER
from ganzoo_core.text import Tokenizer
from ganzoo_core.training.checkpoints import (
    checkpoints_in,
    read_newest_checkpoint,
    write_checkpoint,
)
from ganzoo_core.training.engine import Engine, NonFiniteLossError
from ganzoo_core.training.given import FILE as GIVEN
from ganzoo_core.training.given import public_model, split_name

SCHEMA_VERSION = 1
LOCK = "run.lock"
PREVIEW_COUNT = 64
_STEPS_BETWEEN_AGREEMENTS = 10
"""Several processes ask each other this often whether one was told to stop: each asking waits."""


@dataclass(frozen=True)
class DataChoice:
    """What to train on, as it was asked for."""

    source: str
    root: str | None = None
    resize_filter: str = "lanczos"
    broken_share: float = 0.01


@dataclass(frozen=True)
class Logged:
    """One line of `metrics.jsonl`."""

    step: int
    epoch: float
    losses: Mapping[str, float]
    images_per_second: float
    seconds: float
    """Training time since the run began, over all its resumptions."""


class Observer:
    """Told how a training goes; a subclass shows it. Does nothing by itself."""

    def decoding(self, done: int, total: int) -> None:
        """Images of the data were decoded, on the first use of a data set."""

    def started(self, steps_done: int, steps: int, blueprint: Blueprint) -> None:
        """Training starts, or goes on, after `steps_done` steps."""

    def stepped(self, steps_done: int) -> None:
        """A step was done; called often, and must cost nothing."""

    def logged(self, line: Logged) -> None:
        """A line was written to `metrics.jsonl`."""

    def checkpointing(self, step: int, model: Callable[[], Model]) -> None:
        """A checkpoint is about to be written; `model()` is the model as it is after `step` steps.

        What is done here is no training time, and is done again if the process dies before the
        checkpoint is written. The model's networks go on learning afterwards.
        """

    def noted(self, message: str) -> None:
        """Something happened that a person may want to know."""

    def finished(self, model_folder: Path) -> None:
        """The trained model lies in `model_folder`."""


class RunFolder:
    """The files of one run; only the leading process writes them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record_file = path / "run.json"
        self.metrics_file = path / "metrics.jsonl"
        self.samples = path / "samples"
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self.tokenizer = path / TOKENIZER
        self.lock_file = path / LOCK

    def refuse_to_overwrite(self) -> None:
        """Check that a new run can begin here.

        Raises:
            RunError: something is here already, or the place cannot be written.
        """
        with disk_errors(self.path):
            if not self.path.exists():
                return
            if not self.path.is_dir():
                raise RunError(f"{self.path} is a file; choose a folder for --out")
            if self.record_file.exists():
                raise RunError(
                    f"{self.path} holds a run already; go on with it by --resume {self.path}, "
                    "or choose another --out"
                )
            # The given networks are written before run.json: alone, they are of a killed start.
            others = (its for its in self.path.iterdir() if its.name not in (GIVEN, LOCK))
            if not all(map(is_leftover, others)):
                raise RunError(f"{self.path} is not empty and not a run; choose another --out")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from training here; the lock ends with this process, however it may.

        Raises:
            RunError: another process trains here.
        """
        with disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        busy = (
            f"{self.path} is being trained by another process; wait until it ends, or stop it and "
            f"go on with: ganzoo train --resume {self.path}"
        )
        with alone(self.lock_file, busy):
            yield

    def begin(self, record: Mapping[str, Any]) -> None:
        """Write `run.json`."""
        write_json(self.record_file, record)

    def record(self) -> dict[str, Any]:
        """Read `run.json`.

        Raises:
            RunError: this is not a run, or one of a later ganzoo.
        """
        try:
            found = self.record_file.is_file()
        except OSError:  # such as a name that is too long
            found = False
        if not found:
            raise RunError(f"{self.path} is not a run: it has no run.json; check the path")
        record = read_json(self.record_file)
        if not isinstance(record, dict) or record.get("schema") != SCHEMA_VERSION:
            raise RunError(f"{self.record_file} was not written by this version of ganzoo")
        if not all(isinstance(record.get(key), dict) for key in ("blueprint", "data")):
            raise RunError(f"{self.record_file} lacks the run's settings or data; it is damaged")
        return record

    def log(self, line: Logged) -> None:
        """Add a line to `metrics.jsonl`."""
        with disk_errors(self.metrics_file), self.metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(line)) + "\n")

    def forget_metrics_after(self, step: int) -> None:
        """Drop lines of steps that will be done again, and a line that was cut off."""
        if not self.metrics_file.exists():
            return
        kept = []
        for line in self.metrics_file.read_bytes().splitlines(keepends=True):
            try:
                if json.loads(line)["step"] <= step and line.endswith(b"\n"):
                    kept.append(line)
            except (ValueError, KeyError, TypeError):
                continue
        with whole_file(self.metrics_file) as partial:
            partial.write_bytes(b"".join(kept))


def new_record(
    blueprint: Blueprint, data: DataChoice, fingerprint: str, processes: int
) -> dict[str, Any]:
    """Return what `run.json` says of a run that begins now."""
    return {
        "schema": SCHEMA_VERSION,
        "blueprint": blueprint.to_json(),
        "data": asdict(data) | {"fingerprint": fingerprint},
        "processes": processes,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "versions": _versions(),
    }


def check_resumable(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that a run would go on as it began.

    Raises:
        RunError: a setting or the data changed; the message shows each difference. More steps than
            before are allowed.
    """
    changed = differences(_comparable(before), _comparable(now))
    if changed:
        raise RunError(
            f"{path} cannot be resumed with other settings ({'; '.join(changed)}); "
            "leave them as they were, or begin a new run with another --out"
        )
    steps = [record["blueprint"]["training"]["steps"] for record in (before, now)]
    if steps[1] < steps[0]:
        raise RunError(
            f"{path} was begun for {steps[0]} steps and cannot be resumed for only {steps[1]}"
        )


def _comparable(record: Mapping[str, Any]) -> dict[str, Any]:
    blueprint = dict(record["blueprint"])
    training = dict(blueprint["training"])
    # How far to go and what to write on the way change nothing about the steps themselves.
    for setting in ("steps", "log_every", "sample_every", "checkpoint_every", "keep_checkpoints"):
        training.pop(setting, None)
    data = {"fingerprint": record["data"]["fingerprint"]}
    components = blueprint["components"]
    given = {role: its["sha256"] for role, its in blueprint.get("given", {}).items()}
    return {"components": components, "training": training, "data": data, "given": given}


def train(
    engine: Engine,
    folder: RunFolder,
    blueprint: Blueprint,
    data: DataChoice,
    observer: Observer,
    tokenizer: Tokenizer | None = None,
    class_names: Sequence[str] = (),
) -> Model:
    """Step the engine to the end of its run, writing the run's folder on the way.

    Raises:
        InterruptedTrainingError: a signal came; the state is saved.
        NonFiniteLossError: a loss became infinite or not a number.
        RunError: the disk is full or read-only; the last checkpoint stays as it was.
    """
    settings = engine.settings
    leads = engine.processes.leads
    roles = blueprint.entry.recipe.inference
    clock = _Clock(engine)
    restored = read_newest_checkpoint(folder.checkpoints)
    if restored:
        tensors, facts, damaged = restored
        engine.load_state(tensors, facts)
        clock.before = facts["seconds"]
        for sentence in damaged:
            observer.noted(f"{sentence}; going on from an earlier one")
    if leads:
        folder.forget_metrics_after(engine.steps_done)
        for place in (folder.path, folder.checkpoints, folder.samples):
            discard_leftovers(place)
    saved_at = engine.steps_done if restored else -1
    if leads and engine.normalises_shares:
        observer.noted(
            f"each of the {engine.processes.count} processes normalises its own share of a batch; "
            "all of it with --set training.batch_norm=synced"
        )
    observer.started(engine.steps_done, settings.steps, blueprint)

    def save() -> None:
        nonlocal saved_at
        if saved_at == engine.steps_done:
            return
        _check_finite(engine, folder)
        if leads:
            with clock.stopped():
                observer.checkpointing(
                    engine.steps_done,
                    lambda: Model(blueprint, engine.inference_networks(roles), tokenizer=tokenizer),
                )
        tensors, facts = engine.state()
        if leads:
            facts["seconds"] = clock.seconds()
            write_checkpoint(
                folder.checkpoints, engine.steps_done, tensors, facts, settings.keep_checkpoints
            )
        saved_at = engine.steps_done

    clock.restart()
    with StopSignals() as stop:
        while engine.steps_done < settings.steps:
            engine.step()
            step = engine.steps_done
            last = step == settings.steps
            observer.stepped(step)
            if step % settings.log_every == 0 or step == 1 or last:
                _check_finite(engine, folder)
                losses = engine.mean_losses()
                if leads:
                    line = clock.line(losses)
                    folder.log(line)
                    observer.logged(line)
            if leads and _due(step, settings.sample_every, last):
                preview = Model(blueprint, engine.inference_networks(roles), tokenizer=tokenizer)
                if "sample" in preview.verbs:
                    images.save(
                        preview.sample(PREVIEW_COUNT), folder.samples / f"step-{step:08d}.png"
                    )
            if _due(step, settings.checkpoint_every, last):
                save()
            if _asked_to_stop(engine, stop):
                save()
                raise InterruptedTrainingError(
                    f"stopped after step {step} of {settings.steps} and saved; "
                    f"go on with: ganzoo train --resume {folder.path}",
                    stop.number,
                )
    networks = engine.inference_networks(blueprint.kept_roles)
    for network in networks.values():
        # As loading makes them, so that both draw the same to the last bit.
        network.to(memory_format=torch.contiguous_format).requires_grad_(False).eval()
    model = Model(blueprint, networks, Origin("run", str(folder.model)), tokenizer, class_names)
    if leads:
        write_model_folder(
            model, folder.model, _card(engine, folder.record()["command"], data, clock.seconds())
        )
    engine.processes.wait()
    observer.finished(folder.model)
    return model


def _check_finite(engine: Engine, folder: RunFolder) -> None:
    try:
        engine.check_finite()
    except NonFiniteLossError as error:
        good = checkpoints_in(folder.checkpoints)
        kept = f"the last good checkpoint is {good[-1]}" if good else "there is no checkpoint yet"
        raise NonFiniteLossError(f"{error}; {kept}") from None


def _due(step: int, every: int, last: bool) -> bool:
    return last or bool(every and step % every == 0)


def _asked_to_stop(engine: Engine, stop: StopSignals) -> bool:
    if engine.processes.count == 1:
        return stop.number != 0
    if engine.steps_done % _STEPS_BETWEEN_AGREEMENTS:
        return False
    if not engine.processes.any(stop.number != 0):
        return False
    stop.number = stop.number or signal.SIGTERM
    return True


class _Clock:
    """Training time and speed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.before = 0.0
        """Seconds that earlier parts of the run took."""
        self.restart()

    def restart(self) -> None:
        self._began = self._last = time.monotonic()
        self._position = self._engine.position

    @contextmanager
    def stopped(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            away = time.monotonic() - began
            self._began += away
            self._last += away

    def seconds(self) -> float:
        return self.before + time.monotonic() - self._began

    def line(self, losses: Mapping[str, float]) -> Logged:
        engine = self._engine
        now = time.monotonic()
        speed = (engine.position - self._position) / max(now - self._last, 1e-9)
        self._last, self._position = now, engine.position
        return Logged(
            step=engine.steps_done,
            epoch=round(engine.position / engine.batches.count, 4),
            losses=losses,
            images_per_second=round(speed, 1),
            seconds=round(self.seconds(), 3),
        )


def _card(engine: Engine, command: Sequence[str], data: DataChoice, seconds: float) -> Card:
    settings = engine.settings
    device = engine.device.type
    machine = f"{os.cpu_count()} CPU cores ({platform.machine()})" if device == "cpu" else device
    name = public_name(data.source)
    return Card(
        datasets=(name,),
        training=(
            f"{settings.steps} steps of batch size {settings.batch_size} on {name} "
            f"({engine.position / engine.batches.count:.1f} epochs), seed {settings.seed}, "
            f"{settings.precision}, in {seconds:.0f} s on {machine}.\n\n"
            f"```bash\n{_public_command(command, data, name)}\n```"
        ),
    )


def _public_command(words: Sequence[str], data: DataChoice, name: str) -> str:
    """Return the command that began a run, without what is particular to its machine."""
    if words[0] not in ("ganzoo", "__main__.py"):
        return "# trained from Python"
    words = ["ganzoo", *words[1:]]
    private = ("--out", "--data-root", "--resume")
    names = ("--data", "--source", "--target", "--target-test", "--from")
    words = [part for word in words for part in _parted(word, names)]
    kept = [
        _public_word(before, word) if before in names else name if word == data.source else word
        for before, word in zip(["", *words], words, strict=False)
        if before not in private and not word.startswith(private)
    ]
    return shlex.join(kept)


def _parted(word: str, names: Sequence[str]) -> list[str]:
    """Part `--from=MODEL`, whose value may lie in a private folder, from its option."""
    return word.split("=", 1) if word.startswith(tuple(f"{name}=" for name in names)) else [word]


def _public_word(option: str, word: str) -> str:
    if option != "--from":
        return public_name(word)
    roles, model = split_name(word)
    return "=".join(filter(None, (",".join(roles), public_model(model))))


def public_name(source: str) -> str:
    """Return a data source without the folders of the machine it lay on."""

    def without_folders(name: str) -> str:
        kind, colon, place = name.partition(":")
        if not colon or kind == "hub":
            return name
        return ":".join((kind, *(Path(part).name for part in place.split(":"))))

    return renamed(source, without_folders)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("ganzoo-core", "torch", "numpy")
    return {"python": platform.python_version()} | {name: version(name) for name in names}
