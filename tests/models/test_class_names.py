"""Models know what their classes are called, where their data did."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_plugins import GanzooHere
from PIL import Image

import ganzoo_core as zoo

NAMES = ("ankle boot", "cat", "t-shirt")
DRAWER: dict[str, Any] = {
    "image_size": 8,
    "channels": 1,
    "classes": 3,
    "latent_size": 8,
    "generator.latent_width": 16,
    "generator.class_width": 16,
    "generator.width": 32,
    "discriminator.image_width": 16,
    "discriminator.class_width": 8,
    "discriminator.width": 16,
}


@pytest.fixture
def drawer(tmp_path: Path) -> Path:
    """A model that draws classes, with their names."""
    model = zoo.create("cgan", **DRAWER)
    model.class_names = NAMES
    return model.save(tmp_path / "drawer")


def picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_a_folder_keeps_the_names_and_an_old_one_has_none(drawer: Path) -> None:
    assert zoo.load(drawer).class_names == NAMES
    config = drawer / "config.json"
    config.write_text(
        json.dumps({k: v for k, v in json.loads(config.read_bytes()).items() if k != "class_names"})
    )
    assert zoo.load(drawer).class_names == ()


@pytest.mark.parametrize("damage", [3, {"cat": 0}, ["cat", 3]])
def test_names_that_are_none_are_one_sentence(drawer: Path, damage: object) -> None:
    config = drawer / "config.json"
    config.write_text(json.dumps(json.loads(config.read_bytes()) | {"class_names": damage}))
    with pytest.raises(zoo.GanzooError, match="class_names must be a list of names"):
        zoo.load(drawer)


def test_a_name_stands_for_its_number(drawer: Path) -> None:
    model = zoo.load(drawer)
    assert torch.equal(model.sample(2, labels="cat"), model.sample(2, labels=1))
    mixed = model.sample(3, labels=["t-shirt", 0, "cat"])
    assert torch.equal(mixed, model.sample(3, labels=[2, 0, 1]))


def test_sample_takes_names_numbers_and_ranges(
    ganzoo_here: GanzooHere, drawer: Path, tmp_path: Path
) -> None:
    for out, classes in (("a.npz", "t-shirt, ankle boot"), ("b.npz", "2,0")):
        said = ganzoo_here("sample", drawer, "--class", classes, "-n", "4", "--out", out)
        assert said.code == 0, said.err
    assert np.array_equal(*(np.load(out)["images"] for out in ("a.npz", "b.npz")))
    said = ganzoo_here("sample", drawer, "--class", "1-2", "-n", "2", "--out", "c.npz")
    assert said.code == 0, said.err


def test_a_wrong_name_is_answered_with_the_nearest(ganzoo_here: GanzooHere, drawer: Path) -> None:
    said = ganzoo_here("sample", drawer, "--class", "tshirt")
    said.is_one_sentence("unknown class 'tshirt'", "'t-shirt'")


def test_a_model_without_names_asks_for_a_number(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    model = zoo.create("cgan", **DRAWER).save(tmp_path / "nameless")
    ganzoo_here("sample", model, "--class", "cat").is_one_sentence("give a whole number, not 'cat'")


def test_classify_shows_names(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    settings = {"image_size": 16, "channels": 1, "classes": 3, "first_maps": 2, "second_maps": 3}
    model = zoo.create("source-only", **settings)
    model.class_names = NAMES
    folder = model.save(tmp_path / "judge")
    image = picture(tmp_path / "image.png")
    (found,) = ganzoo_here("classify", folder, "--input", image, "--json").json["images"]
    assert [NAMES[each["class"]] for each in found["classes"]] == [
        each["name"] for each in found["classes"]
    ]
    shown = ganzoo_here("classify", folder, "--input", image).out
    assert all(f"{name} (" in shown for name in NAMES)


def test_training_on_named_folders_remembers_their_names(tmp_path: Path) -> None:
    for name in ("dog", "cat"):
        for number in range(6):
            picture(tmp_path / "pets" / name / f"{number}.png", seed=number)
    settings = {k: v for k, v in DRAWER.items() if k not in ("classes", "channels")}
    settings |= {"training.steps": 1, "training.batch_size": 4}
    model = zoo.train(
        "cgan", f"folder:{tmp_path / 'pets'}", out=tmp_path / "run", settings=settings, device="cpu"
    )
    assert model.class_names == ("cat", "dog")
    assert zoo.load(tmp_path / "run").class_names == ("cat", "dog")
