"""The main job on the command line: train, resume, sample, interpolate, load."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from fake_plugins import Ganzoo, GanzooHere
from PIL import Image

TINY = ("--set", "width=4", "--set", "latent_size=4", "--image-size", "16", "--batch-size", "8")


@pytest.fixture
def trained(ganzoo_here: GanzooHere, tmp_path: Path) -> Path:
    said = ganzoo_here("train", "dcgan", *TINY, "--steps", "6", "--out", "run")
    assert said.code == 0, said.err
    return tmp_path / "run"


def test_training_writes_the_run_that_the_design_promises(trained: Path) -> None:
    record = json.loads((trained / "run.json").read_text())
    assert record["blueprint"]["components"]["generator"]["config"]["width"] == 4
    assert record["data"]["fingerprint"].startswith("sha256:")
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 6]
    assert {"generator", "discriminator"} <= lines[-1]["losses"].keys()
    assert [path.name for path in (trained / "checkpoints").iterdir()] == ["step-00000006"]
    model = sorted(path.name for path in (trained / "model").iterdir())
    assert model == ["README.md", "config.json", "model.safetensors", "samples.png"]
    assert (trained / "samples" / "step-00000006.png").is_file()


def test_without_out_a_run_gets_a_folder_of_its_own(
    ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    for _ in range(2):
        assert ganzoo_here("train", "dcgan", *TINY, "--steps", "1").code == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "dcgan-digits",
        "dcgan-digits-2",
    ]


def test_the_same_seed_draws_the_same_images_whatever_the_batch_size(
    ganzoo_here: GanzooHere, trained: Path, tmp_path: Path
) -> None:
    drawn = {}
    for name, options in {
        "a": ("--seed", "1"),
        "b": ("--seed", "1", "--batch-size", "3"),
        "c": ("--seed", "2"),
    }.items():
        assert (
            ganzoo_here("sample", trained, "-n", "10", "--out", f"{name}.npz", *options).code == 0
        )
        drawn[name] = np.load(tmp_path / f"{name}.npz")["images"]
    assert drawn["a"].shape == (10, 16, 16, 1)
    # Another batch size may round the last bit of an activation differently.
    assert np.abs(drawn["a"].astype(int) - drawn["b"]).max() <= 1
    assert not np.array_equal(drawn["a"], drawn["c"])


def test_samples_come_as_grid_array_folder_or_animation(
    ganzoo_here: GanzooHere, trained: Path, tmp_path: Path
) -> None:
    for out in ("grid.png", "grid.jpg", "all.npz", "moving.gif", "many"):
        assert ganzoo_here("sample", trained, "-n", "9", "--out", out).code == 0
    assert Image.open(tmp_path / "grid.png").size == (3 * 18 + 2, 3 * 18 + 2)
    assert Image.open(tmp_path / "moving.gif").n_frames == 9
    assert len(list((tmp_path / "many").glob("*.png"))) == 9


def test_interpolations_begin_and_end_at_samples(
    ganzoo_here: GanzooHere, trained: Path, tmp_path: Path
) -> None:
    for method in ("slerp", "linear"):
        out = f"{method}.npz"
        options = ("--pairs", "2", "--frames", "5", "--seed", "3", "--method", method)
        assert ganzoo_here("interpolate", trained, *options, "--out", out).code == 0
    assert ganzoo_here("sample", trained, "-n", "4", "--seed", "3", "--out", "s.npz").code == 0
    samples = np.load(tmp_path / "s.npz")["images"].astype(int)
    for method in ("slerp", "linear"):
        walks = np.load(tmp_path / f"{method}.npz")["images"].reshape(2, 5, 16, 16, 1)
        ends = walks[:, [0, -1]].reshape(4, 16, 16, 1)
        assert np.abs(ends - samples).max() <= 1
    assert ganzoo_here("interpolate", trained, "--out", "walk.gif").code == 0
    assert Image.open(tmp_path / "walk.gif").n_frames == 16
    assert ganzoo_here("interpolate", trained, "--out", "walk.mp4").code == 0
    with av.open(str(tmp_path / "walk.mp4")) as film:
        assert len(list(film.decode(video=0))) == 16


def test_loading_says_what_it_is(ganzoo_here: GanzooHere, trained: Path) -> None:
    described = ganzoo_here("load", trained, "--json").json
    assert described["variant"] == "dcgan"
    assert described["networks"]["generator"] > 0
    said = ganzoo_here("load", trained, "--sample", "4", "--out", "four.png")
    assert "generator" in said.out
    assert ganzoo_here("load", trained / "model").code == 0


def test_dry_run_shows_every_setting_and_writes_nothing(
    ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    plan = ganzoo_here(
        "train", "dcgan", "--data", "digits", "--epochs", "2", "--dry-run", "--json"
    ).json
    assert plan["components"]["generator"]["config"]["image_size"] == 16
    assert plan["components"]["generator"]["config"]["channels"] == 1
    assert plan["training"]["steps"] == -(-2 * 1797 // 128)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("settings.toml", "latent_size = 7\n[generator]\nwidth = 8\n"),
        ("settings.json", '{"latent_size": 7, "generator": {"width": 8}}'),
        ("settings.yaml", "latent_size: 7\ngenerator:\n  width: 8\n"),
    ],
)
def test_settings_come_from_a_file_and_the_command_line_wins(
    ganzoo_here: GanzooHere, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    options = ("--config", name, "--set", "generator.width=16", "--dry-run", "--json")
    config = ganzoo_here("train", "dcgan", *options).json["components"]["generator"]["config"]
    assert (config["latent_size"], config["width"]) == (7, 16)


def test_a_preset_is_overridden_by_what_the_user_sets(ganzoo_here: GanzooHere) -> None:
    options = ("--preset", "mnist", "--set", "generator.width=5", "--dry-run", "--json")
    parts = ganzoo_here("train", "dcgan", *options).json["components"]
    assert parts["generator"]["config"]["width"] == 5
    assert parts["discriminator"]["config"]["width"] == 32


def test_another_kind_of_optimiser_takes_its_own_defaults(ganzoo_here: GanzooHere) -> None:
    options = ("--set", "trainer.discriminator_optimizer.name=sgd", "--dry-run", "--json")
    trainer = ganzoo_here("train", "dcgan", *options).json["components"]["trainer"]["config"]
    assert trainer["discriminator_optimizer"]["name"] == "sgd"
    assert "betas" not in trainer["discriminator_optimizer"]
    assert trainer["generator_optimizer"]["betas"] == [0.5, 0.999]


def test_json_goes_to_standard_output_alone(ganzoo_here: GanzooHere) -> None:
    said = ganzoo_here("train", "dcgan", *TINY, "--steps", "2", "--out", "run", "--json")
    assert said.json["last"]["step"] == 2
    assert said.err == ""


def test_ctrl_c_saves_and_prints_the_command_that_goes_on(ganzoo: Ganzoo, tmp_path: Path) -> None:
    arguments = ("train", "dcgan", *TINY, "--steps", "300", "--set", "training.log_every=5")
    assert ganzoo(*arguments, "--out", "whole").code == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "ganzoo_core", *arguments, "--out", "stopped"],
        cwd=tmp_path,
        env=ganzoo.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = tmp_path / "stopped" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not metrics.exists() or len(metrics.read_text().splitlines()) < 3:
        assert time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "ganzoo train --resume stopped" in said
    ganzoo("sample", "stopped").is_one_sentence("no trained model yet", "--resume")
    assert ganzoo("train", "--resume", "stopped").code == 0
    weights = [tmp_path / run / "model" / "model.safetensors" for run in ("whole", "stopped")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_resuming_with_another_setting_is_refused_with_the_difference(
    ganzoo_here: GanzooHere, trained: Path
) -> None:
    said = ganzoo_here("train", "--resume", trained, "--batch-size", "16")
    said.is_one_sentence("training.batch_size: 8 → 16")
    said = ganzoo_here(
        "train", "dcgan", *TINY, "--steps", "6", "--loss", "minimax", "--resume", trained
    )
    said.is_one_sentence("loss", "minimax")
    assert ganzoo_here("train", "dcgan", *TINY, "--steps", "6", "--resume", trained).code == 0
    assert ganzoo_here("train", "--resume", trained, "--steps", "8").code == 0


def test_two_processes_train_what_one_does(ganzoo: Ganzoo, tmp_path: Path) -> None:
    options = ("--steps", "3", "--batch-size", "8", "--set", "width=16", "--image-size", "8")
    assert ganzoo("train", "gan", *options, "--out", "one", "--device", "cpu").code == 0
    said = ganzoo("train", "gan", *options, "--out", "two", "--device", "cpu", "--processes", "2")
    assert said.code == 0, said.err
    from safetensors.numpy import load_file

    one, two = (load_file(tmp_path / run / "model" / "model.safetensors") for run in ("one", "two"))
    for name, weights in one.items():
        np.testing.assert_allclose(weights, two[name], atol=1e-6)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(ganzoo_here: GanzooHere, shell: str) -> None:
    assert "ganzoo" in ganzoo_here("completion", shell).out


def test_the_shell_completes_variants_and_imports_no_torch(ganzoo: Ganzoo) -> None:
    code = (
        "import os, sys\n"
        "os.environ |= {'_ARGCOMPLETE': '1', 'COMP_LINE': 'ganzoo train dc', 'COMP_POINT': '15',"
        "'_ARGCOMPLETE_STDOUT_FILENAME': 'completions', '_ARGCOMPLETE_IFS': '\\n'}\n"
        "leave = os._exit\n"
        "def exit(code): open('heavy', 'w').write(str('torch' in sys.modules)); leave(code)\n"
        "os._exit = exit\n"
        "from ganzoo_core.cli import main\n"
        "main([])\n"
    )
    said = ganzoo.python("-c", code)
    folder = ganzoo.folder
    assert (folder / "completions").read_text().split() == ["dcgan"], said
    assert (folder / "heavy").read_text() == "False"


def test_demo_trains_samples_interpolates_and_loads(
    ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    said = ganzoo_here("demo", "--steps", "3", "--out", "shown")
    assert said.code == 0, said.err
    for name in ("mnist.png", "grid.png", "interpolation.png", "run/model/model.safetensors"):
        assert (tmp_path / "shown" / name).is_file()
    ganzoo_here("demo", "--out", "shown").is_one_sentence("exists already")
