"""One run of a comparison, from wherever it stands to its outcome."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from ganzoo_core import zoo
from ganzoo_core.blueprint import Blueprint
from ganzoo_core.errors import (
    GanzooError,
    HubError,
    InterruptedTrainingError,
    RunError,
    UnknownNameError,
)
from ganzoo_core.evaluation.comparison.records import (
    OUTCOME,
    POINTS,
    Asked,
    Entrant,
    Outcome,
    Points,
    read_outcome,
    read_points,
)
from ganzoo_core.evaluation.result import Evaluation
from ganzoo_core.files import discard_folder, write_json
from ganzoo_core.model import Model
from ganzoo_core.training.engine import NonFiniteLossError
from ganzoo_core.training.run import Logged, Observer, RunFolder


@dataclass(frozen=True)
class Work:
    """A run that a comparison consists of."""

    asked: Asked
    entrant: Entrant
    seed: int
    folder: Path
    data_root: Path | None
    device: str

    def __str__(self) -> str:
        return f"{self.entrant.name}, seed {self.seed}"


def carry_out(work: Work, observer: Observer) -> Outcome:
    """Train and measure, going on from where an earlier attempt stopped; do nothing that is done.

    What goes wrong in the training or the measurement of a variant is its outcome.

    Raises:
        InterruptedTrainingError: a signal came; the run is saved.
        GanzooError: what is wrong has nothing to do with the variant: the disk, missing features, a
            plugin that this process does not find.
    """
    known = read_outcome(work.folder)
    if known is not None:
        return known
    try:
        model = _trained(work, observer)
        observer.noted(f"measuring {work}")
        results = _measured(model, work, work.entrant.metrics, write=True)
    except NonFiniteLossError as error:
        return fail(work, str(error), begin_anew=True)
    except (RunError, HubError, UnknownNameError, InterruptedTrainingError):
        raise
    except GanzooError as error:
        return fail(work, str(error))
    except Exception as error:
        return fail(work, f"{type(error).__name__}: {' '.join(str(error).split())}")
    first = results.results[0]
    values = {
        step: value
        for step, value in read_points(work.folder).values.items()
        if step < work.entrant.steps
    }
    outcome = Outcome(
        entrant=work.entrant.name,
        seed=work.seed,
        status="finished",
        steps=work.entrant.steps,
        seconds=_last_line(work.folder)[1],
        machine=machine(model.device),
        points=Points(
            metric=first.metric,
            better=first.better,
            values=values | {work.entrant.steps: first.value},
        ),
        results=[result.to_json() for result in results.results],
    )
    write_json(work.folder / OUTCOME, outcome.model_dump(mode="json"))
    return outcome


def fail(work: Work, reason: str, *, begin_anew: bool = False) -> Outcome:
    """Write down that a run failed and why, and whether a later attempt must begin anew."""
    steps, seconds = _last_line(work.folder)
    outcome = Outcome(
        entrant=work.entrant.name,
        seed=work.seed,
        status="failed",
        reason=reason,
        begin_anew=begin_anew,
        steps=steps,
        seconds=seconds,
        machine=machine(work.device),
        points=read_points(work.folder),
    )
    write_json(work.folder / OUTCOME, outcome.model_dump(mode="json"))
    return outcome


def forget_failure(work: Work) -> None:
    """Let a failed run be tried again.

    It goes on from its last checkpoint unless its loss became infinite or not a number, which would
    only happen again; where a model was trained, only the measurement is repeated.

    Raises:
        RunError: the outcome cannot be removed.
    """
    known = read_outcome(work.folder)
    if known is None or known.status == "finished":
        return
    if known.begin_anew:
        discard_folder(work.folder)
    else:
        (work.folder / OUTCOME).unlink()


def run_here(works: Sequence[Work], observer: Observer) -> None:
    """Carry out one run after another in this process."""
    for number, work in enumerate(works, 1):
        observer.noted(f"{work} (run {number} of {len(works)})")
        outcome = carry_out(work, observer)
        observer.noted(said(outcome))


def said(outcome: Outcome) -> str:
    """Return a sentence on how a run ended."""
    if outcome.status == "failed":
        return f"{outcome.entrant}, seed {outcome.seed} failed: {outcome.reason}"
    value = outcome.points.values[outcome.steps]
    return f"{outcome.entrant}, seed {outcome.seed}: {outcome.points.metric} {value:.4g}"


def machine(device: torch.device | str) -> str:
    """Return what a run was computed on, without naming the machine."""
    from ganzoo_core.training.processes import find_device

    found = find_device(device) if isinstance(device, str) else device
    if found.type == "cuda":
        return torch.cuda.get_device_name(found)
    if found.type == "cpu":
        return f"{os.cpu_count()} CPU cores ({platform.machine()})"
    return f"{found.type} ({platform.machine()})"


def _trained(work: Work, observer: Observer) -> Model:
    run = RunFolder(work.folder)
    if (run.model / "config.json").is_file():
        return zoo.load(work.folder, device=work.device)
    watching = _Measuring(work, observer)
    going_on = run.record_file.is_file()
    zoo.train(
        work.entrant.variant,
        work.asked.data,
        out=work.folder,
        going_on=going_on,
        components=work.entrant.components,
        settings=work.entrant.settings | {"training.seed": work.seed},
        data_root=work.data_root,
        device=work.device,
        observer=watching,
    )
    # As a user would have it, whose later `ganzoo evaluate` gives the very same numbers.
    return zoo.load(work.folder, device=work.device)


def _measured(model: Model, work: Work, metrics: Sequence[str], *, write: bool) -> Evaluation:
    return zoo.evaluate(
        model,
        work.asked.data,
        metrics=metrics,
        features=work.asked.features,
        count=work.asked.count,
        data_root=work.data_root,
        write=write,
    )


class _Measuring(Observer):
    """Measures weights on the way, and tells another observer how it goes."""

    def __init__(self, work: Work, observer: Observer) -> None:
        self._work = work
        self._observer = observer

    def checkpointing(self, step: int, model: Callable[[], Model]) -> None:
        """Measure the first metric, where it is due; the end has its own measurement."""
        work = self._work
        if step % work.entrant.measure_every or step >= work.entrant.steps:
            return
        first = _measured(model(), work, work.entrant.metrics[:1], write=False).results[0]
        points = Points(
            metric=first.metric,
            better=first.better,
            values=read_points(work.folder).values | {step: first.value},
        )
        write_json(work.folder / POINTS, points.model_dump(mode="json"))
        self._observer.checkpointing(step, model)

    # All else is passed on as it is.

    def decoding(self, done: int, total: int) -> None:
        self._observer.decoding(done, total)

    def started(self, steps_done: int, steps: int, blueprint: Blueprint) -> None:
        self._observer.started(steps_done, steps, blueprint)

    def stepped(self, steps_done: int) -> None:
        self._observer.stepped(steps_done)

    def logged(self, line: Logged) -> None:
        self._observer.logged(line)

    def noted(self, message: str) -> None:
        self._observer.noted(message)

    def finished(self, model_folder: Path) -> None:
        self._observer.finished(model_folder)


def _last_line(folder: Path) -> tuple[int, float | None]:
    """Return the last step that a run logged and the seconds that it had trained by then."""
    file = RunFolder(folder).metrics_file
    lines = file.read_bytes().splitlines() if file.exists() else []
    for line in reversed(lines):
        with suppress(ValueError, KeyError, TypeError):  # a line may have been cut off
            logged = json.loads(line)
            return int(logged["step"]), float(logged["seconds"])
    return 0, None
