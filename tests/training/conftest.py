"""Tiny trainings on real digits, in this process or in one that can be killed."""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# No folder of tests is installed, and a process of its own must find its program.
sys.path.insert(0, str(Path(__file__).parent))

import apart

PATIENCE = 180.0
"""Seconds after which a process that should have ended counts as hung."""

NETWORKS: dict[str, dict[str, Any]] = {
    # Weights that begin far from 0 move by more than rounding within a few steps.
    "gan": {"generator.width": 32, "discriminator.width": 16, "init_range": 0.3},
    "dcgan": {"image_size": 16, "width": 8},
    "progan": {"image_size": 16, "width": 8},
}

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        # Every optimiser imports this on its first use, which takes seconds.
        "torch._dynamo",
        "sklearn.datasets",
        "safetensors.torch",
        "ganzoo_core.training.run",
        "ganzoo_plugin_gan.networks",
        "ganzoo_plugin_gan.trainer",
        "ganzoo_plugin_dcgan.networks",
        "ganzoo_plugin_progan.networks",
        "ganzoo_plugin_progan.trainer",
    ]
)


class Apart:
    """A training that runs in a real process."""

    def __init__(self, verb: str, log: Path, cache: Path, full_at: int, **arguments: Any) -> None:
        self.log = log
        job = {"verb": verb, "arguments": arguments, "cache": str(cache), "full_at": full_at}
        self.process = _context.Process(target=apart.run_logged, args=(str(log),), kwargs=job)
        self.process.start()

    @property
    def said(self) -> str:
        """Everything that it has said."""
        return self.log.read_text() if self.log.exists() else ""

    def wait(self) -> int:
        """Wait for its end and return the exit code, negative for a signal."""
        self.process.join(PATIENCE)
        code = self.process.exitcode
        assert code is not None, f"it did not end; it said: {self.said}"
        return code

    def wait_until(self, condition: Callable[[], Any]) -> None:
        """Look again and again until something is so, or the process has ended."""
        deadline = time.monotonic() + PATIENCE
        while self.process.is_alive() and not condition():
            assert time.monotonic() < deadline, f"it hangs; it said: {self.said}"
            time.sleep(0.001)

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)


Start = Callable[..., Apart]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The decoded digits, shared by all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _workplace(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(cache))
    monkeypatch.syspath_prepend(apart.PROBE)


@pytest.fixture(scope="session")
def start(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start `train` or `resume` with its arguments in a process of its own."""
    logs = tmp_path_factory.mktemp("logs")
    started: list[Apart] = []

    def begin(verb: str, *, full_at: int = 0, **arguments: Any) -> Apart:
        log = logs / f"{len(started)}.log"
        started.append(Apart(verb, log, cache, full_at, **arguments))
        return started[-1]

    yield begin
    for one in started:
        if one.process.is_alive():
            one.process.kill()
        one.process.join()


@pytest.fixture(scope="session")
def tiny() -> Callable[..., dict[str, Any]]:
    """Arguments of `train` for a network of a few units, trained on digits for a few steps."""

    def arguments(
        variant: str = "gan", *, components: dict[str, str] | None = None, **training: Any
    ) -> dict[str, Any]:
        settings: dict[str, Any] = {"latent_size": 8, **NETWORKS[variant]}
        terms = {"steps": 6, "batch_size": 8, "sample_every": 0, "log_every": 1, **training}
        settings |= {key if "." in key else f"training.{key}": its for key, its in terms.items()}
        return {
            "variant": variant,
            "data": "digits",
            "components": components or {},
            "settings": settings,
        }

    return arguments
