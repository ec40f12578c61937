"""Comparisons whose processes die: the only one there is, or a worker of a Ray."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import FakePlugins, Ganzoo, GanzooHere

import ganzoo_core as zoo
from ganzoo_core.errors import RunError, UnsupportedError
from ganzoo_core.evaluation.comparison.records import read_outcome

Tiny = Callable[..., dict[str, Any]]

TINY = (
    *("--set", "generator.width=16", "--set", "discriminator.width=8", "--set", "latent_size=4"),
    *("--batch-size", "8", "-n", "8", "--metrics", "fid", "--seeds", "2", "--budget", "4steps"),
    *("--evaluations", "2", "--device", "cpu", "--set", "trainer.trouble=kill", "--json"),
)


def test_a_process_that_is_killed_costs_nothing_that_was_done(
    troubled: FakePlugins, ganzoo: Ganzoo, tmp_path: Path
) -> None:
    # At the third step of its first run, one step after a checkpoint and a measurement.
    command = ("compare", "troubled", "gan", *TINY, "--set", "trainer.at=3", "--out")
    killed = ganzoo(*command, "out")
    assert killed.code == -9
    run = tmp_path / "out" / "runs" / "troubled-seed0"
    assert (run / "checkpoints" / "step-00000002").is_dir()
    assert read_outcome(run) is None
    resumed = ganzoo(*command, "out")
    assert resumed.code == 0, resumed.err
    straight = ganzoo(*command, "straight")
    assert straight.code == 0, straight.err
    found, wanted = (answer.json["results"] for answer in (resumed, straight))
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
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )
        yield ray
        ray.shutdown()


def test_a_worker_that_dies_once_costs_nothing(
    workers: Any, tiny: Tiny, troubled: FakePlugins, ganzoo_here: GanzooHere
) -> None:
    settings = {"trainer.trouble": "kill", "trainer.at": 3}
    arguments = tiny(on="ray", seeds=1, settings=settings)
    found = zoo.compare(["troubled", "gan"], "digits", **arguments)
    assert [outcome.status for outcome in found.outcomes] == ["finished", "finished"]
    straight = zoo.compare(
        ["troubled", "gan"], "digits", **(arguments | {"out": Path("straight"), "on": "local"})
    )
    values = [
        {outcome.entrant: outcome.points.values for outcome in its.outcomes}
        for its in (found, straight)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_a_worker_that_dies_again_costs_its_own_run_only(
    workers: Any, tiny: Tiny, troubled: FakePlugins, ganzoo_here: GanzooHere
) -> None:
    settings = {"trainer.trouble": "kill", "trainer.times": 9}
    found = zoo.compare(
        ["troubled", "gan"], "digits", **tiny(on="ray", seeds=1, settings=settings)
    )
    assert [(row.variant, row.failed) for row in found.rows] == [("gan", 0), ("troubled", 1)]
    assert found.failures[0].reason == "its workers died 2 times (WorkerCrashedError)"


def test_what_is_wrong_in_a_worker_is_one_sentence(
    workers: Any, tiny: Tiny, troubled: FakePlugins, ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    arguments = tiny(on="ray", seeds=1, settings={"trainer.trouble": "interrupt"})
    with pytest.raises(RunError, match="stopped after step 2 of 4 and saved") as raised:
        zoo.compare(["troubled"], "digits", **arguments)
    assert "\n" not in str(raised.value)
    assert zoo.compare(["troubled"], "digits", **arguments).rows[0].finished == 1


def test_without_ray_it_says_how_to_get_it(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'ganzoo-core\[ray\]'"):
        zoo.compare(["gan"], "digits", **tiny(on="ray"))
    assert not (tmp_path / "out").exists()
