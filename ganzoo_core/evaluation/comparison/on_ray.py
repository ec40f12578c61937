"""The runs of a comparison on the workers of a Ray cluster, or of a Ray on this machine alone.

A unit of work is a whole run. A worker that dies costs its own run only, which another worker goes
on with from its last checkpoint, once. Workers write to the comparison's folder, so that all
machines must reach it, and the data, under the same path.
"""

import logging
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ganzoo_core.errors import GanzooError, RunError, UnsupportedError
from ganzoo_core.evaluation.comparison.records import read_outcome
from ganzoo_core.evaluation.comparison.running import Work, carry_out, fail, said
from ganzoo_core.training.run import Observer

_ATTEMPTS = 2
_SECONDS_TO_SAVE = 60
_SECONDS_TO_ANSWER = 10


def check_ray() -> None:
    """Check that Ray is installed and its cluster there, before anything is done for it.

    Raises:
        UnsupportedError: it is not installed.
        RunError: nobody answers at `RAY_ADDRESS`.
    """
    if find_spec("ray") is None:
        raise UnsupportedError(
            "--on ray needs Ray, which is not installed; install it with: "
            "pip install 'ganzoo-core[ray]'"
        )
    address = os.environ.get("RAY_ADDRESS", "")
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        # Ray itself would try for minutes.
        try:
            socket.create_connection((host, int(port)), timeout=_SECONDS_TO_ANSWER).close()
        except (OSError, OverflowError) as error:
            raise RunError(
                f"no Ray answers at RAY_ADDRESS={address} ({error}); start it, or compare with "
                "--on local"
            ) from None


def run_on_ray(works: Sequence[Work], observer: Observer) -> None:
    """Carry out runs on all workers at once.

    They are those of a Ray that this process has begun to use, or of the cluster at `RAY_ADDRESS`,
    or of a Ray that is started for it on this machine, with a worker for each CPU core.

    Raises:
        RunError: a run cannot be carried out for a reason that is not its variant's, or a worker
            does not reach the comparison's folder.
    """
    # Ray prints what its processes say; standard output holds results only.
    with redirect_stdout(sys.stderr):
        _run(works, observer)


def _run(works: Sequence[Work], observer: Observer) -> None:
    import ray
    from ray.exceptions import RayError, RayTaskError

    ours = not ray.is_initialized()
    if ours:
        _start(ray)
    work_on = ray.remote(
        max_retries=0, num_cpus=1, num_gpus=_gpus(ray, works), runtime_env=_environment()
    )(_carried_out)
    pending: dict[Any, tuple[Work, int]] = {}

    def submit(work: Work, attempt: int) -> None:
        pending[work_on.remote(work, str(Path.cwd()))] = work, attempt

    try:
        for work in works:
            submit(work, 1)
        while pending:
            (finished,), _ = ray.wait(list(pending))
            work, attempt = pending.pop(finished)
            try:
                wrong = ray.get(finished)
            except RayTaskError as error:
                raise RunError(
                    f"{work} cannot be carried out by this Ray ({_last_line(error)}); its workers "
                    "need the ganzoo, the plugins and the folders that are here"
                ) from None
            except RayError as error:
                if attempt < _ATTEMPTS:
                    observer.noted(f"the worker of {work} died; another goes on with it")
                    submit(work, attempt + 1)
                else:
                    outcome = fail(work, f"its workers died {attempt} times ({_name(error)})")
                    observer.noted(said(outcome))
                continue
            if wrong:
                raise RunError(wrong)
            known = read_outcome(work.folder)
            if known is None:
                raise RunError(
                    f"a worker has carried out {work}, and {work.folder} is not there; all "
                    "machines of the Ray must reach --out under the same path"
                )
            observer.noted(said(known))
    finally:
        for reference in pending:
            ray.cancel(reference)
        if pending:  # running ones save where they are
            ray.wait(list(pending), num_returns=len(pending), timeout=_SECONDS_TO_SAVE)
        if ours:
            ray.shutdown()


def _carried_out(work: Work, folder: str) -> str:
    """Carry out one run within a worker; returns what is wrong, or an empty text."""
    os.chdir(folder)  # what the paths of a comparison are relative to
    try:
        carry_out(work, Observer())
    except GanzooError as error:
        return str(error)
    return ""


def _start(ray: Any) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told of it
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = os.environ.get("RAY_ADDRESS")
    try:
        if address:
            ray.init(**quiet)
        else:
            ray.init(address="local", include_dashboard=False, **quiet)
    except Exception as error:  # whatever Ray raises, and it has no class of its own for it
        what = f"the Ray at RAY_ADDRESS={address} cannot be reached" if address else "no Ray starts"
        raise RunError(
            f"{what} ({_last_line(error)}); mend it, or compare with --on local"
        ) from error


def _gpus(ray: Any, works: Sequence[Work]) -> int:
    """Return how many GPUs a run takes."""
    device = works[0].device if works else "cpu"
    there = ray.cluster_resources().get("GPU", 0) > 0
    return int(device.startswith("cuda") or (device == "auto" and there))


def _environment() -> dict[str, Any]:
    """Return what of this process's environment the workers need to find the same things."""
    needed = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("GANZOO_") or name == "PYTHONPATH"
    }
    return {"env_vars": needed}


def _name(error: Exception) -> str:
    return type(error).__name__


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
