"""Comparisons whose processes die: the only one there is, or a worker of a Ray."""

import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from comparison.test_compare import Notes
from fake_plugins import FakePlugins, Ganzoo, GanzooHere

import ganzoo_core as zoo
from ganzoo_core.errors import RunError, UnsupportedError
from ganzoo_core.evaluation.comparison.records import read_outcome

Tiny = Callable[..., dict[str, Any]]

TINY = (
    *("--set", "generator.width=16", "--set", "discriminator.width=8", "--set", "latent_size=4"),
    *("--batch-size", "8", "-n", "8", "--metrics", "fid", "--seeds", "2", "--budget", "4steps"),
    *("--evaluations", "2", "--device", "cpu", "--json"),
)


def test_a_process_that_is_killed_costs_nothing_that_was_done(
    troubled: FakePlugins, ganzoo: Ganzoo, ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    # At the third step of its first run, one step after a checkpoint and a measurement.
    command = ("compare", "unlucky", "gan", *TINY, "--out")
    assert ganzoo(*command, "out").code == -signal.SIGKILL
    run = tmp_path / "out" / "runs" / "unlucky-seed0"
    assert (run / "checkpoints" / "step-00000002").is_dir()
    assert read_outcome(run) is None
    resumed, straight = ganzoo_here(*command, "out"), ganzoo_here(*command, "straight")
    assert (resumed.code, straight.code) == (0, 0), resumed.err + straight.err
    found, wanted = resumed.json["results"], straight.json["results"]
    for result in (found, wanted):
        for timed in (*result["rows"], *result["runs"]):
            assert timed.pop("seconds") > 0
    assert found == wanted


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    """A Ray of two workers on this machine."""
    ray = pytest.importorskip("ray", reason="Ray is an optional extra")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        for attempt in range(3):
            try:
                ray.init(
                    address="local",
                    num_cpus=2,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="ERROR",
                )
                break
            except Exception as error:  # it waits for its own processes for 30 seconds at most
                ray.shutdown()
                if attempt == 2 or "timed out during startup" not in str(error):
                    raise
        yield ray
        ray.shutdown()


def test_a_worker_that_dies_costs_its_own_run_only_and_that_if_it_dies_again(
    workers: Any, tiny: Tiny, troubled: FakePlugins, ganzoo_here: GanzooHere
) -> None:
    notes = Notes()
    variants = ["doomed", "unlucky", "gan"]
    found = zoo.compare(variants, "digits", **tiny(on="ray", seeds=1), observer=notes)
    rows = {row.variant: row for row in found.rows}
    assert [rows[name].failed for name in variants] == [1, 0, 0]
    assert [rows[name].rank is None for name in variants] == [True, False, False]
    assert found.failures[0].reason == "its workers died 2 times (WorkerCrashedError)"
    assert notes.said.count("the worker of unlucky, seed 0 died; another goes on with it") == 1
    # It went on from its checkpoint, to what it would have come to alone.
    assert len(list(Path().glob("unlucky-*"))) == 1
    alone = zoo.compare(["unlucky"], "digits", **tiny(seeds=1, out=Path("alone")))
    values = alone.outcomes[0].points.values
    ours = next(outcome for outcome in found.outcomes if outcome.entrant == "unlucky")
    assert ours.points.values == pytest.approx(values, rel=1e-4)


def test_a_ray_that_does_not_answer_is_one_sentence(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="Ray is an optional extra")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(RunError, match="no Ray answers at RAY_ADDRESS="):
            zoo.compare(["gan"], "digits", **tiny(on="ray"))
    assert not (tmp_path / "out").exists()


def test_without_ray_it_says_how_to_get_it(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'ganzoo-core\[ray\]'"):
        zoo.compare(["gan"], "digits", **tiny(on="ray"))
    assert not (tmp_path / "out").exists()
