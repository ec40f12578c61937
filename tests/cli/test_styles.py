"""What a generator with styles can be asked for on the command line."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_plugins import Ganzoo, GanzooHere
from PIL import Image
from safetensors.torch import load_file

import ganzoo_core as zoo

SMALL: dict[str, Any] = {
    "image_size": 16,
    "channels": 1,
    "latent_size": 8,
    "style_size": 8,
    "mapping_layers": 2,
    "mapping_width": 8,
    "width": 4,
}


@pytest.fixture(scope="module")
def styled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small StyleGAN's model folder."""
    model = zoo.create("stylegan", **SMALL)
    for name, weight in model.networks["generator"].named_parameters():
        if name.endswith("strength"):
            torch.nn.init.ones_(weight)
    return model.save(tmp_path_factory.mktemp("styled") / "model")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without styles."""
    model = zoo.create("dcgan", image_size=16, channels=1, width=2, latent_size=8)
    return model.save(tmp_path_factory.mktemp("plain") / "model")


def test_a_range_of_seeds_gives_one_image_a_seed(
    ganzoo_here: GanzooHere, styled: Path, tmp_path: Path
) -> None:
    said = ganzoo_here(
        *("sample", styled, "--truncation", "0.7", "--seed", "1-5", "--out", "many", "--json")
    )
    assert said.code == 0
    assert json.loads(said.out)["seed"] == [1, 2, 3, 4, 5]
    assert len(list(Path("many").iterdir())) == 5
    alone = ganzoo_here("sample", styled, "--truncation", "0.7", "--seed", "3", "-n", "1", *OUT)
    assert alone.code == 0
    assert Path("many/002.png").read_bytes() == Path("one/000.png").read_bytes()


OUT = ("--out", "one")


def test_a_range_of_one_seed_is_one_image(ganzoo_here: GanzooHere, styled: Path) -> None:
    said = ganzoo_here("sample", styled, "--seed", "5-5", "--out", "range", "--json")
    assert (said.json["count"], said.json["seed"]) == (1, [5])
    assert ganzoo_here("sample", styled, "--seed", "5", "-n", "1", *OUT).code == 0
    assert Path("range/000.png").read_bytes() == Path("one/000.png").read_bytes()
    refused = ganzoo_here("sample", styled, "--seed", "5-5", "-n", "2")
    assert refused.code == 2
    assert "--seed names 1 images" in refused.err


def test_the_mixing_figure_has_its_sources_at_its_borders(
    ganzoo_here: GanzooHere, styled: Path
) -> None:
    said = ganzoo_here(
        *("sample", styled, "--mix", "1-2", "3,5,7", "--layers", "0-1", "--truncation", "0.7"),
        *("--out", "mixed", "--json"),
    )
    assert said.code == 0
    assert json.loads(said.out)["shape"] == [12, 1, 16, 16]
    assert ganzoo_here("sample", styled, "--seed", "1", "-n", "1", "--truncation", "0.7", *OUT)
    assert Path("mixed/004.png").read_bytes() == Path("one/000.png").read_bytes()


@pytest.mark.parametrize("noise", ["drawn", "fixed", "none", "coarse", "fine"])
def test_every_kind_of_noise_is_drawn(ganzoo_here: GanzooHere, styled: Path, noise: str) -> None:
    options = ("--noise", noise, "-n", "4", "--out", "images.png")
    assert ganzoo_here("sample", styled, *options).code == 0


@pytest.mark.parametrize("out", ["walk.gif", "walk.png", "walk.npz"])
def test_a_walk_in_w_is_written_as_the_name_asks(
    ganzoo_here: GanzooHere, styled: Path, out: str
) -> None:
    options = ("--space", "w", "--pairs", "2", "--frames", "3", "--truncation", "0.7")
    assert ganzoo_here("interpolate", styled, *options, "--out", out).code == 0
    assert Path(out).stat().st_size


def test_a_projection_leaves_a_picture_and_its_style(ganzoo_here: GanzooHere, styled: Path) -> None:
    Image.effect_noise((40, 30), 60).convert("RGB").save("target.jpg")
    said = ganzoo_here(
        *("project", styled, "--target", "target.jpg", "--steps", "10", "--features", "pixels"),
        *("--space", "w+", "--out", "found/it.png", "--json"),
    )
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert (told["steps"], told["measure"], told["space"]) == (10, "pixels", "w+")
    with Image.open("found/it.png") as picture:
        assert picture.size == (16, 16)
    tensors = load_file("found/it.safetensors")
    assert tensors["w"].shape == (6, 8)
    assert [tensors[f"noise.{n}"].shape[-1] for n in range(6)] == [4, 4, 8, 8, 16, 16]


def test_ctrl_c_leaves_what_a_projection_has_found(
    ganzoo: Ganzoo, styled: Path, tmp_path: Path
) -> None:
    Image.effect_noise((16, 16), 60).save(tmp_path / "target.png")
    command = (
        *(sys.executable, "-m", "ganzoo_core", "project", str(styled), "--target", "target.png"),
        *("--steps", "4000", "--features", "pixels", "--out", "it.png"),
    )
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=ganzoo.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # A tenth of the steps is done once the first picture is there.
    deadline = time.monotonic() + 300
    while not (tmp_path / "it.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert re.search(r"stopped after \d+ of 4000 steps", said)
    with Image.open(tmp_path / "it.png") as picture:
        assert picture.size == (16, 16)
    assert load_file(tmp_path / "it.safetensors")["w"].shape == (8,)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("sample", "--seed", "1-3", "-n", "5"), "leave -n out"),
        (("sample", "--seed", "5-1"), "no range of numbers"),
        (("sample", "--seed", "1-3", "--report", "page.html"), "--seed a single number"),
        (("sample", "--layers", "0-3"), "--mix"),
        (("sample", "--mix", "1", "2", "--seed", "1-3"), "leave --seed out"),
        (("sample", "--mix", "1", "2", "-n", "3"), "leave -n out"),
        (("sample", "--mix", "1", "2", "--layers", "0-6"), "the layers 0 to 5"),
        (("sample", "--mix", "1", "x"), "must be a whole number"),
        (("sample", "--truncation", "much"), "must be a number"),
        (("sample", "--truncation", "nan"), "must be a number"),
        (("sample", "--truncation", "0.5", "--cutoff", "9"), "the cutoff cannot be 9"),
        (("sample", "--noise", "loud"), "invalid choice"),
        (("sample", "--code", "z0=-1:1", "--truncation", "0.5"), "grid of codes"),
        (("interpolate", "--space", "x"), "invalid choice"),
        (("project",), "--target"),
        (("project", "--target", "nowhere.png"), "cannot be read"),
        (("project", "--target", "broken.png"), "cannot be decoded"),
        (("project", "--target", "image.png", "--steps", "0"), "at least 1"),
        (("project", "--target", "image.png", "--out", "x.gif"), "suffix '.gif'"),
        (("project", "--target", "image.png", "--features", "no-such-net"), "no-such-net"),
        (("project", "--target", "image.png", "--class", "1"), "takes none"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    ganzoo_here: GanzooHere, styled: Path, options: tuple[str, ...], said: str
) -> None:
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    Image.new("L", (16, 16)).save("image.png")
    verb, *others = options
    answer = ganzoo_here(verb, styled, *others)
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [
        ("sample", "--truncation", "0.7"),
        ("sample", "--noise", "fixed"),
        ("sample", "--mix", "1", "2"),
        ("interpolate", "--space", "w"),
        ("project", "--target", "image.png"),
    ],
)
def test_a_model_without_styles_says_what_it_can_do(
    ganzoo_here: GanzooHere, plain: Path, options: tuple[str, ...]
) -> None:
    Image.new("L", (16, 16)).save("image.png")
    verb, *others = options
    answer = ganzoo_here(verb, plain, *others)
    assert answer.code == 2
    assert "what it can do: sample, interpolate, decode" in answer.err


def test_a_report_truncates_styles(ganzoo_here: GanzooHere, styled: Path) -> None:
    assert ganzoo_here("sample", styled, "--report", "page.html", "-n", "4").code == 0
    assert "moved towards the mean of all styles" in Path("page.html").read_text("utf-8")
