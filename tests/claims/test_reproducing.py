"""Reproducing claims: what is trained, measured, judged and recorded, and what is refused."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import FakePlugins, Ganzoo, GanzooHere, entry, manifest

import ganzoo_core as zoo
from ganzoo_core.evaluation.claims.records import judged

SETTINGS = {
    "image_size": 16,
    "latent_size": 4,
    "generator.width": 8,
    "discriminator.width": 4,
    "training.batch_size": 8,
}

WHICH_SEEDS_FAIL = """
from ganzoo_core.plugins import hookimpl
from ganzoo_plugin_gan.config import MLPGeneratorConfig
from ganzoo_plugin_gan.networks import MLPGenerator

@hookimpl
def ganzoo_config(component):
    return MLPGeneratorConfig

@hookimpl
def ganzoo_generator(component, config):
    network = MLPGenerator(config)
    weight = next(network.parameters())
    if not weight.is_meta and weight.flatten()[0] > 0:
        weight.data.fill_(float("nan"))
    return network
"""


def run(**changes: Any) -> dict[str, Any]:
    return {"steps": 2, "count": 8, "seeds": 2, "settings": SETTINGS} | changes


def claim(name: str = "swd-digits", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "metric": "swd",
        "figure": "SWD average",
        "data": "digits",
        "value": 1e6,
        "better": "lower",
        "source": "table 1",
        "full": run(steps=8),
        "small": run(),
    } | changes


@pytest.fixture
def toy(plugins: FakePlugins) -> Callable[..., Path]:
    """Install a plugin whose variant `toy` has these claims."""

    def install(*claims: dict[str, Any], **changes: Any) -> Path:
        content = manifest(entry(claims=list(claims or [claim()])))
        return plugins.install(content=content, **changes)

    return install


def test_a_claim_is_trained_for_measured_and_judged(
    toy: Callable[..., Path], ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    toy()
    said = ganzoo_here("reproduce", "toy", "--small")
    assert said.code == 0, said.err
    header, row, where = said.out.splitlines()
    assert header.split() == ["CLAIM", "PAPER", "MEASURED", "BUDGET", "VERDICT"]
    assert row.split()[:2] == ["swd-digits", "1e+06"]
    assert "small: 2 steps, 2 seeds, 25 % of the full budget" in row
    assert row.endswith("reproduced")
    file = tmp_path / "ganzoo-data" / "records" / "toy" / "swd-digits-small.json"
    assert where == f"recorded in {file}"
    record = json.loads(file.read_text())
    values = [seed["value"] for seed in record["seeds"]]
    assert len(values) == 2 and values[0] != values[1]
    assert record["mean"] == pytest.approx(sum(values) / 2)
    assert record["deviation"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert (record["steps"], record["batch_size"], record["share"]) == (2, 8, 0.25)
    assert (record["data"], record["device"]) == ("digits", "cpu")
    assert record["fingerprint"].startswith("sha256:")
    assert record["command"] == "ganzoo reproduce toy --small --claim swd-digits"
    assert record["plugin_version"] == "1.0"
    runs = tmp_path / "reproductions" / "toy-small"
    assert sorted(path.name for path in runs.iterdir()) == ["seed-0", "seed-1"]
    assert "model-index" in (runs / "seed-0" / "model" / "README.md").read_text()


def test_the_commands_that_are_shown_come_to_the_same_number(
    toy: Callable[..., Path], ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    toy(claim(small=run(components={"loss": "minimax"}, seeds=1)))
    measured = ganzoo_here("reproduce", "toy", "--small", "--json")
    assert measured.code == 0, measured.err
    shutil.rmtree(tmp_path / "reproductions")
    shown = ganzoo_here("info", "toy").out
    lines = [line.split(": ", 1)[1] for line in shown.splitlines() if "a seed: " in line]
    lines += [line.split("and: ", 1)[1] for line in shown.splitlines() if " and: ganzoo" in line]
    for line in (lines[1], lines[3]):  # those of the small run
        assert line.startswith("ganzoo ")
        said = ganzoo_here(*line.split()[1:])
        assert said.code == 0, said.err
    (value,) = (seed["value"] for seed in measured.json[0]["seeds"])
    assert any(line.split()[:3:2] == ["SWD", f"{value:.5g}"] for line in said.out.splitlines())


def test_claims_share_a_training_only_where_it_is_the_same(
    toy: Callable[..., Path], ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    toy(
        claim("first"),
        claim("same", metric="ms-ssim", figure=""),
        claim("longer", small=run(steps=3)),
    )
    said = ganzoo_here("reproduce", "toy", "--small", "--seeds", "1", "--json")
    assert [record["claim"] for record in said.json] == ["first", "same", "longer"]
    folders = {path.name for path in (tmp_path / "reproductions").iterdir()}
    assert folders == {"toy-small", "toy-small-longer"}
    again = ganzoo_here(
        "reproduce", "toy", "--small", "--seeds", "1", "--claim", "longer", "--json"
    )
    assert again.json[0]["mean"] == said.json[2]["mean"]
    assert {path.name for path in (tmp_path / "reproductions").iterdir()} == folders


def test_finished_runs_are_not_repeated_and_more_seeds_are_added(
    toy: Callable[..., Path], ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    toy()
    first = ganzoo_here("reproduce", "toy", "--small", "--seeds", "1", "--json")
    written = tmp_path / "reproductions" / "toy-small" / "seed-0" / "model" / "model.safetensors"
    before = written.stat().st_mtime_ns
    second = ganzoo_here("reproduce", "toy", "--small", "--seeds", "2", "--json")
    assert written.stat().st_mtime_ns == before
    assert second.json[0]["seeds"][0]["value"] == first.json[0]["mean"]
    assert len(second.json[0]["seeds"]) == 2
    assert first.json[0]["deviation"] is None


def test_what_was_killed_goes_on_to_where_it_would_have_come(
    toy: Callable[..., Path], ganzoo: Ganzoo, tmp_path: Path
) -> None:
    settings = SETTINGS | {"training.checkpoint_every": 5}
    toy(claim(small=run(steps=400, seeds=1, settings=settings)))
    command = [sys.executable, "-m", "ganzoo_core", "reproduce", "toy", "--small", "--json"]
    began = subprocess.Popen(
        command, cwd=tmp_path, env=ganzoo.environment(), stdout=subprocess.PIPE
    )
    seed = tmp_path / "reproductions" / "toy-small" / "seed-0"
    while not list(seed.glob("checkpoints/step-*")) and began.poll() is None:
        time.sleep(0.02)
    began.send_signal(signal.SIGKILL)
    began.communicate()
    assert not (seed / "model").exists()
    gone_on = ganzoo("reproduce", "toy", "--small", "--json")
    assert gone_on.code == 0, gone_on.err
    whole = ganzoo("reproduce", "toy", "--small", "--json", "--out", "elsewhere")
    assert gone_on.json[0]["mean"] == whole.json[0]["mean"]


def test_a_seed_that_diverges_is_counted(
    toy: Callable[..., Path], ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    toy(claim(small=run(seeds=6)), hooks=WHICH_SEEDS_FAIL)
    said = ganzoo_here("reproduce", "toy", "--small")
    assert said.code == 0, said.err
    record = json.loads((tmp_path / "ganzoo-data/records/toy/swd-digits-small.json").read_text())
    failed = [seed for seed in record["seeds"] if seed["value"] is None]
    assert 0 < len(failed) < 6
    assert f"reproduced, failed {len(failed)} of 6" in said.out
    assert f"seed {failed[0]['seed']} failed: the loss of phase" in said.out
    listed = ganzoo_here("list", "toy", "--claims").out
    assert f"reproduced, failed {len(failed)} of 6" in listed


def test_a_claim_of_which_all_seeds_diverge_has_failed_and_is_shown_so(
    toy: Callable[..., Path], ganzoo_here: GanzooHere
) -> None:
    toy(claim(unit="nats"), hooks=WHICH_SEEDS_FAIL.replace("weight.flatten()[0] > 0", "True"))
    said = ganzoo_here("reproduce", "toy", "--small")
    assert said.code == 1, said.err
    row = said.out.splitlines()[1]
    assert row.split()[3] == "failed" and row.endswith("failed") and row.count("nats") == 1
    assert ganzoo_here("list", "toy", "--claims").out.splitlines()[1].endswith("failed")


def test_the_data_may_lie_elsewhere_and_the_record_says_which_they_were(
    toy: Callable[..., Path], ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    import numpy as np

    (tmp_path / "data").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), dtype=np.uint8)
    np.savez(tmp_path / "data" / "noise.npz", images=pixels)
    toy(claim(data="mnist", small=run(seeds=1), full=None, why_not="it takes too long"))
    options = ("--data", "npz:noise.npz", "--data-root", tmp_path / "data")
    said = ganzoo_here("reproduce", "toy", "--small", *options)
    assert said.code == 0, said.err
    assert "small: 2 steps, 1 seed, on npz:noise.npz" in said.out
    record = json.loads((tmp_path / "ganzoo-data/records/toy/swd-digits-small.json").read_text())
    assert record["data"] == "npz:noise.npz"
    assert record["share"] is None
    assert str(tmp_path) not in json.dumps(record)


def test_a_record_can_be_shipped_with_the_plugin(
    toy: Callable[..., Path], ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    toy()
    package = tmp_path / "source" / "src" / "toy"
    package.mkdir(parents=True)
    (package / "ganzoo-plugin.json").write_text(json.dumps(manifest()))
    said = ganzoo_here("reproduce", "toy", "--small", "--seeds", "1", "--ship", "source")
    assert said.code == 0, said.err
    shipped = package / "records" / "toy" / "swd-digits-small.json"
    ours = tmp_path / "ganzoo-data" / "records" / "toy" / "swd-digits-small.json"
    assert shipped.read_bytes() == ours.read_bytes()


def test_python_can_do_what_the_command_can(
    toy: Callable[..., Path], ganzoo_here: GanzooHere
) -> None:
    toy(claim(value=0.0, spread=None))
    (record,) = zoo.reproduce("toy", small=True, claims=["swd-digits"], seeds=1)
    assert record.mean is not None and record.mean > 0
    assert (record.verdict, record.outcome) == ("not reached", "not reached")


@pytest.mark.parametrize(
    ("claims", "options", "parts"),
    [
        ([claim()], ["--claim", "swd-digit"], ["unknown claim", "did you mean 'swd-digits'"]),
        ([claim(metric="sdw")], [], ["unknown metric 'sdw'", "did you mean 'swd'"]),
        ([claim(metric="ssim")], [], ["can reconstruct", "sample"]),
        ([claim(metric="parzen", figure="")], [], ["digits has a single split"]),
        ([claim(figure="")], [], ["must name one figure of swd", "SWD average"]),
        (
            [claim(small=None, why_not="its data are not public")],
            [],
            ["has no small run", "its data are not public"],
        ),
        (
            [claim(), claim("other", data="mnist")],
            ["--data", "digits"],
            ["digits and mnist", "--claim"],
        ),
        ([claim(data="nowhere")], [], ["unknown data set 'nowhere'"]),
        ([claim()], ["--data", "idx:nowhere"], ["there is no file or folder nowhere"]),
        ([claim(small=run(preset="tiny"))], [], ["unknown preset 'tiny'"]),
        ([claim(small=run(settings={"widht": 1}))], [], ["unknown setting 'widht'"]),
        ([claim()], ["--ship", "nowhere"], ["not a plugin's source"]),
        ([claim()], ["--seeds", "0"], ["at least 1"]),
        ([claim(small={"steps": 1, "epochs": 1})], [], ["malformed"]),
    ],
)
def test_what_cannot_be_reproduced_is_one_sentence(
    toy: Callable[..., Path],
    ganzoo_here: GanzooHere,
    claims: list[dict[str, Any]],
    options: list[str],
    parts: list[str],
) -> None:
    toy(*claims)
    ganzoo_here("reproduce", "toy", "--small", *options).is_one_sentence(*parts)
    measured = ganzoo_here("list", "toy", "--claims").out
    assert "reproduced" not in measured and "not reached" not in measured


def test_a_variant_without_claims_and_an_unknown_one_are_one_sentence(
    plugins: FakePlugins, ganzoo_here: GanzooHere
) -> None:
    plugins.install(content=manifest())
    ganzoo_here("reproduce", "toy").is_one_sentence("toy declares no claims")
    ganzoo_here("reproduce", "tyo").is_one_sentence("unknown variant", "'toy'")


def test_data_that_cannot_be_had_offline_are_said_to_be_before_anything_is_trained(
    toy: Callable[..., Path], ganzoo: Ganzoo, tmp_path: Path
) -> None:
    toy(claim(data="mnist"))
    said = ganzoo("reproduce", "toy", "--small", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "hub"))
    said.is_one_sentence("mnist")
    assert not (tmp_path / "reproductions").exists()


def test_records_that_cannot_be_kept_are_said_to_be_before_anything_is_trained(
    toy: Callable[..., Path], ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    toy()
    (tmp_path / "ganzoo-data").write_text("in the way")
    ganzoo_here("reproduce", "toy", "--small").is_one_sentence("GANZOO_DATA", "cannot be made")
    assert not (tmp_path / "reproductions").exists()


def test_runs_of_other_settings_are_not_taken_for_the_claims_own(
    toy: Callable[..., Path], ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    folder = toy()
    assert ganzoo_here("reproduce", "toy", "--small", "--seeds", "1").code == 0
    for change, said in (
        ({"settings": SETTINGS | {"generator.width": 16}}, "generator.config.width: 8 → 16"),
        ({"steps": 5}, "was trained for 2 steps and the claim says 5"),
    ):
        content = manifest(entry(claims=[claim(small=run(**change))]))
        (folder / "ganzoo-plugin.json").write_text(json.dumps(content))
        ganzoo_here("reproduce", "toy", "--small").is_one_sentence(said, "--out")


@pytest.mark.parametrize(
    ("values", "better", "paper", "spread", "verdict"),
    [
        ([10.0], "higher", 10.0, None, "reproduced"),
        ([9.9], "higher", 10.0, None, "not reached"),
        ([9.9], "higher", 10.0, 0.2, "reproduced"),
        ([30.0], "higher", 10.0, None, "reproduced"),
        ([8.0, 11.0], "higher", 10.0, 0.1, "reproduced"),  # 9.5 ± 2.1
        ([9.4, 9.6], "higher", 10.0, 0.1, "not reached"),  # 9.5 ± 0.14
        ([9.9], "lower", 10.0, None, "reproduced"),
        ([10.1], "lower", 10.0, None, "not reached"),
        ([10.1], "lower", 10.0, 0.2, "reproduced"),
        ([], "lower", 10.0, 0.2, "failed"),
    ],
)
def test_a_claim_is_reproduced_within_the_larger_of_the_two_spreads(
    values: list[float], better: str, paper: float, spread: float | None, verdict: str
) -> None:
    assert judged(values, better, paper, spread)[2] == verdict
