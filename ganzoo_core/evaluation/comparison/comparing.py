"""A comparison from its arguments to its folder, and from wherever it was left to its end."""

import platform
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from ganzoo_core.data import open_images
from ganzoo_core.errors import InterruptedTrainingError, RunError, UnknownNameError
from ganzoo_core.evaluation.comparison.budget import parse_budget
from ganzoo_core.evaluation.comparison.on_ray import check_ray, run_on_ray
from ganzoo_core.evaluation.comparison.page import write_page
from ganzoo_core.evaluation.comparison.picture import write_picture
from ganzoo_core.evaluation.comparison.planning import ask, draw_up_plan
from ganzoo_core.evaluation.comparison.records import PLAN, Asked, Plan, read_outcome, read_plan
from ganzoo_core.evaluation.comparison.running import Work, forget_failure, run_here
from ganzoo_core.evaluation.comparison.summary import Comparison, summarise, written
from ganzoo_core.evaluation.comparison.table import write_csv
from ganzoo_core.files import alone, disk_errors, is_leftover, write_json
from ganzoo_core.plugins import read_installed
from ganzoo_core.settings import differences
from ganzoo_core.training.processes import find_device
from ganzoo_core.training.run import Observer

Place = Literal["local", "ray"]
PLACES: tuple[Place, ...] = ("local", "ray")
_LOCK = ".lock"


def compare(
    variants: Sequence[str],
    data: str,
    *,
    budget: str,
    seeds: int,
    out: Path,
    components: Mapping[str, str],
    settings: Mapping[str, Any],
    preset: str | None,
    metrics: Sequence[str] | None,
    features: str | None,
    count: int,
    evaluations: int,
    data_root: Path | None,
    on: Place,
    device: str,
    retry_failed: bool,
    observer: Observer,
) -> Comparison:
    """Compare variants; `ganzoo_core.compare` says what the arguments mean."""
    if on not in PLACES:
        raise UnknownNameError("place to run", on, PLACES)
    if on == "ray":
        check_ray()
    find_device(device)
    installed = read_installed()
    asked = ask(
        installed,
        variants,
        data,
        budget=budget,
        seeds=seeds,
        components=components,
        settings=settings,
        preset=preset,
        metrics=metrics,
        features=features,
        count=count,
        evaluations=evaluations,
    )
    with _interruptions(out):
        plan = _begun(out, asked) or draw_up_plan(
            installed,
            asked,
            parse_budget(budget),
            data_root=data_root,
            device=device,
            observer=observer,
            versions=_versions(),
        )
    with _interruptions(out), _alone(out):
        begun = _begun(out, asked)
        if begun is None:
            write_json(out / PLAN, written(plan))
        else:
            plan = begun
            _check_unchanged(plan, data_root, observer)
        works = [
            Work(asked, entrant, seed, out / "runs" / entrant.run_name(seed), data_root, device)
            for seed in range(asked.seeds)
            for entrant in plan.entrants
        ]
        for work in works if retry_failed else ():
            forget_failure(work)
        waiting = [work for work in works if read_outcome(work.folder) is None]
        (run_on_ray if on == "ray" else run_here)(waiting, observer)
        known = [read_outcome(work.folder) for work in works]
        comparison = summarise(out, plan, [outcome for outcome in known if outcome is not None])
        comparison.write()
        write_csv(comparison)
        write_picture(comparison)
        write_page(comparison)
    return comparison


def _begun(out: Path, asked: Asked) -> Plan | None:
    """Return the plan of a comparison that was begun here; None where there is none.

    Raises:
        RunError: the place holds something else, or a comparison of other arguments.
    """
    with disk_errors(out):
        if not out.exists():
            return None
        if not out.is_dir():
            raise RunError(f"{out} is a file; choose a folder for --out")
        if not (out / PLAN).exists():
            if all(is_leftover(path) or path.name == _LOCK for path in out.iterdir()):
                return None
            raise RunError(f"{out} is not empty and not a comparison; choose another --out")
    plan = read_plan(out / PLAN)
    changed = differences(plan.asked.model_dump(), asked.model_dump())
    if changed:
        raise RunError(
            f"{out} holds a comparison of other arguments ({'; '.join(changed)}); "
            "leave them as they were, or choose another --out"
        )
    return plan


def _check_unchanged(plan: Plan, data_root: Path | None, observer: Observer) -> None:
    """Check that the data are those of the beginning, and say where versions are not.

    Raises:
        RunError: the data are others.
    """
    data = open_images(
        plan.asked.data,
        image_size=plan.data.image_size,
        channels=plan.data.channels,
        root=data_root,
        progress=observer.decoding,
    )
    if data.fingerprint != plan.data.fingerprint:
        raise RunError(
            f"the images of {plan.asked.data} are not those with which this comparison was begun; "
            "put them back, or choose another --out"
        )
    changed = differences(plan.versions, _versions())
    if changed:
        observer.noted(f"going on with other versions than before: {'; '.join(changed)}")


@contextmanager
def _interruptions(out: Path) -> Iterator[None]:
    """Say how to go on, wherever the interruption came."""
    try:
        yield
    except (KeyboardInterrupt, InterruptedTrainingError) as stop:
        code = stop.exit_code if isinstance(stop, InterruptedTrainingError) else 128 + signal.SIGINT
        raise InterruptedTrainingError(
            f"stopped; what was done is kept in {out}, and the same command goes on with it",
            code - 128,
        ) from None


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second process out of the folder while this one works in it."""
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    busy = (
        f"{out} is being worked on by another ganzoo compare; wait for it, or choose another --out"
    )
    with alone(out / _LOCK, busy):
        yield


def _versions() -> dict[str, str]:
    names = ("ganzoo-core", "torch", "numpy")
    return {"python": platform.python_version()} | {name: version(name) for name in names}
